"""Few labels and many texts: what arrives, what is left out, and that a model learns from it."""

import csv
from pathlib import Path

import numpy as np
import pytest

from selftaught.data.examples import LabelledText
from selftaught.errors import SelftaughtError
from selftaught.finetuning import arriving
from selftaught.finetuning.arriving import arrived_labels
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.tasks.classify import Classify
from selftaught.tasks.regress import Regress
from selftaught.verbs.finetune import finetune

CLASSES = ("sea", "sky")


def documents(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Texts of two subjects, each of which names few of its subject's words; the letters tell nothing."""
    letters = np.random.default_rng(7).choice(list("abcdefgh"), (2, 40, 6))
    rng = np.random.default_rng(seed)
    codes = [i % 2 for i in range(count)]
    texts = [" ".join("".join(letters[code, i]) for i in rng.choice(40, 5)) for code in codes]
    return texts, [CLASSES[code] for code in codes]


@pytest.fixture
def pretrained(runs: Path) -> Pretrained:
    return open_pretrained(runs / "run")


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(documents(300, 1)[0]) + "\n", encoding="utf-8")
    return file


def labelled(count: int) -> list[LabelledText]:
    return [LabelledText(text, name, "a.csv", 0) for text, name in zip(*documents(count, 0), strict=True)]


def test_texts_get_the_label_of_those_they_are_like(pretrained: Pretrained, unlabelled: Path) -> None:
    found = arrived_labels(pretrained, Classify(CLASSES), labelled(8), [], str(unlabelled), 0)
    assert len(found.examples) == 300
    assert (
        np.mean([example.label == name for example, name in zip(found.examples, documents(300, 1)[1], strict=True)])
        > 0.9
    )
    assert 0.5 < found.sure <= 1
    assert found.to_json()["rows"]["kept"] == 300
    assert not found.notes
    again = arrived_labels(pretrained, Classify(CLASSES), labelled(8), [], str(unlabelled), 0)
    assert again.examples == found.examples


def test_what_is_labelled_or_set_aside_is_no_text_to_guess(pretrained: Pretrained, tmp_path: Path) -> None:
    texts = documents(60, 1)[0]
    file = tmp_path / "texts.txt"
    file.write_text("\n".join([*texts, *texts[:20], labelled(4)[0].text]) + "\n", encoding="utf-8")
    found = arrived_labels(pretrained, Classify(CLASSES), labelled(4), [texts[0].upper()], str(file), 0)
    assert [example.text.strip() for example in found.examples] == texts[1:]
    file.write_text(labelled(4)[0].text + "\n", encoding="utf-8")
    with pytest.raises(SelftaughtError, match="no text that is not a labelled one too"):
        arrived_labels(pretrained, Classify(CLASSES), labelled(4), [], str(file), 0)


def test_of_many_texts_some_are_drawn_and_the_rest_is_told(
    pretrained: Pretrained, unlabelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "MOST_TEXTS", 48)
    found, other = (arrived_labels(pretrained, Classify(CLASSES), labelled(8), [], str(unlabelled), s) for s in (0, 1))
    assert len(found.examples) == 40
    assert found.notes == ("labels spread to 40 of 300 texts, drawn at random",)
    assert sorted(found.examples, key=lambda example: example.line) == list(found.examples)
    assert {example.line for example in found.examples} != {example.line for example in other.examples}
    with pytest.raises(SelftaughtError, match="48 labels need no guesses"):
        arrived_labels(pretrained, Classify(CLASSES), labelled(48), [], str(unlabelled), 0)


@pytest.mark.parametrize("task", [Classify(CLASSES, several=True), Regress(0.0, 1.0, 1)])
def test_only_one_class_a_text_can_spread(pretrained: Pretrained, unlabelled: Path, task: object) -> None:
    with pytest.raises(SelftaughtError, match="only labels of one class a text spread"):
        arrived_labels(pretrained, task, labelled(4), [], str(unlabelled), 0)  # type: ignore[arg-type]


def test_a_model_learns_the_labels_that_arrived(runs: Path, unlabelled: Path, tmp_path: Path) -> None:
    files = {"few": documents(8, 0), "test": documents(100, 2)}
    for name, (texts, names) in files.items():
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([("text", "label"), *zip(texts, names, strict=True)])
    given = {"test": str(tmp_path / "test.csv"), "steps": 40, "set_": ["train.precision=fp32"]}
    alone = finetune(runs / "run", str(tmp_path / "few.csv"), out=tmp_path / "alone", **given)
    more = finetune(runs / "run", str(tmp_path / "few.csv"), unlabelled=str(unlabelled), out=tmp_path / "more", **given)
    assert more["test"]["accuracy"] > alone["test"]["accuracy"] + 0.1
    assert more["arrived"]["texts"] == sum(more["arrived"]["labels"].values()) == 300
    assert alone["arrived"] is None
    card = (tmp_path / "more" / "README.md").read_text("utf-8")
    assert "texts whose label was guessed" in card
