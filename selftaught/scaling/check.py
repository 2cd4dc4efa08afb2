"""The cost model beside a finished run: what it says of it, and what the run took."""

from dataclasses import asdict, dataclass
from typing import Any

from selftaught.errors import SelftaughtError
from selftaught.run.account import planned_and_taken
from selftaught.run.folder import Run
from selftaught.scaling.devices import Device


@dataclass(frozen=True)
class Compared:
    """One quantity.

    Args:
        planned, measured: None where nobody says.
    """

    name: str
    planned: float
    measured: float | None

    @property
    def ratio(self) -> float | None:
        """Measured by planned."""
        return None if self.measured is None or not self.planned else self.measured / self.planned

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}

    def line(self) -> str:
        """For the terminal."""
        if self.measured is None or self.ratio is None:
            return f"  {self.name:20}{self.planned:>14,.5g}{'-':>14}"
        return f"  {self.name:20}{self.planned:>14,.5g}{self.measured:>14,.5g}  {self.ratio:.2f}"


HEADER = f"  {'':20}{'planned':>14}{'measured':>14}  ratio"


def compared(run: Run, device: Device) -> list[Compared]:
    """Of a run that pretrain has finished: operations, which nobody counts while it trains, time, speed, memory and the
    size of a checkpoint.

    Operations, memory and bytes are planned from a few rows before the start; time from the operations and the rate of
    ``device``, as many of them as there were threads, or ranks with a GPU each.

    Raises:
        SelftaughtError: if the run has kept no plan, or one that is not whole.
    """
    plan, taken = planned_and_taken(run)
    try:
        return _rows(plan, taken, device, _checkpoint_bytes(run))
    except (KeyError, TypeError) as error:
        what = f"plan.json and taken.json are not those of a run: {error}"
        raise SelftaughtError(what, where=str(run.folder), do="give a run of pretrain") from error


def _rows(plan: dict[str, Any], taken: dict[str, Any], device: Device, saved: int | None) -> list[Compared]:
    step = plan["flops_a_step"] / (device.flops * device.share * max(taken["threads"], 1) * taken["ranks"])
    steps, took = taken["steps"], taken["step_seconds"]
    unit = "tokens" if "tokens_a_step" in plan else "samples"
    a_step = plan[f"{unit}_a_step"]
    return [
        Compared("FLOPs a step", plan["flops_a_step"], None),
        Compared("seconds a step", step, took),
        Compared(f"{unit} a second", a_step / step, a_step / took if took else None),
        Compared("seconds, with checks", steps * step, taken["seconds"]),
        Compared("memory, bytes", plan["memory_bytes"], taken["memory_bytes"]),
        Compared("checkpoint, bytes", plan["checkpoint_bytes"], saved),
    ]


def _checkpoint_bytes(run: Run) -> int | None:
    """Of the newest checkpoint; None if they have been deleted."""
    found = sorted(place for place in run.checkpoints.glob("step-*") if place.suffix != ".partial")
    return sum(file.stat().st_size for file in found[-1].iterdir()) if found else None
