"""What a student keeps of its teacher, and whether it needed one: three models for each seed, on the same labels."""

import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
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
    teacher_minutes: float | None = None,
    student: str = "tiny",
    seeds: Annotated[tuple[int, ...], SEVERAL] = (0, 1, 2),
    settings: Annotated[tuple[str, ...], SEVERAL] = (),
) -> None:
    """Pretrain a teacher, distil it into a student, train the same student alone, and probe all three.

    Args:
        data: What all three are trained on, best of the kind that the labels are about.
        labels: What they are probed with; a part of it is tested on.
        label: The column that holds the label.
        minutes: Of training; the student's time includes its teacher's forward passes.
        teacher: A preset, or a run or checkpoint folder that is trained already.
        teacher_minutes: Of training for a teacher that is a preset; as long as the student if not given.
        student: A preset, with at most a quarter of the parameters.
        seeds: Of weights, rows, split and draws of labels.
        settings: Other recipe keys of all three, as key=value.
    """
    share_cores()
    trial = Trial(data, labels, label, minutes, teacher, teacher_minutes or minutes, student, settings)
    rows = []
    for seed in seeds:
        with TemporaryDirectory() as scratch, redirect_stdout(sys.stderr):
            rows.append(trial.run(Path(scratch), seed))
        note("\n".join([_HEADER, *map(_line, rows)]))
    tell({**result(rows, minutes), "teacher": teacher, "student": student, "teacher_minutes": trial.teacher_minutes})


@dataclass(frozen=True)
class Trial:
    """What is done for each seed; the fields are the arguments of :func:`measure`."""

    data: Path
    labels: Path
    label: str | None
    minutes: float
    teacher: str
    teacher_minutes: float
    student: str
    settings: tuple[str, ...]

    def run(self, folder: Path, seed: int) -> dict[str, Any]:
        """The share of parameters, the mean scores of the three, and all that the retention table holds."""
        from selftaught.backbones.presets import SIZES
        from selftaught.verbs.distill import distill
        from selftaught.verbs.pretrain import pretrain

        common: dict[str, Any] = {"seed": seed, "set_": list(self.settings)}
        place = Path(self.teacher)
        if self.teacher in SIZES:
            place = folder / "teacher"
            pretrain(str(self.data), size=self.teacher, out=place, for_=_duration(self.teacher_minutes), **common)
        common |= {"for_": _duration(self.minutes), "labels": str(self.labels), "label": self.label}
        report = distill(place, str(self.data), size=self.student, out=folder / "student", **common)
        scores = {model["model"]: model["score"]["mean"] for model in report["models"]}
        return {"seed": seed, "scores": scores, "parameters": report["kept"]["parameters"], "models": report["models"]}


def _duration(minutes: float) -> str:
    return f"{60 * minutes:g}s"


def result(rows: list[dict[str, Any]], minutes: float) -> dict[str, Any]:
    """The bar's three questions: small enough, good enough, and better than without a teacher, over the seeds."""
    from selftaught.distilling.retention import ALONE, STUDENT, TEACHER
    from selftaught.metrics.interval import paired_difference, t_interval

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
