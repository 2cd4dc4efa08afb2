"""Continuing a text with a decoder: transformers' own generation, with its key-value cache."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, TextStreamer

from selftaught.backbones.heads import CausalLMHead, load_causal_lm, whole_causal_lm
from selftaught.backbones.hf import TextBackbone
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Args:
        tokens: the most to write.
        temperature: 1 draws tokens as the model has them, less prefers the likely ones, 0 takes the likeliest.
        top_k: draw among so many likeliest only (Fan et al. 2018, section 5.2).
        top_p: draw among the fewest that together are this likely (Holtzman et al. 2020, section 3.1).
        beams: follow so many continuations and keep the likeliest, instead of drawing.
        stop: end where one of these strings is written.
        seed: of the draws.
    """

    tokens: int = 200
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    beams: int = 1
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise ValueError(f"tokens must be at least 1, not {self.tokens}")
        if self.temperature < 0:
            raise ValueError(f"temperature must be 0 or more, not {self.temperature:g}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top-k must be at least 1, not {self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top-p is a probability above 0, not {self.top_p:g}")
        if self.beams < 1:
            raise ValueError(f"beams must be at least 1, not {self.beams}")

    def options(self) -> dict[str, Any]:
        """The arguments of transformers' ``generate``."""
        drawn = self.temperature > 0 and self.beams == 1
        shape = {"temperature": self.temperature, "top_k": self.top_k or 0, "top_p": self.top_p or 1.0} if drawn else {}
        return {"max_new_tokens": self.tokens, "do_sample": drawn, "num_beams": self.beams, **shape}


class Writer:
    """A causal language model that continues texts.

    Args:
        folder: a transformers folder with a causal language model and its tokenizer.
        start_id: the token that opens a document, put before each prompt; None for models that know none.

    Raises:
        SelftaughtError: if there is no such model in the folder.
    """

    def __init__(self, folder: Path, start_id: int | None, device: torch.device) -> None:
        self._folder, self._start_id = folder, start_id
        self._model = load_causal_lm(folder).to(device).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

    @property
    def longest_row(self) -> int:
        """The most tokens of prompt and continuation together."""
        return int(self._model.config.max_position_embeddings)

    def write(self, prompt: str, sampling: Sampling, tell: Callable[[str], None] | None = None) -> tuple[str, bool]:
        """Continue ``prompt``.

        Args:
            tell: hears the continuation piece by piece as it is written; with beams there are no pieces to hear.

        Returns:
            the continuation, and whether it ended by itself, at a stop string or at the end of the document.

        Raises:
            SelftaughtError: if the prompt leaves no room, or there is nothing to begin with.
        """
        ids = self._ids(prompt)
        room = self.longest_row - len(ids)
        if room < 1:
            raise SelftaughtError(
                f"the prompt has {len(ids)} tokens and the model reads {self.longest_row}", do="shorten the prompt"
            )
        stops = {"stop_strings": list(sampling.stop), "tokenizer": self._tokenizer} if sampling.stop else {}
        streamer = _Teller(self._tokenizer, tell, sampling.stop) if tell and sampling.beams == 1 else None
        torch.manual_seed(sampling.seed)
        given = torch.tensor([ids], device=self._model.device)
        written = self._model.generate(
            given,
            attention_mask=torch.ones_like(given),
            streamer=streamer,
            **{**sampling.options(), "max_new_tokens": min(sampling.tokens, room)},
            **stops,
        )[0, len(ids) :]
        text = self._tokenizer.decode(written, skip_special_tokens=True)
        return cut(text, sampling.stop), len(written) < min(sampling.tokens, room)

    def _ids(self, prompt: str) -> list[int]:
        opening = [] if self._start_id is None else [self._start_id]
        ids = opening + self._tokenizer(prompt, add_special_tokens=False)["input_ids"]
        if not ids:
            raise SelftaughtError(
                "there is nothing to continue: the prompt is empty, and this model has no token that opens a document",
                where=str(self._folder),
                do="give a --prompt",
            )
        return ids


@torch.no_grad()
def likeliest(
    backbone: TextBackbone, head: CausalLMHead, batch: Batch, *, tokens: int, beams: int, end: int
) -> list[list[int]]:
    """The likeliest continuation of each row that beam search finds, without the token ``end`` that ends it.

    Continuations that ended are compared by their mean log-probability a token.

    Args:
        batch: ``input_ids`` and ``attention_mask`` [B, T], the padding before the tokens.
        tokens: the most to write for a row.
        beams: continuations to follow; 1 takes the likeliest token each time.
    """
    width = batch["input_ids"].shape[1]
    written = whole_causal_lm(backbone, head).generate(
        batch["input_ids"],
        attention_mask=batch["attention_mask"].long(),
        max_new_tokens=tokens,
        num_beams=beams,
        do_sample=False,
        early_stopping=True,
        eos_token_id=end,
        pad_token_id=end,
    )[:, width:]
    return [row[: row.index(end)] if end in row else row for row in written.tolist()]


@torch.no_grad()
def continued(
    backbone: TextBackbone, head: CausalLMHead, batch: Batch, sampling: Sampling, *, room: int, several: int, end: int
) -> list[list[list[int]]]:
    """Some continuations of each row, without the token ``end`` that ends them: the likeliest by beams, or draws.

    Args:
        batch: ``input_ids`` and ``attention_mask`` [B, T], the padding before the tokens.
        room: tokens that there is room for.
        several: continuations of a row; of beams at most as many as are followed.
    """
    rows, width = batch["input_ids"].shape
    options = {**sampling.options(), "max_new_tokens": min(sampling.tokens, room)}
    several = several if options["do_sample"] else min(several, sampling.beams)
    written = whole_causal_lm(backbone, head).generate(
        batch["input_ids"],
        attention_mask=batch["attention_mask"].long(),
        num_return_sequences=several,
        eos_token_id=end,
        pad_token_id=end,
        **options,
    )[:, width:]
    told = [row[: row.index(end)] if end in row else row for row in written.tolist()]
    return [told[several * row : several * (row + 1)] for row in range(rows)]


def cut(text: str, stops: Sequence[str]) -> str:
    """The text up to the first stop string: a token may reach beyond it."""
    ends = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


class _Teller(TextStreamer):
    """Hands on words as they are finished, but for as many characters as could be the beginning of a stop string."""

    def __init__(self, tokenizer: Any, tell: Callable[[str], None], stops: Sequence[str]) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._tell, self._stops = tell, stops
        self._text, self._told = "", 0

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        self._text += text
        whole = cut(self._text, self._stops)
        held_back = 0 if stream_end or len(whole) < len(self._text) else max(map(len, self._stops), default=1) - 1
        end = max(self._told, len(whole) - held_back)
        self._tell(whole[self._told : end])
        self._told = end
