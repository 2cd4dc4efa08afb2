"""Self-distillation without labels: tell what one's moving average says of another view (Caron et al. 2021)."""

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.vision import moving_average, picture_backbone, projector
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.pretext.image import Views
from selftaught.pretext.pictures import two_views
from selftaught.randomness import Randomness
from selftaught.ranks import gathered


@dataclass(frozen=True)
class DINO(Objective):
    """Two views, and a teacher that is the moving average of its student, who says of each what it says of the other.

    What keeps all answers from being one is that the teacher's are centred and sharpened (section 3.1). Two views of
    one size are made; the paper's smaller ones are not.

    Args:
        prototypes: the number of things that can be said.
        student_temperature, teacher_temperature: by which logits are divided; the teacher's is the sharper.
        momentum: of the teacher.
        centre_momentum: of the centre of its answers (section 3.1; with 0.99 answers became one on small batches).
        area, flip, jitter, grey, blur, solarise: see :class:`selftaught.pretext.image.Views`.
    """

    couples_batch: ClassVar[bool] = True
    stream: ClassVar[str] = "image.taught"

    prototypes: int = 1024
    student_temperature: float = 0.1
    teacher_temperature: float = 0.04
    momentum: float = 0.99
    centre_momentum: float = 0.9
    area: float = 0.2
    flip: float = 0.5
    jitter: float = 0.4
    grey: float = 0.2
    blur: float = 0.0
    solarise: float = 0.1

    @property
    def views(self) -> Views:
        """How a picture is changed."""
        return Views(self.area, self.flip, self.jitter, grey=self.grey, blur=self.blur, solarise=self.solarise)

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``pixels`` uint8 [B, 3, H, W]: the first views and then the second, float [2B, 3, H, W]."""
        return {**two_views(samples, spec, rng, self.views), "n": 2 * len(samples["pixels"])}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        backbone = picture_backbone(backbones)
        student = projector(backbone.width, 2 * backbone.width, self.prototypes)
        teacher = nn.ModuleList(copy.deepcopy(part) for part in (backbone, student)).requires_grad_(False)
        parts = nn.ModuleDict({"student": student, "teacher": teacher})
        parts.register_buffer("centre", torch.zeros(self.prototypes))
        return parts

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The states of the student and the logits of the teacher, of all views."""
        slow, say = heads.get_submodule("teacher").children()
        with torch.no_grad():
            said = say(slow(batch).mean(1)).float()
        return picture_backbone(backbones)(batch), said

    def loss(self, features: tuple[Tensor, Tensor], heads: nn.Module, batch: Batch) -> Sums:
        """The cross-entropy of the student's words for a view to the teacher's for the other, in nats (equation 3)."""
        states, said = features
        logits = heads.get_submodule("student")(states.mean(1)).float()
        centre = heads.get_buffer("centre")
        wanted = F.softmax((said - centre) / self.teacher_temperature, -1).roll(len(said) // 2, 0)
        if heads.training:
            centre.lerp_(_mean(said), 1 - self.centre_momentum)
        usual = _mean(wanted)
        spread = -(usual * (usual + 1e-9).log()).sum()
        told = F.log_softmax(logits / self.student_temperature, -1)
        return {"loss": -(wanted * told).sum(), "spread": spread * len(said)}

    def after_step(self, backbones: nn.ModuleDict, heads: nn.Module) -> None:
        slow, say = heads.get_submodule("teacher").children()
        moving_average(slow, picture_backbone(backbones), self.momentum)
        moving_average(say, heads.get_submodule("student"), self.momentum)


def _mean(rows: Tensor) -> Tensor:
    """Of the rows of all ranks, each of which has as many."""
    return gathered(rows.mean(0, keepdim=True)).mean(0)
