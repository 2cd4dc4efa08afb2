"""A teacher: a trained network that is asked and never changed."""

import torch
from torch import Tensor, nn

from selftaught.backbones.frozen import Frozen, frozen_teacher
from selftaught.backbones.heads import CausalLMHead, ClassificationHead, MaskedLMHead
from selftaught.backbones.hf import TextBackbone
from selftaught.backbones.insides import Insides, insides
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch


class Teacher(Frozen):
    """A network and what it answers with.

    Args:
        backbone: the network.
        head: turns its states into answers; None for a network that answers nothing.
    """

    def __init__(self, backbone: TextBackbone, head: nn.Module | None) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.freeze()

    @torch.no_grad()
    def forward(self, batch: Batch) -> Insides:
        """What it does inside, without dropout: ``learner.train()`` has woken it, so each time it is put to rest."""
        self.eval()
        return insides(self.backbone, batch)

    @torch.no_grad()
    def answer(self, states: Tensor, *more: Tensor) -> Tensor:
        """The logits that its head makes of states."""
        self.eval()
        assert self.head is not None
        return self.head(states, *more)


def language_teacher(backbone: TextBackbone) -> Teacher:
    """A teacher that fills in hidden tokens, or continues a text where it reads from left to right.

    One whose checkpoint holds no language modelling head has none.
    """
    try:
        head = _language_head(backbone)
    except SelftaughtError:  # of an architecture that we know no such head of
        return Teacher(backbone, None)
    return Teacher(backbone, None if head.fresh else head)


def _language_head(backbone: TextBackbone) -> CausalLMHead | MaskedLMHead:
    if backbone.is_decoder:
        return CausalLMHead.of(backbone)
    unigram = torch.full((backbone.config.vocab_size,), 1.0)  # only for heads that are fresh, which are not kept
    return MaskedLMHead.of(backbone, unigram)


def classifying_teacher(backbone: TextBackbone) -> Teacher:
    """A teacher that tells classes apart, as it was fine-tuned to.

    Raises:
        SelftaughtError: if it was not.
    """
    config = backbone.config
    classes = tuple(config.id2label[i] for i in sorted(config.id2label))
    head = ClassificationHead.of(backbone, classes, config.problem_type or "single_label_classification")
    if head.fresh:
        raise SelftaughtError(
            "this teacher has not been fine-tuned: it knows no classes",
            where=str(backbone.origin or ""),
            do="selftaught finetune RUN LABELS teaches it some",
        )
    return Teacher(backbone, head)


def teacher_of(backbones: nn.ModuleDict) -> Teacher:
    """See :func:`selftaught.backbones.frozen.frozen_teacher`."""
    return frozen_teacher(backbones, Teacher)
