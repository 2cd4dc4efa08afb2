"""What the plan says of a run beside what the run took: seconds a step, memory, checkpoints. Prints JSON.

The rate of one core is measured once, in matrix products alone, and the seconds of every run are told from it; both are
seconds of the processor, not of the clock, so that whoever else uses the machine counts less. Each run is a process of
its own, so that its memory is its own.

    python -m benchmarks.plan_vs_measured [--data TEXT] [--steps 30]
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

RUNS = [
    ("mlm", "tiny", 16),
    ("mlm", "small", 16),
    ("mlm", "medium", 8),
    ("mlm", "albert-small", 16),
    ("causal_lm", "tiny", 16),
    ("causal_lm", "small", 16),
    ("causal_lm", "medium", 8),
    ("electra", "small", 16),
    ("simcse", "small", 64),
]


def one_run(data: str, objective: str, size: str, batch: int, steps: int, rate: float) -> dict[str, Any]:
    """Prepare a run, ask for its plan, and train it by itself, one thread, float32."""
    import torch

    from selftaught.loop import Progress, train
    from selftaught.optim import adamw
    from selftaught.recipe import compose
    from selftaught.run.folder import Run
    from selftaught.scaling.arithmetic import SAVED_BYTES
    from selftaught.schedule import Schedule
    from selftaught.text.preparing import prepare_pretraining

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        given = {"data.path": data, "objective.name": objective, "model.size": size, "train.batch": batch}
        given |= {"train.steps": steps, "train.device": "cpu", "train.precision": "fp32", "train.threads": None}
        run = Run(Path(folder) / "run")
        ready = prepare_pretraining(run, compose(given))
        ctypes.CDLL(None).malloc_trim(0)  # what preparing has freed would else be used again, and not be seen
        Path("/proc/self/clear_refs").write_text("5")  # forgets the most that preparing held
        held = _memory("VmRSS")
        optimizer = adamw(ready.learner, 1e-4)
        schedule, took, last = Schedule(steps=steps), [], Progress()
        at = time.process_time()
        for report in train(ready.learner, ready.batches.starting, optimizer, schedule, seed=0):
            took.append(time.process_time() - at)
            at, last = time.process_time(), report.progress
        peak = _memory("VmHWM")
        began = time.perf_counter()
        place = run.save_checkpoint(ready.learner, optimizer, last, {})
        saving = time.perf_counter() - began
        saved = sum(file.stat().st_size for file in place.iterdir())
        weights = 4 * sum(p.numel() for p in ready.learner.parameters())
        flops = ready.plan.flops / ready.plan.steps
        trained = sum(p.numel() for p in ready.learner.parameters() if p.requires_grad)
        return {
            "objective": objective,
            "size": size,
            "parameters": trained,
            "flops_a_step": flops,
            "step_seconds": {"plan": flops / rate, "measured": median(took[2:])},
            "share_of_rate": flops / median(took[2:]) / rate,
            # the weights lie in memory before training begins
            "memory_bytes": {
                "plan": ready.plan.memory_bytes,
                "measured": peak - held + weights,
            },
            "checkpoint_bytes": {"plan": SAVED_BYTES * trained, "measured": saved},
            "checkpoint_seconds": saving,
        }


def _memory(what: str) -> int:
    """Bytes that this process holds, or the most that it held, as Linux counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def compare(data: str, steps: int) -> dict[str, Any]:
    """Every run, and how far the plan is off."""
    import torch

    from selftaught.scaling.devices import core_flops

    torch.set_num_threads(1)
    rate = core_flops(clock=time.process_time)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "1048576"}
    rows = []
    for objective, size, batch in RUNS:
        words = [sys.executable, "-m", "benchmarks.plan_vs_measured", "--data", data, "--steps", str(steps)]
        words += ["--one", objective, size, str(batch), str(rate)]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(_line(rows[-1]), file=sys.stderr, flush=True)
    shares = sorted(row["share_of_rate"] for row in rows)
    disk = sum(row["checkpoint_bytes"]["measured"] for row in rows) / sum(row["checkpoint_seconds"] for row in rows)
    return {
        "name": "plan_vs_measured",
        "core_flops": rate,
        "share_of_rate": {"low": shares[0], "median": median(shares), "high": shares[-1]},
        "seconds_off_at_the_median_share": {
            f"{row['objective']} {row['size']}": median(shares) / row["share_of_rate"] - 1 for row in rows
        },
        "disk_bytes_per_second": disk,
        "runs": rows,
    }


def _line(row: dict[str, Any]) -> str:
    parts = [f"{row['objective']} {row['size']}, {row['parameters'] / 1e6:.1f} M:"]
    for name, unit, scale in (
        ("step_seconds", "ms", 1e3),
        ("memory_bytes", "MB", 1e-6),
        ("checkpoint_bytes", "MB", 1e-6),
    ):
        pair = row[name]
        off = pair["plan"] / pair["measured"] - 1
        parts.append(f"{name} {scale * pair['plan']:,.1f} / {scale * pair['measured']:,.1f} {unit} ({off:+.0%})")
    return "  ".join([*parts, f"saved in {1e3 * row['checkpoint_seconds']:.0f} ms"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="builtin:docs")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        objective, size, batch, rate = asked.one
        print(json.dumps(one_run(asked.data, objective, size, int(batch), asked.steps, float(rate))))
    else:
        print(json.dumps(compare(asked.data, asked.steps), indent=1))
