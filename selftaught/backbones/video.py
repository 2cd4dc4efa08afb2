"""A network over the frames of clips: that of pictures, on each frame by itself."""

import torch
from torch import Tensor, nn

from selftaught.backbones.vision import PictureBackbone
from selftaught.objective import Batch

VIDEO = "video"


class VideoBackbone(nn.Module):
    """A picture network that reads clips.

    What mixes frames is the head of an objective, so that what is learned is a picture network again, and a picture
    network can begin.
    """

    def __init__(self, picture: PictureBackbone) -> None:
        super().__init__()
        self.picture = picture

    @property
    def width(self) -> int:
        """Of a state (D)."""
        return self.picture.width

    @property
    def reads_patches(self) -> bool:
        """See :class:`PictureBackbone`."""
        return self.picture.reads_patches

    @property
    def patch(self) -> int:
        """The side of a patch, in pixels."""
        return self.picture.patch

    def forward(self, batch: Batch) -> Tensor:
        """States [B, F, N, D] of ``frames`` float [B, F, 3, H, W].

        Of a network of patches they are those of the frame as a whole and of its patches: all, or those at ``visible``
        int64 [B, K], the same of every frame of a clip (tubes, Tong et al. 2022, section 3.3).
        """
        frames = batch["frames"]
        asked = {"pixels": frames.flatten(0, 1)}
        if "visible" in batch:
            asked["visible"] = batch["visible"].repeat_interleave(frames.shape[1], 0)
        return self.picture(asked).unflatten(0, frames.shape[:2])

    def frame_vectors(self, states: Tensor) -> Tensor:
        """One vector a frame: [B, F, N, D] to [B, F, D]."""
        return self.picture.pooled(states.flatten(0, 1)).unflatten(0, states.shape[:2])


def video_backbone(backbones: nn.ModuleDict) -> VideoBackbone:
    """The network over clips among a learner's backbones."""
    found = backbones[VIDEO]
    assert isinstance(found, VideoBackbone)
    return found


class ClipHead(nn.Module):
    """From the vectors of the frames of a clip [B, F, D] to logits [B, K]: attention over time.

    What is read of each step from a frame to the next is the mean of both, how the second differs, and by how much; how
    far frames lie apart is read of the whole. Each step counts by a weight that it says itself, evenly at first.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList([nn.LayerNorm(width) for _ in range(4)])  # steps are far smaller than what moves
        self.score = nn.Linear(3 * width, 1)
        self.answer = nn.Linear(4 * width, classes)
        nn.init.zeros_(self.score.weight)

    def forward(self, vectors: Tensor) -> Tensor:
        steps = self._steps(vectors)
        weights = self._weights(steps)[..., None]
        pooled = [(weights * step).sum(1) for step in steps] + [self.parts[3](vectors.std(1))]
        return self.answer(torch.cat(pooled, -1))

    def attention(self, vectors: Tensor) -> Tensor:
        """The weight of each step, [B, F - 1]; they sum to 1."""
        return self._weights(self._steps(vectors))

    def _steps(self, vectors: Tensor) -> list[Tensor]:
        before, after = vectors[:, :-1], vectors[:, 1:]
        seen = ((before + after) / 2, after - before, (after - before).abs())
        return [part(one) for part, one in zip(self.parts, seen, strict=False)]

    def _weights(self, steps: list[Tensor]) -> Tensor:
        return self.score(torch.cat(steps, -1)).squeeze(-1).softmax(-1)
