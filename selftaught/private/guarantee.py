"""What a private run promises to each of its samples.

The promise is differential privacy (Dwork et al. 2006) of the weights: whoever has them, and all that was saved on the
way, can tell hardly better whether a sample was among the training data than they could without. Opacus computes how
much noise that takes; :mod:`selftaught.private.steps` makes it.
"""

import warnings
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from selftaught.errors import SelftaughtError
from selftaught.private.key import generator
from selftaught.recipe import Recipe

ACCOUNTANT = "opacus, Renyi divergence (Mironov et al. 2019), Poisson sampling, one sample more or less"
_TOLERANCE = 0.01  # of epsilon, by which the noise may be too large


@dataclass(frozen=True)
class Guarantee:
    """(epsilon, delta)-differential privacy for each sample.

    Args:
        delta: the probability that the bound does not hold.
        noise: the standard deviation of the noise, in units of ``clip``.
        clip: the largest norm of what one sample adds to the sum of a step's gradients.
        samples: that there are.
        batch: samples of a step on average: each is drawn by itself, with the same probability.
        steps: of the whole run.
        unit: what one sample is, in words.
        seeded: whether the noise follows from the run's seed, and so protects from nobody who knows it.
    """

    delta: float
    noise: float
    clip: float
    samples: int
    batch: int
    steps: int
    unit: str
    seeded: bool = False

    @property
    def rate(self) -> float:
        """The probability that a sample is drawn for a step."""
        return self.batch / self.samples

    @property
    def epsilon(self) -> float:
        """Of the whole run."""
        return self.spent(self.steps)

    def spent(self, steps: int) -> float:
        """Epsilon after so many steps. It follows from their number: there is no state to be lost."""
        if not steps:
            return 0.0
        require_opacus()
        from opacus.accountants import RDPAccountant
        from opacus.accountants.analysis.rdp import get_privacy_spent

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an epsilon that could be bounded more tightly is a bound none the less
            found, _ = get_privacy_spent(orders=RDPAccountant.DEFAULT_ALPHAS, rdp=self._loss * steps, delta=self.delta)
        return float(found)

    def drawn(self, key: str, step: int) -> np.ndarray:
        """The samples of a step, increasing int64: none, or many more than ``batch``, as chance will have it."""
        chance = torch.rand(self.samples, dtype=torch.float64, generator=generator("drawn", key, step))
        return np.flatnonzero(chance.numpy() < self.rate)

    def lines(self) -> list[str]:
        """For the terminal."""
        return [
            f"private     epsilon {self.epsilon:.2f} at delta {self.delta:.1e} for {self.unit}",
            f"noise       {self.noise:.3f} x the clip of {self.clip:g}, in each of {self.steps:,} steps; one draws "
            f"{self.batch} of {self.samples:,} on average",
            *([f"no secret   {SEEDED}"] if self.seeded else []),
        ]

    def to_json(self) -> dict[str, Any]:
        """For the reports."""
        return {"epsilon": self.epsilon, **asdict(self), "accountant": ACCOUNTANT, "not_covered": NOT_COVERED}

    def facts(self) -> dict[str, str]:
        """For the model card."""
        promise = f"epsilon {self.epsilon:.3g} at delta {self.delta:.2g} for {self.unit}"
        how = f"noise {self.noise:.3g} x the clip of {self.clip:g}, {self.batch} of {self.samples:,} drawn a step"
        return {"differential privacy": promise, "DP-SGD": f"{how}, {self.steps:,} steps", "accountant": ACCOUNTANT}

    @cached_property
    def _loss(self) -> np.ndarray:
        """The Renyi divergence that a step may cost, at each order."""
        from opacus.accountants import RDPAccountant
        from opacus.accountants.analysis.rdp import compute_rdp

        orders = RDPAccountant.DEFAULT_ALPHAS
        return compute_rdp(q=self.rate, noise_multiplier=self.noise, steps=1, orders=orders)


NOT_COVERED = (
    "Covered are the weights and all that is saved on the way. Not covered: the tokenizer and the network it began "
    "from, if they were given; the number of samples, which counts as known; whoever has several samples, or copies of "
    "one; and what the run keeps for its owner: the losses in metrics.jsonl, curve.png and the reports, the held-out "
    "figures, the counts of rows, and tokens/, which holds the text. Share model/, heads.safetensors and README.md."
)
SEEDED = "the noise follows from the seed: whoever knows the recipe can take it off again, so this protects nobody"


def promised(recipe: Recipe, samples: int, steps: int, unit: str) -> tuple[Recipe, Guarantee]:
    """What the recipe asks for, with delta and the noise that it takes written into it.

    Args:
        samples: to be trained on.
        unit: what one of them is.

    Raises:
        SelftaughtError: if there are too few samples, no noise is enough, or the recipe's own is not.
    """
    require_opacus()
    asked, train = recipe.privacy, recipe.train
    assert asked.epsilon is not None
    assert train.batch is not None
    if samples < 2:
        raise SelftaughtError(
            f"there is one sample, and it cannot be hidden among others: what is protected is {unit}",
            do="give a table (.csv, .jsonl, .parquet) with a row for each document",
        )
    batch = min(train.batch * train.accumulate, samples)
    delta = asked.delta or samples**-1.1
    noise = asked.noise or _calibrated(asked.epsilon, delta, batch / samples, steps)
    found = Guarantee(delta, noise, train.clip, samples, batch, steps, unit, asked.seeded)
    if found.epsilon > asked.epsilon:
        raise SelftaughtError(
            f"noise of {noise:g} over {steps:,} steps spends epsilon {found.epsilon:.3g}, not {asked.epsilon:g}",
            do="leave privacy.noise out, and it is computed",
        )
    chosen = asked.model_copy(update={"delta": delta, "noise": noise})
    return recipe.model_copy(update={"privacy": chosen}), found


def _calibrated(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """The least noise that keeps to epsilon."""
    from opacus.accountants.utils import get_noise_multiplier

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return get_noise_multiplier(
                target_epsilon=epsilon,
                target_delta=delta,
                sample_rate=rate,
                steps=steps,
                epsilon_tolerance=_TOLERANCE * min(1.0, epsilon),
            )
    except ValueError as error:
        raise SelftaughtError(
            f"no noise keeps {steps:,} steps within epsilon {epsilon:g} at delta {delta:.1e}",
            do="allow a larger --epsilon, or fewer --steps",
        ) from error


def require_opacus() -> None:
    """Raises:
    SelftaughtError: if there is no opacus.
    """
    try:
        import opacus  # noqa: F401
    except ImportError as error:
        raise SelftaughtError(
            "--private counts what is spent with opacus, which is not installed",
            do='pip install "selftaught[private]"',
        ) from error
