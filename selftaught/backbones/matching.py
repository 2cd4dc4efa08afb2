"""How far a student's layers are from those of its teacher that it is to become like."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.hf import TextBackbone
from selftaught.backbones.insides import Insides, shows_attention
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch

_NOTHING = -1e9  # a score that softmax makes zero of; finite, so that zero times it is zero


def uniform_map(student: int, teacher: int) -> tuple[int, ...]:
    """The teacher's layer for each of the student's, evenly spread, the last for the last (Jiao et al. 2020, 4.1).

    Args:
        student, teacher: how many layers each has.
    """
    return tuple(math.ceil(layer * teacher / student) for layer in range(1, student + 1))


class Matching(nn.Module):
    """The layer losses of TinyBERT (Jiao et al. 2020, section 3.1), for networks of any two widths and kinds.

    Two things differ from the paper, because there student and teacher are both BERT with twelve heads. Attention is
    matched as the relations among queries, among keys and among values, and in the last layer alone (Wang et al. 2021,
    "MiniLMv2", section 3): attention maps can only be compared head by head, transformers gives them only with its slow
    attention, and each layer that is matched costs a small student as much as its whole step (docs/lab.md). And states
    are brought to mean 0 and variance 1 before they are compared: without a norm after each layer, as in ModernBERT
    and Llama, their length grows with the depth, and a few long ones would be all that counts. A student that says
    nothing of its teacher's states is thus 1 away from them.

    Args:
        student, teacher: the two networks.
        layers: the teacher's layer for each of the student's, counted from 1; 0 leaves one free. Uniform if empty.
        attention: whether attention is matched.

    Raises:
        SelftaughtError: if ``layers`` does not fit the two, or one of them does not show its attention.
    """

    def __init__(
        self, student: TextBackbone, teacher: TextBackbone, layers: tuple[int, ...] = (), *, attention: bool = True
    ) -> None:
        super().__init__()
        layers = layers or uniform_map(student.layers, teacher.layers)
        if len(layers) != student.layers or not all(0 <= layer <= teacher.layers for layer in layers):
            raise SelftaughtError(
                f"the layer map {list(layers)} does not fit {student.layers} layers that learn from {teacher.layers}",
                do=f"give {student.layers} numbers from 0 to {teacher.layers}; 0 leaves a layer free",
            )
        for network in (student, teacher) if attention else ():
            if not shows_attention(network):
                raise SelftaughtError(
                    f"the attention of the architecture {network.config.model_type!r} cannot be matched",
                    do="leave it out with --set objective.options.attention=0",
                )
        self.attention = attention
        self.pairs = [(0, 0)] + [(place, layer) for place, layer in enumerate(layers, 1) if layer]
        self.heads = student.config.num_attention_heads
        self.projections = nn.ModuleList(nn.Linear(student.width, teacher.width) for _ in self.pairs)

    def forward(self, student: Insides, teacher: Insides, batch: Batch) -> dict[str, Tensor]:
        """``embedding``, ``attention`` and ``hidden``: sums over the tokens that are no padding."""
        ids = batch["input_ids"]
        real = batch["attention_mask"].bool() if "attention_mask" in batch else torch.ones_like(ids, dtype=torch.bool)
        visible = real[:, None, :].expand(-1, ids.shape[1], -1)
        if "segments" in batch:
            visible = visible & (batch["segments"][:, :, None] == batch["segments"][:, None, :])
        states = [
            state_distance(project(_normal(student.states[own])), _normal(teacher.states[theirs]), real)
            for project, (own, theirs) in zip(self.projections, self.pairs, strict=True)
        ]
        relations = [
            relation_distance(mine, its, self.heads, visible, real)
            for own, theirs in (self.pairs[1:][-1:] if self.attention else ())
            for mine, its in zip(student.attending[own - 1], teacher.attending[theirs - 1], strict=True)
        ]
        return {"embedding": states[0], "attention": _mean(relations), "hidden": _mean(states[1:])}


def _normal(states: Tensor) -> Tensor:
    return F.layer_norm(states.float(), states.shape[-1:])


def _mean(losses: list[Tensor]) -> Tensor:
    return torch.stack(losses).mean() if losses else torch.tensor(0.0)


def state_distance(guess: Tensor, target: Tensor, real: Tensor) -> Tensor:
    """The squared difference of states [B, T, D], mean over D and sum over the tokens that are ``real`` [B, T]."""
    return ((guess.float() - target).square().mean(-1) * real).sum()


def relation_distance(student: Tensor, teacher: Tensor, heads: int, visible: Tensor, real: Tensor) -> Tensor:
    """How differently two networks relate the tokens of a text to each other, in nats.

    The Kullback-Leibler divergence of MiniLMv2 (Wang et al. 2021, equation 4), mean over relation heads, sum over the
    tokens that are ``real`` [B, T].

    Args:
        student, teacher: queries, keys or values, [B, T, D] each with a width of its own.
        heads: relation heads that both are cut into; fewer where a width cannot be cut into so many.
        visible: which tokens are related to which, bool [B, T, T].
    """
    heads = math.gcd(heads, student.shape[-1], teacher.shape[-1])
    target, guess = _relations(teacher, heads, visible), _relations(student, heads, visible)
    each = (target.exp() * (target - guess)).sum(-1).mean(1)  # [B, T]
    return (each * real).sum()


def _relations(vectors: Tensor, heads: int, visible: Tensor) -> Tensor:
    """The logarithm of each token's share in each other's relations: [B, T, D] to [B, A, T, T]."""
    parts = vectors.unflatten(-1, (heads, -1)).transpose(1, 2)  # [B, A, T, D / A]
    scores = (parts @ parts.mT).float() / parts.shape[-1] ** 0.5
    return scores.masked_fill(~visible[:, None], _NOTHING).log_softmax(-1)


def answer_distance(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """The divergence of a student's answers from its teacher's, logits [N, K], in nats, sum over rows.

    That is the soft cross-entropy of Hinton et al. (2015, section 2) less the teacher's own entropy: the gradient is
    the same, and it is 0 where the two agree. Scaled with the temperature, as there, so that gradients keep their size.
    """
    target, guess = (teacher / temperature).log_softmax(-1), (student / temperature).log_softmax(-1)
    return F.kl_div(guess, target, log_target=True, reduction="sum") * temperature**2
