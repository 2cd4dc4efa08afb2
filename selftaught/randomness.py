"""Random numbers that are computed, not stored: a sample's draw is a function of (seed, epoch, index).

A mask or a crop therefore does not depend on the batch a sample fell into, on how many workers prepared it,
or on whether the run was interrupted; nothing has to be saved to repeat it.
"""

import hashlib
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

_GOLDEN = -0x61C8864680B583EB  # 2^64 / golden ratio, as a signed 64-bit integer
_MIX_1 = -0x40A7B892E31B1A47
_MIX_2 = -0x6B2FB644ECCEEE15


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift; torch's own keeps the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014, Figure 11): each input bit reaches each output bit."""
    x = (x ^ _shift(x, 30)) * _MIX_1
    x = (x ^ _shift(x, 27)) * _MIX_2
    return x ^ _shift(x, 31)


def fingerprints(rows: Tensor, mask: Tensor) -> Tensor:
    """A number for each row that only rows with the same values at the same places have, int64 [B].

    Unlike the numbers of ``unique`` it is the same in every process, and for rows that are padded further.

    Args:
        rows: int64 [B, T].
        mask: zero where there is padding, [B, T].
    """
    places = torch.arange(1, rows.shape[1] + 1, device=rows.device)
    return (_mix(_mix(rows + 1) + places * _GOLDEN) * mask).sum(1)


def derive(*parts: int | str) -> int:
    """A 63-bit seed from any names and numbers, the same on every machine."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True)
class Randomness:
    """The random numbers of one batch of samples.

    Args:
        keys: one 64-bit key a sample, int64 [B].
    """

    keys: Tensor

    @classmethod
    def of(cls, seed: int, epochs: Tensor, indices: Tensor) -> "Randomness":
        """Keys for samples ``indices`` [B] seen in ``epochs`` [B]."""
        start = torch.full_like(indices, derive("sample", seed))
        return cls(_mix(_mix(_mix(start) + epochs * _GOLDEN) + indices * _GOLDEN))

    def child(self, name: str) -> "Randomness":
        """An independent stream for the draw called ``name``; two draws of one sample need two names."""
        return replace(self, keys=_mix(self.keys ^ derive(name)))

    def uniform(self, name: str, *shape: int) -> Tensor:
        """Uniform float32 in [0, 1), of shape [B, *shape]."""
        bits = _shift(self._bits(name, math.prod(shape)), 40)  # 24 bits: what a float32 holds exactly
        return (bits.to(torch.float32) * 2.0**-24).view(-1, *shape)

    def integers(self, name: str, high: int, *shape: int) -> Tensor:
        """Uniform int64 in [0, high), of shape [B, *shape]; ``high`` up to 2^31 (bias below 2^-32)."""
        return (_shift(self._bits(name, math.prod(shape)), 1) % high).view(-1, *shape)

    def _bits(self, name: str, count: int) -> Tensor:
        counter = torch.arange(1, count + 1, dtype=torch.int64, device=self.keys.device) * _GOLDEN
        return _mix(self.child(name).keys[:, None] + counter)  # [B, count]
