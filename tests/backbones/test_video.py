"""The picture network on each frame, and the head that attends over time."""

import torch

from selftaught.backbones.presets import PatchSize
from selftaught.backbones.video import ClipHead, VideoBackbone
from selftaught.backbones.vision import new_picture_backbone

SIZE = PatchSize(layers=1, width=16, head_width=8)


def test_a_frame_is_read_as_a_picture_is() -> None:
    torch.manual_seed(0)
    backbone = VideoBackbone(new_picture_backbone(SIZE, 16)).eval()
    frames = torch.randn(2, 3, 3, 16, 16)
    states = backbone({"frames": frames})
    assert states.shape == (2, 3, 17, 16)
    assert torch.allclose(states[1, 2], backbone.picture({"pixels": frames[1, 2:3]})[0], atol=1e-5)
    assert torch.allclose(backbone.frame_vectors(states)[1, 2], states[1, 2].mean(0), atol=1e-6)


def test_tubes_leave_the_same_patches_out_of_every_frame() -> None:
    torch.manual_seed(0)
    backbone = VideoBackbone(new_picture_backbone(SIZE, 16)).eval()
    frames, visible = torch.randn(2, 3, 3, 16, 16), torch.tensor([[0, 5], [3, 7]])
    states = backbone({"frames": frames, "visible": visible})
    assert states.shape == (2, 3, 3, 16)
    alone = backbone.picture({"pixels": frames[1, 2:3], "visible": visible[1:]})
    assert torch.allclose(states[1, 2], alone[0], atol=1e-5)


def test_attention_is_even_at_first_and_then_what_is_learned() -> None:
    torch.manual_seed(0)
    head, vectors = ClipHead(4, 3), torch.randn(2, 5, 4)
    assert torch.allclose(head.attention(vectors), torch.full((2, 4), 0.25))
    assert head(vectors).shape == (2, 3)
    torch.nn.init.normal_(head.score.weight)
    assert torch.allclose(head.attention(vectors).sum(1), torch.ones(2))
    assert head.attention(vectors).std() > 0.05


def test_a_head_tells_a_clip_from_the_same_backwards() -> None:
    torch.manual_seed(0)
    head, vectors = ClipHead(4, 3), torch.randn(1, 5, 4)
    assert not torch.allclose(head(vectors), head(vectors.flip(1)))
