"""``selftaught plan``: what a pretraining takes, before there is a machine for it."""

import difflib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from selftaught.console import tell
from selftaught.errors import SelftaughtError
from selftaught.machine import memory_bytes
from selftaught.pretrained import open_pretrained
from selftaught.recipe import read_recipe
from selftaught.run.folder import Run
from selftaught.run.report import read_report
from selftaught.scaling.check import HEADER, compared
from selftaught.scaling.devices import DEVICES, Device, this_core
from selftaught.scaling.estimate import Estimate, Question, estimate
from selftaught.scaling.network import Network
from selftaught.schedule import parse_duration
from selftaught.verbs import Place

_CORE, _DEVICE = "core", "H100"


def plan(
    *,
    params: float | None = None,
    tokens: float | None = None,
    gpus: int = 1,
    device: str | None = None,
    run: Place | None = None,
    check: Annotated[list[Place] | None, Parameter(consume_multiple=True)] = None,
    layers: int | None = None,
    width: int | None = None,
    vocabulary: int = 32_000,
    length: int = 2048,
    batch: int | None = None,
    flops: float | None = None,
    share: float | None = None,
    memory: float | None = None,
    link: float | None = None,
    network: float | None = None,
    disk: float | None = None,
    mtbf: float | None = None,
    restart: str = "10m",
    shape: float = 1.0,
    seed: int = 0,
    json: bool = False,
) -> dict[str, Any]:
    """Compute operations, memory, communication, storage, failures and time of a pretraining.

    Args:
        params: Parameters of the network, such as 7e9.
        tokens: Tokens to train on, such as 1e12; 20 a parameter if not given.
        gpus: How many devices.
        device: H100, H200, A100, or core: one of this machine, whose rate is measured now. H100 if not given, and
            core with --check.
        run: A run on text, whose network and length are taken; what it took is told beside the plan.
        check: Finished runs of pretrain, of any data: what was announced of each is told beside what it took.
        layers: Of the network; from its parameters if not given.
        width: Of a token's vector; from its parameters if not given.
        vocabulary: Of the tokenizer.
        length: Tokens a sample.
        batch: Samples a step; as GPT-3's of this size if not given.
        flops: A device's operations a second, instead of its maker's figure.
        share: Of these that training reaches, from 0 to 1.
        memory: Bytes of a device.
        link: Bytes a second between the devices of a machine, each way.
        network: Bytes a second between machines, each way, for each device.
        disk: Bytes a second that a machine writes to where checkpoints are kept.
        mtbf: Hours between failures of one device.
        restart: From a failure until checkpoints are read again, such as 10m.
        shape: Of the Weibull distribution of the time between failures; 1 is the exponential.
        seed: Of the simulation.
        json: Print one JSON object.
    """
    given = {"share": share, "memory": memory, "link": link, "network": network, "disk": disk}
    given |= {"flops": flops, "hours": mtbf}
    _refuse_nonsense({**given, "params": params, "tokens": tokens, "gpus": gpus, "shape": shape, "length": length})
    _refuse_nonsense({"batch": batch, "layers": layers, "width": width, "vocabulary": vocabulary})
    if share is not None and share > 1:
        raise SelftaughtError(f"--share is a share, not {share:g}", do="give a number from 0 to 1, such as 0.4")
    own: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if check:
        if params is not None or run is not None:
            raise SelftaughtError("--check is for runs that there are", do="leave --params and --run out")
        return _checked(check, replace(_device(device or _CORE), **own), json)
    if (params is None) == (run is None):
        raise SelftaughtError("one network is to be planned for", do="give --params, such as 7e9, or --run RUN")
    if run is not None:
        net = _network_of(run)
    else:
        net = Network.of(params or 0.0, layers=layers, width=width, vocabulary=vocabulary, length=length)
    chosen = replace(_device(device or _DEVICE), **own)
    asked = Question(net, tokens or 20 * net.parameters, chosen, gpus, batch, parse_duration(restart), shape, seed)
    made = estimate(asked)
    taken = _taken(run, made) if run is not None else {}
    lines = [*made.lines(), *([taken["sentence"]] if taken else [])]
    return tell({**made.to_json(), **({"measured": taken} if taken else {})}, lines, json=json)


def _checked(runs: list[Place], device: Device, json: bool) -> dict[str, Any]:
    found = {str(run): compared(Run(Path(run)), device) for run in runs}
    lines = [f"planned at  {device.share:.0%} of {device.flops:.3g} FLOPs/s a {device.name}", HEADER]
    for run, rows in found.items():
        lines += [run, *(row.line() for row in rows)]
    told = {run: [row.to_json() for row in rows] for run, rows in found.items()}
    return tell({"device": asdict(device), "runs": told}, lines, json=json)


def _refuse_nonsense(values: dict[str, float | None]) -> None:
    for name, value in values.items():
        if value is not None and not 0 < value < float("inf"):
            raise SelftaughtError(f"{name} must be a number above 0, not {value:g}")


def _device(name: str) -> Device:
    if name.lower() == _CORE:
        return this_core(memory_bytes())
    known = {device.lower(): device for device in DEVICES}
    if name.lower() in known:
        return DEVICES[known[name.lower()]]
    near = difflib.get_close_matches(name.lower(), [*known, _CORE], 1, cutoff=0.5)
    raise SelftaughtError(
        f"there is no device {name!r} in the table",
        do=f"did you mean {known.get(near[0], _CORE)}?"
        if near
        else f"take {', '.join(DEVICES)} or {_CORE}, and put in its own figures with --flops, --memory and others",
    )


def _network_of(run: Place) -> Network:
    found = open_pretrained(run)
    backbone, recipe = found.backbone, found.run.recipe if found.run else None
    length = read_recipe(recipe).train.length if recipe is not None and recipe.exists() else backbone.longest_row
    parameters = sum(p.numel() for p in backbone.parameters())
    heads, vocabulary = backbone.config.num_attention_heads, backbone.embeddings().num_embeddings
    return Network(parameters, backbone.layers, backbone.width, heads, backbone.inner, vocabulary, length)


def _taken(run: Place, made: Estimate) -> dict[str, Any]:
    """What the run took when it was trained, beside what this plan says of it; nothing if it was not trained here."""
    report = read_report(Run(Path(run)), "pretrain")
    if report is None or not report.get("tokens") or not report.get("seconds"):
        return {}
    speed, said = report["tokens"] / report["seconds"], made.tokens_per_second
    sentence = (
        f"measured    the run took {report['seconds']:,.0f} s for {report['tokens']:,} tokens, its checks included: "
        f"{speed:,.0f} tokens/s, {speed / said:.2f} times what this plan says"
    )
    return {"tokens_per_second": speed, "ratio": speed / said, "sentence": sentence}
