"""A frozen language model that sees pictures through a frozen picture network (Alayrac et al. 2022, "Flamingo")."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from selftaught.backbones.frozen import leave_out
from selftaught.backbones.gated import GatedCrossAttention, Sight
from selftaught.backbones.heads import CausalLMHead
from selftaught.backbones.hf import TextBackbone
from selftaught.backbones.perceiver import PerceiverResampler
from selftaught.backbones.remembering import Remembering
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch


@dataclass(frozen=True)
class Between:
    """The form of what is trained between the two towers.

    Args:
        latents: a picture becomes so many (L).
        layers: of the resampler.
        every: a gated layer goes before every so many layers of the language model.
        frames: of a clip that are looked at.
    """

    latents: int = 16
    layers: int = 2
    every: int = 1
    frames: int = 8


class Flamingo(TextBackbone):
    """A decoder that sees pictures: both towers are frozen, the resampler and the gated layers between are trained.

    Where a batch has no pictures it is the language model and nothing else. The towers stay as in use when a learner
    is trained, get no moments from an optimizer, and are in no checkpoint.

    Args:
        language: a decoder.
        pictures: a network over pictures.
        form: of what is between.
        head: the language model's own; loaded from where ``language`` came from if not given.

    Raises:
        SelftaughtError: if ``language`` does not read from left to right.
    """

    def __init__(
        self,
        language: TextBackbone,
        pictures: Remembering,
        form: Between = Between(),
        head: CausalLMHead | None = None,
    ) -> None:
        if not language.is_decoder:
            raise SelftaughtError(
                "this language model reads from both sides and cannot write about pictures",
                where=str(language.origin or ""),
                do="give a decoder, such as a run of selftaught pretrain --objective causal_lm",
            )
        super().__init__(language.encoder, language.origin)
        self.head = head or CausalLMHead.of(language)
        self.pictures, self.form = pictures, form
        seen = pictures.backbone.width
        self.resampler = PerceiverResampler(seen, latents=form.latents, layers=form.layers, frames=form.frames)
        numbers = range(0, self.layers, form.every)
        self.gated = nn.ModuleDict({str(n): GatedCrossAttention(self.width, seen) for n in numbers})
        for tower in (self.encoder, self.head):
            tower.requires_grad_(False)
        leave_out(self, "encoder", "head")
        leave_out(self.head)  # which is among a learner's heads, too
        self.train(self.training)

    def train(self, mode: bool = True) -> "Flamingo":
        super().train(mode)
        for tower in (self.encoder, self.head, self.pictures):
            tower.eval()
        return self

    def untrained_twin(self) -> "Flamingo":
        """The same towers, with nothing learned between them."""
        language = TextBackbone(self.encoder, self.origin)
        return Flamingo(language, self.pictures, self.form, self.head).to(self.embeddings().weight.device)

    def between(self) -> dict[str, Tensor]:
        """The trained weights by name."""
        return {
            f"{part}.{name}": tensor
            for part in ("resampler", "gated")
            for name, tensor in self.get_submodule(part).state_dict(keep_vars=True).items()
        }

    @torch.no_grad()
    def restore(self, weights: dict[str, Tensor]) -> None:
        """Take trained weights, as :meth:`between` gives them.

        Raises:
            SelftaughtError: if they are of another form.
        """
        own = self.between()
        shapes, given = ({name: w.shape for name, w in some.items()} for some in (own, weights))
        if shapes != given:
            odd = next(name for name in sorted(shapes.keys() | given.keys()) if shapes.get(name) != given.get(name))
            raise SelftaughtError(f"the trained weights do not fit between these two towers, such as {odd}")
        for name, weight in weights.items():
            own[name].copy_(weight)

    def _encode(self, batch: Batch, **options: Any) -> Any:
        """As the language model does it; where there are ``pixels``, it sees them, as :meth:`sight` says."""
        if "pixels" not in batch:
            return super()._encode(batch, **options)
        with self.seeing(batch):
            return super()._encode(batch, **options)

    def sight(self, batch: Batch) -> Sight:
        """What the tokens see.

        Of ``pixels`` uint8 [B, M, F, 3, S, S], pictures or the frames of clips; ``frames`` int64 [B, M], how many
        frames each has; and ``media`` int64 [B, T], which of the pictures a token sees, from 1 on, or 0 for none.
        """
        count = batch["frames"]
        latents = self.resampler(self._states(batch), count.flatten())
        return Sight(latents.unflatten(0, tuple(count.shape)), batch["media"])

    def _states(self, batch: Batch) -> Tensor:
        """Of the frames of each picture, [B * M, F, T, D]."""
        rows, pictures, frames = batch["pixels"].shape[:3]
        return self.pictures(batch["pixels"].flatten(0, 2)).unflatten(0, (rows * pictures, frames))

    def frame_shares(self, batch: Batch) -> Tensor:
        """How much the resampler looks at each frame of the pictures of a batch, [B, M, F]; see :meth:`sight`."""
        states, count = self._states(batch), batch["frames"]
        return self.resampler.shares(states, count.flatten()).unflatten(0, tuple(count.shape))

    @contextmanager
    def seeing(self, batch: Batch) -> Iterator[None]:
        """Within this, the language model sees the pictures of a batch, whoever calls it.

        Generation with a cache of keys and values may go on from the batch's tokens: what is new sees what the last
        token saw.
        """
        sight = self.sight(batch)
        layers = self.decoder_layers()
        hooks = [
            layers[int(number)].register_forward_pre_hook(partial(_look, gated, sight, get_ident()), with_kwargs=True)
            for number, gated in self.gated.items()
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _look(
    gated: nn.Module, sight: Sight, thread: int, layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Before a layer of the language model: the states go through the gated one first. Other threads' do not."""
    if get_ident() != thread:
        return None
    states, *others = given
    return (gated(states, sight.of(*states.shape[:2])), *others), named


def flamingo(backbones: nn.ModuleDict) -> Flamingo:
    """The network that sees among a learner's backbones.

    Raises:
        SelftaughtError: if there is none.
    """
    found = backbones["text"]
    if not isinstance(found, Flamingo):
        raise SelftaughtError(
            "this model reads text alone, and is asked about pictures",
            do="begin from a network over pictures, with --set model.text_init=RUN for the language model",
        )
    return found
