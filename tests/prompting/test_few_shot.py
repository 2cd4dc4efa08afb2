"""Zero and few shots: who is tested, what labels are called, and the whole of it on a run, English and Chinese."""

from pathlib import Path
from typing import Any

import pytest

from selftaught.data.examples import LabelledText, Labels
from selftaught.data.tally import Tally
from selftaught.errors import SelftaughtError
from selftaught.prompting.few_shot import Asking, name_labels, part
from selftaught.verbs.evaluate import evaluate
from selftaught.verbs.pretrain import pretrain

MOODS = {"quietly": "calm", "happily": "glad", "carefully": "wary"}
TEMPLATE = r"{text} {label}\n"


def labels_of(*rows: tuple[str, str]) -> Labels:
    examples = tuple(LabelledText(text, label, "a.csv", line) for line, (text, label) in enumerate(rows, 2))
    return Labels(examples, Tally(kept=len(rows)), "a.csv", "text", "label")


def test_examples_are_drawn_from_rows_that_are_not_tested_on() -> None:
    labels = labels_of(*((f"text {i}", "ab"[i % 2]) for i in range(40)))
    parted = part(labels, None, Asking())
    assert len(parted.test) == 12
    assert not {e.text for e in parted.test} & {e.text for e in parted.shown}
    assert len(parted.test) + len(parted.shown) == 40
    assert part(labels, None, Asking(seed=1)) != parted == part(labels, None, Asking())


def test_a_training_file_is_drawn_from_but_for_what_is_tested_on() -> None:
    labels = labels_of(("one", "a"), ("two", "b"))
    train = labels_of(("ONE ", "a"), ("three", "a"), ("four", "b"))
    parted = part(labels, train, Asking(shots=(2,)))
    assert [e.text for e in parted.test] == ["one", "two"]
    assert [e.text for e in parted.shown] == ["three", "four"]
    assert parted.notes == ("1 training rows whose text is tested on were left out",)


def test_more_examples_than_there_are_cannot_be_drawn() -> None:
    labels = labels_of(*((f"text {i}", "ab"[i % 2]) for i in range(20)))
    with pytest.raises(SelftaughtError, match="16 examples cannot be drawn from 14"):
        part(labels, None, Asking(shots=(0, 16)))


def test_a_training_file_of_test_rows_gives_nothing_to_draw_from() -> None:
    labels = labels_of(("one", "a"), ("two", "b"))
    with pytest.raises(SelftaughtError, match="every training row is also a test row"):
        part(labels, labels, Asking(shots=(0,)))


def test_of_many_test_rows_some_are_drawn_and_it_is_said() -> None:
    labels = labels_of(*((f"text {i}", "ab"[i % 2]) for i in range(100)))
    parted = part(labels, None, Asking(rows=7))
    assert len(parted.test) == 7
    assert parted.notes == ("7 of 30 test rows were drawn at random; --rows takes more",)


def test_a_label_is_called_by_its_name_or_by_the_words_given() -> None:
    assert name_labels(["0", "1"], {"1": "great"}) == {"0": "0", "1": "great"}


