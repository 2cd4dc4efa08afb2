"""Using a model: labels for texts, words for masks, scores on labelled texts."""

from collections.abc import Sequence
from typing import Any

import torch

from selftaught.backbones.hf import MaskedLMHead
from selftaught.errors import SelftaughtError
from selftaught.features import LONGEST_TEXT
from selftaught.finetuning import answers
from selftaught.loop import Learner
from selftaught.objective import Spec
from selftaught.pretext.words import readable
from selftaught.pretrained import Pretrained
from selftaught.tasks.classify import Classify


def classifier(pretrained: Pretrained) -> Learner:
    """The learner of a fine-tuned classifier, ready to answer.

    Raises:
        SelftaughtError: if the model is none.
    """
    if not pretrained.is_classifier:
        raise SelftaughtError(
            "this model has no classes", where=str(pretrained.folder), do="selftaught finetune RUN LABELS gives it some"
        )
    labels = pretrained.backbone.config.id2label
    task = Classify(tuple(labels[i] for i in sorted(labels)))
    return Learner({"text": pretrained.backbone}, task, Spec()).eval()


def classify_texts(pretrained: Pretrained, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The answer to each text: ``label``, ``probability``, ``probabilities``."""
    longest = min(LONGEST_TEXT, pretrained.backbone.longest_row)
    return answers(classifier(pretrained), pretrained.tokenizer, texts, longest)


def note_long_texts(pretrained: Pretrained, texts: Sequence[str]) -> list[str]:
    """A sentence if some texts are longer than what a classifier reads of them."""
    longest = min(LONGEST_TEXT, pretrained.backbone.longest_row)
    opening_and_closing = 2
    long = sum(len(ids) + opening_and_closing > longest for ids in pretrained.tokenizer.encode(texts))
    return [f"{long} of {len(texts)} texts are longer than the {longest} tokens that are read of each"] if long else []


@torch.no_grad()
def fill_masks(pretrained: Pretrained, texts: Sequence[str], top: int) -> list[dict[str, Any]]:
    """For each text ``masks``: for each ``[MASK]`` in it the likeliest words, as (word, probability).

    Raises:
        SelftaughtError: if a text holds no mask.
    """
    tokenizer, backbone = pretrained.tokenizer, pretrained.backbone.eval()
    mask = tokenizer.specials.get("mask_token")
    spec = tokenizer.spec()
    if mask is None or spec.mask_id is None:
        raise SelftaughtError("this model has no mask token", where=str(pretrained.folder), do="fine-tune it first")
    head = MaskedLMHead.of(backbone, unigram=spec.unigram).eval()
    found = []
    for text in texts:
        batch = tokenizer.batch([text], backbone.longest_row)
        places = (batch["input_ids"][0] == spec.mask_id).nonzero().squeeze(1)
        if not len(places):
            raise SelftaughtError(
                f"this is a pretrained model without a task: it fills {mask} in, and {text[:60]!r} holds none "
                f"in the {backbone.longest_row} tokens that are read",
                do=f"write {mask} in the text, or give a run of selftaught finetune",
            )
        shares = head(backbone(batch)[0, places]).softmax(1).topk(min(top, spec.vocab_size))
        masks = [
            [(readable(spec.surfaces[i]), p) for i, p in zip(ids, ps, strict=True)]
            for ids, ps in zip(shares.indices.tolist(), shares.values.tolist(), strict=True)
        ]
        found.append({"masks": masks})
    return found
