"""Captions that a language model writes about pictures."""

from collections.abc import Sequence

import numpy as np
import torch

from selftaught.backbones.flamingo import Flamingo
from selftaught.backbones.generation import Sampling, continued
from selftaught.data.processor import Processor
from selftaught.errors import SelftaughtError
from selftaught.loop import to_device

LONGEST = 40  # tokens of a caption, if nobody says
_AT_ONCE = 32  # pictures


@torch.no_grad()
def describe(
    network: Flamingo,
    reader: Processor,
    sights: Sequence[np.ndarray],
    sampling: Sampling,
    *,
    several: int = 1,
    prompt: str = "",
) -> list[list[str]]:
    """For each picture some captions: the likeliest ones by beams, or draws.

    Args:
        sights: pictures or clips, uint8 [F, 3, S, S] each.
        several: how many for each, at most as many as there are beams.
        prompt: how each begins; it is a part of the caption.

    Raises:
        SelftaughtError: if the tokenizer has no token that ends a document, or the prompt leaves no room.
    """
    opening, _, closing = reader.frame
    begun = opening + reader.encode([prompt])[0]
    room = network.longest_row - len(begun)
    if not closing or not begun:
        raise SelftaughtError(
            "the language model's tokenizer has no token that ends a document: nothing would end a caption",
            do="begin from a run of selftaught pretrain --objective causal_lm",
        )
    if room < 1:
        raise SelftaughtError(
            f"the prompt has {len(begun)} tokens and the model reads {network.longest_row}", do="shorten it"
        )
    network.eval()
    torch.manual_seed(sampling.seed)
    device, found = network.embeddings().weight.device, list[list[str]]()
    for first in range(0, len(sights), _AT_ONCE):
        rows = [[(begun, sight)] for sight in sights[first : first + _AT_ONCE]]
        batch = to_device(reader.shown(rows, before=True), device)
        with network.seeing(batch):
            written = continued(network, network.head, batch, sampling, room=room, several=several, end=closing[-1])
        found += [[(prompt + reader.backend.decode(ids)).strip() for ids in some] for some in written]
    return found
