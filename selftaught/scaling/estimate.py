"""What a pretraining takes: operations, memory, communication, storage, failures and time, as one plan in words."""

from dataclasses import asdict, dataclass
from typing import Any

from selftaught.errors import SelftaughtError
from selftaught.run.folder import KEPT_CHECKPOINTS
from selftaught.scaling.devices import Device
from selftaught.scaling.failures import Life, best_interval, daly, days_to_finish, goodput, young
from selftaught.scaling.network import Layout, Memory, Network, fitting_layout

_USABLE = 0.9  # of a device's memory; the rest is the library's, and lost between blocks
_TEXT_BYTES = 4  # of English a token of a large vocabulary
_ID_BYTES = ((1 << 16, 2), (1 << 32, 4))  # as the token store has them
_NUMBER = 4  # bytes of a weight or a gradient as it is sent: float32
_DAY = 86_400.0


@dataclass(frozen=True)
class Question:
    """What is to be trained, and on what.

    Args:
        tokens: to train on.
        gpus: how many devices.
        batch: samples of a step; a usual one if None.
        restart: seconds from a failure until checkpoints are read again.
        shape: see :class:`Life`.
    """

    network: Network
    tokens: float
    device: Device
    gpus: int
    batch: int | None = None
    restart: float = 600.0
    shape: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Estimate:
    """The answer; seconds and bytes unless a name says otherwise.

    Args:
        compute, communication: of a step. They go on at the same time: a step is as long as the longer one.
        sent: bytes that a rank sends in a step.
        days: without failures and checkpoints, and with them.
        likely_days: within which nine of ten simulated trainings end.
    """

    question: Question
    layout: Layout
    memory: Memory
    batch: int
    steps: int
    flops: float
    compute: float
    communication: float
    sent: float
    corpus_text: float
    corpus_tokens: float
    checkpoint: float
    checkpoints_kept: float
    saving: float
    restart: float
    failures_a_day: float
    young: float
    daly: float
    simulated: float
    goodput: float
    days_undisturbed: float
    days: float
    likely_days: tuple[float, float]

    @property
    def step(self) -> float:
        return max(self.compute, self.communication)

    @property
    def tokens_per_second(self) -> float:
        return self.batch * self.question.network.length / self.step

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "step": self.step,
            "tokens_per_second": self.tokens_per_second,
            "memory_total": self.memory.total,
        }

    def lines(self) -> list[str]:
        """For the terminal."""
        asked, layout, memory, net = self.question, self.layout, self.memory, self.question.network
        sharing = "shared out (FSDP)" if layout.sharded else "whole on each rank (DDP)" if layout.ranks > 1 else "alone"
        again = ", layers computed twice" if layout.recomputed else ""
        parts = (memory.weights, memory.gradients, memory.moments, memory.activations)
        return [
            f"network     {_big(net.parameters)} parameters: {net.layers} layers of width {net.width:,}, vocabulary "
            f"{net.vocabulary:,}, {net.length:,} tokens a sample",
            f"work        {_big(asked.tokens)} tokens, {self.flops:.2e} FLOPs ({net.flops:.2e} a token)",
            f"machines    {asked.gpus:,} x {asked.device.name}, {asked.device.share:.0%} of {asked.device.flops:.3g} "
            f"FLOPs/s each ({asked.device.source})",
            f"layout      {sharing}{again}: {layout.rows:,} samples at once, {layout.accumulated:,} times a step",
            f"memory      {_bytes(memory.total)} a rank of {_bytes(asked.device.memory)}: weights {_bytes(parts[0])}, "
            f"gradients {_bytes(parts[1])}, moments {_bytes(parts[2])}, activations {_bytes(parts[3])}",
            f"step        {_time(self.step)} for {self.batch:,} samples: {_time(self.compute)} computing; beside it "
            f"{_time(self.communication)} sending {_bytes(self.sent)} a rank",
            f"speed       {self.tokens_per_second:,.0f} tokens/s, {self.steps:,} steps",
            f"storage     corpus {_bytes(self.corpus_text)} of text, {_bytes(self.corpus_tokens)} of tokens; "
            f"a checkpoint {_bytes(self.checkpoint)}, with those kept and the one being written "
            f"{_bytes(self.checkpoints_kept)}",
            f"failures    {self.failures_a_day:.3g} a day; {_time(self.restart)} until it goes on; a checkpoint stops "
            f"it for {_time(self.saving)}",
            f"save every  {_time(self.daly)} (Daly; Young {_time(self.young)}; simulated {_time(self.simulated)}): "
            f"--set train.save_seconds={self.daly:.0f}",
            f"time        {_days(self.days_undisturbed)} undisturbed, {_days(self.days)} at a goodput of "
            f"{self.goodput:.1%}; nine of ten simulated within {_days(self.likely_days[0])} to "
            f"{_days(self.likely_days[1])}",
        ]


