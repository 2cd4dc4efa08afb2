"""The task of a model is beside its weights, or told by what transformers wrote."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from selftaught.backbones.heads import ClassificationHead, TaggingHead, save_model
from selftaught.backbones.hf import TextBackbone
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.finetuning.saved_task import save_task, saved_task
from selftaught.pretrained import open_pretrained
from selftaught.tasks.classify import Classify
from selftaught.tasks.regress import Regress
from selftaught.tasks.tag import Tag

NewBackbone = Callable[[TextTokenizer], TextBackbone]


@pytest.fixture
def classifier(tokenizer: TextTokenizer, small_network: NewBackbone, tmp_path: Path) -> Path:
    """A checkpoint as others leave it: a sequence classifier, and nothing of ours."""
    backbone = small_network(tokenizer)
    save_model(tmp_path, backbone, ClassificationHead.of(backbone, ("near", "far")))
    tokenizer.save(tmp_path, 64)
    return tmp_path


def test_a_classifier_of_others_classifies(classifier: Path) -> None:
    assert saved_task(open_pretrained(classifier)) == Classify(("near", "far"))
    config = json.loads((classifier / "config.json").read_text("utf-8"))
    changed = config | {"problem_type": "multi_label_classification"}
    (classifier / "config.json").write_text(json.dumps(changed), encoding="utf-8")
    assert saved_task(open_pretrained(classifier)) == Classify(("near", "far"), several=True)


def test_a_tagger_of_others_tags_if_its_tags_are_iob2(
    tokenizer: TextTokenizer, small_network: NewBackbone, tmp_path: Path
) -> None:
    for name, classes in {"iob2": ("O", "B-PER", "I-PER"), "bioes": ("O", "B-PER", "I-PER", "E-PER", "S-PER")}.items():
        backbone = small_network(tokenizer)
        save_model(tmp_path / name, backbone, TaggingHead.of(backbone, classes))
        tokenizer.save(tmp_path / name, 64)
    assert saved_task(open_pretrained(tmp_path / "iob2")) == Tag(("O", "B-PER", "I-PER"), characters=False)
    with pytest.raises(SelftaughtError, match="E-PER, S-PER are not those of IOB2"):
        saved_task(open_pretrained(tmp_path / "bioes"))


def test_what_is_saved_goes_before_what_transformers_wrote(classifier: Path) -> None:
    save_task(classifier, "regress", Regress(2.5, 1.5, 2))
    assert saved_task(open_pretrained(classifier)) == Regress(2.5, 1.5, 2)


def test_a_model_without_a_task_has_none(tokenizer: TextTokenizer, small_network: NewBackbone, tmp_path: Path) -> None:
    backbone = small_network(tokenizer)
    save_model(tmp_path, backbone, ClassificationHead.of(backbone, ("a", "b")).get_submodule("head"))
    tokenizer.save(tmp_path, 64)
    assert saved_task(open_pretrained(tmp_path)) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "does not say which task"),
        ("[]", "does not say which task"),
        ('{"task": "clasify", "fields": {}}', "no task called 'clasify'"),
        ('{"task": "classify", "fields": {"classes": 3}}', "classes cannot be 3"),
        ('{"task": "classify", "fields": {}}', "classify: "),
    ],
)
def test_a_damaged_file_is_told(content: str, said: str, classifier: Path) -> None:
    (classifier / "task.json").write_text(content, encoding="utf-8")
    with pytest.raises(SelftaughtError, match=said):
        saved_task(open_pretrained(classifier))
