"""What objectives of pictures have in common: bytes to numbers, and the views that several of them look at."""

import torch
from torch import Tensor

from selftaught.objective import Batch, PictureSpec, Spec
from selftaught.pretext.image import Views
from selftaught.randomness import Randomness


def as_fractions(pixels: Tensor) -> Tensor:
    """Bytes as float32 in [0, 1]."""
    return pixels.to(torch.float32) / 255


def standardised(pictures: Tensor, spec: PictureSpec) -> Tensor:
    """With mean 0 and deviation 1 in each channel over the training pictures."""
    return (pictures - spec.mean.to(pictures).view(1, 3, 1, 1)) / spec.deviation.to(pictures).view(1, 3, 1, 1)


def as_seen(pictures: Tensor, spec: PictureSpec) -> Tensor:
    """The inverse of :func:`standardised`, in [0, 1]."""
    mean, deviation = (part.to(pictures).view(1, 3, 1, 1) for part in (spec.mean, spec.deviation))
    return (pictures * deviation + mean).clamp(0, 1)


def one_view(samples: Batch, spec: Spec, rng: Randomness, how: Views) -> Batch:
    """``pixels`` float [B, 3, H, W]; those of another objective that made views already are left as they are."""
    assert spec.image is not None
    if samples["pixels"].dtype != torch.uint8:
        return samples
    return {"pixels": standardised(how(as_fractions(samples["pixels"]), rng), spec.image)}


def two_views(samples: Batch, spec: Spec, rng: Randomness, how: Views) -> Batch:
    """``pixels`` float [2B, 3, H, W]: a view of each picture, and then another of each."""
    assert spec.image is not None
    pictures = as_fractions(samples["pixels"])
    views = torch.cat([how(pictures, rng.child("first")), how(pictures, rng.child("second"))])
    return {"pixels": standardised(views, spec.image)}
