"""Extractive question answering: the hidden thing is the passage of a text that answers a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selftaught.backbones.heads import QuestionAnsweringHead
from selftaught.backbones.hf import text_backbone
from selftaught.data.examples import Columns, Examples
from selftaught.data.question_files import read_questions
from selftaught.data.questions import Question, questions_in_twos
from selftaught.data.tokenise import TextTokenizer
from selftaught.data.windows import as_batch, token_span, windows
from selftaught.metrics.answers import answer_scores
from selftaught.metrics.baselines import is_chinese
from selftaught.metrics.sliding_window import NOTHING, SENTENCE, WORDS, nearest_sentence, nearest_words
from selftaught.objective import Batch, Spec, Sums
from selftaught.randomness import Randomness
from selftaught.task import Answer, Task

_ENDS = ("start", "end")
_MANY_CONTEXTS = 20
_UNSPACED = "\u0e00"  # from Thai on: what follows is mostly written without spaces, Chinese among it


@dataclass(frozen=True)
class AnswerQuestions(Task[Question]):
    """Answer a question by a passage of the text that is given with it.

    The first and the last token of it are predicted (Devlin et al. 2019, sections 4.2 and 4.3). A long text is several
    rows, each with the question. In a row that does not hold the answer, the first token is to be predicted, which
    stands for "not here".

    Args:
        unanswerable: whether there are questions that the text does not answer; then "" is an answer as well.
        longest_answer: the most characters of an answer; those of the longest one trained on, if not given.
        threshold: "" is the answer where its logarithmic probability is above that of the best passage by more than
            this.
    """

    unanswerable: bool
    longest_answer: int = 100
    threshold: float = 0.0

    pipeline: ClassVar[str] = "question-answering"
    longest: ClassVar[int] = 384
    cuts: ClassVar[bool] = False
    patience: ClassVar[int] = 12  # it is learned late and then at once: before that, the best score is chance
    caveat: ClassVar[str] = (
        "An answer is a passage of the text it is given, true or not; unless it was trained on questions without an "
        "answer, it gives one to every question."
    )

    @staticmethod
    def read(path: str | Path, columns: Columns, *, labelled: bool = True) -> Examples[Question]:
        """SQuAD's JSON, records with a question, a context and answers, or four files side by side with token spans."""
        return read_questions(path, columns, labelled=labelled)

    def asked(self, texts: Sequence[str]) -> list[Question]:
        """Each two texts are a question and its context."""
        return questions_in_twos(texts)

    @classmethod
    def of(cls, examples: Sequence[Question], **options: Any) -> Self:
        longest = max(example.end - example.begin for example in examples)
        options.setdefault("longest_answer", longest or cls.longest_answer)
        return cls(not all(example.answers for example in examples), **options)

    def encode(self, examples: Sequence[Question], tokenizer: TextTokenizer, longest: int, *, labelled: bool) -> Batch:
        """Rows as :func:`selftaught.data.windows.as_batch` makes them; ``start`` and ``end`` int64 [R] are the targets.

        ``characters`` int64 [B, C] are the contexts, from which the answers are taken.
        """
        read = tokenizer.encode_with_places([example.context for example in examples])
        rows = windows(tokenizer, [example.question for example in examples], read, longest)
        batch = as_batch(rows, tokenizer)
        contexts = [torch.tensor(list(map(ord, example.context))) for example in examples]
        batch["characters"] = nn.utils.rnn.pad_sequence(contexts, batch_first=True)
        if labelled:
            spans = [token_span(places, e.begin, e.end) for e, (_, places) in zip(examples, read, strict=True)]
            targets = torch.tensor([row.row_places(spans[row.example]) for row in rows])
            batch["start"], batch["end"] = targets.unbind(1)
        return batch

    def pretext(self, samples: Batch, spec: Spec, rng: Randomness) -> Batch:
        """From the rows, with ``start`` and ``end`` int64 [R]; each row is a target."""
        return {**samples, "n": len(samples["start"])}

    def heads(self, backbones: nn.ModuleDict, spec: Spec) -> nn.Module:
        """The model's own question answering head."""
        return QuestionAnsweringHead.of(text_backbone(backbones))

    def loss(self, features: Tensor, heads: nn.Module, batch: Batch) -> Sums:
        """The mean of the cross-entropies of both ends, in nats, summed over rows."""
        logits = _logits(features, heads, batch)
        return {"loss": sum(F.cross_entropy(logits[i], batch[end], reduction="sum") for i, end in enumerate(_ENDS)) / 2}

    def predict(self, features: Tensor, heads: nn.Module, batch: Batch) -> list[Answer]:
        """``answer``, its ``score``, and ``start`` and ``end``, its place in the context in characters.

        The score is the probability of the first token times that of the last one, in the row where it is largest; that
        of "", which has no place, is the smallest over rows of the probability of "not here".
        """
        scores = _logits(features, heads, batch).log_softmax(2).cpu().numpy()  # [2, R, T]
        places = batch["places"].cpu().numpy()
        found = []
        for example, rows in groupby(enumerate(batch["example"].tolist()), key=lambda row: row[1]):
            numbers = [number for number, _ in rows]
            text = "".join(map(chr, batch["characters"][example].tolist()))
            borders = _borders(text)
            best = max(self._best_passage(scores[:, number], places[number], borders) for number in numbers)
            nothing = min(float(scores[:, number, 0].sum()) for number in numbers)
            score, start, end = best
            if start == end or (self.unanswerable and nothing > score + self.threshold):
                found.append({"answer": "", "score": float(np.exp(nothing)), "start": None, "end": None})
            else:
                found.append({"answer": text[start:end], "score": float(np.exp(score)), "start": start, "end": end})
        return found

    def shown(self, answer: Answer) -> list[str]:
        """The answer, its score and its place; a dash where there is no answer."""
        place = [] if answer["start"] is None else [str(answer["start"]), str(answer["end"])]
        return [answer["answer"] or "-", f"{answer['score']:.3f}", *place]

    def measure(self, examples: Sequence[Question], answers: Sequence[Answer]) -> dict[str, float]:
        """F1 and exact match; where some questions have no answer, the F1 of these and of the others."""
        said = [(example, answer["answer"]) for example, answer in zip(examples, answers, strict=True)]
        scores = [answer_scores(text, e.answers, chinese=is_chinese([e.context])) for e, text in said]
        exact, f1 = (np.array(column) for column in zip(*scores, strict=True))
        measures = {"f1": float(f1.mean()), "exact_match": float(exact.mean())}
        has = np.array([bool(example.answers) for example in examples])
        if has.any() and not has.all():
            measures |= {"f1_answerable": float(f1[has].mean()), "f1_unanswerable": float(f1[~has].mean())}
        return measures

    def baselines(self, train: Sequence[Question], test: Sequence[Question], seed: int) -> dict[str, list[Answer]]:
        """The sentence with most of the question's words, the words next to these, and no answer where that occurs."""
        found: dict[str, list[Answer]] = {
            name: [{"answer": e.context[slice(*nearest(e.question, e.context))]} for e in test]
            for name, nearest in ((SENTENCE, nearest_sentence), (WORDS, nearest_words))
        }
        if self.unanswerable:
            found[NOTHING] = [{"answer": ""}] * len(test)
        return found

    def kin(self, examples: Sequence[Question]) -> list[str]:
        """The contexts: what was learned about one is of no use to questions about another. If there are many."""
        contexts = [example.context for example in examples]
        return contexts if len(set(contexts)) >= _MANY_CONTEXTS else super().kin(examples)

    def facts(self, examples: Sequence[Question]) -> dict[str, dict[str, float]]:
        lengths = [example.end - example.begin for example in examples if example.answers]
        found: dict[str, dict[str, float]] = {}
        if 0 < len(lengths) < len(examples):
            found["questions"] = {"with an answer": len(lengths), "without one": len(examples) - len(lengths)}
        if lengths:
            found["answers"] = {"mean characters": float(np.mean(lengths)), "most": float(max(lengths))}
        return found

    def _best_passage(self, scores: np.ndarray, places: np.ndarray, borders: np.ndarray) -> tuple[float, int, int]:
        """The best passage of a row and where it stands, 0, 0 if there is none.

        From float32 [2, T], int64 [T, 2], and where in the text words begin or end, bool [C + 1].
        """
        text = np.flatnonzero(places[:, 0] >= 0)
        begins, ends = places[text].T
        first_scores, last_scores = scores[:, text]
        length = ends[None] - begins[:, None]
        one = np.eye(len(text), dtype=bool)  # a token that is longer than any answer is one nevertheless
        possible = np.triu((length > 0) & ((length <= self.longest_answer) | one))
        possible &= borders[begins][:, None] & borders[ends][None]
        if not possible.any():
            return -np.inf, 0, 0
        joint = np.where(possible, first_scores[:, None] + last_scores[None], -np.inf)
        first, last = np.unravel_index(joint.argmax(), joint.shape)
        return float(joint[first, last]), int(begins[first]), int(ends[last])


def _logits(features: Tensor, heads: nn.Module, batch: Batch) -> Tensor:
    """[2, R, T]: of the first and of the last token; -inf where there is neither text nor the first of all tokens."""
    possible = batch["places"][:, :, 0] >= 0
    possible[:, 0] = True
    return heads(features).float().permute(2, 0, 1).masked_fill(~possible, -torch.inf)


def _borders(text: str) -> np.ndarray:
    """Between which characters an answer may begin or end: not within a word, in scripts that put space between them.

    bool [C + 1]; true at i if it may between the characters i - 1 and i.
    """
    in_word = np.array([False, *(char < _UNSPACED and char.isalnum() for char in text), False])
    return ~(in_word[:-1] & in_word[1:])
