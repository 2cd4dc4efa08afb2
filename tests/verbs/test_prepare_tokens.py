"""``prepare --tokenizer``: a corpus brings its tokens, and whoever trains on it takes them."""

import json
from pathlib import Path

import numpy as np
import pytest

from selftaught.data.prepared import MANIFEST
from selftaught.data.source import open_text
from selftaught.data.store import sha256_of
from selftaught.data.tally import Tally
from selftaught.data.tokenise import TextTokenizer, load_tokenizer
from selftaught.errors import SelftaughtError
from selftaught.verbs.prepare import prepare
from selftaught.verbs.pretrain import pretrain
from tests.verbs.test_prepare import data, digest, story, write

__all__ = ["data"]
SMALL = ["train.length=16", "train.precision=fp32"]


@pytest.fixture
def model(tokenizer: TextTokenizer, tmp_path: Path) -> Path:
    """A model folder, as far as its tokenizer goes."""
    folder = tmp_path / "model"
    tokenizer.save(folder, 64)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    return folder


@pytest.fixture
def corpus(model: Path, tmp_path: Path) -> Path:
    write(tmp_path / "stories" / "a.jsonl", [story(number) for number in range(60)])
    prepare(str(tmp_path / "stories"), out=str(tmp_path / "corpus"), tokenizer=str(model), workers=1)
    return tmp_path / "corpus"


def stores(run: Path) -> dict[str, bytes]:
    return {str(file.relative_to(run)): file.read_bytes() for file in sorted((run / "tokens").rglob("*.npy"))}


def replace_tokens(corpus: Path, value: int) -> None:
    """Every token of the corpus is another, and its manifest agrees."""
    file = corpus / "shard-00000.tokens.npy"
    np.save(file, np.full_like(np.load(file), value))
    manifest = json.loads((corpus / MANIFEST).read_text(encoding="utf-8"))
    manifest["shards"][0]["tokens"][file.name] = sha256_of(file)
    (corpus / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def test_rows_come_with_the_tokens_that_the_tokenizer_makes(corpus: Path, tokenizer: TextTokenizer) -> None:
    rows = list(open_text(corpus, tokenizer=tokenizer.fingerprint).rows(Tally()))
    assert len(rows) == 60
    for row in rows:
        assert row.ids is not None
        assert row.ids.tolist() == tokenizer.encode([row.text])[0]
    assert all(row.ids is None for row in open_text(corpus, tokenizer="another").rows(Tally()))
    assert load_tokenizer(corpus / "tokenizer").fingerprint == tokenizer.fingerprint


def test_the_tokens_are_the_same_whoever_makes_them(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selftaught.corpus.units._SMALLEST", 1000)
    for out, workers in (("one", 1), ("two", 2)):
        report = prepare(str(data), out=str(tmp_path / out), tokenizer=str(model), workers=workers)
        assert len(report["shards"]) > 1
        assert report["tokens"]["count"] == sum(len(np.load(f)) for f in (tmp_path / out).glob("*.tokens.npy"))
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_a_run_takes_the_tokens_and_makes_the_same_of_them_as_of_the_text(corpus: Path, tmp_path: Path) -> None:
    prepare(str(tmp_path / "stories"), out=str(tmp_path / "plain"), workers=1)
    with_own = ["model.tokenizer=" + str(corpus)]
    pretrain(str(tmp_path / "plain"), steps=1, size="tiny", out=tmp_path / "from text", set_=[*SMALL, *with_own])
    pretrain(str(corpus), steps=1, size="tiny", out=tmp_path / "from tokens", set_=SMALL)
    assert stores(tmp_path / "from text") == stores(tmp_path / "from tokens")
    pretrain(str(corpus), steps=1, size="tiny", out=tmp_path / "from tokens", set_=SMALL)  # it knows its own command
    replace_tokens(corpus, 7)
    pretrain(str(corpus), steps=1, size="tiny", out=tmp_path / "from others", set_=SMALL)
    train = np.load(tmp_path / "from others" / "tokens" / "train" / "tokens-00000.npy")
    assert (train == 7).mean() > 0.9, "all but what opens and closes documents"


def test_damaged_tokens_are_told_and_made_anew(corpus: Path, model: Path, tmp_path: Path) -> None:
    before = digest(corpus)
    (corpus / "shard-00000.ends.npy").write_bytes(b"damaged")
    with pytest.raises(SelftaughtError, match=r"(?s)tokens do not match their SHA-256.*shard-00000\.ends\.npy"):
        pretrain(str(corpus), steps=1, size="tiny", out=tmp_path / "run", set_=SMALL)
    assert prepare(str(tmp_path / "stories"), out=str(corpus), tokenizer=str(model), workers=1)["made"]
    assert digest(corpus) == before


def test_a_place_without_a_tokenizer_is_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SelftaughtError, match="neither a run nor a checkpoint folder"):
        prepare(str(data), out=str(tmp_path / "out"), tokenizer=str(data), workers=1)
    assert not (tmp_path / "out" / MANIFEST).exists()


@pytest.mark.parametrize("spoiled", ["tokens", "ends", "pickled", "unknown", "unnamed"])
def test_tokens_that_are_not_those_of_their_shard_are_refused(corpus: Path, tmp_path: Path, spoiled: str) -> None:
    """Of a corpus from elsewhere, whose manifest agrees with whatever is in it."""
    tokens, ends = (corpus / f"shard-00000.{kind}.npy" for kind in ("tokens", "ends"))
    if spoiled == "tokens":
        np.save(tokens, np.load(tokens)[:-1])
    elif spoiled == "ends":
        np.save(ends, np.load(ends)[1:])
    elif spoiled == "pickled":
        np.save(ends, np.array([{}] * 60), allow_pickle=True)
    elif spoiled == "unknown":
        np.save(tokens, np.full_like(np.load(tokens), 60_000))
    manifest = json.loads((corpus / MANIFEST).read_text(encoding="utf-8"))
    manifest["shards"][0]["tokens"] = {file.name: sha256_of(file) for file in (tokens, ends)}
    if spoiled == "unnamed":
        del manifest["shards"][0]["tokens"]
    (corpus / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(SelftaughtError, match=r"not its own|does not have|manifest of this corpus is damaged"):
        pretrain(str(corpus), steps=1, size="tiny", out=tmp_path / "run", set_=SMALL)
