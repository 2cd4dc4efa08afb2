"""A small character-level GPT, trained with transformers' Trainer and with selftaught: the same model and recipe.

The recipe is the one nanoGPT publishes for processors: 4 layers, 4 heads, 128 wide, exact GELU, a context of 64
characters, 12 rows a batch, 2,000 steps, AdamW from 1e-3 to 1e-4 along a cosine with beta2 0.99, no dropout. The last
tenth of the text is held out. Both sides train transformers' GPT-2, which has biases where nanoGPT leaves them out.

Each run is a process of its own: Trainer in float32 and on all threads, as it comes, and on one, which is the better
setting where operations are small; given bfloat16 with the attention that is fast in it, too, if asked. On our side
precision and threads are what the program chooses.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import cyclopts

from benchmarks.pairs import SEVERAL, alternate, compared, note, tell
from selftaught.threads import share_cores

BAR, LOSS_BAR = 1.5, 1.88
STEPS = 2000
Side = Literal["peer", "peer_one_thread", "peer_bf16", "peer_bf16_one_thread", "ours", "ours_default"]


def measure(
    *,
    data: Path,
    steps: int = STEPS,
    pairs: int = 3,
    sides: Annotated[tuple[Side, ...], SEVERAL] = ("peer", "peer_one_thread", "ours", "ours_default"),
) -> None:
    """Compare training a character model with transformers' Trainer.

    Args:
        data: A text file.
        steps: Steps of each run.
        pairs: How many whole runs each side trains, with another seed each time.
        sides: What to compare; ``ours`` with ``peer``, and whatever else is of interest.
    """
    losses: dict[str, list[float]] = {side: [] for side in sides}
    rates = alternate({side: partial(_alone, side, data, steps, losses[side]) for side in sides}, pairs)
    if not {"ours", "peer"} <= rates.keys():
        tell({"name": "clm_vs_trainer", "unit": "steps/s", "measured": rates, "held_out_loss": losses, "steps": steps})
        return
    floor = _in_a_process(_floor, data)
    result = compared("clm_vs_trainer", "steps/s", rates, bar=BAR, floor=floor)
    others = {f"ratio_to_{side}": result["ours"] / result[side] for side in sides if side.startswith("peer_")}
    worst = max(losses["ours"])
    verdict = {"loss_bar": LOSS_BAR, "loss_passed": worst <= LOSS_BAR, "steps": steps}
    tell({**result, **others, "held_out_loss": losses, **verdict})


def _alone(side: Side, data: Path, steps: int, losses: list[float]) -> float:
    """Train once; note the held-out loss, return the steps a second."""
    run = partial(_ours, default=side == "ours_default") if side.startswith("ours") else partial(_peer, side)
    rate, loss = _in_a_process(run, data, steps, len(losses))
    losses.append(loss)
    note(f"     {side:<20} held-out loss {loss:.4f}")
    return rate


def _in_a_process(work: Callable[..., Any], *given: Any) -> Any:
    """What ``work`` returns in a fresh process: how threads wait is decided once in a process' life."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *given).result()


def _floor(data: Path) -> float:
    share_cores()
    import torch

    from benchmarks.characters import Characters
    from selftaught.machine import pick_precision

    with TemporaryDirectory() as scratch:
        problem = Characters.of(data, Path(scratch))
        return problem.products_speed(torch.bfloat16 if pick_precision(problem.device) == "bf16" else torch.float32)


def _ours(data: Path, steps: int, seed: int, *, default: bool) -> tuple[float, float]:
    share_cores()
    import torch

    from benchmarks.characters import Characters
    from selftaught.data.loader import Batches
    from selftaught.data.pack import PackedRows
    from selftaught.loop import Learner, train
    from selftaught.machine import pick_precision
    from selftaught.objectives.causal_lm import CausalLM
    from selftaught.optim import adamw
    from selftaught.scaling.step import step_cost
    from selftaught.schedule import Schedule
    from selftaught.sharing import fitting_crew

    with TemporaryDirectory() as scratch:
        problem = Characters.of(data, Path(scratch))
        began = time.perf_counter()
        torch.manual_seed(seed)
        network, objective = problem.preset() if default else problem.gpt(), CausalLM()
        learner = Learner({"text": network}, objective, problem.spec, pick_precision(problem.device))
        rows = PackedRows(problem.train, problem.length, seed)
        batches = Batches(rows, objective, problem.spec, problem.batch, seed)
        threads = fitting_crew(step_cost(learner, batches).flops, problem.batch, torch.get_num_threads())
        parts = threads or 1
        steps_of = train(
            learner,
            batches.parted(parts).starting,
            adamw(learner, problem.rate, weight_decay=problem.decay, beta2=problem.beta2),
            Schedule(steps, warmup=problem.warmup / STEPS, final=problem.final, course="cosine"),
            seed=seed,
            accumulate=parts,
            threads=threads,
        )
        for _ in steps_of:
            pass
        took = time.perf_counter() - began
        learner.eval()
        return steps / took, problem.loss(lambda ids: learner.heads(learner.backbones["text"]({"input_ids": ids})))


def _peer(side: Side, data: Path, steps: int, seed: int) -> tuple[float, float]:
    os.environ.pop("GOMP_SPINCOUNT", None)  # that is ours
    import torch

    if side.endswith("one_thread"):
        torch.set_num_threads(1)
    from datasets import Dataset
    from transformers import GPT2LMHeadModel, PrinterCallback, Trainer, TrainingArguments

    from benchmarks.characters import Characters

    with TemporaryDirectory() as scratch:
        problem = Characters.of(data, Path(scratch) / "store")
        torch.manual_seed(seed)
        rows = list(problem.all_rows())
        rows_of = Dataset.from_dict({"input_ids": rows, "labels": rows})
        began = time.perf_counter()
        model = GPT2LMHeadModel(problem.config())
        if "bf16" in side:
            model.set_attn_implementation("eager")
        arguments = TrainingArguments(
            output_dir=str(Path(scratch) / "trainer"),
            per_device_train_batch_size=problem.batch,
            max_steps=steps,
            learning_rate=problem.rate,
            lr_scheduler_type="cosine_with_min_lr",
            lr_scheduler_kwargs={"min_lr_rate": problem.final},
            warmup_steps=problem.warmup * steps // STEPS,
            weight_decay=problem.decay,
            adam_beta2=problem.beta2,
            seed=seed,
            bf16="bf16" in side,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
        )
        trainer = Trainer(model, arguments, train_dataset=rows_of)
        trainer.remove_callback(PrinterCallback)  # it prints to stdout, where the result goes
        trainer.train()
        took = time.perf_counter() - began
        model.eval()
        return steps / took, problem.loss(lambda ids: model(ids).logits)


if __name__ == "__main__":
    cyclopts.run(measure)
