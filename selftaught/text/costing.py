"""What a run on text will cost: steps, speed and memory, the size that its budget is worth, and the plan of it all."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from selftaught.data.corpus import Corpus
from selftaught.data.loader import Batches
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner
from selftaught.machine import memory_bytes
from selftaught.plan import CostPlan, choose_size, measure_speed
from selftaught.ranks import world
from selftaught.recipe import Recipe
from selftaught.scaling.step import StepCost, state_bytes, step_cost
from selftaught.text.settling import with_threads

_TIMED = 8  # samples a thread, to measure how long one takes


@dataclass(frozen=True)
class Built:
    """A learner of some size, and what trains it.

    Args:
        recipe: with nothing left open but the sharding.
        cost: of one of its batches.
    """

    recipe: Recipe
    learner: Learner
    batches: Batches
    cost: StepCost

    @classmethod
    def of(cls, recipe: Recipe, learner: Learner, batches: Batches) -> "Built":
        """With as many threads as suit what a step costs, where the recipe leaves that open."""
        cost = step_cost(learner, batches)
        recipe = with_threads(recipe, learner, batches.size, cost.flops)
        if recipe.privacy.epsilon is not None:  # no more than one sample for each thread is kept at a time
            cost = replace(cost, kept=cost.kept * (recipe.train.threads or 1) / batches.size)
        return cls(recipe, learner, batches, cost)

    @property
    def memory(self) -> int:
        """Bytes of a rank that has all weights, and its share of the rows."""
        return state_bytes(self.learner) + round(self.cost.kept / world())

    @property
    def speed(self) -> float:
        """Samples a second; a private step computes each by itself, however many they are."""
        threads = self.recipe.train.threads
        if self.recipe.privacy.epsilon is None:
            return measure_speed(self.learner, self.batches, threads)
        few = replace(self.batches, size=_TIMED * (threads or 1))
        return measure_speed(self.learner, few, threads, alone=True)


def fitting_size(recipe: Recipe, build: Callable[[str], Built], sample_tokens: float) -> str:
    """The size that the budget is worth; speeds are measured only where the budget is in time."""

    def tokens(size: str) -> float:
        built = build(size)
        if built.memory > memory_bytes(built.learner.device):
            return 0.0
        if recipe.train.seconds is None:
            return _steps(built.recipe, built.batches) * built.batches.size * recipe.train.accumulate * sample_tokens
        return recipe.train.seconds * built.speed * sample_tokens

    return choose_size(tokens)


def sharded_if_needed(built: Built) -> Recipe:
    """Each rank gets a share of weights, gradients and moments where all of them do not fit, and have never to.

    Raises:
        SelftaughtError: if it does not fit even so: better told now than by the system, which ends a process that
            takes too much without a word.
    """
    recipe, learner, needed = built.recipe, built.learner, built.memory
    there, state = memory_bytes(learner.device), state_bytes(learner)
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


def cost(built: Built, corpus: Corpus, sample_tokens: float) -> CostPlan:
    """The plan of a run with nothing left open; its speed is measured here and now."""
    recipe, batches = built.recipe, built.batches
    train = recipe.train
    assert train.rate is not None
    samples = batches.size * train.accumulate
    speed = built.speed
    steps = max(1, round(train.seconds * speed / samples)) if train.seconds else _steps(recipe, batches)
    return CostPlan(
        objective=recipe.objective.name,
        size=recipe.model.size or f"as {recipe.model.init}",
        parameters=sum(p.numel() for p in built.learner.parameters() if p.requires_grad),
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
        tokens=round(steps * samples * sample_tokens),
        epochs=steps * samples / len(batches.source),
        flops=steps * train.accumulate * built.cost.flops,
        memory_bytes=built.memory,
        tokens_per_second=speed * sample_tokens,
        seconds=train.seconds or steps * samples / speed,
    )


def _steps(recipe: Recipe, batches: Batches) -> int:
    """Steps of a budget in steps or epochs."""
    if recipe.train.steps is not None:
        return recipe.train.steps
    assert recipe.train.epochs is not None
    return max(1, round(recipe.train.epochs * len(batches.source) / (batches.size * recipe.train.accumulate)))
