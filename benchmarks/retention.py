"""What a student keeps of its teacher, and whether it needed one: three models for each seed, on the same labels."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import cyclopts

from benchmarks.pairs import SEVERAL, note, tell
from selftaught.threads import share_cores

BAR = 0.95  # of the teacher's score, with a quarter of its parameters
QUARTER = 0.25
_HEADER = f"{'seed':6}{'teacher':>10}{'student':>10}{'alone':>10}{'kept':>10}{'gained':>10}"


def measure(
    *,
    data: Path,
    labels: Path,
    label: str | None = None,
    minutes: float = 10.0,
    teacher: str = "small",
    student: str = "tiny",
    seeds: Annotated[tuple[int, ...], SEVERAL] = (0, 1, 2),
    settings: Annotated[tuple[str, ...], SEVERAL] = (),
) -> None:
    """Pretrain a teacher, distil it into a student, train the same student alone, and probe all three.

    Args:
        data: What all three are trained on, best of the kind that the labels are about.
        labels: What they are probed with; a part of it is tested on.
        label: The column that holds the label.
        minutes: Of training, for each of the three; the student's time includes its teacher's forward passes.
        teacher: A preset.
        student: A preset, with at most a quarter of the parameters.
        seeds: Of weights, rows, split and draws of labels.
        settings: Other recipe keys of all three, as key=value.
    """
    share_cores()
    rows = []
    for seed in seeds:
        with TemporaryDirectory() as scratch, redirect_stdout(sys.stderr):
            rows.append(_distilled(Path(scratch), data, labels, label, minutes, teacher, student, seed, settings))
        note("\n".join([_HEADER, *map(_line, rows)]))
    tell(result(rows, minutes))


def _distilled(
    folder: Path,
    data: Path,
    labels: Path,
    label: str | None,
    minutes: float,
    teacher: str,
    student: str,
    seed: int,
    settings: tuple[str, ...],
) -> dict[str, Any]:
    """One seed: the parameters and the mean scores of the three, and all that the retention table holds."""
    from selftaught.verbs.distill import distill
    from selftaught.verbs.pretrain import pretrain

    common: dict[str, Any] = {"for_": f"{60 * minutes:g}s", "seed": seed, "set_": list(settings)}
    pretrain(str(data), size=teacher, out=folder / "teacher", **common)
    given = {"labels": str(labels), "label": label, **common}
    report = distill(folder / "teacher", str(data), size=student, out=folder / "student", **given)
    scores = {model["model"]: model["score"]["mean"] for model in report["models"]}
    return {"seed": seed, "scores": scores, "parameters": report["kept"]["parameters"], "models": report["models"]}


def result(rows: list[dict[str, Any]], minutes: float) -> dict[str, Any]:
    """The bar's three questions: small enough, good enough, and better than without a teacher, over the seeds."""
    from dataclasses import asdict

    from selftaught.metrics.interval import paired_difference, t_interval
    from selftaught.retention import ALONE, STUDENT, TEACHER

    scores = [row["scores"] for row in rows]
    kept = t_interval([score[STUDENT] / score[TEACHER] for score in scores])
    gained = paired_difference([score[STUDENT] for score in scores], [score[ALONE] for score in scores])
    share = max(row["parameters"] for row in rows)
    return {
        "name": "retention",
        "unit": "share of the teacher's accuracy",
        "minutes": minutes,
        "parameters": share,
        "kept": asdict(kept),
        "gained": asdict(gained),
        "bar": BAR,
        "passed": share <= QUARTER and kept.mean >= BAR and gained.mean > 0,
        "seeds": len(rows),
        "table": rows,
    }


def _line(row: dict[str, Any]) -> str:
    teacher, student, alone = row["scores"].values()
    numbers = (teacher, student, alone, student / teacher, student - alone)
    return f"{row['seed']:<6}" + "".join(f"{number:>10.3f}" for number in numbers)


if __name__ == "__main__":
    cyclopts.run(measure)
