"""Interaction: part a clip into objects, and tell where each will be from what the others do."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from selftaught.backbones.slots import SlotAttention, SlotDecoder, SlotMotion, Slots
from selftaught.backbones.video import video_backbone
from selftaught.objective import Batch, Objective, PictureSpec, Spec, Sums
from selftaught.pretext.clips import mirrored, spread
from selftaught.pretext.image import joined_patches, patches_of
from selftaught.pretext.pictures import as_seen
from selftaught.pretext.video import picked
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class Interaction(Objective):
    """Part the features of frames into slots that draw what they hold, and tell each slot's next states.

    Slots are held to objects by drawing (Locatello et al. 2020) and follow them from frame to frame (Kipf et al. 2022).
    Their next states are told by a network in which each hears the others (Battaglia et al. 2016), several frames
    ahead, each from what was told before. What is told changes neither the slots nor the network below, as in
    SlotFormer (Wu et al. 2023): slots cannot make themselves easy to tell, nor carry each other's news. With
    ``interaction=False`` each slot hears only itself: the control, the same network with as many weights. Whether the
    others matter is the difference of the two.

    Args:
        slots: how many things there may be, what lies behind them included.
        size: numbers that say what a slot holds.
        past: frames from which is told; two tell a speed, three a little better.
        horizon: frames that are told.
        apart: how far apart the frames are, in frames of the clip.
        flip: the probability of a mirror image; nothing else is changed, for borders may be walls.
        inner: width of the networks that draw and tell.
        interaction: whether slots hear each other.
    """

    stream: ClassVar[str] = "video.slots"
    corrupts: ClassVar[bool] = True
    needs_patches: ClassVar[bool] = True

    slots: int = 4
    size: int = 32
    past: int = 3
    horizon: int = 4
    apart: int = 1
    flip: float = 0.5
    inner: int = 64
    interaction: bool = True

    def __post_init__(self) -> None:
        if self.past < 2 or self.horizon < 1 or self.slots < 1:
            raise ValueError("at least two frames are seen, one is told, and there is one slot")

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """To ``frames`` float [B, past + horizon, 3, S, S], now and then mirrored; and which are ``drawn`` [B, 2]."""
        length = self.past + self.horizon
        places = spread(samples["frames"].shape[1], length, rng, self.apart)
        frames = mirrored({"frames": picked(samples["frames"], places)}, spec, rng, self.flip)
        drawn = rng.uniform("drawn", length).argsort(1)[:, :2]
        return {**frames, "drawn": drawn, "n": len(drawn)}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        assert spec.image is not None
        backbone = video_backbone(backbones)
        across = spec.image.resolution // backbone.patch
        return nn.ModuleDict(
            {
                "attention": SlotAttention(backbone.width, across, self.slots, self.size),
                "decoder": SlotDecoder(self.size, self.inner, across, backbone.patch),
                "motion": SlotMotion(self.size, self.past, 2 * self.inner, self.interaction),
            }
        )

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """The squared error of a drawn pixel, that of a place that was told in patches, and a tenth of that of a what.

        ``straight`` is the error of one who lets everything go on as it went.
        """
        with exactly(features):
            return self._scored(features.float(), heads, batch)

    def _scored(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        slots = slots_of(features, heads)
        frames = picked(batch["frames"].float(), batch["drawn"])
        decoder = heads.get_submodule("decoder")
        assert isinstance(decoder, SlotDecoder)
        wanted = patches_of(frames.flatten(0, 1), decoder.patch).unflatten(0, frames.shape[:2])
        some = Slots(picked(slots.where, batch["drawn"]), picked(slots.what, batch["drawn"]))
        drawn = (decoder(some)[0] - wanted).square().mean((1, 2, 3))
        truth = Slots(slots.where[:, self.past :].detach(), slots.what[:, self.past :].detach())
        told = self.told(slots, heads)
        half = frames.shape[-1] / decoder.patch / 2  # patches from the middle to the side
        place = ((told.where - truth.where) * half).square().mean((1, 2, 3))
        what = (told.what - truth.what).square().mean((1, 2, 3))
        last, before = slots.where[:, self.past - 1].detach(), slots.where[:, self.past - 2].detach()
        steps = torch.arange(1, self.horizon + 1, device=last.device)[:, None, None]
        straight = ((last[:, None] + steps * (last - before)[:, None] - truth.where) * half).square().mean((1, 2, 3))
        loss = drawn + place + 0.1 * what
        return {"loss": loss.sum(), "drawn": drawn.sum(), "place": place.sum(), "straight": straight.sum()}

    def told(self, slots: Slots, heads: nn.Module) -> Slots:
        """The slots [B, horizon, K, ...] of the frames to be told, from those of the first frames."""
        known = [slots.at(time).detached() for time in range(self.past)]
        motion: Any = heads.get_submodule("motion")
        return motion.ahead(known, self.horizon)

    def pictured(self, features: Tensor, heads: nn.Module, batch: Batch, spec: Spec) -> Tensor:
        """For each frame that was told, one above the other: itself, what was told, and which slot holds what."""
        assert spec.image is not None
        with exactly(features):
            return self._shown(features.float(), heads, batch, spec.image)

    def _shown(self, features: Tensor, heads: nn.Module, batch: Batch, spec: PictureSpec) -> Tensor:
        decoder: Any = heads.get_submodule("decoder")
        slots = slots_of(features, heads)
        frames = batch["frames"][:, self.past :].float()
        shape = frames.shape[:2]
        told, _ = decoder(self.told(slots, heads))
        _, whose = decoder(Slots(slots.where[:, self.past :], slots.what[:, self.past :]))
        colours = torch.rand(self.slots, 3, generator=torch.Generator().manual_seed(0)).to(frames.device)
        held = torch.einsum("btkpx,kc->btpxc", whose, colours).flatten(-2)
        told, held = (joined_patches(part.flatten(0, 1), decoder.patch) for part in (told, held))
        rows = [as_seen(frames.flatten(0, 1), spec), as_seen(told, spec), held]
        return torch.cat(rows, 2).unflatten(0, shape)


def exactly(like: Tensor) -> AbstractContextManager[Any]:
    """Not in bfloat16, which tells places to a few hundredths of a picture: a speed is no more than that."""
    return torch.autocast(like.device.type, enabled=False)


def slots_of(states: Tensor, heads: nn.Module) -> Slots:
    """The slots [B, T, K, ...] of frames, from the states [B, T, 1 + P, D] of their patches."""
    attention: Any = heads.get_submodule("attention")
    return attention(states[:, :, 1:])
