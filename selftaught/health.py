"""What a loss curve does not say by itself: divergence, plateaus, collapse, waiting for data."""

import math
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from selftaught.errors import SelftaughtError
from selftaught.objective import Objective, Spec, Sum
from selftaught.ranks import most


class Diverged(SelftaughtError):
    """A loss, a gradient or a weight is no longer a finite number; no checkpoint holds it."""

    def __init__(self, what: str, step: int, first_sample: int, samples: int) -> None:
        begun = "the last checkpoint is good: resume it" if step > 1 else "begin"
        also = "" if step > 1 else ", or at the weights that it begins with (--init)"
        super().__init__(
            f"{what} at step {step}; training stopped, and nothing of this step was saved",
            where=f"the batch of samples {first_sample} to {first_sample + samples - 1} of the run",
            do=f"{begun} with a lower --set train.rate, or look at this data{also}",
        )
        self.step = step


def check_finite(quantity: str, value: float, step: int, first_sample: int, samples: int) -> None:
    """Raise :class:`Diverged` unless the value is finite."""
    if not math.isfinite(value):
        raise Diverged(f"the {quantity} became {value}", step, first_sample, samples)


def check_weights(learner: nn.Module, step: int, first_sample: int, samples: int) -> None:
    """Raise :class:`Diverged`, on all ranks, unless every weight is finite: a checkpoint must be one to go on from."""
    lost = [name for name, weight in learner.named_parameters() if not bool(_own(weight).isfinite().all())]
    if most(bool(lost))[0]:
        name = lost[0] if lost else "of another rank"
        raise Diverged(f"the weight {name} became infinite or no number", step, first_sample, samples)


def _own(weight: Tensor) -> Tensor:
    """What this rank has of a weight; whoever has the rest looks at it."""
    weight = weight.detach()
    return weight.to_local() if isinstance(weight, DTensor) else weight


@dataclass
class PlateauWatch:
    """Notices a masked language model that has learned which tokens are common and nothing else.

    Args:
        entropy: the unigram entropy of the training tokens, in nats: what a model without context can reach.
        patience: how many of the latest losses must stay on the plateau.
        margin: how far below the entropy a loss must be to have left it, in nats.
    """

    entropy: float
    patience: int = 200
    margin: float = 0.1
    _recent: deque[float] = field(default_factory=deque)
    _told: bool = False

    def see(self, loss: float) -> str | None:
        """A sentence when the plateau is established; said once."""
        self._recent.append(loss)
        if len(self._recent) > self.patience:
            self._recent.popleft()
        if self._told or not self._stuck():
            return None
        self._told = True
        return (
            f"plateau: for {self.patience} steps the loss has stayed at {_mean(self._recent):.2f}, the unigram "
            f"entropy ({self.entropy:.2f} nats): the model knows which tokens are common and uses no context "
            "yet. Likely causes: a learning rate too low or too high for this size, many duplicated lines "
            "(selftaught check counts them), a tokenizer that does not fit the text, or simply too few steps; "
            "a smaller --size leaves it sooner."
        )

    def _stuck(self) -> bool:
        """Both halves must be on the plateau: a loss that falls through it is not stuck."""
        if len(self._recent) < self.patience:
            return False
        losses, half = list(self._recent), self.patience // 2
        return min(_mean(losses[:half]), _mean(losses[half:])) > self.entropy - self.margin


_NO_VIEW = (
    "no view finds its other one. Likely causes: a learning rate too high, views that have too little in common, or "
    "samples that are all alike"
)
_NO_CAPTION = (
    "no picture finds its caption. Likely causes: captions that stand beside other pictures than their own (look at "
    "some with selftaught check), captions that say nothing of what is seen, a learning rate too high, or too few steps"
)