def estimate(asked: Question) -> Estimate:
    """Compute the plan.

    Raises:
        SelftaughtError: if the network fits on no rank, shared out as it may be.
    """
    network, device, ranks = asked.network, asked.device, asked.gpus
    batch = asked.batch or network.usual_batch(ranks)
    if batch < ranks:
        raise SelftaughtError(
            f"a step of {batch:,} samples cannot be shared by {ranks:,} ranks",
            do="give fewer --gpus, a larger --batch or a smaller --length",
        )
    layout = fitting_layout(network, ranks, batch, _USABLE * device.memory, device.number_bytes)
    if layout is None:
        raise SelftaughtError(
            f"{ranks:,} x {device.name} do not hold it: shared out and computed twice, a rank needs "
            f"{_bytes(Layout(ranks, True, True, 1, 1).memory(network, device.number_bytes).total)}",
            do="give more --gpus; to split a layer among ranks (tensor or pipeline parallelism) is not known here",
        )
    tokens_a_step = batch * network.length
    work = network.flops * (4 / 3 if layout.recomputed else 1)  # a third pass forward for the two of before
    compute = tokens_a_step * work / (ranks * device.flops * device.share)
    sent = _sent(network, layout)
    communication = sent / bandwidth(device, ranks)
    steps = max(1, round(asked.tokens / tokens_a_step))
    machines = -(-ranks // device.node) if layout.sharded else 1
    saving = network.checkpoint_bytes / (machines * device.disk)
    life = Life(3600 * device.hours / ranks, saving, asked.restart + saving, asked.shape)
    interval = daly(life)
    training = steps * max(compute, communication)
    share = min(goodput(life, interval), training / (training + saving))  # the last step is saved, too
    return Estimate(
        question=asked,
        layout=layout,
        memory=layout.memory(network, device.number_bytes),
        batch=batch,
        steps=steps,
        flops=asked.tokens * network.flops,
        compute=compute,
        communication=communication,
        sent=sent,
        corpus_text=asked.tokens * _TEXT_BYTES,
        corpus_tokens=asked.tokens * next(size for most, size in _ID_BYTES if network.vocabulary <= most),
        checkpoint=network.checkpoint_bytes,
        checkpoints_kept=(KEPT_CHECKPOINTS + 1) * network.checkpoint_bytes,
        saving=saving,
        restart=life.restart,
        failures_a_day=_DAY / life.between,
        young=young(life),
        daly=interval,
        simulated=best_interval(life, seed=asked.seed),
        goodput=share,
        days_undisturbed=training / _DAY,
        days=training / share / _DAY,
        likely_days=days_to_finish(life, min(interval, training), training, seed=asked.seed),
    )


def _sent(network: Network, layout: Layout) -> float:
    """Bytes that a rank sends in a step, by rings (Rajbhandari et al. 2020, section 7).

    Whole on each rank, the gradients are summed: twice their size. Shared out, the weights come together forward and
    backward for each batch, and the gradients are summed and parted once.
    """
    passes = 2 * layout.accumulated + 1 if layout.sharded else 2
    return passes * (layout.ranks - 1) / layout.ranks * _NUMBER * network.parameters


def bandwidth(device: Device, ranks: int) -> float:
    """Bytes a second of a ring: within a machine that of a link, beyond it all of a machine's network at most."""
    return device.link if ranks <= device.node else min(device.link, device.node * device.network)


def _big(number: float) -> str:
    for least, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= least:
            return f"{number / least:.3g} {letter}"
    return f"{number:.3g}"


def _bytes(number: float) -> str:
    return f"{_big(number)}B".replace("kB", "KB") if number >= 1e3 else f"{number:.0f} B"


def _time(seconds: float) -> str:
    for least, unit in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s")):
        if seconds >= least:
            return f"{seconds / least:.3g} {unit}"
    return f"{1000 * seconds:.3g} ms"


def _days(days: float) -> str:
    return _time(days * _DAY)
