"""A small character-level GPT, trained with transformers' Trainer and with selftaught: the same model and recipe.

The recipe is the one nanoGPT publishes for processors: 4 layers, 4 heads, 128 wide, a context of 64 characters,
12 rows a batch, 2,000 steps, AdamW at 1e-3 with beta2 0.99, no dropout. The last tenth of the text is held out.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import cyclopts

from benchmarks.pairs import alternate, compared, note, tell
from selftaught.threads import share_cores

if TYPE_CHECKING:  # torch reads the environment when it is loaded: only after share_cores
    from benchmarks.characters import Characters

BAR, LOSS_BAR = 1.5, 1.88
STEPS = 2000


def measure(*, data: Path, steps: int = STEPS, pairs: int = 3) -> None:
    """Compare training a character model with transformers' Trainer.

    Args:
        data: A text file.
        steps: Steps of each run.
        pairs: How many whole runs each side trains, with another seed each time.
    """
    share_cores()
    import torch

    from benchmarks.characters import Characters
    from selftaught.machine import pick_precision

    with TemporaryDirectory() as scratch:
        problem = Characters.of(data, Path(scratch) / "store")
        losses: dict[str, list[float]] = {"peer": [], "ours": [], "ours_default": []}
        sides: dict[str, Callable[[], float]] = {
            "peer": partial(_peer, problem, steps, Path(scratch) / "trainer", losses["peer"]),
            "ours": partial(_ours, problem, steps, problem.gpt, losses["ours"]),
            "ours_default": partial(_ours, problem, steps, problem.preset, losses["ours_default"]),
        }
        rates = alternate(sides, pairs)
        dtype = torch.bfloat16 if pick_precision(problem.device) == "bf16" else torch.float32
        floor = problem.products_speed(dtype)
    result = compared("clm_vs_trainer", "steps/s", rates, bar=BAR, floor=floor)
    best = max(losses["ours"])
    tell({**result, "held_out_loss": losses, "loss_bar": LOSS_BAR, "loss_passed": best <= LOSS_BAR, "steps": steps})


def _ours(problem: "Characters", steps: int, network: Callable[[], Any], losses: list[float]) -> float:
    from selftaught.data.loader import Batches
    from selftaught.data.pack import PackedRows
    from selftaught.loop import Learner, train
    from selftaught.machine import pick_precision
    from selftaught.objectives.causal_lm import CausalLM
    from selftaught.optim import adamw
    from selftaught.schedule import Schedule

    seed = len(losses)
    began = time.perf_counter()
    objective = CausalLM()
    learner = Learner({"text": network()}, objective, problem.spec, pick_precision(problem.device))
    batches = Batches(PackedRows(problem.train, problem.length, seed), objective, problem.spec, problem.batch, seed)
    optimizer = adamw(learner, problem.rate, weight_decay=problem.decay, beta2=problem.beta2)
    schedule = Schedule(steps=steps, warmup=problem.warmup / steps, final=problem.final)
    for _ in train(learner, batches.starting, optimizer, schedule, seed=seed):
        pass
    took = time.perf_counter() - began
    learner.eval()
    losses.append(problem.loss(lambda ids: learner.heads(learner.backbones["text"]({"input_ids": ids}))))
    note(f"     ours         held-out loss {losses[-1]:.4f}")
    return steps / took


def _peer(problem: "Characters", steps: int, scratch: Path, losses: list[float]) -> float:
    import torch
    from datasets import Dataset
    from transformers import GPT2LMHeadModel, PrinterCallback, Trainer, TrainingArguments

    torch.manual_seed(len(losses))
    rows = list(problem.all_rows())
    data = Dataset.from_dict({"input_ids": rows, "labels": rows})
    began = time.perf_counter()
    model = GPT2LMHeadModel(problem.config())
    arguments = TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=problem.batch,
        max_steps=steps,
        learning_rate=problem.rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": problem.final},
        warmup_steps=problem.warmup,
        weight_decay=problem.decay,
        adam_beta2=problem.beta2,
        seed=len(losses),
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )
    trainer = Trainer(model, arguments, train_dataset=data)
    trainer.remove_callback(PrinterCallback)  # it prints to stdout, where the result goes
    trainer.train()
    took = time.perf_counter() - began
    model.eval()
    losses.append(problem.loss(lambda ids: model(ids).logits))
    note(f"     Trainer      held-out loss {losses[-1]:.4f}")
    return steps / took


if __name__ == "__main__":
    cyclopts.run(measure)
