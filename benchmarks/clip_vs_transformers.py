"""CLIP beside ``VisionTextDualEncoderModel`` under transformers' Trainer: the same towers, batch and captions.

Both read the same decoded pictures and crop them. The peer does so picture by picture, as its example script does. That
pads all captions to 128 tokens; here they are padded to the longest of their batch on both sides. The peer is timed in
float32 and in bfloat16, and the faster of both counts.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cyclopts
import numpy as np

from benchmarks.pairs import alternate, compared, note, tell
from selftaught.threads import share_cores

BAR = 1.3
SIZE, SIDE, PROJECTION = "clip-tiny", 64, 128


def measure(
    *, data: str, text: str | None = None, batch: int = 128, steps: int = 4, pairs: int = 3, most: int = 5_000
) -> None:
    """Compare pairs a second in training.

    Args:
        data: Pictures with words as for pretrain.
        text: The columns of captions.
        batch: Pairs a step.
        steps: That are timed together, after one that warms up.
        pairs: How often each side is timed, in turn.
        most: Pictures that are used.
    """
    share_cores()
    from selftaught.data.pair_samples import PairSamples
    from selftaught.data.pair_source import open_pairs
    from selftaught.data.pair_store import prepare_pairs
    from selftaught.data.tokenise import train_tokenizer

    with TemporaryDirectory() as scratch:
        source = open_pairs(data, text=text)
        store = prepare_pairs(source, Path(scratch) / "pictures", resolution=SIDE, seed=0)
        tokenizer = train_tokenizer(store.texts, "wordpiece", 1_500, alphabet=set("".join(store.texts)))
        rows = np.arange(min(len(store.pixels), most))
        samples = PairSamples.of(store, rows, tokenizer, 64, 0)
        sides: dict[str, Callable[[], float]] = {
            "peer_fp32": partial(_peer, samples, batch, steps, Path(scratch), bf16=False),
            "peer_bf16": partial(_peer, samples, batch, steps, Path(scratch), bf16=True),
            "ours": partial(_ours, samples, batch, steps),
        }
        rates = alternate(sides, pairs)
        longest = max(len(ids) for ids in samples.tokens)
    faster = max(("peer_fp32", "peer_bf16"), key=lambda side: float(np.median(rates[side])))
    result = compared(
        "clip_vs_transformers",
        "pairs/s",
        {**rates, "peer": rates[faster]},
        bar=BAR,
        floor=_floor(np.mean([len(ids) for ids in samples.tokens])),
    )
    note(f"ratio {result['ratio']:.2f} to {faster}")
    tell({**result, "batch": batch, "peer_is": faster, "longest_caption": longest})


def _ours(samples: Any, batch: int, steps: int) -> float:
    import torch

    from selftaught.backbones.dual import new_picture_tower, new_text_tower
    from selftaught.backbones.presets import PAIR_SIZES
    from selftaught.backbones.vision import IMAGE
    from selftaught.data.loader import Batches
    from selftaught.loop import Learner, train
    from selftaught.machine import pick_precision
    from selftaught.objective import PictureSpec, Spec
    from selftaught.objectives.clip import Clip
    from selftaught.optim import adamw
    from selftaught.schedule import Schedule

    torch.manual_seed(0)
    size, objective = PAIR_SIZES[SIZE], Clip(jitter=0.0)
    spec = Spec(image=PictureSpec(SIDE, size.picture.patch, torch.full((3,), 0.5), torch.full((3,), 0.25)))
    text = new_text_tower(size.text, samples.tokenizer.vocab_size, pad_id=0, longest_row=128)
    towers = {IMAGE: new_picture_tower(size.picture, SIDE), "text": text}
    learner = Learner(towers, objective, spec, pick_precision(torch.device("cpu")))
    batches = Batches(samples, objective, spec, batch, 0)
    found = train(learner, batches.starting, adamw(learner, 1e-3), Schedule(steps=steps + 1), seed=0)
    ends = [time.perf_counter() for _ in found]
    return steps * batch / (ends[-1] - ends[0])


def _peer(samples: Any, batch: int, steps: int, scratch: Path, *, bf16: bool) -> float:
    import torch
    from PIL import Image
    from transformers import (
        PrinterCallback,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        VisionTextDualEncoderConfig,
        VisionTextDualEncoderModel,
    )

    from selftaught.backbones.dual import new_picture_tower, new_text_tower
    from selftaught.backbones.presets import PAIR_SIZES

    store, tokenizer = samples.store, samples.tokenizer

    class Cropped(torch.utils.data.Dataset):
        """Random resized crops and one of the captions."""

        def __len__(self) -> int:
            return len(samples)

        def __getitem__(self, number: int) -> dict[str, Any]:
            drawn = np.random.default_rng(number)
            share, ratio = drawn.uniform(0.6, 1), np.exp(drawn.uniform(np.log(3 / 4), np.log(4 / 3)))
            wide, high = (SIDE * min(1, np.sqrt(share * ratio)), SIDE * min(1, np.sqrt(share / ratio)))
            left, top = drawn.uniform(0, SIDE - wide), drawn.uniform(0, SIDE - high)
            image = Image.fromarray(store.pixels[number].transpose(1, 2, 0))
            view = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, (left, top, left + wide, top + high))
            values = (np.asarray(view).transpose(2, 0, 1).astype(np.float32) / 255 - 0.5) / 0.25
            caption = int(drawn.integers(store.starts[number], store.starts[number + 1]))
            return {"pixel_values": torch.from_numpy(values), "ids": samples.tokens[caption]}

    class Clock(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            ends.append(time.perf_counter())

    def together(rows: list[dict[str, Any]]) -> dict[str, Any]:
        texts = tokenizer.padded([row["ids"] for row in rows])
        pixels = torch.stack([row["pixel_values"] for row in rows])
        mask = texts["attention_mask"].long()
        return {
            "pixel_values": pixels,
            "input_ids": texts["input_ids"],
            "attention_mask": mask,
            "return_loss": True,
        }

    ends: list[float] = []
    torch.manual_seed(0)
    size = PAIR_SIZES[SIZE]
    picture = new_picture_tower(size.picture, SIDE)
    text = new_text_tower(size.text, tokenizer.vocab_size, pad_id=0, longest_row=128)
    config = VisionTextDualEncoderConfig.from_vision_text_configs(
        picture.config, text.config, projection_dim=PROJECTION
    )
    arguments = TrainingArguments(
        output_dir=str(scratch / "peer"),
        per_device_train_batch_size=batch,
        max_steps=steps + 1,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=True,
        bf16=bf16,
    )
    trainer = Trainer(
        VisionTextDualEncoderModel(config),
        arguments,
        train_dataset=Cropped(),
        data_collator=together,
        callbacks=[Clock()],
    )
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, where the result goes
    trainer.train()
    return steps * batch / (ends[-1] - ends[0])


def _floor(tokens: float) -> float:
    """Pairs a second if there were nothing but the matrix products of forward and backward, in float32."""
    import torch

    from selftaught.backbones.presets import PAIR_SIZES

    size = PAIR_SIZES[SIZE]
    patches = (SIDE // size.picture.patch) ** 2
    seen = size.picture.layers * 12 * size.picture.width**2 * (patches + 1)
    read = size.text.layers * 12 * size.text.width**2 * tokens
    square = torch.randn(1024, 1024)
    times = []
    for _ in range(10):
        began = time.perf_counter()
        square @ square
        times.append(time.perf_counter() - began)
    return 2 * 1024**3 / float(np.median(times)) / (6 * (seen + read))


if __name__ == "__main__":
    cyclopts.run(measure)
