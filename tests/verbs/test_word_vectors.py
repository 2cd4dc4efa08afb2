"""Word vectors through the verbs: trained, resumed, asked, measured, and read by others."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from selftaught.pretrained import open_pretrained
from selftaught.word2vec.model import WordModel

from .conftest import Call

TRAIN = ("--objective", "skipgram", "--set", "objective.options.dimensions=16")
PLACES = {"paris": "france", "rome": "italy", "madrid": "spain", "berlin": "germany"}


@pytest.fixture
def corpus(here: Path) -> Path:
    """Sentences in which each capital stands with its country, and kings and queens with theirs."""
    drawn = random.Random(0)
    folder = here / "places"
    folder.mkdir()
    for number in range(20):
        lines = []
        for _ in range(150):
            city, country = drawn.choice(list(PLACES.items()))
            said = (f"{city} is in {country} and so {country} has {city}", f"in {country} {city} is")
            lines.append(drawn.choice(said))
            lines.append("the fox and the heron ran over the old bridge to the river")
        (folder / f"{number}.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def trained(corpus: Path, call: Call) -> Path:
    every_word = ("--set", "objective.options.sample=0")  # on one thread: two make another model each time
    said = call("pretrain", "places", *TRAIN, "--epochs", "8", *every_word, "--deterministic", "--out", "words")
    assert said.code == 0, said.err
    return Path("words")


def test_words_that_stand_in_the_same_places_are_near(trained: Path, call: Call) -> None:
    for city in PLACES:
        near = call("predict", str(trained), city, "--top", "3", "--json").report["predictions"][0]["nearest"]
        assert {one["word"] for one in near} == PLACES.keys() - {city}
    out = call("predict", str(trained), "Paris", "paris - france + italy").out.splitlines()
    assert out[0].endswith("\tParis")
    assert "rome" in out[1].split("\t")[0]
    assert "paris" not in out[1].split("\t")[0]


def test_the_report_says_what_was_learned(trained: Path) -> None:
    report = json.loads((trained / "report.json").read_text("utf-8"))["pretrain"]
    assert report["held_out"]["loss"] < report["held_out"]["chance_loss"] == pytest.approx(6 * np.log(2))
    assert report["epochs"] == pytest.approx(8, rel=0.1)
    assert (trained / "curve.png").stat().st_size > 0
    assert "KeyedVectors.load_word2vec_format" in (trained / "README.md").read_text("utf-8")


def test_gensim_reads_them_to_the_same_neighbours(trained: Path, call: Call) -> None:
    models = pytest.importorskip("gensim.models")
    assert call("embed", str(trained), "--out", "vectors.txt").code == 0
    assert call("embed", str(trained), "--out", "vectors.bin").code == 0
    ours = WordModel.load(trained)
    for file, binary in (("words/model/vectors.bin", True), ("vectors.bin", True), ("vectors.txt", False)):
        theirs = models.KeyedVectors.load_word2vec_format(file, binary=binary)
        assert theirs.index_to_key == list(ours.vocabulary.words)
        assert np.array_equal(theirs.vectors, ours.vectors)
        for word in ours.vocabulary.words:
            near = ours.nearest(*ours.sum_of([(1.0, word)])[:1], 5, [ours.vocabulary.numbers[word]])
            wanted = theirs.most_similar(word, topn=5)
            assert [one for one, _ in near] == [one for one, _ in wanted]
            assert [x for _, x in near] == pytest.approx([x for _, x in wanted], abs=1e-5)


def test_one_thread_is_the_same_bits_and_goes_on_as_if_never_stopped(
    corpus: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs, and one that is cut back to a checkpoint in its middle: the same weights to the bit."""
    exact = [*TRAIN, "--epochs", "4", "--deterministic", "--set", "train.save_seconds=0"]
    for name in ("one", "two"):
        assert call("pretrain", "places", *exact, "--out", name).code == 0
    first, last = (sorted(Path(name, "checkpoints").iterdir())[-1] for name in ("one", "two"))
    weights = [load_file(place / "learner.safetensors") for place in (first, last)]
    assert all(np.array_equal(weights[0][part], weights[1][part]) for part in ("inputs", "outputs"))
    shutil.rmtree(last)
    for file in ("report.json", "model/vectors.bin"):
        Path("two", file).unlink()
    again = call("pretrain", "places", *exact, "--out", "two")
    assert "resuming at step" in again.err
    assert np.array_equal(load_file(last / "learner.safetensors")["inputs"], weights[0]["inputs"])
    assert Path("one/model/vectors.bin").read_bytes() == Path("two/model/vectors.bin").read_bytes()


