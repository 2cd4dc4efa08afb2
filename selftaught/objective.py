"""The contract: an objective poses a question, makes the parts that answer it, and scores the answer.

Everything that learns in this library is an :class:`Objective`. A :class:`selftaught.task.Task` is one whose hidden
thing is what somebody has labelled, so that it can also predict. :class:`Sum` asks several questions at once and is
an objective itself, which is why neither the loop nor the command line knows about fusion.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from selftaught.randomness import Randomness

Batch = dict[str, Any]
"""Tensors by name, plus ``"n"``: how many targets were posed. Where there are several kinds, as for the members of a
:class:`Sum`, it is a number for each by name, and the sums and the heads have parts of the same names.
The loader adds ``"size"``, the number of samples."""

Samples = Literal["rows", "pairs", "sentences", "captions"]
"""What a sample of text is: a packed row, two segments of a document with a third from elsewhere, a sentence, or a row
of captions with their pictures."""

Architecture = Literal["encoder", "decoder", "any"]
"""A network that reads a text from both sides, or one that reads it from left to right."""

Pooling = Literal["mean", "cls", "lasttoken"]
"""How the states of a text's tokens become one vector; sentence-transformers' names."""

Sums = dict[str, Any]
"""Sums over the batch's targets: ``"loss"`` and any other measure (nested by member for a :class:`Sum`)."""


@dataclass(frozen=True)
class TextSpec:
    """What a pretext may know about the tokens it corrupts.

    Args:
        vocab_size: number of token ids.
        pad_id, mask_id, cls_id, sep_id: the special tokens; ``mask_id`` is None for a decoder's tokenizer.
        special: bool [V], true where an id is a special token and must never be hidden.
        starts_word: bool [V], true where a token begins a word; see :mod:`selftaught.pretext.words`.
        surfaces: what each id looks like in the text.
        unigram: float32 [V], how often each id occurs in the training tokens (sums to 1).
    """

    vocab_size: int
    pad_id: int
    mask_id: int | None
    cls_id: int | None
    sep_id: int | None
    special: Tensor
    starts_word: Tensor
    surfaces: tuple[str, ...]
    unigram: Tensor


@dataclass(frozen=True)
class PictureSpec:
    """What a pretext may know about pictures.

    Args:
        resolution: their sides, in pixels.
        patch: the side of the patches that the network reads; None if it reads none.
        mean, deviation: of each channel over the training pictures, in [0, 1]; float32 [3].
    """

    resolution: int
    patch: int | None
    mean: Tensor
    deviation: Tensor


@dataclass(frozen=True)
class VideoSpec:
    """What a pretext may know about clips; their frames are pictures, of which ``Spec.image`` tells.

    Args:
        frames: of a window, which is what is seen of a clip at once (T).
        rate: frames a second.
    """

    frames: int
    rate: float


@dataclass(frozen=True)
class Spec:
    """What is known of the data, by modality."""

    text: TextSpec | None = None
    image: PictureSpec | None = None
    video: VideoSpec | None = None


