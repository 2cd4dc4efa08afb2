"""Sources made of sources: a mixture is a source, and so are several read side by side."""

from dataclasses import dataclass

import numpy as np
import torch

from selftaught.data.loader import Source
from selftaught.objective import Batch


@dataclass(frozen=True)
class Mix:
    """Samples from several sources, in given shares.

    Args:
        sources: sources whose samples have the same names and shapes.
        shares: each source's share of the samples; by its length if not given. An epoch shows every sample of
            every source at least once, and those of a source with a larger share than its length again.
    """

    sources: tuple[Source, ...]
    shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.shares and len(self.shares) != len(self.sources):
            raise ValueError(f"{len(self.sources)} sources need as many shares, not {len(self.shares)}")
        if any(share <= 0 for share in self.shares):
            raise ValueError("the shares of a mixture are positive")

    def lengths(self) -> list[int]:
        """How many samples of each source an epoch holds."""
        own = [len(source) for source in self.sources]
        if not self.shares:
            return own
        total = max(length / share for length, share in zip(own, self.shares, strict=True))
        return [max(length, round(total * share)) for length, share in zip(own, self.shares, strict=True)]

    def __len__(self) -> int:
        return sum(self.lengths())

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        bounds = np.cumsum([0, *self.lengths()])
        which = np.searchsorted(bounds, indices, "right") - 1
        parts, places = [], []
        for number in np.unique(which).tolist():
            here = np.flatnonzero(which == number)
            source = self.sources[number]
            parts.append(source.take((indices[here] - bounds[number]) % len(source), epochs[here]))
            places.append(here)
        if any(part.keys() != parts[0].keys() for part in parts):
            raise ValueError("the sources of a mixture must give samples with the same names")
        back = torch.from_numpy(np.argsort(np.concatenate(places)))
        return {name: torch.cat([part[name] for part in parts])[back] for name in parts[0]}


@dataclass(frozen=True)
class Zip:
    """Sources read side by side: sample i has everything that sample i of each source has."""

    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        if len({len(source) for source in self.sources}) > 1:
            raise ValueError(f"sources of different lengths: {[len(source) for source in self.sources]}")

    def __len__(self) -> int:
        return len(self.sources[0])

    def take(self, indices: np.ndarray, epochs: np.ndarray) -> Batch:
        samples: Batch = {}
        for source in self.sources:
            part = source.take(indices, epochs)
            if clash := samples.keys() & part.keys():
                raise ValueError(f"two sources both give {sorted(clash)}")
            samples |= part
        return samples
