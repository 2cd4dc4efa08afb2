"""Training word vectors: rounds of pieces of the corpus, which threads take as they come and train on without locks."""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
import torch
from torch import nn

from selftaught.data.store import TokenStore
from selftaught.fit import Steps
from selftaught.health import check_finite
from selftaught.loop import Progress, Report
from selftaught.randomness import derive
from selftaught.schedule import Schedule
from selftaught.word2vec.forms import COMMON
from selftaught.word2vec.options import WordObjective
from selftaught.word2vec.tables import Tables

PIECES_A_ROUND = 32  # so many that threads which end at different times wait for little
_LONGEST_PIECE = 10_000  # words: long enough that what Python does for each piece, one thread at a time, is little
_SHORTEST_PIECE = 200
_ROUNDS = 10  # an epoch at least, where the corpus allows it, so that a run can be watched and ended


class WordMatrices(nn.Module):
    """The two matrices that are learned, float32 [V, D]: a word as it stands in a window, and as it is guessed.

    Behind the words the first may have rows for character n-grams. With hierarchical softmax, the second has the places
    where the ways to the words part.
    The inputs begin at random within 1/2D of zero, the outputs at zero, as in word2vec.

    Args:
        spare: rows behind both that training may write as it likes; they are no part of what is learned.
    """

    def __init__(self, words: int, dimensions: int, seed: int, *, ngrams: int = 0, spare: int = 0) -> None:
        super().__init__()
        self.with_spare = [np.zeros((rows + spare, dimensions), np.float32) for rows in (words + ngrams, words)]
        inputs, outputs = (matrix[: len(matrix) - spare] for matrix in self.with_spare)
        np.random.default_rng(derive("weights", seed)).random(out=inputs, dtype=np.float32)
        inputs -= 0.5
        inputs /= dimensions
        self.inputs = nn.Parameter(torch.from_numpy(inputs), requires_grad=False)
        self.outputs = nn.Parameter(torch.from_numpy(outputs), requires_grad=False)


