"""Word vectors beside gensim's: the same words, options and threads in one run; speed, and whether quality is the same.

Both sides are given the words of the training text that occur often enough, so that neither spends time on cutting text
or counting. What is timed is training alone, compiled code on both sides. The loss on held-out text is measured by one
program for both.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import cyclopts
import numpy as np

from benchmarks.pairs import SEVERAL, alternate, compared, note, tell

BARS = {"skipgram": 3.0, "cbow": 1.5}
SCALING_BAR = 1.8
_SENTENCE = 10_000  # words: the longest that gensim takes whole


def measure(
    *,
    data: Path,
    questions: Path | None = None,
    similarity: Annotated[tuple[Path, ...], SEVERAL] = (),
    epochs: int = 5,
    threads: int | None = None,
    seeds: int = 3,
    objectives: Annotated[tuple[str, ...], SEVERAL] = ("skipgram", "cbow"),
    rate: float | None = None,
    negatives: int = 5,
    min_n: int = 0,
) -> None:
    """Compare training word vectors with gensim.

    Args:
        data: Text as for pretrain.
        questions: Analogies, such as questions-words.txt.
        similarity: Tables of two words and a score; WordSim-353 and SimLex-999, which gensim brings, if not given.
        epochs: Of each run.
        threads: Of both sides; all cores if not given.
        seeds: Runs of each side, alternating.
        objectives: skipgram, cbow or both.
        rate: The first step size of both sides; each side's own if not given.
        negatives: Noise words; 0 for hierarchical softmax.
        min_n: The shortest character n-grams, as in fastText; 0 for none.
    """
    threads = threads or len(os.sched_getaffinity(0))
    similarity = similarity or brought_by_gensim()
    results = []
    for name in objectives:
        with TemporaryDirectory() as scratch:
            trial = Trial.of(name, {"negatives": negatives, "min_n": min_n}, data, Path(scratch), epochs, rate)
            results.append(_one(trial, threads, seeds, questions, similarity))
    tell({"name": "word2vec_vs_gensim", "unit": "words/s", "epochs": epochs, "threads": threads, "objectives": results})


def brought_by_gensim() -> tuple[Path, ...]:
    """The judgements of people on pairs of words among gensim's own test data."""
    from gensim.test.utils import datapath

    return tuple(Path(datapath(name)) for name in ("wordsim353.tsv", "simlex999.txt"))


