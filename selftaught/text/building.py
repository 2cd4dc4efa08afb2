"""The learner of a run on text: a network that is new or goes on, with the heads of its objective."""

from collections.abc import Mapping

import torch
from torch import nn

from selftaught.backbones.hf import TextBackbone, new_backbone, new_decoder
from selftaught.backbones.presets import EVERY_SIZE, SIZES
from selftaught.data.tokenise import TextTokenizer
from selftaught.loop import Learner
from selftaught.objective import Objective, Spec
from selftaught.pretrained import Pretrained, open_pretrained, restore_heads
from selftaught.randomness import derive
from selftaught.recipe import Recipe
from selftaught.word2vec.embedding import TokenVectors


def new_learner(
    recipe: Recipe,
    tokenizer: TextTokenizer,
    objective: Objective,
    spec: Spec,
    init: Pretrained | TokenVectors | None,
    beside: Mapping[str, nn.Module],
) -> Learner:
    """The learner that a recipe without anything left open describes, on its device.

    Args:
        init: the network to go on from, or what the tokens of a new one begin with.
        beside: other networks that the objective needs.
    """
    torch.manual_seed(derive("weights", recipe.train.seed))
    if isinstance(init, Pretrained):
        backbone = open_pretrained(init.folder).backbone
    else:
        backbone = _new_network(recipe, tokenizer, objective)
    if isinstance(init, TokenVectors):
        init.begin(backbone.embeddings(), recipe.train.seed)
    assert recipe.train.device is not None
    assert recipe.train.precision is not None
    learner = Learner({"text": backbone, **beside}, objective, spec, recipe.train.precision)
    if isinstance(init, Pretrained):
        restore_heads(learner.heads, init.parts)
    return learner.to(recipe.train.device)


def _new_network(recipe: Recipe, tokenizer: TextTokenizer, objective: Objective) -> TextBackbone:
    longest = recipe.model.longest_row
    assert recipe.model.size is not None
    assert tokenizer.start_id is not None
    assert tokenizer.end_id is not None
    size, pad = recipe.model.size, tokenizer.id_of("pad_token") or 0
    start, end = tokenizer.start_id, tokenizer.end_id
    if objective.architecture == "decoder":
        return new_decoder(SIZES[size], tokenizer.vocab_size, pad_id=pad, bos_id=start, eos_id=end, longest_row=longest)
    return new_backbone(
        EVERY_SIZE[size], tokenizer.vocab_size, pad_id=pad, cls_id=start, sep_id=end, longest_row=longest
    )
