"""Tagged text in the files of its field: nothing is converted by hand, every sentence is kept or named."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selftaught.data.examples import Columns
from selftaught.data.tag_schemes import spans
from selftaught.data.tagged import read_tagged
from selftaught.data.tagged_text import TaggedText
from selftaught.errors import SelftaughtError

CONLL_2003 = """-DOCSTART- -X- -X- O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC
call NN I-NP O

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER
"""
GERMEVAL = """#\thttp://de.wikipedia.org/wiki/Manfred_Korfmann\t[2009-10-17]
1\tAufgrund\tO\tO
2\tKorfmann\tB-PER\tO
3\t#\tO\tO

# sent_id = 2
1\tUlm\tB-LOC\tO
"""
WEIBO = "在0\tO\n北0\tB-GPE.NAM\n京1\tI-GPE.NAM\n30\tO\n！0\tO\n\n310\tO\n的0\tO\n人0\tB-PER.NOM\n"
SNIPS = {
    "AddToPlaylist": [
        {"data": [{"text": "add "}, {"text": "Le Café", "entity": "artist"}, {"text": " to my list."}]},
        {"data": [{"text": "play "}, {"text": "it", "entity": "track"}]},
    ]
}


def write(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def shown(example: TaggedText) -> list[tuple[str, str]]:
    """The entities: type and text."""
    return [
        (kind, example.text[example.words[first][0] : example.words[end - 1][1]])
        for kind, first, end in spans(example.tags)
    ]


def test_columns_of_conll(tmp_path: Path) -> None:
    found = read_tagged(write(tmp_path, "eng.train", CONLL_2003), Columns())
    assert [example.text for example in found.examples] == ["EU rejects German call", "Peter Blackburn"]
    assert [example.line for example in found.examples] == [3, 8]
    assert shown(found.examples[0]) == [("ORG", "EU"), ("MISC", "German")]
    assert shown(found.examples[1]) == [("PER", "Peter Blackburn")]
    assert found.description.endswith("4 columns, UTF-8, word in 1, tag in 4, scheme IOB1")
    chunks = read_tagged(tmp_path / "eng.train", Columns(label="3"))
    assert shown(chunks.examples[0]) == [("NP", "EU"), ("VP", "rejects"), ("NP", "German call")]


def test_comments_and_other_columns(tmp_path: Path) -> None:
    found = read_tagged(write(tmp_path, "de.tsv", GERMEVAL), Columns(text="2", label="3"))
    assert [example.tokens for example in found.examples] == [["Aufgrund", "Korfmann", "#"], ["Ulm"]]
    assert shown(found.examples[0]) == [("PER", "Korfmann")]
    with pytest.raises(SelftaughtError, match="no column '5'; they are 1, 2, 3, 4"):
        read_tagged(tmp_path / "de.tsv", Columns(text="5"))


def test_the_number_behind_each_character_is_left_out(tmp_path: Path) -> None:
    found = read_tagged(write(tmp_path, "weibo.train", WEIBO), Columns())
    assert [example.tokens for example in found.examples] == [["在", "北", "京", "3", "！"], ["3", "的", "人"]]
    assert shown(found.examples[0]) == [("GPE.NAM", "北京")]
    assert "the number behind each character is left out" in found.description


def test_other_white_space_is_a_word(tmp_path: Path) -> None:
    """A full-width space, or one that does not break, is a token in corpora of characters."""
    found = read_tagged(write(tmp_path, "a.conll", "你 B-x\n\u3000 I-x\n\xa0 O\n好 O\n"), Columns())
    assert found.examples[0].tokens == ["你", "\u3000", "\xa0", "好"]


@pytest.mark.parametrize(
    ("line", "number", "why"),
    [
        ("word", 5, "has 1 columns where 2 are expected"),
        ("word\tO\tO", 5, "has 3 columns where 2 are expected"),
        ("\tO", 5, "has an empty word or tag"),
        ("wo\0rd\tO", 5, "contains NUL bytes"),
        ("word\tI-ORG", 5, "'I-ORG' goes on with an entity that has not begun (IOB2)"),
        ("word\tQ-PER", 5, "the tag 'Q-PER' is neither O nor B, I"),
    ],
)
def test_a_bad_line_costs_its_sentence_and_is_named(line: str, number: int, why: str, tmp_path: Path) -> None:
    good = "Anna\tB-PER\nSmith\tI-PER\n\n"
    file = write(tmp_path, "a.conll", f"{good}so\tO\n{line}\nso\tO\n\n{good}")
    found = read_tagged(file, Columns())
    assert found.tally.summary() == "3 rows: 2 kept, 1 quarantined"
    (bad,) = found.tally.records
    assert (bad.file, bad.line) == (str(file), number)
    assert why in bad.why
    assert [example.line for example in found.examples] == [1, 8]


def test_bytes_that_are_no_text_cost_their_sentence(tmp_path: Path) -> None:
    content = "".join(f"Größe\tO\n{i}\tB-N\n\n" for i in range(40)).encode()
    (tmp_path / "a.conll").write_bytes(content + b"Gr\xf6\xdfe\tO\n1\tB-N\n")
    found = read_tagged(tmp_path / "a.conll", Columns())
    assert found.tally.kept == 40
    assert found.tally.records[0].line == 121


def test_an_old_encoding_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_bytes("café\tO\nÉtats\tB-LOC\nUnis\tI-LOC\nété\tO\n".encode("latin-1") * 3)
    found = read_tagged(tmp_path / "a.conll", Columns())
    assert found.examples[0].tokens[:2] == ["café", "États"]


def test_files_of_nothing_to_learn_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SelftaughtError, match="there is no entity in 1 sentences"):
        read_tagged(write(tmp_path, "o.conll", "a O\nb O\n"), Columns())
    with pytest.raises(SelftaughtError, match="there are no columns in it"):
        read_tagged(write(tmp_path, "plain.txt", "Ulm\nBonn\n"), Columns())
    with pytest.raises(SelftaughtError, match=r"no labelled rows.*the tag 'NN' is neither O nor B, I"):
        read_tagged(write(tmp_path, "pos.conll", "a NN\nb VB\n"), Columns())
    (tmp_path / "a.conll").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(SelftaughtError, match="no tags can be read from it: a PNG picture"):
        read_tagged(tmp_path / "a.conll", Columns())


def test_words_and_tags_in_json(tmp_path: Path) -> None:
    rows = [
        {"tokens": ["Anna", "is", "here"], "ner_tags": ["S-PER", "O", "O"]},
        {"tokens": ["Ulm", "city"], "ner_tags": ["B-LOC"]},
        {"tokens": ["Ulm", ""], "ner_tags": ["B-LOC", "O"]},
        {"tokens": ["Ulm"], "ner_tags": [3]},
        {"tokens": ["New", "York"], "ner_tags": ["B-LOC", "E-LOC"]},
        {"tokens": "a text", "ner_tags": "O O"},
    ]
    file = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)) + "\nno json\n")
    found = read_tagged(file, Columns())
    assert [shown(example) for example in found.examples] == [[("PER", "Anna")], [("LOC", "New York")], []]
    assert [(bad.line, bad.why.split(":")[0]) for bad in found.tally.records] == [
        (2, "has 2 words and 1 tags"),
        (3, "column 'tokens' holds a word that is empty or no text"),
        (4, "column 'ner_tags' does not hold a list of tags such as B-PER"),
        (7, "is not JSON"),
    ]
    assert found.description.endswith("a.jsonl: .jsonl, UTF-8, text in 'tokens', tags in 'ner_tags', scheme BIOES")


def test_words_and_tags_in_parquet(tmp_path: Path) -> None:
    table = pa.table({"id": [1, 2], "tokens": [["Ulm"], ["a", "b"]], "tags": [["B-LOC"], ["O", "O"]]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert shown(read_tagged(tmp_path / "a.parquet", Columns()).examples[0]) == [("LOC", "Ulm")]


TEXT = "Anna Smith moved to Ulm-Ost."
SPANS = [("PER", 0, 10), ("LOC", 20, 23)]


@pytest.mark.parametrize(
    ("column", "entities"),
    [
        ("entities", [{"start": b, "end": e, "label": kind} for kind, b, e in SPANS]),
        ("spans", [{"begin": b, "end": e, "type": kind, "text": TEXT[b:e]} for kind, b, e in SPANS]),
        ("label", [[b, e, kind] for kind, b, e in reversed(SPANS)]),
        ("label", {"PER": {"Anna Smith": [[0, 9]]}, "LOC": {"Ulm": [[20, 22]]}}),
    ],
)
def test_a_text_and_where_its_entities_are(column: str, entities: object, tmp_path: Path) -> None:
    rows = [{"text": TEXT, column: entities}, {"text": "Nobody moved.", column: type(entities)()}]
    found = read_tagged(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))), Columns())
    assert found.tally.kept == 2
    assert found.examples[0].text == TEXT
    assert shown(found.examples[0]) == [("PER", "Anna Smith"), ("LOC", "Ulm")]
    assert shown(found.examples[1]) == []


def test_tags_of_characters(tmp_path: Path) -> None:
    row = {"text": "我在北京 A1", "labels": ["O", "O", "B-LOC", "I-LOC", "O", "B-X", "I-X"]}
    found = read_tagged(write(tmp_path, "a.jsonl", json.dumps(row)), Columns())
    assert found.examples[0].tokens == list("我在北京 A1")
    assert shown(found.examples[0]) == [("LOC", "北京"), ("X", "A1")]


@pytest.mark.parametrize(
    ("entities", "why"),
    [
        ([[0, 4]], "not [start, end, label] or an object with these"),
        ([[0, 4, ""]], "an entity has no type"),
        ([[0, 99, "PER"]], "the entity 'PER' from 0 to 99 is not within the text of 28 characters"),
        ([[4, 4, "PER"]], "from 4 to 4 is not within"),
        ([[0.5, 4, "PER"]], "does not say in whole numbers"),
        ([[4, 5, "PER"]], "the entity 'PER' at 4 holds no word"),
        ([[0, 10, "PER"], [5, 14, "X"]], "the entities 'PER' and 'X' overlap"),
        ([{"start": 0, "end": 4, "label": "PER", "text": "Bert"}], "'Bert' is not at 0, where 'Anna' stands"),
        ({"PER": {"Anna": [[1, 4]]}}, "'Anna' is not at 1"),
        (7, "neither a list nor an object"),
        (None, "has no entities"),
    ],
)
def test_entities_that_are_not_there_are_named(entities: object, why: str, tmp_path: Path) -> None:
    rows = [{"text": TEXT, "entities": [[0, 10, "PER"]]}, {"text": TEXT, "entities": entities}]
    found = read_tagged(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))), Columns())
    assert found.tally.summary() == "2 rows: 1 kept, 1 quarantined"
    assert found.tally.records[0].line == 2
    assert why in found.tally.records[0].why


def test_an_entity_that_cuts_a_word_is_widened_and_counted(tmp_path: Path) -> None:
    row = {"text": "the cats sleep", "entities": [[4, 7, "animal"]]}
    found = read_tagged(write(tmp_path, "a.jsonl", json.dumps(row)), Columns())
    assert shown(found.examples[0]) == [("animal", "cats")]
    assert "1 entities that cut a word are widened to all of it" in found.description


@pytest.mark.parametrize("indent", [None, 2])
def test_slots_of_snips(indent: int | None, tmp_path: Path) -> None:
    content = json.dumps(SNIPS, indent=indent, ensure_ascii=False)
    found = read_tagged(write(tmp_path, "a.json", content), Columns())
    assert [example.text for example in found.examples] == ["add Le Café to my list.", "play it"]
    assert [shown(example) for example in found.examples] == [[("artist", "Le Café")], [("track", "it")]]
    lines = content.splitlines()
    assert all('"data"' in "".join(lines[example.line - 1 : example.line + 1]) for example in found.examples)


def test_one_broken_utterance_of_snips_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    many = {"A": SNIPS["AddToPlaylist"] * 30}
    lines = json.dumps(many, indent=1, ensure_ascii=False).encode().splitlines(keepends=True)
    here = next(number for number, line in enumerate(lines) if number > 40 and b"Caf" in line)
    lines[here] = lines[here].replace("é".encode(), b"\xed\xa0\xbc")  # half of an emoji, as in the real file
    (tmp_path / "a.json").write_bytes(b"".join(lines))
    found = read_tagged(tmp_path / "a.json", Columns())
    assert found.tally.summary() == "60 rows: 59 kept, 1 quarantined"
    assert found.tally.records[0].line == here + 1
    lines[here] = b' "text": 7 "7"\n'
    (tmp_path / "a.json").write_bytes(b"".join(lines))
    found = read_tagged(tmp_path / "a.json", Columns())
    assert found.tally.summary() == "60 rows: 59 kept, 1 quarantined"
    assert "is not JSON" in found.tally.records[0].why


def test_records_whose_entities_are_objects_are_no_lists_in_an_object(tmp_path: Path) -> None:
    """A record a line looks like an object with a list of objects, too."""
    rows = [{"id": i, "entities": [{"start": 0, "end": 4, "label": "PER"}], "text": TEXT} for i in range(3)]
    found = read_tagged(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))), Columns())
    assert [example.line for example in found.examples] == [1, 2, 3]
    inside = {"version": 1, "data": rows}
    found = read_tagged(write(tmp_path, "b.json", json.dumps(inside, indent=1)), Columns())
    assert [shown(example) for example in found.examples] == [[("PER", "Anna")]] * 3


def test_several_files_by_a_pattern(tmp_path: Path) -> None:
    write(tmp_path, "train_a.conll", "Anna B-PER\n")
    write(tmp_path, "train_b.conll", "Anna S-PER\n")
    (tmp_path / "train_c.conll.gz").write_bytes(gzip.compress(b"Ulm B-LOC\n"))
    write(tmp_path, "test.conll", "Bob B-PER\n")
    found = read_tagged(str(tmp_path / "train_*"), Columns())
    assert [shown(example) for example in found.examples] == [[("PER", "Anna")]] * 2 + [[("LOC", "Ulm")]]
    assert "train_a.conll and 1 more: 2 columns, UTF-8, word in 1, tag in 2, scheme IOB2" in found.description
    assert "scheme BIOES" in found.description
    with pytest.raises(SelftaughtError, match="no file has a name like"):
        read_tagged(str(tmp_path / "dev_*"), Columns())
    with pytest.raises(SelftaughtError, match=r"(?s)is a folder.*by a pattern"):
        read_tagged(tmp_path, Columns())


def test_what_is_only_asked_about(tmp_path: Path) -> None:
    """Columns, records, and plain text, a line each."""
    columns = read_tagged(write(tmp_path, "a.conll", "Ulm B-LOC\n! O\n"), Columns(), labelled=False)
    assert [(e.text, e.tokens, e.tags) for e in columns.examples] == [("Ulm !", ["Ulm", "!"], ())]
    records = read_tagged(write(tmp_path, "a.json", json.dumps(SNIPS)), Columns(), labelled=False)
    assert [(e.text, e.words, e.tags) for e in records.examples][1] == ("play it", (), ())
    plain = read_tagged(write(tmp_path, "a.txt", "Ulm is far.\n\nA city.\n"), Columns(), labelled=False)
    assert [(e.text.strip(), e.words, e.line) for e in plain.examples] == [("Ulm is far.", (), 1), ("A city.", (), 3)]
    table = read_tagged(
        write(tmp_path, "a.csv", "id,comment\n1,Ulm is far\n2,so\n"), Columns("comment"), labelled=False
    )
    assert [e.text for e in table.examples] == ["Ulm is far", "so"]


words = st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=4).filter(lambda w: w[0] != "-")
sentences = st.lists(
    st.lists(st.tuples(words, st.sampled_from(["O", "B-a", "B-b"])), min_size=1, max_size=4), min_size=1, max_size=5
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sentences=sentences, between=st.sampled_from([" ", "\t", "   "]), gap=st.integers(1, 3))
def test_columns_are_read_as_they_were_written(
    tmp_path: Path, sentences: list[list[tuple[str, str]]], between: str, gap: int
) -> None:
    sentences = [[("Ulm", "B-a")], *sentences]
    lines = ["".join(f"{word}{between}{tag}\n" for word, tag in sentence) for sentence in sentences]
    found = read_tagged(write(tmp_path, "a.conll", ("\n" * gap).join(lines)), Columns())
    assert [list(zip(e.tokens, e.tags, strict=True)) for e in found.examples] == sentences
    assert found.tally.quarantined == 0


lines = st.lists(st.sampled_from(["", "Ulm B-a", "x I-a", "x O", "x", "x O O", "# x", "-DOCSTART- O", "x ?", " O"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=lines)
def test_every_word_is_in_a_sentence_that_is_kept_or_named(tmp_path: Path, lines: list[str]) -> None:
    lines = ["Ulm B-a", "so O", "", *lines]
    groups: list[list[int]] = [[]]
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("-DOCSTART-"):
            groups.append([])
        elif line != "# x":
            groups[-1].append(number)
    groups = [group for group in groups if group]
    try:
        found = read_tagged(write(tmp_path, "a.conll", "\n".join(lines)), Columns())
    except SelftaughtError:  # nothing but lines that are broken
        return
    assert found.tally.rows == len(groups)
    kept = [group for group in groups if group[0] in {example.line for example in found.examples}]
    assert [len(example.words) for example in found.examples] == [len(group) for group in kept]
    assert all(any(bad.line in group for bad in found.tally.records) for group in groups if group not in kept)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["", "Ulm", "Ulm is", "B-a", "O", "I-a O", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "start", "end", "text", "label"]), inner)
    ),
    max_leaves=6,
)
columns = st.sampled_from([("tokens", "tags"), ("text", "entities"), ("data", "label")])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=columns, values=st.lists(st.tuples(anything, anything), max_size=4), labelled=st.booleans())
def test_whatever_a_record_holds_it_is_kept_or_named(
    tmp_path: Path, names: tuple[str, str], values: list[tuple[object, object]], labelled: bool
) -> None:
    good: tuple[object, object] = (["Ulm", "is"], ["B-a", "O"])
    if names[1] == "entities":
        good = ("Ulm is", [[0, 3, "a"]])
    rows = [dict(zip(names, pair, strict=True)) for pair in [good, *values]]
    file = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))
    found = read_tagged(file, Columns(), labelled=labelled)
    assert found.tally.rows == len(rows)
    assert found.tally.kept == len(found.examples)
    assert {e.line for e in found.examples} | {bad.line for bad in found.tally.records} == set(range(1, len(rows) + 1))
    for example in found.examples:
        assert len(example.tags) == (len(example.words) if labelled else 0)
        assert all(begin < end <= len(example.text) for begin, end in example.words)
