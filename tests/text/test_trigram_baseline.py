"""The trigram model of a run: of the tokens it kept, or of its text read again."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from selftaught.data.store import TokenStore
from selftaught.errors import SelftaughtError
from selftaught.metrics.trigram import Trigram
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.text import trigram_baseline as module
from selftaught.text.trigram_baseline import trigram_baseline
from selftaught.verbs.pretrain import pretrain


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    folder = tmp_path_factory.mktemp("trigram")
    (folder / "notes").mkdir()
    for number in range(12):
        (folder / "notes" / f"{number}.txt").write_text("\n".join(texts[number:]), encoding="utf-8")
    settings = ["train.length=16", "train.precision=fp32"]
    pretrain(
        str(folder / "notes"), objective="causal_lm", out=folder / "run", steps=1, size="tiny", batch=4, set_=settings
    )
    return folder


def baseline(pretrained: Pretrained) -> tuple[Trigram, int]:
    assert pretrained.tokenizer.start_id is not None
    return trigram_baseline(pretrained, pretrained.tokenizer.start_id)


def probabilities(pretrained: Pretrained, text: str) -> np.ndarray:
    """Of the tokens of a text at the beginning of a document."""
    ids = [pretrained.tokenizer.start_id] * 2 + pretrained.tokenizer.encode([text])[0]
    grams = np.lib.stride_tricks.sliding_window_view(np.array(ids), 3)
    return baseline(pretrained)[0].probabilities(grams)


def test_what_the_run_was_trained_on_is_likely_from_its_first_token_on(place: Path) -> None:
    pretrained = open_pretrained(place / "run")
    told = probabilities(pretrained, "The red fox wandered over the mountain")
    turned = probabilities(pretrained, "mountain the over wandered fox red The")
    assert told[0] > 0.9  # each document begins with The
    assert np.log(told).mean() > np.log(turned).mean() + 1
    assert baseline(pretrained)[1] == len(TokenStore(place / "run" / "tokens" / "train"))


def test_the_tokens_are_made_again_where_the_run_has_lost_them(place: Path, tmp_path: Path) -> None:
    kept = open_pretrained(place / "run")
    shutil.copytree(place / "run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "tokens")
    bare = open_pretrained(tmp_path / "run")
    text = "The white heron"
    assert np.array_equal(probabilities(bare, text), probabilities(kept, text))
    assert baseline(bare)[1] == baseline(kept)[1]


def test_the_pieces_in_which_a_text_is_counted_do_not_matter(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretrained = open_pretrained(place / "run")
    whole = probabilities(pretrained, "The grey badger waited")
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert np.array_equal(probabilities(pretrained, "The grey badger waited"), whole)


def test_of_a_very_long_text_only_so_much_is_counted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 50)
    monkeypatch.setattr(module, "MOST_TOKENS", 200)
    trigram, tokens = baseline(open_pretrained(place / "run"))
    assert tokens == 200
    assert 0 < len(trigram.triple.grams) <= 200


def test_where_nobody_knows_the_text_it_is_said(place: Path, tmp_path: Path) -> None:
    with pytest.raises(SelftaughtError, match="nobody knows what this checkpoint was trained on"):
        baseline(open_pretrained(place / "run" / "model"))
    shutil.copytree(place / "run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "tokens")
    (tmp_path / "run" / "MANIFEST.json").unlink()  # the change is meant
    recipe = (place / "run" / "recipe.yaml").read_text(encoding="utf-8")
    (tmp_path / "run" / "recipe.yaml").write_text(recipe.replace("notes", "moved"), encoding="utf-8")
    with pytest.raises(SelftaughtError, match="nothing can be read"):
        baseline(open_pretrained(tmp_path / "run"))
