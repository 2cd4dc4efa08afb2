"""How far apart features lie: the directions that they use, and how those of length one are spread on the sphere.

The latter (Wang and Isola 2020, section 4.1) needs no more than the cosines: of unit vectors the squared distance is
2 - 2 cos.
"""

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor


def effective_rank(features: np.ndarray) -> float:
    """RankMe (Garrido et al. 2023, equation 1): how many directions features [N, D] use; near 1 means collapse."""
    # on busy cores the threads of one BLAS call wait for each other: 2.5 s instead of 0.04
    with threadpool_limits(1, "blas"):
        values = np.linalg.svd(features - features.mean(0), compute_uv=False)
    shares = values / max(values.sum(), 1e-12) + 1e-12
    return float(np.exp(-(shares * np.log(shares)).sum()))


def alignment(cosines: Tensor) -> Tensor:
    """The squared distance of each pair that should be close, from its cosine: 0 if both are one."""
    return 2 - 2 * cosines


def uniformity(cosines: Tensor) -> Tensor:
    """The logarithm of the mean of exp(-2 distance²) over pairs of different texts, from their cosines [N].

    0 if all vectors are one (or there is no pair), about -4 if they are spread evenly over many dimensions.
    """
    potential = (4 * cosines - 4).exp()
    return potential.mean().log() if len(potential) else potential.sum()
