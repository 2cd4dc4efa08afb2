"""What words alone say about two segments: the linear control of :mod:`benchmarks.order`.

A logistic regression on the words that one segment has and the other has not, with their sign, and on those that both
have. It sees neither the order of words within a segment nor where one ends, so whatever it answers needs no network.
"""

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from selftaught.metrics.logistic import fit_logistic

if TYPE_CHECKING:  # torch reads the environment when it is loaded
    from selftaught.objective import Batch, Objective
    from selftaught.text.preparing import Pretraining

_BATCH = 500


class Words:
    """The control, taught one question from some of the pairs that the networks are taught with.

    Args:
        ready: the run whose text, pairs and seed these are.
        question: nsp or sop.
        pairs: how many to learn from.
    """

    def __init__(self, ready: "Pretraining", question: "Objective", pairs: int) -> None:
        from selftaught.data.loader import Batches
        from selftaught.data.samples import samples_of

        text, train = ready.spec.text, ready.recipe.train
        assert text is not None
        self._special = text.special.numpy()
        source = samples_of(ready.corpus.train, "pairs", train.length, train.seed, text)
        batches = Batches(source, question, ready.spec, _BATCH, train.seed).starting(0)
        posed = list(islice(batches, -(-pairs // _BATCH)))
        wrong = np.concatenate([batch["wrong"].numpy() for batch in posed])
        self._weight, self._bias = fit_logistic(self._rows(posed), wrong, train.seed)

    def right(self, posed: "list[Batch]") -> float:
        """The share of right answers to questions, which need not be of the kind that was taught."""
        logits = self._rows(posed) @ self._weight + self._bias
        return float((logits.argmax(1) == np.concatenate([batch["wrong"].numpy() for batch in posed])).mean())

    def _rows(self, posed: "list[Batch]") -> Any:
        """CSR [N, 2V + 1]: first less second, the products, and how alike the two are."""
        from scipy.sparse import csr_matrix, hstack, vstack  # type: ignore[import-untyped]

        first, second = (vstack([self._counts(batch, place) for batch in posed]) for place in (0, 1))
        both = first.multiply(second)
        alike = csr_matrix(both.sum(axis=1), dtype=np.float32)
        return hstack([(first - second) / 2, both, alike], format="csr", dtype=np.float32)

    def _counts(self, batch: "Batch", place: int) -> Any:
        """CSR [B, V]: 1 + ln of how often each token stands in the first or second segments, rows of length one."""
        from scipy.sparse import coo_matrix
        from sklearn.preprocessing import normalize  # type: ignore[import-untyped]

        ids, own = batch["input_ids"].numpy(), batch["token_type_ids"].numpy() == place
        row, column = np.nonzero(own & batch["attention_mask"].numpy() & ~self._special[ids])
        shape = (len(ids), len(self._special))
        counts = coo_matrix((np.ones(len(row), np.float32), (row, ids[row, column])), shape=shape).tocsr()
        counts.data = 1 + np.log(counts.data)
        return normalize(counts)
