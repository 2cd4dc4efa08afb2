"""How vectors of length one lie on the sphere (Wang and Isola 2020, section 4.1), from their cosines.

Of unit vectors the squared distance is 2 - 2 cos, so both measures need no more than the cosines.
"""

from torch import Tensor


def alignment(cosines: Tensor) -> Tensor:
    """The squared distance of each pair that should be close, from its cosine: 0 if both are one."""
    return 2 - 2 * cosines


def uniformity(cosines: Tensor) -> Tensor:
    """The logarithm of the mean of exp(-2 distance²) over pairs of different texts, from their cosines [N].

    0 if all vectors are one (or there is no pair), about -4 if they are spread evenly over many dimensions.
    """
    potential = (4 * cosines - 4).exp()
    return potential.mean().log() if len(potential) else potential.sum()
