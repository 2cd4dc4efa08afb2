"""Distillation of pictures: a small network learns to make a large one's features (Navaneet et al. 2021, "SimReg")."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from selftaught.backbones.vision import picture_backbone, picture_teacher, projector
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.objectives.simclr import SimCLR
from selftaught.pretext.image import Views
from selftaught.pretext.pictures import one_view
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class SimReg(Objective):
    """Tell the teacher's features of a view from one's own of the same view, by a head that is thrown away.

    Each number of the teacher's features counts as much as any other: they are standardised over the batch. The head
    makes the student's features better than the ones that match (section 3.1).

    Args:
        area, flip, jitter, grey: see :class:`selftaught.pretext.image.Views`.
    """

    couples_batch: ClassVar[bool] = True
    stream: ClassVar[str] = "image"
    taught: ClassVar[bool] = True

    area: float = 0.2
    flip: float = 0.5
    jitter: float = 0.4
    grey: float = 0.2

    def untaught(self) -> SimCLR:
        return SimCLR(area=self.area, flip=self.flip, jitter=self.jitter, grey=self.grey)

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From ``pixels`` uint8 [B, 3, H, W]: a view of each, float."""
        posed = one_view(samples, spec, rng, Views(self.area, self.flip, self.jitter, grey=self.grey))
        return {**posed, "n": len(posed["pixels"])}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The head, and what standardises the teacher's features."""
        width, wanted = picture_backbone(backbones).width, picture_teacher(backbones).backbone.width
        return nn.ModuleDict(
            {"head": projector(width, 2 * wanted, wanted), "level": nn.BatchNorm1d(wanted, affine=False)}
        )

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> Any:
        """The student's states, and the teacher's features."""
        return picture_backbone(backbones)(batch), picture_teacher(backbones)(batch)

    def loss(self, features: tuple[Tensor, Tensor], heads: nn.Module, batch: Batch) -> Sums:
        """The squared error of a number, in variances of the teacher's, averaged over the numbers of each picture.

        One who says the mean of all pictures has 1.
        """
        states, wanted = features
        with torch.autocast(wanted.device.type, enabled=False):
            wanted = heads.get_submodule("level")(wanted.float())
        told = heads.get_submodule("head")(states.mean(1)).float()
        return {"loss": (told - wanted).square().mean(1).sum()}