@dataclass(frozen=True)
class Trial:
    """One objective on a corpus of words.

    Args:
        corpus: as the library prepares it.
        sentences: the training text as lists of words, for gensim.
    """

    objective: Any
    corpus: Any
    sentences: list[list[str]]
    epochs: int
    rate: float | None

    @classmethod
    def of(
        cls, name: str, options: dict[str, Any], data: Path, folder: Path, epochs: int, rate: float | None
    ) -> "Trial":
        from selftaught.word2vec.corpus import prepare_words
        from selftaught.word2vec.options import word_objective

        objective = word_objective(name, options)
        corpus = prepare_words(str(data), folder / "tokens", objective, seed=0)
        return cls(objective, corpus, list(_sentences(corpus)), epochs, rate)

    @cached_property
    def tables(self) -> Any:
        """What training draws by."""
        from selftaught.word2vec.tables import Tables

        return Tables.of(self.objective, self.corpus.vocabulary)

    @property
    def words(self) -> int:
        """That each run goes over."""
        return len(self.corpus.train) * self.epochs

    def ours(self, threads: int, found: list[Any]) -> float:
        """Train with the library; words a second, and the model into ``found``."""
        from selftaught.schedule import Schedule
        from selftaught.word2vec.training import PIECES_A_ROUND, Trainer, WordMatrices, pieces_for, spare_rows

        seed, pieces = len(found), pieces_for(self.corpus.train)
        words, ngrams = len(self.corpus.vocabulary), len(self.tables.ngrams)
        spare = spare_rows(self.objective, words, threads)
        matrices = WordMatrices(words, self.objective.dimensions, seed, ngrams=ngrams, spare=spare)
        schedule = Schedule(steps=round(self.epochs * len(pieces) / PIECES_A_ROUND), warmup=0.0, final=1e-4)
        rate = self.rate or self.objective.rate
        trainer = Trainer(self.objective, matrices, self.tables, pieces, schedule, rate, seed, threads)
        steps = trainer.steps()
        began = time.perf_counter()
        for report in steps(_nothing_yet()):
            loss = report.loss
        took = time.perf_counter() - began
        found.append((self.tables.composed(matrices.inputs.numpy()), matrices.outputs.numpy()))
        done = report.progress.samples / len(pieces) * len(self.corpus.train)
        note(f"     ours, {threads} threads: {done / took:,.0f} words/s, last loss {loss:.4f}")
        return done / took

    def gensim(self, threads: int, found: list[Any]) -> float:
        """The same by gensim."""
        from gensim.models import FastText, Word2Vec
        from gensim.models.word2vec import FAST_VERSION

        assert FAST_VERSION >= 0, "gensim runs without its compiled code"
        asked, seed = self.objective, len(found)
        ngrams = {"min_n": asked.min_n, "max_n": asked.max_n} if asked.min_n else {}
        model = (FastText if ngrams else Word2Vec)(
            vector_size=asked.dimensions,
            window=asked.window,
            negative=asked.negatives,
            hs=int(asked.negatives == 0),
            min_count=1,  # the rare words are gone already
            sample=asked.sample,
            sg=int(asked.name == "skipgram"),
            workers=threads,
            seed=seed + 1,
            **({"alpha": self.rate} if self.rate else {}),
            **ngrams,
        )
        model.build_vocab(self.sentences)
        began = time.perf_counter()
        model.train(self.sentences, total_words=len(self.corpus.train), epochs=self.epochs)
        took = time.perf_counter() - began
        places = [model.wv.key_to_index[word] for word in self.corpus.vocabulary.words]
        outputs = model.syn1neg[places] if asked.negatives else None  # its tree is another
        found.append((model.wv.vectors[places], outputs))
        note(f"     gensim, {threads} threads: {self.words / took:,.0f} words/s")
        return self.words / took

    def floor(self) -> float:
        """Words a second on all cores if there were nothing to do but the arithmetic, as fast as a matrix product's."""
        asked, vocabulary = self.objective, self.corpus.vocabulary
        outputs, inputs = self.tables.chance / np.log(2), 1 + asked.window  # a window: its mean reach + 1/2, twice
        products = outputs * inputs if asked.name == "skipgram" else outputs
        sums = 0 if asked.name == "skipgram" else 2 * inputs
        kept = float((vocabulary.keep(asked.sample) * vocabulary.shares).sum())
        operations = kept * asked.dimensions * (3 * 2 * products + sums)
        square = np.ones((1024, 1024), np.float32)
        times = []
        for _ in range(10):
            began = time.perf_counter()
            square @ square
            times.append(time.perf_counter() - began)
        return 2 * 1024**3 / float(np.median(times)) / operations

    def quality(self, matrices: Any, questions: Path | None, similarity: tuple[Path, ...]) -> dict[str, float]:
        """The mean loss of a held-out prediction, and how well analogies and similarities are told."""
        import torch

        from selftaught.word2vec.forms import Parts
        from selftaught.word2vec.model import WordModel
        from selftaught.word2vec.training import WordMatrices, held_out_loss

        found = {}
        if self.objective.negatives:
            own = WordMatrices(len(self.corpus.vocabulary), self.objective.dimensions, 0)
            for parameter, values in zip((own.inputs, own.outputs), matrices, strict=True):
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))
            tables = replace(self.tables, parts=Parts.none())
            loss = held_out_loss(self.objective, own, tables, self.corpus.held_out, 0)
            found["held_out_loss"] = loss if loss is not None else float("nan")
        model = WordModel(self.corpus.vocabulary, matrices[0], self.objective)
        if questions is not None:
            from selftaught.suites import analogies

            report, _ = analogies.run(model, str(questions), None, 0)
            found |= {"analogies": report["groups"][-1]["accuracy"], "covered": report["groups"][-1]["covered"]}
        for pairs in similarity:
            from selftaught.suites import similarity as ranked

            report, _ = ranked.run(model, str(pairs), None, 0)
            found |= {pairs.stem: report["spearman"], f"{pairs.stem}_covered": report["covered"]}
        return found


def _nothing_yet() -> Any:
    from selftaught.loop import Progress

    return Progress()


def _sentences(corpus: Any) -> Iterator[list[str]]:
    words, store = corpus.vocabulary.words, corpus.train
    bounds = store.document_starts.tolist()
    for first, last in pairwise(bounds):
        for begin in range(first, last, _SENTENCE):
            yield [words[i] for i in store.take(np.arange(begin, min(begin + _SENTENCE, last))).tolist()]


def _one(
    trial: Trial, threads: int, seeds: int, questions: Path | None, similarity: tuple[Path, ...]
) -> dict[str, Any]:
    from selftaught.metrics.interval import paired_difference

    found: dict[str, list[Any]] = {"peer": [], "ours": [], "ours_one_thread": []}
    sides: dict[str, Callable[[], float]] = {
        "peer": partial(trial.gensim, threads, found["peer"]),
        "ours": partial(trial.ours, threads, found["ours"]),
        "ours_one_thread": partial(trial.ours, 1, found["ours_one_thread"]),
    }
    rates = alternate(sides, seeds)
    quality = {
        side: [trial.quality(matrices, questions, similarity) for matrices in found[side]] for side in ("peer", "ours")
    }
    differences = {}
    for measure in quality["peer"][0]:
        ours, peer = ([one[measure] for one in quality[side]] for side in ("ours", "peer"))
        differences[measure] = asdict(paired_difference(ours, peer))
    name = trial.objective.name
    result = compared(name, "words/s", rates, bar=BARS[name], floor=trial.floor())
    scaling = float(np.median(np.array(rates["ours"]) / np.array(rates["ours_one_thread"])))
    note(f"{name}: scaling {scaling:.2f}, quality {quality}")
    facts = {"scaling": scaling, "scaling_bar": SCALING_BAR, "quality": quality, "ours_minus_peer": differences}
    return {**result, **facts, "vocabulary": len(trial.corpus.vocabulary), "corpus_words": len(trial.corpus.train)}


if __name__ == "__main__":
    cyclopts.run(measure)