def test_a_finished_run_is_left_as_it_is(trained: Path, call: Call) -> None:
    more = ("--epochs", "8", "--set", "objective.options.sample=0", "--out", "words")
    before = (trained / "model" / "vectors.bin").stat().st_mtime_ns
    assert "is finished" in call("pretrain", "places", *TRAIN, *more).err
    assert (trained / "model" / "vectors.bin").stat().st_mtime_ns == before


def test_texts_have_the_weighted_mean_of_their_words(trained: Path, here: Path, call: Call) -> None:
    (here / "some.txt").write_text("Paris is nice\nnothing known\n", encoding="utf-8")
    assert call("embed", str(trained), "some.txt", "--out", "v.parquet").code == 0
    rows, model = pq.read_table("v.parquet").to_pylist(), WordModel.load(trained)
    one, two = (model.vocabulary.numbers[word] for word in ("paris", "is"))
    weights = 1e-3 / (1e-3 + model.vocabulary.shares[[one, two]])
    wanted = np.average(model.vectors[[one, two]], axis=0, weights=weights)
    assert rows[0]["vector"] == pytest.approx(wanted, abs=1e-6)
    assert not any(rows[1]["vector"])


def test_analogies_are_counted_with_their_coverage(trained: Path, here: Path, call: Call) -> None:
    lines = [
        ": capitals",
        "Paris France Rome Italy",
        "paris france madrid spain",
        "paris france london england",
        ": odd",
    ]
    (here / "asked.txt").write_text("\n".join([*lines, "one two three"]), encoding="utf-8")
    said = call("evaluate", str(trained), "asked.txt", "--suite", "analogies", "--json")
    assert said.code == 0, said.err
    capitals, everything = said.report["groups"]
    assert (capitals["section"], capitals["questions"], capitals["covered"]) == ("capitals", 3, 2)
    assert capitals["accuracy"] == everything["accuracy"] == 1.0
    assert said.report["coverage"] == pytest.approx(2 / 3)
    assert said.report["rows"]["quarantined"][0]["line"] == 6
    assert "asked.txt" in (trained / "report.md").read_text("utf-8")


