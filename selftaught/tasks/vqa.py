"""Answering questions about pictures, by a frozen language model that is shown the pictures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from selftaught.backbones.flamingo import flamingo
from selftaught.backbones.generation import likeliest
from selftaught.data.examples import Columns, Examples
from selftaught.data.picture_question_files import read_picture_questions
from selftaught.data.picture_questions import PictureQuestion, questions_about
from selftaught.data.processor import Document, Processor, processor
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.metrics.picture_answers import (
    FOR_QUESTION,
    MAJORITY,
    NEAREST,
    agreement,
    commonest,
    commonest_for_question,
    of_nearest_picture,
)
from selftaught.objective import Architecture, Batch, Spec, Sums
from selftaught.objectives.causal_lm import next_token_sums
from selftaught.randomness import Randomness
from selftaught.task import Answer, Task

_MANY_PICTURES = 20


@dataclass(frozen=True)
class Vqa(Task[PictureQuestion]):
    """Write the answer behind the question, having seen the picture (Alayrac et al. 2022, section 3.1).

    A row of the language model is a document: the question and the answer as ``form`` and ``told`` put them. Its tokens
    see the picture, the first one included, which stands where the paper has a token ``<image>``. The loss is that of
    the answer and its end alone. Examples in the context are documents before it, each with a picture of its own.

    Args:
        longest_answer: characters of the longest answer trained on; no more tokens are written.
        form: how a question is put.
        without: what is taken away: ``picture`` shows a black one instead, ``question`` leaves an empty one. So one
            learns how far the other goes alone.
        beams: answers to follow while one is written.
    """

    longest_answer: int
    form: str = "Question: {question} Answer:"
    without: Literal["picture", "question"] | None = None
    beams: int = 1

    architecture: ClassVar[Architecture] = "decoder"
    pipeline: ClassVar[str] = "visual-question-answering"
    longest: ClassVar[int] = 512
    stops_by_likelihood: ClassVar[bool] = True
    reads_pictures: ClassVar[bool] = True
    most_tested: ClassVar[int] = 1000
    caveat: ClassVar[str] = (
        "It answers whatever it is asked, also about what the picture does not show; many answers can be guessed from "
        "the question alone, and the same network trained on black pictures says how many."
    )

    def __post_init__(self) -> None:
        if "{question}" not in self.form:
            raise ValueError(f"the form of a question must hold {{question}}, and {self.form!r} does not")
        if self.beams < 1:
            raise ValueError(f"beams must be at least 1, not {self.beams}")

    @staticmethod
    def read(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[PictureQuestion]:
        """VQA v2's JSON, easy-VQA's, or columns of pictures, questions and answers."""
        return read_picture_questions(path, columns, labelled=labelled)

    def asked(self, texts: Sequence[str]) -> list[PictureQuestion]:
        """Pictures, each with the questions that follow it."""
        return questions_about(texts)

    @classmethod
    def of(cls, examples: Sequence[PictureQuestion], **options: object) -> Self:
        return cls(max(len(answer) for example in examples for answer in example.answers), **options)  # type: ignore[arg-type]

    def encode(
        self, examples: Sequence[PictureQuestion], tokenizer: TextTokenizer, longest: int, *, labelled: bool
    ) -> Batch:
        """Rows to learn from, or rows to be continued, padded before their tokens; see ``Flamingo.sight``.

        ``next`` int64 [B, T] is the token after each, -100 where that is not of the answer. ``end`` int64 [B] is the
        token that ends an answer. Of several answers the one given most often is learned. Of a question that is too
        long the end is left out, of examples in the context the first ones.

        Raises:
            SelftaughtError: if the tokenizer has no token that ends a document, or reads no pictures.
        """
        reader, (opening, _, closing) = processor(tokenizer), tokenizer.frame
        if not closing:
            raise SelftaughtError(
                "the language model's tokenizer has no token that ends a document: nothing would end an answer",
                do="begin from a run of selftaught pretrain --objective causal_lm",
            )
        room = min(longest // 2, self.longest_answer + 1)
        chapters = [[*example.shots, example] for example in examples]
        every = [one for some in chapters for one in some]
        asked = [
            opening + ids[: longest - room - len(opening)] for ids in tokenizer.encode(list(map(self._put, every)))
        ]
        told = [ids + closing for ids in tokenizer.encode([f" {_learned(e)}" if e.answers else "" for e in every])]
        sights = [self._sight(reader, one.picture) for one in every]
        whole = iter(list(zip(asked, told, sights, strict=True)))
        rows, answers = list[list[Document]](), list[list[int]]()
        for some in chapters:
            *shots, (question, answer, sight) = [next(whole) for _ in some]
            answer = answer[: min(len(answer), room) - len(closing)] + closing
            shown = _last_that_fit([(one + other, seen) for one, other, seen in shots], longest - len(question) - room)
            rows.append([*shown, (question + answer * labelled, sight)])
            answers.append(answer)
        batch = reader.shown(rows, before=not labelled)
        batch["end"] = torch.full((len(rows),), closing[-1])
        if labelled:
            batch["next"] = torch.full_like(batch["input_ids"], -100)
            for row, mask, answer in zip(batch["next"], batch["attention_mask"], answers, strict=True):
                length = int(mask.sum())
                row[length - len(answer) - 1 : length - 1] = torch.tensor(answer)
        return batch

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From rows with ``next`` int64 [B, T]; each token of an answer is one to guess, its end included."""
        return {**samples, "n": int((samples["next"] >= 0).sum())}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The language model's own head, frozen as it is.

        Raises:
            SelftaughtError: if the network sees no pictures.
        """
        return flamingo(backbones).head

    def features(self, backbones: nn.ModuleDict, heads: nn.Module, batch: Batch) -> Tensor | list[list[int]]:
        """The last hidden states [B, T, D]; of rows without an answer, the tokens that are written behind them."""
        network = flamingo(backbones)
        if "next" in batch:
            return network(batch)
        room = min(min(self.longest, network.longest_row) // 2, self.longest_answer + 1)
        with network.seeing(batch):
            end = int(batch["end"][0])
            return likeliest(network, network.head, batch, tokens=room, beams=self.beams, end=end)

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy in nats, summed over the tokens of the answers; ``accuracy`` counts the exact hits."""
        return next_token_sums(features, heads, batch["next"])

    def predict(self, features: list[list[int]], heads: nn.Module, batch: Batch) -> list[Answer]:
        """The ``tokens`` that were written."""
        return [{"tokens": ids} for ids in features]

    def spelled(self, answers: Sequence[Answer], tokenizer: TextTokenizer) -> list[Answer]:
        """``answer``: what the tokens say."""
        return [{"answer": tokenizer.backend.decode(answer["tokens"]).strip()} for answer in answers]

    def measure(self, examples: Sequence[PictureQuestion], answers: Sequence[Answer]) -> dict[str, float]:
        """``accuracy``: how far people agree with the answers, from 0 to 1."""
        scores = [agreement(said["answer"], e.answers) for e, said in zip(examples, answers, strict=True)]
        return {"accuracy": sum(scores) / len(scores)}

    def baselines(
        self, train: Sequence[PictureQuestion], test: Sequence[PictureQuestion], seed: int
    ) -> dict[str, list[Answer]]:
        """The commonest answer, the commonest one to the same question, and that of the picture most like this one."""
        found = {
            MAJORITY: commonest(train, test),
            FOR_QUESTION: commonest_for_question(train, test),
            NEAREST: of_nearest_picture(train, test),
        }
        return {name: [{"answer": text} for text in said] for name, said in found.items()}

    def kin(self, examples: Sequence[PictureQuestion]) -> list[str]:
        """The pictures, if there are many: questions about one often answer each other."""
        pictures = [example.picture for example in examples]
        return pictures if len(set(pictures)) >= _MANY_PICTURES else super().kin(examples)

    def facts(self, examples: Sequence[PictureQuestion]) -> dict[str, dict[str, float]]:
        pictures, answers = {e.picture for e in examples}, Counter(map(_learned, examples))
        return {"questions": {"pictures": float(len(pictures)), "different answers": float(len(answers))}}

    def _sight(self, reader: Processor, picture: str) -> np.ndarray:
        """The picture as it is shown, uint8 [F, 3, S, S]."""
        seen = reader.sight(picture)
        return np.zeros_like(seen) if self.without == "picture" else seen

    def _put(self, example: PictureQuestion) -> str:
        """The question as the language model reads it."""
        return self.form.format(question="" if self.without == "question" else example.question)


def _learned(example: PictureQuestion) -> str:
    """The answer that most people gave, the first of those where several are as common."""
    return Counter(example.answers).most_common(1)[0][0]


def _last_that_fit(documents: list[Document], room: int) -> list[Document]:
    """As many of the last documents as ``room`` tokens hold."""
    kept: list[Document] = []
    for document in reversed(documents):
        room -= len(document[0])
        if room < 0:
            break
        kept.insert(0, document)
    return kept