@dataclass(frozen=True)
class Pieces:
    """A corpus cut into pieces of as many words; what is left at the end is one more.

    Args:
        size: words of a piece.
    """

    store: TokenStore
    size: int

    def __len__(self) -> int:
        return math.ceil(len(self.store) / self.size)

    def take(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The words of a piece, int32 [N], and where documents begin in it and where it ends, int64 [S + 1]."""
        first = number * self.size
        last = min(first + self.size, len(self.store))
        ids = self.store.span(first, last).astype(np.int32)
        starts = self.store.document_starts
        within = starts[np.searchsorted(starts, first, "right") : np.searchsorted(starts, last, "left")]
        return ids, np.unique(np.array([0, *(within - first), last - first], np.int64))


def spare_rows(objective: WordObjective, words: int, threads: int) -> int:
    """Rows that threads are to have for themselves; with one, or where rows are not those of words alone, none."""
    alone = threads == 1 or objective.min_n > 0 or words <= COMMON
    return 0 if alone else threads * COMMON


def pieces_for(store: TokenStore) -> Pieces:
    """Pieces so small that an epoch has some rounds."""
    wanted = len(store) // (_ROUNDS * PIECES_A_ROUND)
    return Pieces(store, min(max(wanted, _SHORTEST_PIECE), _LONGEST_PIECE))


@dataclass(frozen=True)
class Trainer:
    """Trains the matrices on pieces.

    Args:
        rate: the step size at the beginning; it falls as the schedule says.
        seed: decides the order of the pieces in each epoch, and all that is drawn in each of them.
        threads: how many train at once. With one, the same run twice gives the same bits.
    """

    objective: WordObjective
    matrices: WordMatrices
    tables: Tables
    pieces: Pieces
    schedule: Schedule
    rate: float
    seed: int
    threads: int

    def steps(self) -> Steps:
        """A report after each round; its loss is the mean over the round's predictions, in nats."""
        train = self._piece_trainer()

        def steps(start: Progress) -> Iterator[Report]:
            progress, began = start, time.perf_counter() - start.seconds
            with ThreadPoolExecutor(self.threads) as pool:
                while self.schedule.progress(progress.step, progress.seconds) < 1.0:
                    round_began = time.perf_counter()
                    places = enumerate(range(progress.samples, progress.samples + PIECES_A_ROUND))
                    work = [pool.submit(train, place, self._rate(progress, i)) for i, place in places]
                    done = [one.result() for one in work]
                    predictions = sum(count for _, count in done)
                    loss = sum(total for total, _ in done) / max(predictions, 1)
                    check_finite("loss", loss, progress.step + 1, progress.samples, PIECES_A_ROUND)
                    now = time.perf_counter()
                    progress = Progress(progress.step + 1, progress.samples + PIECES_A_ROUND, now - began)
                    factor = self.schedule.rate(progress.step, progress.seconds)
                    yield Report(progress, loss, {}, None, factor, PIECES_A_ROUND, 0.0, now - round_began)

        return steps

    def _rate(self, progress: Progress, piece: int) -> float:
        """The step size of a piece of the coming round; it falls within a round, too."""
        return self.rate * self.schedule.rate(progress.step + piece / PIECES_A_ROUND, progress.seconds)

    def _piece_trainer(self) -> "_PieceTrainer":
        return _PieceTrainer(self)


class _PieceTrainer:
    """Trains on the piece that comes at a place in the endless order of epochs; called by several threads at once."""

    def __init__(self, trainer: Trainer) -> None:
        tables, matrices = trainer.tables, trainer.matrices.with_spare
        self._trainer, self._kernel = trainer, trainer.objective.kernel(parts=tables.has_parts)
        self._arrays = (tables.keep, tables.aims, tables.parts, *matrices)
        self._orders: dict[int, np.ndarray] = {}
        self._own: SimpleQueue[int] = SimpleQueue()
        words, spare = len(tables.keep), len(matrices[1]) - len(tables.keep)
        for first in range(words, words + spare, COMMON) if spare else [0] * trainer.threads:
            self._own.put(first)
        self._train(np.zeros(0, np.int32), np.zeros(1, np.int64), 0.0, 1)  # compiled now, not in a run's first seconds

    def __call__(self, place: int, rate: float) -> tuple[float, int]:
        epoch, within = divmod(place, len(self._trainer.pieces))
        number = int(self._order(epoch)[within])
        seed = derive("piece", self._trainer.seed, epoch, number)
        return self._train(*self._trainer.pieces.take(number), rate, seed)

    def _train(self, ids: np.ndarray, bounds: np.ndarray, rate: float, seed: int) -> tuple[float, int]:
        own = self._own.get()
        done = self._kernel(ids, bounds, *self._arrays, own, np.float32(rate), np.uint64(seed | 1))
        self._own.put(own)
        return done

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:  # two threads may both compute it, to the same numbers
            drawn = np.random.default_rng(derive("order", self._trainer.seed, epoch))
            self._orders = {epoch: drawn.permutation(len(self._trainer.pieces)), **_latest(self._orders)}
        return self._orders[epoch]


def _latest(orders: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    return {epoch: order for epoch, order in orders.items() if epoch == max(orders)}


def held_out_loss(
    objective: WordObjective, matrices: WordMatrices, tables: Tables, store: TokenStore, seed: int
) -> float | None:
    """The mean loss of a prediction on text that was not trained on, in nats; None if there are none.

    The kernel is run with a rate of zero, so that nothing changes; which words are dropped and which are noise is the
    same at every call.
    """
    arrays = (tables.keep, tables.aims, tables.parts, matrices.inputs.numpy(), matrices.outputs.numpy())
    pieces, kernel = Pieces(store, _LONGEST_PIECE), objective.kernel(parts=tables.has_parts)
    total = count = 0.0
    for number in range(len(pieces)):
        key = np.uint64(derive("held out", seed, number) | 1)
        loss, predictions = kernel(*pieces.take(number), *arrays, 0, np.float32(0), key)
        total, count = total + loss, count + predictions
    return total / count if count else None