class Objective(ABC):
    """A question whose answer the data already holds.

    Subclasses are frozen dataclasses in a file of their own under ``selftaught/objectives``; their fields are
    their options. All methods are pure: what changes lives in the backbones and heads.
    """

    couples_batch: ClassVar[bool] = False
    """True if a target depends on the whole batch (contrastive losses): the loop then refuses to split it."""

    stream: ClassVar[str] = "text"
    """Which pass over which backbone answers. Members of a :class:`Sum` with one stream pose their questions
    on the same input, one after the other, and share the pass. The part before a dot names the backbone."""

    samples: ClassVar[Samples] = "rows"
    """What the pretext is given. One that is not content with rows makes the row itself, as two segments are
    joined; a :class:`Sum` has at most one such member for each stream, and they all want the same."""

    architecture: ClassVar[Architecture] = "encoder"
    """The network it needs; for ``any`` an encoder is built where none is given."""

    pooling: ClassVar[Pooling | None] = None
    """How it makes the vector of a text from the last hidden states; None if it makes none. The model is saved with
    it, so that whatever uses the model makes the same vectors."""

    corrupts: ClassVar[bool] = False
    """True if the pretext takes something out of the input. Members of a :class:`Sum` that do pose their
    questions after those that do not, whatever order they were named in."""

    token_losses: ClassVar[tuple[str, ...]] = ()
    """The measures that are the mean cost of a token of the text, in nats: only for these are the unigram line
    and bits per byte a comparison."""

    needs_patches: ClassVar[bool] = False
    """True if the network must read a picture patch by patch: where some are left out, or each is asked about."""

    taught: ClassVar[bool] = False
    """True if it learns from a trained network as well, which is the backbone called ``teacher``."""

    @property
    def name(self) -> str:
        """The name used on the command line: that of the file."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """Pose the question: ``samples`` with something hidden, that under a new name, and ``"n"``."""

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The learnable parts that exist only for this objective; none by default."""
        return nn.Module()

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> Any:
        """The pass over the backbone; text gives the last hidden states [B, T, D]."""
        return backbones[self.stream.partition(".")[0]](batch)

    @abstractmethod
    def loss(self, features: Any, heads: nn.Module, batch: Batch) -> Sums:
        """Score the answer: sums over targets, never means. ``"loss"`` is what is differentiated."""

    def total(self, means: Mapping[str, Any]) -> Tensor:
        """The scalar to differentiate, from the means (sums divided by the global count)."""
        return means["loss"]

    def readings(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is told of the means: themselves, unless a ratio of two of them says more."""
        return means

    def after_step(self, backbones: nn.ModuleDict, heads: nn.Module) -> None:  # noqa: B027 most need nothing here
        """Called after each optimizer step: moving-average teachers, queues. Nothing by default."""

    def certainty(self, backbones: nn.ModuleDict, heads: nn.Module, samples: Batch, spec: Spec) -> Tensor | None:
        """How surely the question can be answered for each sample, float32 [B] from 0 to 1.

        It is at most 0.5 where several answers are equally right. None if the objective does not tell.
        """
        return None

    def pictured(self, features: Any, heads: nn.Module, batch: Batch, spec: Spec) -> Tensor | None:
        """What a person may look at of the answers: for each sample K pictures in [0, 1], float32 [N, K, 3, H, W].

        None if there is nothing to be seen.
        """
        return None

    def chance(self, spec: Spec, size: int) -> float | None:
        """The mean loss of one who guesses blindly, in nats, for batches of ``size``; None if there is no such line."""
        return None

    def beside(self, others: "tuple[Objective, ...]") -> Self:
        """This objective as a member of a :class:`Sum` with ``others``: itself, unless it must make room."""
        return self

    def untaught(self) -> "Objective":
        """What is asked where there is no teacher: itself, unless it is ``taught``."""
        return self


@dataclass(frozen=True)
class Sum(Objective):
    """Several questions at once: the weighted sum of the members' mean losses.

    Members of one stream pose their questions on one input (the second sees what the first left) and share
    one pass over the backbone, as BERT does for masking and next sentences (Devlin et al. 2019, section 3.1).
    Each member's loss is divided by its own global count, so adding a member does not rescale the others.
    A sum among the members is taken apart into its own.

    Args:
        members: what is asked; their names differ.
        weights: of the members; 1 each if not given.
    """

    members: tuple[Objective, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        weights = self.weights or (1.0,) * len(self.members)
        if len(weights) != len(self.members):
            raise ValueError(f"{len(self.members)} members need as many weights, not {len(weights)}")
        flat: list[tuple[Objective, float]] = []
        for member, weight in zip(self.members, weights, strict=True):
            within = zip(member.members, member.weights, strict=True) if isinstance(member, Sum) else [(member, 1.0)]
            flat += [(inner, weight * share) for inner, share in within]
        found = tuple(member for member, _ in flat)
        if len({member.name for member in found}) < len(found):
            raise ValueError("the members of a Sum must have different names")
        arranging = [member for member in found if member.samples != "rows"]
        alike = len({member.samples for member in arranging}) == 1
        if arranging and not (alike and len({member.stream for member in arranging}) == len(arranging)):
            names = " and ".join(member.name for member in arranging)
            raise ValueError(f"{names} each make rows of their own and cannot share one")
        apart = [tuple(other for other in found if other is not member) for member in found]
        object.__setattr__(self, "members", tuple(m.beside(others) for m, others in zip(found, apart, strict=True)))
        object.__setattr__(self, "weights", tuple(weight for _, weight in flat))

    @property
    def name(self) -> str:
        return "+".join(member.name for member in self.members)

    @property
    def couples_batch(self) -> bool:  # type: ignore[override]
        return any(member.couples_batch for member in self.members)

    @property
    def samples(self) -> Samples:  # type: ignore[override]
        return next((member.samples for member in self.members if member.samples != "rows"), "rows")

    @property
    def architecture(self) -> Architecture:  # type: ignore[override]
        wanted = {member.architecture for member in self.members}
        return "decoder" if "decoder" in wanted else "encoder" if "encoder" in wanted else "any"

    @property
    def pooling(self) -> Pooling | None:  # type: ignore[override]
        return next((member.pooling for member in self.members if member.pooling), None)

    @property
    def token_losses(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(f"{member.name}.{loss}" for member in self.members for loss in member.token_losses)

    @property
    def stream(self) -> str:  # type: ignore[override]
        return self.members[0].stream

    @property
    def needs_patches(self) -> bool:  # type: ignore[override]
        return any(member.needs_patches for member in self.members)

    @property
    def taught(self) -> bool:  # type: ignore[override]
        return any(member.taught for member in self.members)

    def untaught(self) -> Objective:
        """The members that need no teacher."""
        kept = [(member, w) for member, w in zip(self.members, self.weights, strict=True) if not member.taught]
        return Sum(tuple(member for member, _ in kept), tuple(w for _, w in kept))

    def chance(self, spec: Spec, size: int) -> float | None:
        lines = [member.chance(spec, size) for member in self.members]
        if any(line is None for line in lines):
            return None
        return sum(w * line for w, line in zip(self.weights, lines, strict=True) if line is not None)

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        streams: dict[str, Batch] = {}
        counts = {}
        for member in sorted(self.members, key=lambda member: member.corrupts):
            posed = member.pretext(streams.get(member.stream, samples), spec, rng.child(member.name))
            streams[member.stream] = posed
            counts[member.name] = posed["n"]
        return {"n": counts, "streams": streams}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        return nn.ModuleDict({member.name: member.heads(backbones, spec) for member in self.members})

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> dict[str, Any]:
        passes: dict[Any, Any] = {}
        features = {}
        for member, head in self._with(heads):
            key = (member.stream, type(member).features)  # an overridden pass is a pass of its own
            if key not in passes:
                passes[key] = member.features(backbones, head, batch["streams"][member.stream])
            features[member.name] = passes[key]
        return features

    def certainty(self, backbones: nn.ModuleDict, heads: nn.Module, samples: Batch, spec: Spec) -> Tensor | None:
        """That of the first member who tells."""
        told = (member.certainty(backbones, head, samples, spec) for member, head in self._with(heads))
        return next((one for one in told if one is not None), None)

    def pictured(self, features: dict[str, Any], heads: nn.Module, batch: Batch, spec: Spec) -> Tensor | None:
        """What the first member shows who shows anything."""
        shown = (
            member.pictured(features[member.name], head, batch["streams"][member.stream], spec)
            for member, head in self._with(heads)
        )
        return next((one for one in shown if one is not None), None)

    def loss(self, features: dict[str, Any], heads: nn.Module, batch: Batch) -> Sums:
        return {
            member.name: member.loss(features[member.name], head, batch["streams"][member.stream])
            for member, head in self._with(heads)
        }

    def total(self, means: Mapping[str, Any]) -> Tensor:
        parts = [w * m.total(means[m.name]) for w, m in zip(self.weights, self.members, strict=True)]
        return torch.stack(parts).sum()

    def readings(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        return {member.name: member.readings(means[member.name]) for member in self.members}

    def after_step(self, backbones: nn.ModuleDict, heads: nn.Module) -> None:
        for member, head in self._with(heads):
            member.after_step(backbones, head)

    def _with(self, heads: nn.Module) -> list[tuple[Objective, nn.Module]]:
        return [(member, heads.get_submodule(member.name)) for member in self.members]