@pytest.mark.parametrize(
    ("given", "why"),
    [({"2": "x"}, "no label '2'"), ({"0": " "}, "given no words"), ({"0": "same", "1": "same"}, "both called 'same'")],
)
def test_words_that_tell_no_labels_apart_are_refused(given: dict[str, str], why: str) -> None:
    with pytest.raises(SelftaughtError, match=why):
        name_labels(["0", "1"], given)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """The run ``run``, trained on texts with their moods, and ``labels.csv`` with labels 0, 1 and 2."""
    folder = tmp_path_factory.mktemp("shots")
    adverb_of = {text.rstrip("."): text.split()[-1].rstrip(".") for text in texts}
    mood_of = {text: MOODS[adverb] for text, adverb in adverb_of.items()}
    texts = list(mood_of)
    lines = [f"{text} {mood_of[text]}\n" for i in range(12) for text in texts[i::3] + texts[: 12 - i]]
    (folder / "notes.txt").write_text("".join(lines), encoding="utf-8")
    numbers = {mood: number for number, mood in enumerate(MOODS.values())}
    rows = [f'"{text}",{numbers[mood]}' for text, mood in mood_of.items()]
    (folder / "labels.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    settings = ["train.length=64", "train.precision=fp32"]
    data, out = str(folder / "notes.txt"), folder / "run"
    pretrain(data, objective="causal_lm", out=out, steps=60, size="tiny", batch=8, set_=settings)
    return folder


def asked(place: Path, data: str = "labels.csv", **options: Any) -> dict[str, Any]:
    words = [f"{number}={mood}" for number, mood in enumerate(MOODS.values())]
    options = {"word": words, "template": TEMPLATE, "shots": "0,1,4", "draws": 2, **options}
    return evaluate(place / "run", str(place / data), json=True, **options)


def test_a_decoder_that_knows_the_pattern_is_right_at_any_number_of_shots(place: Path) -> None:
    report = asked(place)
    assert [(one["shots"], one["method"]) for one in report["scores"][:4]] == [
        (0, "total"),
        (0, "per token"),
        (0, "over answer context"),
        (1, "total"),
    ]
    assert all(one["low"] <= one["mean"] <= one["high"] for one in report["scores"])
    assert report["chance"] == pytest.approx(1 / 3)
    assert report["majority"] <= 0.5
    assert min(one["mean"] for one in report["scores"]) > 0.8
    assert report["words"] == {"0": "calm", "1": "glad", "2": "wary"}
    assert report["rows"]["kept"] == 36


def test_words_that_mean_another_label_are_wrong_on_purpose(place: Path) -> None:
    turned = ["0=glad", "1=wary", "2=calm"]
    report = asked(place, word=turned, shots="0")
    assert max(one["mean"] for one in report["scores"]) < 0.2


def test_answers_that_do_not_depend_on_the_text_are_told(place: Path) -> None:
    report = asked(place, word=["0=calm", "1=zzzzzzzz", "2=qqqqqqqq"], template="a fox, {text}: {label}", shots="0")
    assert all(one["answers_alike"] == 1.0 for one in report["scores"])
    assert any("nearly all answers are one label" in sentence for sentence in report["notes"])
    assert not any("nearly all answers" in sentence for sentence in asked(place, shots="0")["notes"])


def test_the_same_seed_asks_the_same(place: Path) -> None:
    assert asked(place, shots="4")["scores"] == asked(place, shots="4")["scores"]


def test_contexts_that_do_not_fit_or_are_longer_than_in_training_are_told(place: Path) -> None:
    wordy = r"This is what somebody wrote about an animal:\n{text} {label}\n"
    report = asked(place, shots="0,24", rows=3, template=wordy)
    assert any(sentence.startswith("at 24 shots 6 of 6 contexts do not fit the 512") for sentence in report["notes"])
    assert any("at 24 shots 100% of the contexts are longer than the rows of 64" in s for s in report["notes"])
    assert not any(sentence.startswith("at 0 shots") for sentence in report["notes"])


def test_a_test_row_too_long_to_read_is_named_and_not_asked_about(place: Path) -> None:
    lines = (place / "labels.csv").read_text(encoding="utf-8") + f'"{"The fox. " * 400}",0\n'
    (place / "long.csv").write_text(lines, encoding="utf-8")
    (place / "other.csv").write_text('text,label\n"A fox.",0\n"A heron.",1\n', encoding="utf-8")
    report = asked(place, "long.csv", shots="0", train=str(place / "other.csv"), rows=99)
    assert "1 test rows do not fit the 512 tokens" in "".join(report["notes"])
    assert f"{place / 'long.csv'}:38" in "".join(report["notes"])
    assert report["scores"][0]["rows"] == 36


def test_chinese_labels_and_a_chinese_template(place: Path) -> None:
    rows = [f"{animal}在第{i}天{verb},{animal}" for i in range(9) for animal, verb in (("狐狸", "跑"), ("苍鹭", "飞"))]
    (place / "chinese.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    report = evaluate(place / "run", str(place / "chinese.csv"), shots="0,1", draws=1, json=True)
    assert report["template"] == "{text}\n答案：{label}\n\n"
    assert report["words"] == {"狐狸": "狐狸", "苍鹭": "苍鹭"}
    assert {one["shots"] for one in report["scores"]} == {0, 1}


def test_the_table_for_people(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(place / "run", str(place / "labels.csv"), shots="0,1", draws=1, template=TEMPLATE)
    said = capsys.readouterr().out
    assert "0 shots" in said
    assert "1 shot\n" in said
    assert "majority class" in said
    assert "chance" in said


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"shots": "four"}, "is not a list of numbers"),
        ({"shots": "-1"}, "is not a list of numbers"),
        ({"shots": "0", "word": ["great"]}, "names no label"),
        ({"shots": "0", "template": "{text}"}, "must hold"),
        ({"shots": "0", "suite": "blimp"}, "two ways to measure"),
        ({"shots": "0", "draws": 0}, "at least 1"),
        ({"shots": "0", "rows": 0}, "at least 1"),
        ({"template": TEMPLATE}, "go with --shots"),
        ({"train": "labels.csv"}, "go with --shots"),
    ],
)
def test_mistakes_are_explained(place: Path, wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(SelftaughtError, match=why):
        evaluate(place / "run", str(place / "labels.csv"), **wrong)
