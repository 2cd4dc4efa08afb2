"""How likely a language model finds a text: its tokens from left to right, or each behind a mask."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from selftaught.backbones.heads import CausalLMHead, MaskedLMHead
from selftaught.backbones.hf import TextBackbone
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch
from selftaught.pretrained import Pretrained

_BATCH_TOKENS = 8192
_LOGITS = 1 << 22  # held at once: 16 MB, which are used again and again where more would be asked of the system anew


@dataclass(frozen=True)
class Prompt:
    """What is given, and what may follow it, as token ids.

    Args:
        context: what is given, the token that opens a document included.
        answers: each is weighed by itself in this context.
    """

    context: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class _Row:
    """One row of the network's input.

    Args:
        ids: the tokens.
        asked: place of a state, the token it is asked about, and which total the answer adds to.
        branches: of each token, 0 in the context and the answer's number, from 1, in an answer.
        positions: of each token, in the context or as it follows on it.
    """

    ids: list[int]
    asked: list[tuple[int, int, int]]
    branches: list[int]
    positions: list[int]


class Scorer(ABC):
    """A language model that is asked how likely texts are; see :func:`open_scorer`."""

    measure: ClassVar[str]
    causal: ClassVar[bool]
    """Whether a token sees only those before it; an encoder's sees all in any case."""

    def __init__(self, backbone: TextBackbone, head: nn.Module, tokenizer: TextTokenizer) -> None:
        self._backbone, self._head, self._tokenizer = backbone.eval(), head.eval(), tokenizer
        first, last = tokenizer.start_id, tokenizer.end_id
        self.opening: tuple[int, ...] = tuple(i for i in (first if first is not None else last,) if i is not None)
        self._closing: tuple[int, ...] = ()

    @property
    def longest_row(self) -> int:
        """The most tokens that are read at once."""
        return self._backbone.longest_row

    def encode(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """The ids of each text, without special tokens."""
        return [tuple(ids) for ids in self._tokenizer.encode(texts)]

    def length(self, prompt: Prompt) -> int:
        """Tokens of the context with its longest answer."""
        return len(prompt.context) + max(map(len, prompt.answers), default=0) + len(self._closing)

    def problem(self, text: str) -> str:
        """What keeps a text from being scored; "" where nothing does."""
        frame = len(self.opening) + len(self._closing)
        if len(text.encode()) + frame <= self.longest_row:  # no token is less than a byte
            return ""
        length = len(self.encode([text])[0]) + frame
        return f"has {length} tokens and the model reads {self.longest_row}" if length > self.longest_row else ""

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """The log-likelihood of each text in nats, summed over its tokens: float64 [N].

        Raises:
            SelftaughtError: if a text is longer than what the model reads.
        """
        scores = self.score([Prompt(self.opening, (ids,)) for ids in self.encode(texts)])
        return np.array([answers[0] for answers in scores])

    @torch.no_grad()
    def score(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        """For each prompt the log-likelihood of each answer in nats, summed over its tokens: float64 [answers].

        Raises:
            SelftaughtError: if a prompt is longer than what the model reads.
        """
        lengths = [self.length(prompt) for prompt in prompts]
        if max(lengths, default=0) > self.longest_row:
            raise SelftaughtError(
                f"a text has {max(lengths)} tokens and the model reads {self.longest_row}", do="shorten the text"
            )
        bounds = np.cumsum([0, *(len(prompt.answers) for prompt in prompts)])
        totals = np.zeros(bounds[-1])
        order = sorted(range(len(prompts)), key=lengths.__getitem__)  # so that little is padding
        for rows in _batched(row for i in order for row in self._rows(prompts[i], int(bounds[i]))):
            np.add.at(totals, [total for row in rows for _, _, total in row.asked], self._weigh(rows))
        return [totals[begin:end] for begin, end in pairwise(bounds)]

    @abstractmethod
    def _rows(self, prompt: Prompt, first: int) -> Iterator[_Row]:
        """The rows that answer a prompt; its first answer adds to the total ``first``."""

    def _weigh(self, rows: list[_Row]) -> np.ndarray:
        """The log-likelihood of each token asked about, row by row: float64 [N]."""
        device = next(self._backbone.parameters()).device
        batch = {name: tensor.to(device) for name, tensor in _padded(rows, self.causal).items()}
        width = batch["input_ids"].shape[1]
        places = [i * width + place for i, row in enumerate(rows) for place, _, _ in row.asked]
        states = self._backbone(batch).flatten(0, 1)[torch.tensor(places, dtype=torch.long, device=device)]  # [N, D]
        tokens = torch.tensor([token for row in rows for _, token, _ in row.asked], dtype=torch.long, device=device)
        return self._log_likelihood(states, tokens).cpu().numpy()

    def _log_likelihood(self, states: Tensor, tokens: Tensor) -> Tensor:
        """Of tokens [N], from states [N, D]: float64 [N]."""
        found, rows = [], max(1, _LOGITS // self._tokenizer.vocab_size)
        for some, wanted in zip(states.split(rows), tokens.split(rows), strict=True):
            logits = self._head(some).float()  # [n, V]
            found.append(logits.gather(1, wanted[:, None]).squeeze(1) - logits.logsumexp(1))
        return torch.cat(found).double()


class CausalScorer(Scorer):
    """The likelihood of a text: the product of each token's given those before it.

    The answers to one prompt go through the network together: the context is read once, and none sees another.

    Raises:
        SelftaughtError: if the tokenizer has no token that opens or closes a document: nothing would stand before
            the first token of a text.
    """

    measure = "log-likelihood"
    causal = True

    def __init__(self, backbone: TextBackbone, head: nn.Module, tokenizer: TextTokenizer) -> None:
        super().__init__(backbone, head, tokenizer)
        if not self.opening:
            raise SelftaughtError(
                "this model has no token that opens or closes a document: the first token of a text has no likelihood",
                do="name one, bos_token or eos_token, in its tokenizer_config.json",
            )

    def _rows(self, prompt: Prompt, first: int) -> Iterator[_Row]:
        given = len(prompt.context)
        ids, branches, positions = list(prompt.context), [0] * given, list(range(given))
        asked = []
        for number, answer in enumerate(prompt.answers):
            place = given - 1
            for offset, token in enumerate(answer):
                asked.append((place, token, first + number))
                if offset + 1 < len(answer):  # nothing is asked of the state of the last token
                    place = len(ids)
                    ids.append(token)
                    branches.append(number + 1)
                    positions.append(given + offset)
        yield _Row(ids, asked, branches, positions)


class MaskedScorer(Scorer):
    """The pseudo-likelihood of a text: the product of each token's given all others (Salazar et al. 2020, section 2).

    A decoder that has learned to fill in answers one place before; see :class:`selftaught.objectives.mlm.MLM`.

    Raises:
        SelftaughtError: if the tokenizer has no mask.
    """

    measure = "pseudo-log-likelihood"
    causal = False

    def __init__(self, backbone: TextBackbone, head: nn.Module, tokenizer: TextTokenizer) -> None:
        super().__init__(backbone, head, tokenizer)
        mask = tokenizer.id_of("mask_token")
        if mask is None:
            raise SelftaughtError("this model has no mask token to put in a token's place")
        self._mask, self._shift = mask, int(backbone.is_decoder)
        self._closing = () if tokenizer.end_id is None else (tokenizer.end_id,)

    def _rows(self, prompt: Prompt, first: int) -> Iterator[_Row]:
        for number, answer in enumerate(prompt.answers):
            whole = [*prompt.context, *answer, *self._closing]
            positions = list(range(len(whole)))
            for place, token in enumerate(answer, len(prompt.context)):
                ids = [*whole[:place], self._mask, *whole[place + 1 :]]
                yield _Row(ids, [(place - self._shift, token, first + number)], [0] * len(whole), positions)


def open_scorer(pretrained: Pretrained) -> Scorer:
    """The scorer of a model, on the device its backbone is on.

    Raises:
        SelftaughtError: if it has not learned to name tokens.
    """
    backbone, tokenizer = pretrained.backbone, pretrained.tokenizer
    head = CausalLMHead.of(backbone) if backbone.is_decoder else MaskedLMHead.of(backbone, tokenizer.spec().unigram)
    if head.fresh or not _was_saved_with_a_head(pretrained):
        raise SelftaughtError(
            "this model cannot say how likely a text is: it has no language modelling head",
            where=str(pretrained.folder),
            do="give a run of selftaught pretrain --objective causal_lm or mlm",
        )
    head.to(next(backbone.parameters()).device)
    kind = CausalScorer if backbone.is_decoder and not _only_fills_in(pretrained) else MaskedScorer
    return kind(backbone, head, tokenizer)


def _was_saved_with_a_head(pretrained: Pretrained) -> bool:
    """A decoder's head is often the token embeddings, which are there in a classifier as well."""
    names = pretrained.backbone.config.architectures
    return not names or not pretrained.backbone.is_decoder or any("LM" in name for name in names)


def _only_fills_in(pretrained: Pretrained) -> bool:
    """Whether it is a decoder that was asked about hidden tokens and never about the next one."""
    asked = pretrained.recipe.objective.name.split("+") if pretrained.recipe else []
    return "mlm" in asked and "causal_lm" not in asked


def _batched(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    batch: list[_Row] = []
    width = 0
    for row in rows:
        width = max(width, len(row.ids))
        if batch and (len(batch) + 1) * width > _BATCH_TOKENS:
            yield batch
            batch, width = [], len(row.ids)
        batch.append(row)
    if batch:
        yield batch


def _padded(rows: list[_Row], causal: bool) -> Batch:
    """Rows as tensors [B, T]; branches and positions only where a row has several answers to keep apart."""
    width = max(len(row.ids) for row in rows)

    def stacked(lists: Iterable[list[int]], filler: int) -> Tensor:
        return torch.tensor([[*values, *[filler] * (width - len(values))] for values in lists])

    lengths = torch.tensor([len(row.ids) for row in rows])
    batch: Batch = {
        "input_ids": stacked((row.ids for row in rows), 0),
        "attention_mask": torch.arange(width) < lengths[:, None],
        "causal": torch.full((len(rows),), causal),
    }
    if any(row.branches[-1] > 1 for row in rows):
        batch["branches"] = stacked((row.branches for row in rows), -1)
        batch["position_ids"] = stacked((row.positions for row in rows), 0)
    return batch
