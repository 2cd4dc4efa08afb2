"""Distillation: become like a larger network that is trained already (TinyBERT: Jiao et al. 2020, section 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.backbones.hf import text_backbone
from selftaught.backbones.insides import Insides, insides
from selftaught.backbones.matching import Matching, answer_distance
from selftaught.backbones.teacher import teacher_of
from selftaught.errors import SelftaughtError
from selftaught.objective import Architecture, Batch, Objective, Spec, Sums
from selftaught.objectives.causal_lm import CausalLM
from selftaught.objectives.mlm import MLM
from selftaught.randomness import Randomness


@dataclass(frozen=True)
class Lesson:
    """What both networks made of a batch.

    Args:
        student, teacher: their insides.
        answers: the teacher's logits [N, V] for the tokens asked about; None if nothing is asked.
    """

    student: Insides
    teacher: Insides
    answers: Tensor | None


@dataclass(frozen=True)
class Distill(Objective):
    """Match a teacher's embeddings, attention and hidden states, and its answers where tokens are hidden.

    Four losses, each with a weight; 0 leaves one out. The paper's general stage leaves the answers out; then the
    student has no language modelling head, as its teacher may have none.

    Args:
        architecture: of teacher and student. Encoders are asked as in mlm, decoders as in causal_lm.
        rate: the share of tokens hidden from encoders.
        layers: the teacher's layer for each of the student's, counted from 1; 0 leaves one free. Uniform if empty.
        embedding, attention, hidden: weights of the layer losses; see :class:`selftaught.backbones.matching.Matching`.
        prediction: weight of the answers: the student's divergence from the teacher's, in nats.
        temperature: above 1 the teacher's unlikely answers count more (Hinton et al. 2015, section 2).
    """

    taught: ClassVar[bool] = True

    architecture: Architecture = "encoder"  # type: ignore[misc]
    rate: float = 0.15
    layers: tuple[int, ...] = ()
    embedding: float = 1.0
    attention: float = 1.0
    hidden: float = 1.0
    prediction: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        weights = (self.embedding, self.attention, self.hidden, self.prediction)
        if min(weights) < 0 or not any(weights):
            raise ValueError(f"the weights of the losses are 0 or more, and not all of them 0: {weights}")
        if self.temperature <= 0:
            raise ValueError(f"the temperature is above 0, not {self.temperature}")
        MLM(rate=self.rate)  # refuses a rate that is no share

    @property
    def question(self) -> MLM | CausalLM:
        """What is asked."""
        return MLM(rate=self.rate) if self.architecture == "encoder" else CausalLM()

    @property
    def corrupts(self) -> bool:  # type: ignore[override]
        return self.prediction > 0 and self.question.corrupts

    @property
    def token_losses(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("answers.loss", "answers.teacher_loss") if self.prediction else ()

    def untaught(self) -> MLM | CausalLM:
        return self.question

    def beside(self, others: tuple[Objective, ...]) -> "Distill":
        """Beside an objective that asks about tokens itself, only the layers are matched, on the input it poses."""
        decoder = any(other.architecture == "decoder" for other in others)
        asked = any(other.token_losses for other in others)
        architecture: Architecture = "decoder" if decoder else self.architecture
        return replace(self, architecture=architecture, prediction=0.0 if asked else self.prediction)

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """The question of mlm or causal_lm; ``n`` counts ``states``, which are the tokens, and ``answers``."""
        posed = self.question.pretext(samples, spec, rng) if self.prediction else samples
        tokens = int(posed["attention_mask"].sum()) if "attention_mask" in posed else posed["input_ids"].numel()
        return {**posed, "n": {"states": tokens, **({"answers": posed["n"]} if self.prediction else {})}}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The projections from the student's width to the teacher's, and the student's language modelling head.

        Raises:
            SelftaughtError: if there is no teacher, or it has no answers while they are to be matched.
        """
        teacher = teacher_of(backbones)
        if self.prediction and teacher.head is None:
            raise SelftaughtError(
                "this teacher has no head that answers, so that only its layers can be matched",
                do="leave the answers out with --set objective.options.prediction=0",
            )
        matching = Matching(text_backbone(backbones), teacher.backbone, self.layers, attention=self.attention > 0)
        parts: dict[str, nn.Module] = {"states": matching}
        return nn.ModuleDict(parts | ({"answers": self.question.heads(backbones, spec)} if self.prediction else {}))

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> Lesson:
        """One pass over each network; of the teacher's nothing is kept for going backward."""
        teacher = teacher_of(backbones)
        shown, own = teacher(batch), insides(text_backbone(backbones), batch)
        if not self.prediction:
            return Lesson(own, shown, None)
        places, _ = _asked(batch)
        return Lesson(own, shown, teacher.answer(shown.states[-1].flatten(0, 1)[places]))

    def loss(self, features: Lesson, heads: nn.Module, batch: Batch) -> Sums:
        """Sums of the layer losses over tokens as ``states``, and over the tokens asked about as ``answers``.

        Of the latter only ``prediction`` is learned from; ``loss`` and ``accuracy`` compare the student with the text
        itself, ``teacher_loss`` and ``teacher_accuracy`` its teacher.
        """
        sums: Sums = {"states": heads.get_submodule("states")(features.student, features.teacher, batch)}
        if features.answers is None:
            return sums
        places, truth = _asked(batch)
        own = heads.get_submodule("answers")(features.student.states[-1].flatten(0, 1)[places]).float()
        theirs = features.answers[:, : own.shape[1]].float()  # some pad their vocabulary to a round number
        teacher = {f"teacher_{name}": value for name, value in _against(truth, theirs).items()}
        prediction = answer_distance(own, theirs, self.temperature)
        return {**sums, "answers": {"prediction": prediction, **_against(truth, own.detach()), **teacher}}

    def total(self, means: Mapping[str, Any]) -> Tensor:
        states = means["states"]
        layers = sum(getattr(self, name) * states[name] for name in ("embedding", "attention", "hidden"))
        return layers + self.prediction * means["answers"]["prediction"] if self.prediction else layers


def _asked(batch: Batch) -> tuple[Tensor, Tensor]:
    """The places asked about in the flattened batch, and the tokens that stand there: int64 [N] each."""
    if "positions" in batch:
        asked = batch["answers"] >= 0
        return batch["positions"][asked], batch["answers"][asked]
    following = batch["next"].flatten()
    places = (following >= 0).nonzero().squeeze(1)
    return places, following[places]


def _against(truth: Tensor, logits: Tensor) -> dict[str, Tensor]:
    """The cross-entropy in nats and the exact hits of logits [N, V], summed."""
    given = logits.gather(1, truth[:, None]).squeeze(1)
    loss = F.cross_entropy(logits, truth, reduction="sum")
    return {"loss": loss, "accuracy": (logits.amax(1) == given).sum()}
