"""``selftaught pretrain --private`` from raw text to a finished run."""

import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from selftaught.errors import SelftaughtError
from selftaught.recipe import read_recipe
from selftaught.verbs.pretrain import pretrain


@pytest.fixture
def notes(tmp_path: Path, texts: list[str]) -> Path:
    file = tmp_path / "notes.jsonl"
    rows = [*texts, *(text.upper() for text in texts)]
    file.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows), encoding="utf-8")
    return file


def test_a_private_run_says_what_it_promises_and_shares_nothing_else(
    notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    report = pretrain(
        str(notes),
        objective="causal_lm",
        private=True,
        epsilon=4.0,
        size="tiny",
        steps=3,
        batch=8,
        out=run,
        device="cpu",
    )
    said = capsys.readouterr().err
    promised = report["privacy"]
    assert 3.9 < promised["epsilon"] <= 4.0
    assert promised["steps"] == report["steps"] == 3
    assert promised["unit"].startswith("each document")
    assert "for each document (a row of a table" in said
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[-1]["epsilon"] == promised["epsilon"] > lines[0]["epsilon"]
    recipe = read_recipe(run / "recipe.yaml")
    assert recipe.privacy.noise == promised["noise"]
    assert recipe.train.steps == 3

    assert report["vocabulary"] == 260  # bytes: what was learned from the text would tell of it
    assert len({*load_file(run / "heads.safetensors")["unigram"].tolist()}) == 1
    card = (run / "README.md").read_text(encoding="utf-8")
    assert "differential privacy" in card
    assert "Not covered" in card
    assert "Measured on held-out data" not in card
    assert str(notes) not in card
    assert "Not covered" in (run / "report.md").read_text(encoding="utf-8")
    assert not (run / "noise.key").exists()


def test_a_seeded_run_repeats_itself_and_says_that_it_hides_nothing(notes: Path, tmp_path: Path) -> None:
    """Whatever the number of threads, whose gradients are added in one order."""
    weights = []
    for threads in (1, 3):
        run = tmp_path / str(threads)
        report = pretrain(
            str(notes),
            objective="causal_lm",
            private=True,
            epsilon=4.0,
            deterministic=True,
            size="tiny",
            steps=2,
            batch=8,
            out=run,
            device="cpu",
            set_=[f"train.threads={threads}"],
        )
        assert report["privacy"]["seeded"]
        assert "protects nobody" in (run / "README.md").read_text(encoding="utf-8")
        weights.append((run / "model" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"private": True}, "--private needs to know how much"),
        ({"epsilon": 8.0}, "--epsilon is for a private run"),
        ({"private": True, "epsilon": 8.0, "set_": ["model.vocabulary=400"]}, "a vocabulary would be learned"),
        ({"private": True, "epsilon": 8.0, "objective": "nsp"}, "nsp cannot be trained with --private: it puts"),
        ({"private": True, "epsilon": 8.0, "objective": "simclr"}, "--private is for text"),
        ({"set_": ["privacy.delta=0.1"]}, "without an epsilon"),
    ],
)
def test_what_cannot_be_private_is_refused(notes: Path, tmp_path: Path, given: dict[str, object], said: str) -> None:
    options = {"objective": "mlm", "size": "tiny", "steps": 1, "out": tmp_path / "run", **given}
    with pytest.raises(SelftaughtError, match=said):
        pretrain(str(notes), **options)  # type: ignore[arg-type]


def test_the_same_command_leaves_a_finished_private_run_and_another_epsilon_is_refused(
    notes: Path, tmp_path: Path
) -> None:
    run, options = tmp_path / "run", {"objective": "mlm", "size": "tiny", "batch": 8, "out": tmp_path / "run"}
    first = pretrain(str(notes), private=True, epsilon=4.0, epochs=0.5, **options)  # type: ignore[arg-type]
    (run / "noise.key").touch()  # as a kill right after the report would leave it
    again = pretrain(str(notes), private=True, epsilon=4.0, epochs=0.5, **options)  # type: ignore[arg-type]
    assert first["privacy"] == again["privacy"]
    with pytest.raises(SelftaughtError, match=r"privacy\.epsilon = 4\.0, not 8\.0"):
        pretrain(str(notes), private=True, epsilon=8.0, epochs=0.5, **options)  # type: ignore[arg-type]
    assert not (run / "noise.key").exists()
