"""Using a model: answers to a task's examples, words for masks."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch

from selftaught.backbones.heads import MaskedLMHead
from selftaught.data.examples import Example
from selftaught.errors import SelftaughtError
from selftaught.finetuning.learner import longest_row
from selftaught.loop import Learner
from selftaught.objective import Spec
from selftaught.pretext.words import readable
from selftaught.pretrained import Pretrained, restore_heads
from selftaught.task import Task


def task_learner(pretrained: Pretrained, task: Task[Any]) -> Learner:
    """The learner of a fine-tuned model, ready to answer."""
    learner = Learner({"text": pretrained.backbone}, task, Spec())
    restore_heads(learner.heads, pretrained.parts)
    return learner.to(next(pretrained.backbone.parameters()).device).eval()


def note_long_texts(pretrained: Pretrained, task: Task[Any], examples: Sequence[Example]) -> list[str]:
    """A sentence if some examples are longer than what the task reads of them."""
    if not task.cuts:
        return []
    longest, tokenizer = longest_row(task, pretrained.backbone), pretrained.tokenizer
    texts = [list(example.inputs.values()) for example in examples]
    lengths = map(len, tokenizer.encode([text for some in texts for text in some]))
    needed = [sum(islice(lengths, len(some))) + len(some) + 1 for some in texts]  # opened, parted and closed
    long = sum(tokens > longest for tokens in needed)
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
    if head.fresh:
        raise SelftaughtError(
            "this model has not learned to fill words in",
            where=str(pretrained.folder),
            do="give a run of selftaught pretrain --objective mlm, or fine-tune this one",
        )
    found = []
    for text in texts:
        batch = tokenizer.cloze(text, backbone.longest_row)
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
