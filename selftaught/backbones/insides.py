"""What a network does inside, layer by layer: what a student is to become like, beyond the answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from selftaught.backbones.hf import TextBackbone
from selftaught.objective import Batch

# The projections that make queries, keys and values are called so in every architecture; some make all three at once.
_QUERIES = ("query", "q_lin", "q_proj")
_KEYS = ("key", "k_lin", "k_proj")
_VALUES = ("value", "v_lin", "v_proj")
_ALL_THREE = ("Wqkv", "c_attn")


@dataclass(frozen=True)
class Insides:
    """One pass over a network.

    Args:
        states: after the embeddings and after each of the L layers, L + 1 tensors [B, T, D].
        attending: queries, keys and values of each layer before positions are turned in, the heads side by side:
            L triples of [B, T, D]; keys and values are narrower where heads share them.
    """

    states: list[Tensor]
    attending: list[tuple[Tensor, Tensor, Tensor]]


def insides(backbone: TextBackbone, batch: Batch) -> Insides:
    """Read a batch and keep what the layers say.

    Layers that share their weights are called several times, and stand here as often. ``attending`` is empty unless
    :func:`shows_attention`.
    """
    found: tuple[list[Tensor], ...] = ([], [], [])
    hooks = [
        module.register_forward_hook(_keeping(*places))
        for name, module in _named(backbone)
        if (places := _made_by(name, found))
    ]
    try:
        states = backbone.layer_states(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return Insides(states, list(zip(*found, strict=True)))


def shows_attention(backbone: TextBackbone) -> bool:
    """Whether its queries, keys and values are found: some architectures call their projections otherwise."""
    return any(_made_by(name, ([], [], [])) for name, _ in _named(backbone))


def _named(backbone: TextBackbone) -> list[tuple[str, nn.Module]]:
    return [(path.rpartition(".")[2], module) for path, module in backbone.encoder.named_modules()]


def _made_by(name: str, found: tuple[list[Tensor], ...]) -> tuple[list[Tensor], ...]:
    """Where the output of a module of this name belongs: nowhere, to one of the three lists, or to all in turn."""
    if name in _ALL_THREE:
        return found
    return next(((found[i],) for i, names in enumerate((_QUERIES, _KEYS, _VALUES)) if name in names), ())


def _keeping(*places: list[Tensor]) -> Callable[[nn.Module, Any, Tensor], None]:
    def keep(module: nn.Module, given: Any, made: Tensor) -> None:
        for place, part in zip(places, made.chunk(len(places), -1), strict=True):
            place.append(part)

    return keep
