"""What a loss curve does not say by itself: divergence, plateaus, collapse, waiting for data."""

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from selftaught.errors import SelftaughtError


class Diverged(SelftaughtError):
    """The loss or a gradient is no longer a finite number; the step was not taken."""

    def __init__(self, quantity: str, value: float, step: int, first_sample: int, samples: int) -> None:
        super().__init__(
            f"the {quantity} became {value} at step {step}; training stopped before the weights were changed",
            where=f"the batch of samples {first_sample} to {first_sample + samples - 1} of the run",
            do="the last checkpoint is good: resume it with a lower --set train.rate, or look at this data",
        )
        self.step = step


def check_finite(quantity: str, value: float, step: int, first_sample: int, samples: int) -> None:
    """Raise :class:`Diverged` unless the value is finite."""
    if not math.isfinite(value):
        raise Diverged(quantity, value, step, first_sample, samples)


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


def _mean(losses: Collection[float]) -> float:
    return sum(losses) / len(losses)
