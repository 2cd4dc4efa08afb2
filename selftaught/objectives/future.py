"""Predicting the future of a clip: which of these frames comes next? (van den Oord et al. 2018; Han et al. 2019)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.video import video_backbone
from selftaught.metrics.spread import uniformity
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.clips import spread
from selftaught.pretext.image import Views
from selftaught.pretext.video import moves, one_view_of_clips, picked
from selftaught.randomness import Randomness
from selftaught.ranks import gathered, rank, ranks


class Forecast(nn.Module):
    """From the vectors of past frames to guesses at the vectors of the frames that follow.

    Args:
        width: of a frame's vector.
        projection: numbers of the vectors that are compared.
        horizon: frames that are guessed.
    """

    def __init__(self, width: int, projection: int, horizon: int) -> None:
        super().__init__()
        self.past = nn.GRU(width, width, batch_first=True)
        self.steps = nn.ModuleList(nn.Linear(width, projection) for _ in range(horizon))
        self.seen = nn.Linear(width, projection)

    def forward(self, past: Tensor, coming: Tensor) -> tuple[Tensor, Tensor]:
        """Guesses at ``coming`` [B, H, D] from ``past`` [B, P, D], and what they are compared with: both [B, H, E]."""
        told = self.past(past)[0][:, -1]
        return torch.stack([step(told) for step in self.steps], 1), self.seen(coming)


@dataclass(frozen=True)
class Future(Objective):
    """From some frames, tell each of the next from all the frames that follow in this clip and in the others.

    What is guessed are vectors, not pixels, and they are compared: the right frame has to be found among wrong ones
    (InfoNCE, van den Oord et al. 2018, section 2.3). So all answers cannot become one, without a second network that
    follows slowly; chance is a known number; and the wrong frames of the same clip, which look the same but for what
    has moved, make it a question about motion. Clips in which nothing moves are not asked about.

    Args:
        past: frames that are seen.
        horizon: frames that are guessed, each by itself.
        temperature: by which cosines are divided.
        projection: numbers of the vectors that are compared.
        area, flip, jitter, grey: see :class:`selftaught.pretext.image.Views`; a clip is changed as a whole.
    """

    couples_batch: ClassVar[bool] = True
    stream: ClassVar[str] = "video.future"

    past: int = 4
    horizon: int = 3
    temperature: float = 0.1
    projection: int = 128
    area: float = 0.5
    flip: float = 0.5
    jitter: float = 0.4
    grey: float = 0.2

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"the temperature is above 0, not {self.temperature}")
        if self.past < 1 or self.horizon < 1:
            raise ValueError("at least one frame is seen, and one guessed")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """To ``frames`` float [B, past + horizon, 3, S, S], as far apart as the window allows, and who is ``asked``."""
        places = spread(samples["frames"].shape[1], self.past + self.horizon, rng)
        some, asked = {"frames": picked(samples["frames"], places)}, moves(samples["motion"])
        how = Views(self.area, self.flip, jitter=self.jitter, grey=self.grey)
        return {**one_view_of_clips(some, spec, rng, how), "asked": asked, "n": int(asked.sum()) * self.horizon}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        return Forecast(video_backbone(backbones).width, self.projection, self.horizon)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """The cross-entropy of the right frame among all that were to be guessed in the batch, on all ranks, in nats.

        ``accuracy`` is the share that was found among them all, ``moment`` that among the clip's own, where a guess has
        1 / horizon.
        """
        vectors = features.mean(2)
        guessed, coming = heads(vectors[:, : self.past], vectors[:, self.past :])
        asked = batch["asked"].repeat_interleave(self.horizon)
        guessed, coming = (F.normalize(part.float().flatten(0, 1), dim=-1) for part in (guessed, coming))
        with torch.autocast(guessed.device.type, enabled=False):
            every = gathered(coming)
            cosines = guessed @ every.T  # [B * H, ranks * B * H]
            alike = (coming @ every.T).detach()
        itself = torch.arange(len(cosines), device=cosines.device) + rank() * len(cosines)
        elsewhere = (itself // self.horizon)[:, None] != torch.arange(len(every), device=every.device) // self.horizon
        best, truth = cosines.detach()[asked], itself[asked]
        return {
            "loss": F.cross_entropy(cosines[asked] / self.temperature, truth, reduction="sum"),
            "accuracy": (best.argmax(1) == truth).sum(),
            "moment": (best.masked_fill(elsewhere[asked], -torch.inf).argmax(1) == truth).sum(),
            "uniformity": uniformity(alike[elsewhere]) * len(truth),
        }

    def chance(self, spec: Spec, size: int) -> float | None:
        return math.log(size * ranks() * self.horizon)
