"""Masked autoencoding beside ``ViTMAEForPreTraining`` under transformers' Trainer: one architecture, one batch.

Both read the same decoded pictures and crop and mirror them. The peer does so picture by picture, as its example script
does; it is timed in float32 and in bfloat16, and the faster of both counts.
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

BAR = 1.5
WIDTH, LAYERS, HEADS, PATCH, DECODER = 192, 6, 6, 4, 128


def measure(*, data: str, batch: int = 128, steps: int = 4, pairs: int = 3, most: int = 5_000) -> None:
    """Compare pictures a second in training.

    Args:
        data: Pictures as for pretrain.
        batch: Pictures a step.
        steps: That are timed together, after one that warms up.
        pairs: How often each side is timed, in turn.
        most: Pictures that are used.
    """
    share_cores()
    from selftaught.data.picture_source import open_pictures
    from selftaught.data.picture_store import prepare_pictures

    with TemporaryDirectory() as scratch:
        store = prepare_pictures(open_pictures(data), Path(scratch) / "pictures", resolution=32, seed=0)
        pixels = np.array(store.pixels[:most])
        sides: dict[str, Callable[[], float]] = {
            "peer_fp32": partial(_peer, pixels, batch, steps, Path(scratch), bf16=False),
            "peer_bf16": partial(_peer, pixels, batch, steps, Path(scratch), bf16=True),
            "ours": partial(_ours, pixels, batch, steps),
        }
        rates = alternate(sides, pairs)
    faster = max(("peer_fp32", "peer_bf16"), key=lambda side: float(np.median(rates[side])))
    result = compared(
        "mae_vs_transformers", "pictures/s", {**rates, "peer": rates[faster]}, bar=BAR, floor=_floor(batch)
    )
    note(f"ratio {result['ratio']:.2f} to {faster}")
    tell({**result, "batch": batch, "peer_is": faster})


def _ours(pixels: np.ndarray, batch: int, steps: int) -> float:
    import torch

    from selftaught.backbones.presets import PatchSize
    from selftaught.backbones.vision import IMAGE, new_picture_backbone
    from selftaught.data.loader import Batches
    from selftaught.data.picture_store import Pictures
    from selftaught.loop import Learner, train
    from selftaught.machine import pick_precision
    from selftaught.objective import PictureSpec, Spec
    from selftaught.objectives.mae import MAE
    from selftaught.optim import adamw
    from selftaught.schedule import Schedule

    torch.manual_seed(0)
    objective = MAE(decoder_width=DECODER)
    spec = Spec(image=PictureSpec(32, PATCH, torch.full((3,), 0.5), torch.full((3,), 0.25)))
    backbone = new_picture_backbone(PatchSize(LAYERS, WIDTH, WIDTH // HEADS, PATCH), 32)
    learner = Learner({IMAGE: backbone}, objective, spec, pick_precision(torch.device("cpu")))
    batches = Batches(Pictures(pixels, np.arange(len(pixels))), objective, spec, batch, 0)
    found = train(learner, batches.starting, adamw(learner, 1e-3), Schedule(steps=steps + 1), seed=0)
    ends = [time.perf_counter() for _ in found]
    return steps * batch / (ends[-1] - ends[0])


def _peer(pixels: np.ndarray, batch: int, steps: int, scratch: Path, *, bf16: bool) -> float:
    import torch
    from PIL import Image
    from transformers import (
        PrinterCallback,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        ViTMAEConfig,
        ViTMAEForPreTraining,
    )

    class Cropped(torch.utils.data.Dataset):
        """Random resized crops, mirrored half of the time, as in transformers' run_mae.py."""

        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, number: int) -> dict[str, Any]:
            drawn = np.random.default_rng(number)
            share, ratio = drawn.uniform(0.2, 1), np.exp(drawn.uniform(np.log(3 / 4), np.log(4 / 3)))
            wide, high = (32 * min(1, np.sqrt(share * ratio)), 32 * min(1, np.sqrt(share / ratio)))
            left, top = drawn.uniform(0, 32 - wide), drawn.uniform(0, 32 - high)
            image = Image.fromarray(pixels[number].transpose(1, 2, 0))
            view = np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC, (left, top, left + wide, top + high)))
            view = view[:, ::-1] if drawn.random() < 0.5 else view
            values = (view.transpose(2, 0, 1).astype(np.float32) / 255 - 0.5) / 0.25
            return {"pixel_values": torch.from_numpy(np.ascontiguousarray(values))}

    class Clock(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            ends.append(time.perf_counter())

    ends: list[float] = []
    torch.manual_seed(0)
    config = ViTMAEConfig(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        image_size=32,
        patch_size=PATCH,
        decoder_hidden_size=DECODER,
        decoder_num_hidden_layers=2,
        decoder_num_attention_heads=4,
        decoder_intermediate_size=4 * DECODER,
        mask_ratio=0.75,
        norm_pix_loss=True,
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
    trainer = Trainer(ViTMAEForPreTraining(config), arguments, train_dataset=Cropped(), callbacks=[Clock()])
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, where the result goes
    trainer.train()
    return steps * batch / (ends[-1] - ends[0])


def _floor(batch: int) -> float:
    """Pictures a second if there were nothing but the matrix products of forward and backward, in float32."""
    import torch

    patches, seen = (32 // PATCH) ** 2, (32 // PATCH) ** 2 // 4
    encoder = LAYERS * 12 * WIDTH**2 * (seen + 1) + WIDTH * 3 * PATCH**2 * patches
    decoder = 2 * 12 * DECODER**2 * (patches + 1) + DECODER * (WIDTH + 3 * PATCH**2) * patches
    square = torch.randn(1024, 1024)
    times = []
    for _ in range(10):
        began = time.perf_counter()
        square @ square
        times.append(time.perf_counter() - began)
    return 2 * 1024**3 / float(np.median(times)) / (6 * (encoder + decoder))


if __name__ == "__main__":
    cyclopts.run(measure)
