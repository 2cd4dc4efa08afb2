"""BLiMP: who wins a pair, what a group of pairs comes to, and the whole of it on a run."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from selftaught.data.minimal_pairs import MinimalPair
from selftaught.errors import SelftaughtError
from selftaught.pretrained import open_pretrained
from selftaught.prompting.scoring import open_scorer
from selftaught.suites import find_suite
from selftaught.suites.blimp import grouped, preferences
from selftaught.verbs.evaluate import evaluate
from selftaught.verbs.finetune import finetune
from selftaught.verbs.pretrain import pretrain

GOOD_PLACES = {"red": "over the mountain", "grey": "under the bridge", "white": "behind the waterfall"}


def pair(good: str, bad: str, paradigm: str = "p", phenomenon: str = "q", field: str = "f") -> MinimalPair:
    return MinimalPair(good, bad, paradigm, phenomenon, field, "a.jsonl", 1)


def by_length(texts: Sequence[str]) -> np.ndarray:
    return np.array([float(len(text)) for text in texts])


def test_the_likelier_sentence_wins_and_a_tie_counts_one_half() -> None:
    pairs = [pair("longer", "short"), pair("a", "bb"), pair("same", "size"), pair("equal", "equal")]
    assert preferences(by_length, pairs).tolist() == [1.0, 0.0, 0.5, 0.5]


def test_a_difference_that_float32_cannot_be_trusted_with_is_a_tie() -> None:
    scores = {"a": -20.0, "b": -20.0 + 5e-5, "c": -20.0 + 5e-4}

    def score(texts: Sequence[str]) -> np.ndarray:
        return np.array([scores[text] for text in texts])

    assert preferences(score, [pair("a", "b"), pair("b", "a"), pair("a", "c")]).tolist() == [0.5, 0.5, 0.0]


def test_groups_by_hand() -> None:
    pairs = [
        *[pair("", "", "agreement_1", "agreement", "morphology")] * 2,
        *[pair("", "", "agreement_2", "agreement", "morphology")] * 2,
        *[pair("", "", "islands", "islands", "syntax")] * 4,
    ]
    right = np.array([1, 1, 0, 0.5, 0, 0, 0, 1])
    groups = grouped(pairs, right, None)
    found = {(group.level, group.name): (group.pairs, group.model.mean) for group in groups}
    assert found == {
        ("paradigm", "agreement_1"): (2, 1.0),
        ("paradigm", "agreement_2"): (2, 0.25),
        ("paradigm", "islands"): (4, 0.25),
        ("phenomenon", "agreement"): (4, 0.625),
        ("phenomenon", "islands"): (4, 0.25),
        ("field", "morphology"): (4, 0.625),
        ("field", "syntax"): (4, 0.25),
        ("overall", "all pairs"): (8, 0.4375),
    }
    beside = grouped(pairs, right, np.ones(8))[-1].trigram
    assert beside is not None
    assert (beside.mean, beside.low, beside.high) == (1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """``pairs/``, whose bad sentences have the place of another colour, and the runs ``decoder`` and ``encoder``."""
    folder = tmp_path_factory.mktemp("blimp")
    (folder / "notes.txt").write_text("\n".join(texts * 20), encoding="utf-8")
    (folder / "pairs").mkdir()
    others = dict(zip(GOOD_PLACES.values(), [*list(GOOD_PLACES.values())[1:], "over the mountain"], strict=True))
    for animal in ("fox", "heron"):
        rows = []
        for text in (text for text in texts if animal in text):
            right = next(place for place in others if place in text)
            names = {"UID": f"{animal}_place", "linguistics_term": "places", "field": "syntax"}
            rows.append({"sentence_good": text, "sentence_bad": text.replace(right, others[right]), **names})
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "pairs" / f"{animal}.jsonl").write_text(lines, encoding="utf-8")
    settings = ["train.length=32", "train.precision=fp32"]
    for objective, name, steps in (("causal_lm", "decoder", 90), ("mlm", "encoder", 2)):
        out, data = folder / name, str(folder / "notes.txt")
        pretrain(data, objective=objective, out=out, steps=steps, size="tiny", batch=8, set_=settings)
    return folder


def test_a_decoder_knows_what_its_text_says_and_what_it_never_says(place: Path) -> None:
    report = evaluate(place / "decoder", str(place / "pairs"), suite="blimp", json=True)
    overall = report["groups"][-1]
    assert report["scored_by"] == "log-likelihood"
    assert overall["pairs"] == 18
    assert overall["accuracy"] > 0.9
    assert overall["accuracy"] > overall["trigram"] == 0.5  # two tokens before the place there is no colour
    assert overall["low"] <= overall["accuracy"] <= overall["high"]
    assert report["above_trigram"]["mean"] == pytest.approx(overall["accuracy"] - overall["trigram"])
    assert {(group["level"], group["name"]) for group in report["groups"]} == {
        ("paradigm", "fox_place"),
        ("paradigm", "heron_place"),
        ("phenomenon", "places"),
        ("field", "syntax"),
        ("overall", "all pairs"),
    }
    assert report["rows"]["kept"] == 18


def test_an_encoder_is_asked_by_pseudo_likelihood(place: Path) -> None:
    report = evaluate(place / "encoder", str(place / "pairs"), suite="blimp", json=True)
    assert report["scored_by"] == "pseudo-log-likelihood"
    scorer = open_scorer(open_pretrained(place / "encoder"))
    rows = [json.loads(line) for line in (place / "pairs" / "fox.jsonl").read_text(encoding="utf-8").splitlines()]
    good, bad = (scorer.texts([row[side] for row in rows]) for side in ("sentence_good", "sentence_bad"))
    assert report["groups"][0]["accuracy"] == pytest.approx(float((good > bad).mean()))


def test_rows_takes_as_many_pairs_of_each_paradigm(place: Path) -> None:
    report = evaluate(place / "decoder", str(place / "pairs"), suite="blimp", rows=4, json=True)
    assert [(group["name"], group["pairs"]) for group in report["groups"][:2]] == [("fox_place", 4), ("heron_place", 4)]
    again = evaluate(place / "decoder", str(place / "pairs"), suite="blimp", rows=4, json=True)
    assert again["groups"] == report["groups"]


def test_a_checkpoint_of_others_stands_alone(place: Path) -> None:
    report = evaluate(place / "decoder" / "model", str(place / "pairs"), suite="blimp", json=True)
    assert "trigram" not in report["groups"][-1]
    assert any("no trigram model stands beside it" in sentence for sentence in report["notes"])


def test_a_sentence_that_the_model_cannot_read_is_quarantined(place: Path, tmp_path: Path) -> None:
    rows = [{"sentence_good": "The red fox.", "sentence_bad": "The fox red."}]
    rows += [{"sentence_good": "The fox. " * 400, "sentence_bad": "The fox."}]
    file = tmp_path / "long.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    report = evaluate(place / "decoder", str(file), suite="blimp", json=True)
    (record,) = report["rows"]["quarantined"]
    assert (record["file"], record["line"]) == (str(file), 2)
    assert "the model reads 512" in record["why"]
    assert report["groups"][-1]["pairs"] == 1


def test_the_table_is_in_the_runs_report(place: Path) -> None:
    evaluate(place / "decoder", str(place / "pairs"), suite="blimp", json=True)
    text = (place / "decoder" / "report.md").read_text(encoding="utf-8")
    assert "fox_place" in text
    assert "better than the trigram model" in text


@pytest.mark.parametrize("begun_from", ["encoder", "decoder"])
def test_a_fine_tuned_model_has_no_likelihoods(place: Path, tmp_path: Path, begun_from: str) -> None:
    labels = tmp_path / "labels.csv"
    rows = "".join(f"The {a} {i} ran,{a}\n" for i in range(8) for a in ("fox", "heron"))
    labels.write_text("text,label\n" + rows, encoding="utf-8")
    settings = ["train.length=16", "train.precision=fp32"]
    finetune(place / begun_from, str(labels), steps=1, out=tmp_path / "mine", set_=settings)
    with pytest.raises(SelftaughtError, match="no language modelling head"):
        evaluate(tmp_path / "mine", str(place / "pairs"), suite="blimp")


def test_a_suite_that_there_is_not() -> None:
    with pytest.raises(SelftaughtError, match="no suite called 'blump'") as told:
        find_suite("blump")
    assert "did you mean blimp?" in str(told.value)
