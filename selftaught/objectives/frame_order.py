"""Order verification: are three frames of a clip in order? (Misra et al. 2016, "Shuffle and Learn")."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.video import video_backbone
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.image import Views
from selftaught.pretext.video import moves, moving_places, one_view_of_clips, picked
from selftaught.randomness import Randomness

_RIGHT, _EARLIER, _LATER = (1, 2, 3), (1, 0, 3), (1, 4, 3)


@dataclass(frozen=True)
class FrameOrder(Objective):
    """Of five frames a < b < c < d < e, tell (b, c, d) from (b, a, d) and (b, e, d).

    The middle frame alone is wrong, and by as little as the clip allows, so that it must be looked at closely; and as
    many are right as are wrong, by weight. A clip runs either way: to tell backwards from forwards is not asked
    (section 3.1). Clips in which nothing moves are not asked about.

    Args:
        span: the stretch of the window that the five frames lie in, as a share of it: what comes back has no order.
        area, flip, jitter, grey: see :class:`selftaught.pretext.image.Views`; all frames of a clip are changed alike.
        hidden: width of the head.
    """

    stream: ClassVar[str] = "video.ordered"
    corrupts: ClassVar[bool] = True

    span: float = 0.5
    area: float = 0.6
    flip: float = 0.5
    jitter: float = 0.4
    grey: float = 0.2
    hidden: int = 256

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """To ``frames`` float [B, 5, 3, H, W], in the order of time or backwards, and what is ``asked`` bool [B]."""
        motion = samples["motion"]
        places = moving_places(motion, rng, 5, self.span)
        backwards = rng.uniform("backwards") < 0.5
        places = torch.where(backwards[:, None].to(places.device), places.flip(1), places)
        some = {"frames": picked(samples["frames"], places)}
        asked = moves(motion)
        how = Views(self.area, flip=self.flip, jitter=self.jitter, grey=self.grey)
        return {**one_view_of_clips(some, spec, rng, how), "asked": asked, "n": 2 * int(asked.sum())}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        return OrderHead(video_backbone(backbones).width, self.hidden, 3, 2)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats, the right order weighing as much as the two wrong ones."""
        vectors = features.mean(2)[batch["asked"]]
        order = torch.tensor([_RIGHT, _EARLIER, _LATER], device=vectors.device)
        logits = heads(vectors[:, order]).float()  # [A, 3, 2]
        truth = torch.tensor([1, 0, 0], device=vectors.device).expand(len(vectors), 3)
        weights = torch.tensor([1.0, 0.5, 0.5], device=vectors.device)
        losses = F.cross_entropy(logits.flatten(0, 1), truth.flatten(), reduction="none").view(-1, 3)
        right = (logits.detach().argmax(-1) == truth).float()
        return {"loss": (losses * weights).sum(), "accuracy": (right * weights).sum()}

    def chance(self, spec: Spec, size: int) -> float | None:
        return math.log(2)


class OrderHead(nn.Module):
    """From the vectors of K frames in some order [..., K, D] to logits of ``answers``.

    What all of them share says what is shown and nothing of the order: it is taken away first.
    """

    def __init__(self, width: int, hidden: int, frames: int, answers: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(frames * width)
        self.mixed = nn.Linear(frames * width, hidden)
        self.answer = nn.Linear(hidden, answers)

    def forward(self, vectors: Tensor) -> Tensor:
        apart = vectors - vectors.mean(-2, keepdim=True)
        return self.answer(F.relu(self.mixed(self.norm(apart.flatten(-2)))))
