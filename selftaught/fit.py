"""A training run from start to end: resume, train, watch, log, save. Pretraining and fine-tuning both run here."""

import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from selftaught.backbones.hf import recomputing
from selftaught.console import note
from selftaught.data.loader import Batches
from selftaught.errors import saving
from selftaught.fleet import Fleet, bring_together, to_be_trained
from selftaught.health import Diverged, check_weights, watch_over
from selftaught.loop import Learner, Progress, Report, train
from selftaught.objective import Batch
from selftaught.optim import adamw
from selftaught.progress import ProgressLine
from selftaught.ranks import agreed, leads, most, place, world
from selftaught.recipe import Train
from selftaught.run.account import Account
from selftaught.run.durable import replace_file
from selftaught.run.folder import Run
from selftaught.run.identity import identity_of, refuse_another
from selftaught.run.saver import Saver
from selftaught.schedule import Schedule
from selftaught.signals import heard

_LOG_SECONDS = 0.5
_FEW_CHECKS = 8
_IDENTITY = "identity"
_SAVING_SHARE = 0.05  # of the time, at most, goes into checkpoints


@dataclass(frozen=True)
class Plan:
    """How :func:`fit` is to run.

    Args:
        schedule: the budget and the learning rate's course.
        seed: of the run.
        accumulate, threads, clip: see :func:`selftaught.loop.train`.
        save_seconds: at least this long between checkpoints.
        unit, per_sample: what the speed is counted in, and how many of them a sample holds.
        checks: how many times ``check`` is called over the run, evenly spread from the first step on.
    """

    schedule: Schedule
    seed: int
    accumulate: int = 1
    threads: int | None = None
    clip: float = 1.0
    save_seconds: float = 30.0
    unit: str = "samples"
    per_sample: int = 1
    checks: int = 8

    @classmethod
    def of(cls, train: Train, *, unit: str, per_sample: int, checks: int, threads: int | None = None) -> "Plan":
        """The plan of a recipe's ``train`` part, where each batch comes in as many equal parts as there are threads."""
        return cls(
            Schedule(train.steps, train.seconds, train.warmup, train.final, train.course),
            seed=train.seed,
            accumulate=train.accumulate * (threads or 1),
            threads=threads,
            clip=train.clip,
            save_seconds=train.save_seconds,
            unit=unit,
            per_sample=per_sample,
            checks=checks,
        )


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        progress: where it stands.
        interrupted: whether a signal ended it before its budget did.
        notes: what was noticed on the way, in words.
    """

    progress: Progress
    interrupted: bool
    notes: tuple[str, ...]


@dataclass
class _Log:
    """``metrics.jsonl``: one line a logged step, cut back to the checkpoint when a run is resumed."""

    run: Run
    last: float = float("-inf")
    pending: dict[str, Any] = field(default_factory=dict)

    def cut_back(self, step: int) -> None:
        if not leads() or not self.run.metrics.exists():
            return
        lines = self.run.metrics.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if (found := _parsed(line)) is not None and found["step"] <= step]
        replace_file(self.run.metrics, "".join(line + "\n" for line in kept))

    def write(self, report: Report, per_second: float, waiting: float, always: bool) -> None:
        now = time.perf_counter()
        if not always and now - self.last < _LOG_SECONDS and report.progress.step > 10:
            return
        self.last = now
        line = {
            "step": report.progress.step,
            "seconds": round(report.progress.seconds, 3),
            "samples": report.progress.samples,
            "gradient": report.gradient,
            "rate": report.rate,
            "per_second": round(per_second, 1),
            "data_wait": round(waiting, 4),
            **report.measures,
            "loss": report.loss,
            **self.pending,
        }
        self.pending = {}
        self.append(line)

    def append(self, line: dict[str, Any]) -> None:
        if not leads():
            return
        with saving(self.run.metrics), self.run.metrics.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:  # a kill can leave half a line
        return None


Steps = Callable[[Progress], Iterator[Report]]
"""Training as it goes on from some progress: a report after each step."""


def gradient_steps(
    learner: Learner, batches: Callable[[int], Iterator[Batch]], optimizer: torch.optim.Optimizer, plan: Plan
) -> Steps:
    """The steps of :func:`selftaught.loop.train`, shared among all ranks."""

    def steps(start: Progress) -> Iterator[Report]:
        return train(
            learner,
            batches,
            optimizer,
            plan.schedule,
            seed=plan.seed,
            start=start,
            accumulate=plan.accumulate,
            threads=plan.threads,
            clip=plan.clip,
            fleet=Fleet(learner),
        )

    return steps


def fit(
    run: Run,
    learner: nn.Module,
    optimizer: torch.optim.Optimizer,
    steps: Steps,
    plan: Plan,
    *,
    check: Callable[[Progress], dict[str, Any]] | None = None,
    watch: Callable[[Report], str | None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    memory: dict[str, Any] | None = None,
    gather: Callable[[], None] = lambda: None,
    about: Mapping[str, str] = {},
) -> Outcome:
    """Run to the end of the budget, from the newest checkpoint if there is one.

    Ctrl-C and SIGTERM end the run after the step in hand, with a checkpoint. All ranks come here; the one that leads
    measures, logs and saves, and its clock counts. A signal to any of them ends all after the same step.

    Args:
        learner, optimizer: what the steps change; saved and restored with the checkpoints.
        check: called now and then, for held-out measures and probes; its numbers go into ``metrics.jsonl``.
        watch: sees every report; a sentence it returns is told to the user, once.
        stop: asked before the first step and after each whether to end early; if any rank says so, all do.
        memory: JSON-ready facts that ``check`` keeps from call to call; saved and restored with the checkpoints.
        gather: called on all ranks before ``check`` and at the end, to bring together what it measures.
        about: fingerprints of the data and the tokenizer, where they are not in the run folder.

    Raises:
        SelftaughtError: before the first step, if the checkpoints are of something else.
        Diverged: if the loss, a gradient or a weight stops being finite; the newest checkpoint is from before.
    """
    with _signals() as interrupted, ProgressLine(plan.unit) as line, Saver() as saver:
        identity = identity_of(run.folder, about)
        found = run.load_checkpoint(
            learner, optimizer, lambda extra: refuse_another(extra.get(_IDENTITY, {}), identity, run.checkpoints)
        )
        start = found.progress if found else Progress()
        memory = {} if memory is None else memory
        memory |= {name: fact for name, fact in (found.extra if found else {}).items() if name != _IDENTITY}
        notes = [f"a damaged checkpoint was passed over: {what}" for what in (found.damaged if found else ())]
        log = _Log(run)
        log.cut_back(start.step)
        checks = agreed(plan.checks)
        checked = int(plan.schedule.progress(start.step, start.seconds) * checks) if found else -1
        progress, saved_at, account = start, time.perf_counter(), Account(learner, optimizer)
        if found:
            line.say(f"resuming at step {start.step}")
        for problem in notes:
            line.say(problem)
        try:
            for report in () if stop() else steps(start):  # a run that was killed after its early stop has no step left
                progress = report.progress
                account.stepped(report.took)
                done = plan.schedule.progress(progress.step, progress.seconds)
                line.step(report, report.samples * plan.per_sample, done)
                if watch and (sentence := watch(report)):
                    notes.append(sentence)
                    line.say(sentence)
                due = min(int(done * checks), checks - 1)
                if due > checked:
                    checked = due
                    gather()
                    log.pending = check(progress) if check else {}
                    line.checked(log.pending)
                    account.rest()
                log.write(report, line.per_second, line.waiting, always=bool(log.pending))
                since = time.perf_counter() - saved_at
                late = leads() and since >= max(plan.save_seconds, saver.took / _SAVING_SHARE)
                stopping, ending, save = most(stop(), interrupted(), late)  # the others do not know what was measured
                if stopping:
                    break
                saver.look()
                if ending or save:
                    check_weights(learner, progress.step, progress.samples - report.samples, report.samples)
                    run.save_checkpoint(learner, optimizer, progress, {**memory, _IDENTITY: identity}, saver)
                    saved_at = time.perf_counter()
                    account.rest()
                if ending:
                    account.close(run, progress)
                    return Outcome(progress, True, tuple(notes))
            check_weights(learner, progress.step, start.samples, progress.samples - start.samples)
        except Diverged as diverged:
            notes.append(diverged.what)
            log.append({"step": diverged.step, "diverged": diverged.what})
            raise
        run.save_checkpoint(learner, optimizer, progress, {**memory, _IDENTITY: identity}, saver)
        account.close(run, progress)
        gather()
    return Outcome(progress, False, tuple(notes))


def begun(learner: Learner, train: Train) -> Learner:
    """What is trained of a learner, as the recipe has it: sharded, or keeping less than it computes."""
    if train.recompute:
        recomputing(learner)
    return to_be_trained(learner, train.shard)


def fit_recipe(
    run: Run,
    learner: Learner,
    batches: Batches,
    train: Train,
    *,
    unit: str = "samples",
    per_sample: int = 1,
    checks: int = _FEW_CHECKS,
    threads: int | None = None,
    entropy: float = math.inf,
    check: Callable[[Progress], dict[str, Any]] | None = None,
    other_steps: Callable[[torch.optim.Optimizer, Plan], Steps] | None = None,
) -> Outcome:
    """Learn an objective as a recipe says, and watch over it; see :func:`fit`.

    Args:
        unit, per_sample, checks: see :class:`Plan`.
        threads: that share a step's rows.
        entropy: see :func:`selftaught.health.watch_over`.
        check: the leading rank's.
        other_steps: makes the steps, where they are no :func:`gradient_steps` on the batches.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    assert train.rate is not None
    trained = begun(learner, train)
    optimizer = adamw(trained, train.rate, weight_decay=train.weight_decay)
    plan = Plan.of(train, unit=unit, per_sample=per_sample, checks=checks, threads=threads)
    watch = watch_over(learner.objective, batches.spec, batches.size, entropy)
    if other_steps is not None:
        steps = other_steps(optimizer, plan)
    else:
        own = batches.parted(threads or 1).shared(place(), world())
        steps = gradient_steps(trained, own.starting, optimizer, plan)
    outcome = fit(
        run,
        trained,
        optimizer,
        steps,
        plan,
        check=check,
        watch=lambda report: watch(report.measures) if report.samples else None,  # chance may draw nobody
        gather=lambda: bring_together(learner, trained),
    )
    end_if_interrupted(run, outcome)
    return outcome


def end_if_interrupted(run: Run, outcome: Outcome) -> None:
    """Say where an interrupted run stands.

    Raises:
        SystemExit: with 130, if it was.
    """
    if outcome.interrupted:
        note(
            f"interrupted at step {outcome.progress.step}; a checkpoint is in {run.checkpoints}. "
            "The same command resumes."
        )
        raise SystemExit(130)


@contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """Turns SIGINT and SIGTERM into a question that the loop asks between steps; a second Ctrl-C ends at once.

    One that came before, and that nobody caught, counts.
    """
    seen: list[int] = [signal.SIGTERM] if heard() else []

    def hear(number: int, frame: Any) -> None:
        seen.append(number)
        if len(seen) > 1 and number == signal.SIGINT:
            raise KeyboardInterrupt

    try:
        before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever owns it handles signals
        yield lambda: False
        return
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
