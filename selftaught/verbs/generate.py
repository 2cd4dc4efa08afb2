"""``selftaught generate``: let a causal language model continue a text."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from selftaught.backbones.flamingo import Flamingo
from selftaught.backbones.generation import Sampling, Writer, cut
from selftaught.console import note, tell
from selftaught.data.processor import processor
from selftaught.errors import SelftaughtError
from selftaught.flamingo.describing import describe
from selftaught.machine import pick_device
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.verbs import Place


def generate(
    run: Place,
    *,
    prompt: str = "",
    picture: Place | None = None,
    tokens: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    beams: int = 1,
    stop: Annotated[list[str] | None, Parameter(name="--stop")] = None,
    samples: int = 1,
    seed: int = 0,
    device: str | None = None,
    json: bool = False,
) -> dict[str, Any]:
    """Continue a text with a run of causal_lm, on the terminal as it is written.

    Args:
        run: A run of causal_lm, or a checkpoint folder of transformers with a causal language model.
        picture: What to write about, a picture or a clip, with a run of caption or vqa.
        prompt: The text to continue; the beginning of a new document if not given.
        tokens: The most tokens to write.
        temperature: 1 draws as the model has it, less prefers the likely, 0 takes the likeliest.
        top_k: Draw among so many likeliest tokens only.
        top_p: Draw among the fewest tokens that together are this likely.
        beams: Follow so many continuations and keep the likeliest, instead of drawing.
        stop: End where this is written; may be given several times.
        samples: How many continuations, each with a seed of its own.
        seed: Of the draws.
        device: cpu, cuda, …
        json: Print one JSON object.
    """
    if samples < 1:
        raise SelftaughtError("--samples must be at least 1")
    pretrained = open_pretrained(run)
    if not pretrained.backbone.is_decoder:
        raise SelftaughtError(
            "this model reads from both sides and cannot continue a text",
            where=str(pretrained.folder),
            do="give a run of selftaught pretrain --objective causal_lm; selftaught predict fills [MASK] in",
        )
    if isinstance(pretrained.backbone, Flamingo) and picture is not None:
        sampled = [
            _sampling(tokens, temperature, top_k, top_p, beams, tuple(stop or ()), seed + n) for n in range(samples)
        ]
        pretrained.backbone.to(pick_device(device))
        return _about(pretrained, str(picture), prompt, sampled, json=json)
    if picture is not None:
        raise SelftaughtError(
            "this model reads text alone", where=str(run), do="give a run of selftaught pretrain --objective caption"
        )
    writer = Writer(pretrained.folder, pretrained.tokenizer.start_id, pick_device(device))
    found = []
    for number in range(samples):
        sampling = _sampling(tokens, temperature, top_k, top_p, beams, tuple(stop or ()), seed + number)
        streamed = not json and beams == 1
        if not json:
            sys.stdout.write(f"\n--- {number + 1}\n" * (samples > 1) + prompt)
        text, ended = writer.write(prompt, sampling, _show if streamed else None)
        if not json:
            _show("\n" if streamed else text + "\n")
        found.append({"text": text, "ended": ended, "seed": sampling.seed})
    if any(not one["ended"] for one in found) and tokens > writer.longest_row:
        note(f"the model reads {writer.longest_row} tokens, prompt included: there it stopped")
    report = {"verb": "generate", "prompt": prompt, "continuations": found}
    return tell(report, [], json=True) if json else report


def _about(
    pretrained: Pretrained,
    picture: str,
    prompt: str,
    samplings: Sequence[Sampling],
    *,
    json: bool,
) -> dict[str, Any]:
    """Texts about a picture, each drawn with a seed of its own."""
    network, reader = pretrained.backbone, processor(pretrained.tokenizer)
    assert isinstance(network, Flamingo)
    sight = reader.sight(picture)
    found, texts = [], []
    for sampling in samplings:
        ((text,),) = describe(network, reader, [sight], sampling, prompt=prompt)
        texts.append(cut(text, sampling.stop))
        found.append({"text": texts[-1], "seed": sampling.seed})
    report = {"verb": "generate", "picture": picture, "prompt": prompt, "continuations": found}
    return tell(report, texts, json=json)


def _sampling(*given: Any) -> Sampling:
    try:
        return Sampling(*given)
    except ValueError as error:
        raise SelftaughtError(str(error), do="selftaught generate --help says what each means") from error


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
