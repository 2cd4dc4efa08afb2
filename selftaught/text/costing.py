"""What a run on text will cost: steps, speed and memory, the size that its budget is worth, and the plan of it all."""

from collections.abc import Callable
from dataclasses import replace

from selftaught.data.corpus import Corpus
from selftaught.data.loader import Batches
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner
from selftaught.machine import memory_bytes
from selftaught.plan import CostPlan, choose_size, count_flops, estimate_memory, measure_speed, state_bytes
from selftaught.ranks import world
from selftaught.recipe import Recipe

_TIMED = 8  # samples a thread, to measure how long one takes


def fitting_size(recipe: Recipe, build: Callable[[str], tuple[Recipe, Learner, Batches]], sample_tokens: float) -> str:
    """The size that the budget is worth; speeds are measured only where the budget is in time."""

    def tokens(size: str) -> float:
        resolved, learner, batches = build(size)
        if _memory(resolved, learner, batches) > memory_bytes(learner.device):
            return 0.0
        if recipe.train.seconds is None:
            return _steps(resolved, batches) * batches.size * recipe.train.accumulate * sample_tokens
        return recipe.train.seconds * _speed(resolved, learner, batches) * sample_tokens

    return choose_size(tokens)


def sharded_if_needed(recipe: Recipe, learner: Learner, batches: Batches) -> Recipe:
    """Each rank gets a share of weights, gradients and moments where all of them do not fit, and have never to.

    Raises:
        SelftaughtError: if it does not fit even so: better told now than by the system, which ends a process that
            takes too much without a word.
    """
    there, needed, state = memory_bytes(learner.device), _memory(recipe, learner, batches), state_bytes(learner)
    shared = needed - state + state / world()
    if world() > 1 and recipe.train.shard is None:
        recipe = recipe.with_train(shard=needed > there)
    if (shared if recipe.train.shard else needed) > there:
        raise SelftaughtError(
            f"this needs about {needed / 1e9:,.0f} GB of memory, and there are {there / 1e9:,.0f}",
            do="take a smaller --batch (with --set train.accumulate=N, N of them are one step) or --size"
            + ("; with torchrun and more ranks each needs less" if learner.device.type != "cpu" else ""),
        )
    return recipe


def cost(recipe: Recipe, corpus: Corpus, learner: Learner, batches: Batches, sample_tokens: float) -> CostPlan:
    """The plan of a run with nothing left open; its speed is measured here and now."""
    train = recipe.train
    assert train.rate is not None
    samples = batches.size * train.accumulate
    speed = _speed(recipe, learner, batches)
    steps = max(1, round(train.seconds * speed / samples)) if train.seconds else _steps(recipe, batches)
    tokens = steps * samples * sample_tokens
    batch = batches.at(0)
    return CostPlan(
        objective=recipe.objective.name,
        size=recipe.model.size or f"as {recipe.model.init}",
        parameters=sum(p.numel() for p in learner.parameters() if p.requires_grad),
        vocabulary=corpus.tokenizer.vocab_size,
        device=str(train.device),
        precision=str(train.precision),
        corpus_tokens=len(corpus.train),
        held_out_tokens=len(corpus.held_out),
        batch=samples,
        length=train.length,
        sample_tokens=sample_tokens,
        rate=train.rate,
        steps=steps,
        tokens=round(tokens),
        epochs=steps * samples / len(batches.source),
        flops=tokens * count_flops(learner, batch, sample_tokens),
        memory_bytes=_memory(recipe, learner, batches),
        tokens_per_second=speed * sample_tokens,
        seconds=train.seconds or steps * samples / speed,
    )


def _speed(recipe: Recipe, learner: Learner, batches: Batches) -> float:
    """Samples a second; a private step computes each by itself, however many they are."""
    threads = recipe.train.threads
    if recipe.privacy.epsilon is None:
        return measure_speed(learner, batches, threads)
    return measure_speed(learner, replace(batches, size=_TIMED * (threads or 1)), threads, alone=True)


def _memory(recipe: Recipe, learner: Learner, batches: Batches) -> int:
    if recipe.privacy.epsilon is not None:
        batches = replace(batches, size=recipe.train.threads or 1)
    return estimate_memory(learner, batches.at(0), recipe.train.length)


def _steps(recipe: Recipe, batches: Batches) -> int:
    """Steps of a budget in steps or epochs."""
    if recipe.train.steps is not None:
        return recipe.train.steps
    assert recipe.train.epochs is not None
    return max(1, round(recipe.train.epochs * len(batches.source) / (batches.size * recipe.train.accumulate)))
