"""Runs that make vectors of texts: what similarity and embed do with them, and the same in sentence-transformers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import rankdata

from selftaught.pretrained import open_pretrained
from selftaught.verbs.pretrain import pretrain
from tests.verbs.conftest import Call

SMALL = ["train.length=24", "train.precision=fp32"]


@pytest.fixture(scope="module")
def sentences(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``simcse``, ``tsdae`` and ``fused``, the last two begun from a run of mlm and of causal_lm."""
    place = tmp_path_factory.mktemp("sentences")
    notes, small = str(runs / "notes"), {"steps": 3, "batch": 8, "set_": SMALL}
    pretrain(notes, objective="simcse", size="tiny", out=place / "simcse", **small)
    pretrain(notes, objective="causal_lm", size="tiny", out=place / "causal", **small)
    pretrain(notes, objective="tsdae", init=place / "causal", out=place / "tsdae", **small)
    pretrain(notes, objective="mlm+simcse", init=runs / "run", out=place / "fused", **small)
    return place


@pytest.fixture
def at(sentences: Path, here: Path) -> Path:
    """The runs of ``here``, and those of ``sentences`` beside them, to read."""
    for run in sentences.iterdir():
        (here / run.name).symlink_to(run)
    return here


@pytest.mark.parametrize("run", ["simcse", "tsdae", "fused"])
def test_sentence_transformers_makes_the_same_vectors(run: str, at: Path, texts: list[str], call: Call) -> None:
    from sentence_transformers import SentenceTransformer

    Path("some.txt").write_text("".join(f"{text}\n" for text in [*texts, "", "fox " * 400]), encoding="utf-8")
    assert call("embed", run, "some.txt", "--out", "vectors.parquet", "--device", "cpu").code == 0
    rows = pq.read_table("vectors.parquet").to_pydict()
    assert rows["text"][:-1] == texts
    theirs = SentenceTransformer(str(at / run / "model"), device="cpu").encode(rows["text"], batch_size=7)
    np.testing.assert_allclose(np.array(rows["vector"]), theirs, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(theirs, axis=1), 1, atol=1e-6)


def test_embed_says_what_it_wrote(at: Path, call: Call) -> None:
    sentence = call("embed", "simcse", "notes", "--out", "a.parquet", "--json").report
    features = call("embed", "run", "notes", "--out", "b.parquet", "--json").report
    assert (sentence["dimensions"], sentence["kind"]) == (128, "sentence vectors")
    assert (features["dimensions"], features["kind"]) == (9 * 128, "features")


def test_two_texts(at: Path, call: Call) -> None:
    same = call("similarity", "simcse", "The red fox.", "the RED fox.")
    assert same.out == "1.000\n"
    report = call("similarity", "simcse", "The red fox.", "A heron watched.", "--json").report
    back = call("similarity", "simcse", "A heron watched.", "The red fox.", "--json").report
    assert -1 < report["pairs"][0]["similarity"] < 1
    assert report["pairs"][0]["similarity"] == pytest.approx(back["pairs"][0]["similarity"], abs=1e-6)


def test_a_file_of_pairs_with_scores_is_a_test(at: Path, call: Call, texts: list[str]) -> None:
    rows = [f"{a}\t{b}\t{i % 3}" for i, (a, b) in enumerate(zip(texts, reversed(texts), strict=True))]
    Path("pairs.tsv").write_text("\n".join(["one\tother\tscore", *rows, "broken"]), encoding="utf-8")
    heard = call("similarity", "simcse", "pairs.tsv", "--json")
    report = heard.report
    assert "score in column 'score'" in heard.err
    assert (report["rows"]["kept"], report["rows"]["quarantined_rows"]) == (36, 1)
    assert len(report["pairs"]) == 36
    assert report["pairs"][4]["line"] == 6
    ranks = rankdata([pair["similarity"] for pair in report["pairs"]])
    scores = rankdata([i % 3 for i in range(36)])
    assert report["spearman"]["model"]["mean"] == pytest.approx(np.corrcoef(ranks, scores)[0, 1])
    assert -1 <= report["spearman"]["model"]["low"] < report["spearman"]["model"]["high"] <= 1
    said = call("similarity", "simcse", "pairs.tsv").out
    assert said.startswith("rows        37 rows: 36 kept, 1 quarantined\nspearman ")
    assert "TF-IDF cosine" in said
    named = call("similarity", "simcse", "pairs.tsv", "--text", "other", "--second", "one", "--label", "score").out
    assert said == named


def test_a_file_of_pairs_without_scores_is_answered_row_by_row(at: Path, call: Call) -> None:
    Path("pairs.csv").write_text("one,other\nThe fox sat.,The fox sat.\nThe fox sat.,A heron flew.\n", encoding="utf-8")
    first, second = call("similarity", "simcse", "pairs.csv").out.splitlines()
    assert first == "1.000\tThe fox sat.\tThe fox sat."
    assert second.endswith("\tThe fox sat.\tA heron flew.")