@dataclass
class ContrastWatch:
    """Notices a contrastive model that finds a sample's other view no better than a blind guess would.

    Args:
        chance: the loss of a blind guess, in nats: the logarithm of the batch's size.
        patience: how many of the latest losses must stay there.
        margin: how far below chance a loss must be to have left it, in nats.
        what: what does not find what, and the likely causes.
    """

    chance: float
    patience: int = 100
    margin: float = 0.1
    what: str = _NO_VIEW
    _recent: deque[float] = field(default_factory=deque)
    _told: bool = False

    def see(self, loss: float, uniformity: float) -> str | None:
        """A sentence when chance is all that was reached; said once.

        Args:
            uniformity: of the batch's vectors; see :func:`selftaught.metrics.spread.uniformity`.
        """
        self._recent.append(loss)
        if len(self._recent) > self.patience:
            self._recent.popleft()
        if self._told or len(self._recent) < self.patience or min(self._recent) < self.chance - self.margin:
            return None
        self._told = True
        where = f"for {self.patience} steps the loss has stayed at chance ({self.chance:.2f} nats, ln of the batch)"
        if collapsed := collapse_sentence(uniformity):
            return f"{collapsed}; {where}"
        return f"chance: {where}, though the vectors differ: {self.what}"


@dataclass
class OneAnswerWatch:
    """Notices a discriminator that calls every token an original, as most of them are.

    Args:
        patience: over how many of the latest steps it must have done so.
        least: the share of the replaced tokens that it must find to do anything else.
    """

    patience: int = 500
    least: float = 0.01
    _recent: deque[float] = field(default_factory=deque)
    _told: bool = False

    def see(self, recall: float) -> str | None:
        """A sentence when that has gone on; said once."""
        self._recent.append(recall)
        if len(self._recent) > self.patience:
            self._recent.popleft()
        if self._told or len(self._recent) < self.patience or _mean(self._recent) >= self.least:
            return None
        self._told = True
        return (
            f"one answer: for {self.patience} steps the discriminator has called nearly every token an original; it "
            f"found {_mean(self._recent):.1%} of the replaced ones. Its accuracy is high because most tokens are "
            "originals, and says nothing. Likely causes: too few steps for a network that began untrained (begun with "
            "--init from a run of mlm it finds some sooner), or a learning rate too high for this size."
        )


def watch_over(
    objective: Objective, spec: Spec, batch: int, entropy: float
) -> Callable[[Mapping[str, float]], str | None]:
    """What sees the measures of each step and says what is wrong.

    Plateaus of tokens' costs, contrasts at chance, discriminators with one answer.

    Args:
        batch: samples a batch.
        entropy: see :class:`PlateauWatch`.
    """
    parts = {f"{m.name}.": m for m in objective.members} if isinstance(objective, Sum) else {"": objective}
    plateaus = [(PlateauWatch(entropy), loss) for loss in objective.token_losses[:1]]
    contrasts = [
        (ContrastWatch(chance, what=_NO_CAPTION if part.stream == "pair" else _NO_VIEW), prefix)
        for prefix, part in parts.items()
        if part.couples_batch and (chance := part.chance(spec, batch)) is not None
    ]
    one_answers = [(OneAnswerWatch(), f"{prefix}discriminator.recall") for prefix in parts]

    def see(measures: Mapping[str, float]) -> str | None:
        said = [watch.see(measures[loss]) for watch, loss in plateaus]
        said += [watch.see(measures[recall]) for watch, recall in one_answers if recall in measures]
        for watch, prefix in contrasts:
            said.append(watch.see(measures[f"{prefix}loss"], measures.get(f"{prefix}uniformity", -math.inf)))
        return "; ".join(filter(None, said)) or None

    return see


def collapse_sentence(uniformity: float) -> str | None:
    """What to say of vectors that are nearly all one; None where they are not.

    Args:
        uniformity: see :func:`selftaught.metrics.spread.uniformity`.
    """
    if uniformity < _COLLAPSED:
        return None
    return (
        f"collapse: nearly all texts have one vector (uniformity {uniformity:.2f}; spread vectors have about -3), so "
        "that it tells none from another. Likely causes: a learning rate too high, or a network that has not learned "
        "to read yet: lower train.rate, or begin from a pretrained run with --init"
    )


_COLLAPSED = -0.1


def _mean(losses: Collection[float]) -> float:
    return sum(losses) / len(losses)
