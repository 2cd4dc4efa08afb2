"""Sorting: the frames of a clip are mixed up; in which order did they come? (Lee et al. 2017; Xu et al. 2019)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.video import video_backbone
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.image import Views
from selftaught.pretext.video import moves, moving_places, one_view_of_clips, orders, picked
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class FrameSort(Objective):
    """Mix some frames of each clip and tell their order, but for whether the clip runs forwards.

    An order and its reverse are one answer, since much looks the same backwards (Lee et al. 2017, section 3.1): of four
    frames there are twelve. The answer is read off each pair of frames, as sorting goes (section 3.3). Clips in which
    nothing moves are not asked about.

    Args:
        count: frames that are mixed.
        span: the stretch of the window that they lie in, as a share of it: what comes back has no order.
        area, flip, jitter, grey: see :class:`selftaught.pretext.image.Views`; all frames of a clip are changed alike.
        hidden: width of the head.
    """

    stream: ClassVar[str] = "video.mixed"
    corrupts: ClassVar[bool] = True

    count: int = 4
    span: float = 0.5
    area: float = 0.6
    flip: float = 0.5
    jitter: float = 0.4
    grey: float = 0.2
    hidden: int = 128

    def __post_init__(self) -> None:
        if not 3 <= self.count <= 5:
            raise ValueError(f"3, 4 or 5 frames are mixed, not {self.count}")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """To ``frames`` float [B, K, 3, H, W], mixed: which of the :func:`orders` they are in, ``order`` int64 [B]."""
        motion, known = samples["motion"], orders(self.count)
        answer = rng.integers("order", len(known))
        mixed = known[answer]
        mixed = torch.where((rng.uniform("backwards") < 0.5)[:, None], mixed.flip(1), mixed)
        places = moving_places(motion, rng, self.count, self.span)
        some = {"frames": picked(samples["frames"], places.gather(1, mixed.to(places.device)))}
        asked = moves(motion)
        how = Views(self.area, flip=self.flip, jitter=self.jitter, grey=self.grey)
        posed = one_view_of_clips(some, spec, rng, how)
        return {**posed, "order": answer, "asked": asked, "n": int(asked.sum())}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        return SortHead(video_backbone(backbones).width, self.hidden, self.count)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats, over clips."""
        asked = batch["asked"]
        logits, order = heads(features.mean(2)[asked]).float(), batch["order"][asked]
        right = logits.detach().argmax(1) == order
        return {"loss": F.cross_entropy(logits, order, reduction="sum"), "accuracy": right.sum()}

    def chance(self, spec: Spec, size: int) -> float | None:
        return math.log(math.factorial(self.count) / 2)


class SortHead(nn.Module):
    """From the vectors of K frames [B, K, D] to logits of their order, [B, K! / 2], by way of all pairs."""

    def __init__(self, width: int, hidden: int, count: int) -> None:
        super().__init__()
        self.pairs: list[tuple[int, int]] = [(i, j) for i in range(count) for j in range(i + 1, count)]
        self.pair = nn.Linear(2 * width, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.answer = nn.Linear(len(self.pairs) * hidden, math.factorial(count) // 2)

    def forward(self, vectors: Tensor) -> Tensor:
        first, second = (vectors[:, [pair[side] for pair in self.pairs]] for side in (0, 1))
        compared = F.relu(self.norm(self.pair(torch.cat([first, second], -1))))  # [B, P, hidden]
        return self.answer(compared.flatten(1))