def test_the_nearest_rows(at: Path, call: Call, texts: list[str]) -> None:
    Path("many.txt").write_text("".join(f"{text}\n" for text in texts * 2), encoding="utf-8")
    report = call("similarity", "simcse", texts[5], texts[7], "--among", "many.txt", "--top", "3", "--json").report
    assert [found["query"] for found in report["nearest"]] == [texts[5], texts[7]]
    for found, place in zip(report["nearest"], (5, 7), strict=True):
        rows = found["rows"]
        assert (rows[0]["text"], rows[0]["line"]) == (texts[place], place + 1)
        assert rows[0]["similarity"] == pytest.approx(1, abs=1e-5)
        assert len({row["text"] for row in rows}) == 3, "a text that stands there twice is one answer"
        assert [row["similarity"] for row in rows] == sorted((row["similarity"] for row in rows), reverse=True)
        both = call("similarity", "simcse", texts[place], rows[1]["text"], "--json").report["pairs"][0]["similarity"]
        assert rows[1]["similarity"] == pytest.approx(both, abs=1e-5)
    lines = call("similarity", "simcse", texts[5], "--among", "many.txt", "--top", "1").out.splitlines()
    assert lines == [f"1.000\tmany.txt:6\t{texts[5]}"]


def test_a_model_that_was_not_trained_for_it_says_so(at: Path, call: Call) -> None:
    heard = call("similarity", "run", "A red fox.", "A red fox.")
    assert heard.out == "1.000\n"
    assert "not trained to make vectors" in heard.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["one text"], "no file of that name"),
        ([], "nothing to compare"),
        (["a", "b", "c"], "there are 3 inputs"),
        (["a", " "], "one of the texts is empty"),
        (["a", "b", "--top", "0"], "--top"),
        (["a", "--among", "nowhere"], "nothing can be read"),
        (["a", "--among", "labels.csv", "--label", "x"], "about a file of pairs"),
        (["labels.csv", "--label", "nothing"], "no column 'nothing'"),
        (["numbers.csv"], "no text column"),
        (["notes"], "is a folder of"),
    ],
)
def test_mistakes(arguments: list[str], said: str, at: Path, call: Call) -> None:
    Path("numbers.csv").write_text("one,two\n1,2\n3,4\n", encoding="utf-8")
    heard = call("similarity", "simcse", *arguments)
    assert heard.code == 1
    assert said in heard.err
    assert heard.out == ""


def test_what_the_run_keeps_of_it(at: Path, call: Call) -> None:
    pooling = json.loads((at / "simcse" / "model" / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
    assert pooling["pooling_mode_mean_tokens"]
    assert open_pretrained("simcse").pooling == "mean"
    assert open_pretrained("run").pooling is None
    report = json.loads((at / "simcse" / "report.json").read_text(encoding="utf-8"))["pretrain"]
    assert 1 <= report["vectors"]["rank"] <= 128
    assert report["vectors"]["uniformity"] < 0
    assert {"loss", "accuracy", "alignment", "uniformity"} <= report["held_out"].keys()
    card = (at / "simcse" / "README.md").read_text(encoding="utf-8")
    assert "SentenceTransformer" in card
    assert "sentence-similarity" in card


@pytest.mark.parametrize("objective", ["simcse", "tsdae"])
def test_a_run_that_goes_on_ends_with_the_same_bits(objective: str, here: Path) -> None:
    """Views and deletions follow from the seed and the samples, whatever came before in this process."""
    small = {"steps": 4, "batch": 8, "size": "tiny", "set_": [*SMALL, "train.save_seconds=0"], "out": "new"}
    first = pretrain("notes", objective=objective, **small)
    files = [here / "new" / "model" / "model.safetensors", here / "new" / "heads.safetensors"]
    before = [file.read_bytes() for file in files]
    shutil.rmtree(here / "new" / "checkpoints" / "step-000000004")
    shutil.rmtree(here / "new" / "model")
    (here / "new" / "report.json").unlink()
    again = pretrain("notes", objective=objective, **small)
    assert [file.read_bytes() for file in files] == before
    assert again["held_out"] == first["held_out"]
    assert again["vectors"] == first["vectors"]


def test_it_fills_no_words_in(at: Path, call: Call) -> None:
    heard = call("predict", "simcse", "the [MASK] fox")
    assert heard.code == 1
    assert "has not learned to fill words in" in heard.err
    assert call("predict", "fused", "the [MASK] fox").code == 0


def test_a_batch_cannot_be_put_together_of_smaller_ones(here: Path, call: Call) -> None:
    heard = call("pretrain", "notes", "--objective", "simcse", "--steps", "2", "--set=train.accumulate=2")
    assert heard.code == 1
    assert "--batch" in heard.err
