"""SimCLR's views on the processor beside kornia's: the same operations, two views of each picture of a batch."""

import time
from typing import Any

import cyclopts

from benchmarks.pairs import alternate, compared, note, tell

BAR = 3.0


def measure(*, side: int = 32, batch: int = 256, batches: int = 5, pairs: int = 5, blur: bool = False) -> None:
    """Compare pictures a second, each with two views.

    Args:
        side: Of the pictures, in pixels.
        batch: Pictures a batch.
        batches: That are timed together.
        pairs: How often each side is timed, in turn.
        blur: Blur half of the views as well.
    """
    import torch

    pictures = torch.randint(
        0, 256, (batch, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    sides = {"ours": _ours(pictures, blur), "peer": _kornia(pictures, blur), "copy": _copy(pictures)}

    def rate(name: str) -> float:
        began = time.perf_counter()
        for number in range(batches):
            sides[name](number)
        return batches * batch / (time.perf_counter() - began)

    for view in sides.values():
        view(0)
    rates = alternate({"peer": lambda: rate("peer"), "ours": lambda: rate("ours")}, pairs)
    result = compared("views_vs_kornia", "pictures/s", rates, bar=BAR, floor=rate("copy"))
    note(f"ratio {result['ratio']:.2f}")
    tell({**result, "side": side, "batch": batch, "blur": blur})


def _ours(pictures: Any, blur: bool) -> Any:
    import torch

    from selftaught.objectives.simclr import SimCLR
    from selftaught.pretext.image import Views
    from selftaught.pretext.pictures import as_fractions
    from selftaught.randomness import Randomness

    asked = SimCLR()
    how = Views(asked.area, jitter=asked.jitter, grey=asked.grey, blur=0.5 * blur)

    def view(number: int) -> Any:
        indices = torch.arange(len(pictures))
        rng = Randomness.of(0, torch.full_like(indices, number), indices)
        some = as_fractions(pictures)
        return torch.cat([how(some, rng.child("first")), how(some, rng.child("second"))])

    return view


def _kornia(pictures: Any, blur: bool) -> Any:
    import kornia.augmentation as k
    import torch

    from selftaught.objectives.simclr import SimCLR

    asked, side = SimCLR(), pictures.shape[-1]
    operations = [
        k.RandomResizedCrop((side, side), scale=(asked.area, 1.0), ratio=(3 / 4, 4 / 3)),
        k.RandomHorizontalFlip(p=0.5),
        k.ColorJitter(asked.jitter, asked.jitter, asked.jitter, asked.jitter / 4, p=0.8),
        k.RandomGrayscale(p=asked.grey),
    ]
    if blur:
        operations.append(k.RandomGaussianBlur((9, 9), (0.1, 2.0), p=0.5))
    chain = k.AugmentationSequential(*operations, data_keys=["input"])

    def view(_: int) -> Any:
        some = pictures.float() / 255
        return torch.cat([chain(some), chain(some)])

    return view


def _copy(pictures: Any) -> Any:
    """What cannot be done without: to read the bytes and to write two views of them."""
    import torch

    def view(_: int) -> Any:
        some = pictures.float()
        return torch.cat([some, some])

    return view


if __name__ == "__main__":
    cyclopts.run(measure)