def test_similarity_is_the_rank_correlation_over_known_pairs(trained: Path, here: Path, call: Call) -> None:
    pairs = [
        ("paris", "france", 9),
        ("fox", "heron", 7),
        ("paris", "fox", 1),
        ("rome", "bridge", 2),
        ("sun", "sky", 8),
    ]
    text = "".join(f"{one},{other},{score}\n" for one, other, score in pairs)
    (here / "pairs.csv").write_text("Word 1,Word 2,Human (mean)\n" + text, encoding="utf-8")
    said = call("evaluate", str(trained), "pairs.csv", "--suite", "similarity", "--json")
    assert said.code == 0, said.err
    assert (said.report["pairs"], said.report["covered"]) == (5, 4)
    model = WordModel.load(trained)
    cosines = [float(model.unit(a) @ model.unit(b)) for a, b, _ in pairs[:4]]
    ranks = [np.argsort(np.argsort(values)) for values in (cosines, [9, 7, 1, 2])]
    assert said.report["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-9)


def test_other_text_is_measured_by_its_loss(trained: Path, here: Path, call: Call) -> None:
    (here / "same.txt").write_text("paris is in france and so france has paris\n" * 40, encoding="utf-8")
    (here / "odd.txt").write_text("paris fox italy river spain heron berlin old\n" * 40, encoding="utf-8")
    losses = {}
    for name in ("same", "odd"):
        said = call("evaluate", str(trained), f"{name}.txt", "--json")
        assert said.code == 0, said.err
        losses[name] = said.report["measures"]["loss"]
    assert losses["same"] < losses["odd"]


def test_mistakes_are_told(trained: Path, here: Path, call: Call) -> None:
    for command, says in (
        (["predict", "words", "parris"], "did you mean paris"),
        (["predict", "words", "paris france"], "no sign stands before 'france'"),
        (["predict", "words", "paris -"], "a word is missing"),
        (["finetune", "words", "labels.csv"], "this run holds word vectors"),
        (["evaluate", "words", "notes", "--suite", "blimp"], "blimp asks about sentences"),
        (["evaluate", "run", "notes", "--suite", "analogies"], "analogies is a test of word vectors"),
        (["evaluate", "words", "notes", "--suite", "analogies"], "there are no analogies here"),
        (["embed", "run", "--out", "v.txt"], "there are no word vectors here"),
        (["pretrain", "places", "--objective", "mlm+cbow", "--out", "x"], "cbow trains word vectors"),
        (["pretrain", "places", "--objective", "skipgrm", "--out", "x"], "did you mean skipgram"),
        (["pretrain", "places", "--objective", "word2vec", "--out", "x"], ", skipgram, "),
        (["pretrain", "places", "--objective", "cbow", "--size", "tiny", "--out", "x"], "--size is for transformers"),
    ):
        said = call(*command)
        assert said.code == 1, command
        assert says in said.err, command


def test_damaged_vectors_are_named(trained: Path, call: Call) -> None:
    file = trained / "model" / "vectors.bin"
    file.write_bytes(file.read_bytes()[:200])
    said = call("predict", "words", "paris")
    assert said.code == 1
    assert "words/model/vectors.bin" in said.err


def test_the_averaged_words_learn_too(corpus: Path, call: Call) -> None:
    said = call("pretrain", "places", "--objective", "cbow", "--epochs", "8", "--out", "bag", "--json")
    assert said.code == 0, said.err
    assert said.report["held_out"]["loss"] < said.report["held_out"]["chance_loss"]
    assert said.report["threads"] >= 1


def test_a_verdict_sets_trained_words_beside_drawn_ones(trained: Path, here: Path, call: Call) -> None:
    """Countries are told from the fox by what stands near their cities, which few labels do not name."""
    drawn, rows = random.Random(1), []
    for number in range(120):
        city = drawn.choice(list(PLACES))
        rows += [f"{city} is number {number},city", f"the {drawn.choice(['fox', 'heron'])} is number {number},animal"]
    (here / "kinds.csv").write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    said = call("verdict", str(trained), "kinds.csv", "--budgets", "2,8", "--seeds", "3", "--json")
    assert said.code == 0, said.err
    scores = {(one["method"], one["labels_per_class"]): one["mean"] for one in said.report["curve"]}
    assert scores["pretrained probe", 2] > scores["untrained probe", 2]
    assert scores["pretrained probe", 8] > 0.95
    assert said.report["overlap_rows"] == 0
    refused = call("verdict", str(trained), "kinds.csv", "--finetune")
    assert refused.code == 1
    assert "word vectors cannot be fine-tuned" in refused.err


def test_a_row_that_cannot_be_read_is_named(corpus: Path, call: Call) -> None:
    with (corpus / "0.txt").open("ab") as out:
        out.write(b"\na fox \x00 ran\n")
    said = call("pretrain", "places", *TRAIN, "--steps", "1", "--out", "words")
    assert said.code == 0, said.err
    assert "kept + 1 quarantined; the first is places/0.txt:" in said.err
    assert "0.txt" in Path("words/tokens/quarantine.jsonl").read_text("utf-8")
    report = json.loads(Path("words/report.json").read_text("utf-8"))["pretrain"]
    assert report["rows"]["rows"] == report["rows"]["kept"] + 1


@pytest.mark.parametrize("objective", ["skipgram", "cbow"])
def test_the_way_through_a_tree_teaches_as_noise_does(corpus: Path, call: Call, objective: str) -> None:
    """Hierarchical softmax gives every word a probability, so its loss is measured on other text as well."""
    asked = ("--set", "objective.options.negatives=0", "--set", "objective.options.sample=0", "--deterministic")
    said = call("pretrain", "places", "--objective", objective, *asked, "--epochs", "20", "--out", "tree", "--json")
    assert said.code == 0, said.err
    held = said.report["held_out"]
    assert held["loss"] < 0.9 * held["chance_loss"]
    near = call("predict", "tree", "paris", "--top", "3", "--json").report["predictions"][0]["nearest"]
    assert {one["word"] for one in near} == PLACES.keys() - {"paris"}
    measured = call("evaluate", "tree", "places", "--json").report["measures"]
    assert measured["loss"] == pytest.approx(held["loss"], rel=0.1)


def test_parts_of_words_give_unknown_ones_a_vector(corpus: Path, here: Path, call: Call) -> None:
    asked = ("--set", "objective.options.min_n=3", "--epochs", "8", "--deterministic")
    said = call("pretrain", "places", *TRAIN, *asked, "--out", "parts", "--json")
    assert said.code == 0, said.err
    near = call("predict", "parts", "silver", "--top", "2", "--json").report["predictions"][0]["nearest"]
    assert {one["word"] for one in near} == {"river", "over"}  # which end in -ver, too
    refused = call("predict", "parts", "xyzzy")
    assert refused.code == 1
    assert "the word 'xyzzy' is not known" in refused.err
    model = WordModel.load("parts")
    assert np.any(model.text_vectors(["silver"]))
    assert not np.any(model.text_vectors(["xyzzy"]))
    measured = call("evaluate", "parts", "places", "--json").report["measures"]
    assert measured["loss"] == pytest.approx(said.report["held_out"]["loss"], rel=0.1)


def test_a_run_of_parts_goes_on_as_if_never_stopped(corpus: Path, call: Call) -> None:
    asked = (*TRAIN, "--set", "objective.options.min_n=3", "--deterministic", "--epochs", "4")
    assert call("pretrain", "places", *asked, "--out", "whole").code == 0
    assert call("pretrain", "places", *asked, "--out", "again").code == 0
    for name in ("vectors.bin", "ngrams.bin"):
        assert Path("whole/model", name).read_bytes() == Path("again/model", name).read_bytes()


def test_phrases_are_words_wherever_text_is_read(corpus: Path, here: Path, call: Call) -> None:
    """``old bridge`` always stands together; ``the`` stands with many."""
    asked = ("--set", "objective.options.phrases=5", "--epochs", "8", "--deterministic", "--out", "phrases", "--json")
    said = call("pretrain", "places", *TRAIN, *asked)
    assert said.code == 0, said.err
    model = WordModel.load("phrases")
    assert "old_bridge" in model.vocabulary.phrases
    assert "the_fox" not in model.vocabulary.phrases
    assert model.words("An old bridge, old") == ["an", "old_bridge", "old"]
    assert call("predict", "phrases", "old_bridge").code == 0


def test_a_transformer_begins_with_them(trained: Path, here: Path, call: Call) -> None:
    """Its tokens stand to each other as the words do, before the first step; and a size can be chosen."""
    asked = ("--size", "tiny", "--steps", "1", "--set", "train.rate=1e-12", "--batch", "2", "--init", str(trained))
    said = call("pretrain", "places", "--objective", "mlm", *asked, "--out", "network")
    assert said.code == 0, said.err
    assert "tokens begin with the vectors of words" in said.err
    network, words = open_pretrained("network"), WordModel.load(trained)
    rows = network.backbone.embeddings().weight.detach().numpy()
    cities = [network.tokenizer.encode([city])[0] for city in PLACES]
    assert all(len(ids) == 1 for ids in cities)
    one, two = (rows[ids[0]] / np.linalg.norm(rows[ids[0]]) for ids in cities[:2])
    first, second = list(PLACES)[:2]
    assert float(one @ two) == pytest.approx(float(words.unit(first) @ words.unit(second)), abs=1e-3)
