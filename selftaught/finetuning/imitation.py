"""The task stage of distillation: learn a task from a teacher that has learned it (Jiao et al. 2020, section 3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from selftaught.backbones.heads import ClassificationHead
from selftaught.backbones.hf import text_backbone
from selftaught.backbones.insides import insides, shows_attention
from selftaught.backbones.matching import Matching, answer_distance
from selftaught.backbones.teacher import teacher_of
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch, Objective, Spec, Sums
from selftaught.objectives.distill import Lesson
from selftaught.randomness import Randomness
from selftaught.task import Task


@dataclass(frozen=True)
class Imitate(Objective):
    """Answer a task as a fine-tuned teacher does, and become like it inside; the labels are not looked at.

    The paper matches first the layers, then the answers. Here both are learned at once, each with weight 1, and which
    weights are kept is decided by the task's own score, as in any fine-tuning.

    Args:
        task: of one class a row.
    """

    taught: ClassVar[bool] = True

    task: Task[Any]

    def untaught(self) -> Task[Any]:
        return self.task

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """The task's own; ``n`` counts ``states``, which are the tokens, and ``answers``, which are the rows."""
        posed = self.task.pretext(samples, spec, rng)
        return {**posed, "n": {"states": int(posed["attention_mask"].sum()), "answers": len(posed["input_ids"])}}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """Projections from the student's width to the teacher's, and the task's head.

        Raises:
            SelftaughtError: if the task is not one of classes, or the teacher does not know them all.
        """
        student, teacher = text_backbone(backbones), teacher_of(backbones)
        head = self.task.heads(backbones, spec)
        if not isinstance(head, ClassificationHead) or student.config.problem_type != "single_label_classification":
            raise SelftaughtError(
                f"{self.task.name} cannot be learned from a teacher: its answer is not one class",
                do="fine-tune the student on the labels: selftaught finetune RUN LABELS",
            )
        if unknown := sorted(set(student.config.label2id) - set(teacher.backbone.config.label2id)):
            raise SelftaughtError(
                f"the teacher does not know these classes: {', '.join(unknown[:5])}",
                do="give a teacher that was fine-tuned on labels of the same kind",
            )
        shown = shows_attention(student) and shows_attention(teacher.backbone)
        return nn.ModuleDict({"states": Matching(student, teacher.backbone, attention=shown), "answers": head})

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> Lesson:
        """One pass over each network."""
        student, teacher = text_backbone(backbones), teacher_of(backbones)
        shown, own = teacher(batch), insides(student, batch)
        answers = teacher.answer(shown.states[-1], batch["attention_mask"])
        classes = [student.config.id2label[i] for i in range(len(student.config.id2label))]
        return Lesson(own, shown, answers[:, [teacher.backbone.config.label2id[name] for name in classes]])

    def loss(self, features: Lesson, heads: nn.Module, batch: Batch) -> Sums:
        """The layer losses summed over tokens as ``states``; over rows, as ``answers``, the divergence from the
        teacher's as ``prediction`` and how often both say the same as ``agreement``."""
        assert features.answers is not None
        own = heads.get_submodule("answers")(features.student.states[-1], batch["attention_mask"]).float()
        theirs = features.answers.float()
        return {
            "states": heads.get_submodule("states")(features.student, features.teacher, batch),
            "answers": {
                "prediction": answer_distance(own, theirs),
                "agreement": (own.detach().argmax(1) == theirs.argmax(1)).sum(),
            },
        }

    def total(self, means: Mapping[str, Any]) -> Tensor:
        return sum(means["states"].values(), start=means["answers"]["prediction"])
