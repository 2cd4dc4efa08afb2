"""Which labelled rows are trained on, and which are tested on."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from selftaught.errors import SelftaughtError


def few_label_subset(labels: Sequence[str], per_class: int | None, seed: int) -> np.ndarray:
    """Ascending indices of `per_class` rows of every class, drawn at random; all rows where it is None.

    The draws of a seed are nested (its 8 rows a class are among its 32), so that a curve over budgets adds
    labels and never swaps them. A class with fewer rows gives all it has.
    """
    if per_class is None:
        return np.arange(len(labels))
    classes, codes = np.unique(labels, return_inverse=True)
    chosen = [
        _class_rng(seed, name).permutation(np.flatnonzero(codes == code))[:per_class]
        for code, name in enumerate(classes)
    ]
    return np.sort(np.concatenate(chosen))


def split_train_test(
    texts: Sequence[str], labels: Sequence[str], test_share: float = 0.2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Ascending indices of the training and of the test rows, stratified by label.

    Rows whose texts are identical but for case and white space stay on one side, else the test would ask
    what the training has told. Every class keeps a row to train on. The share holds over all rows and, as
    near as groups of identical rows allow, within each class.

    Raises:
        SelftaughtError: the rows are too few (or too often the same) to give both sides one.
    """
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        groups.setdefault(folded(text), []).append(row)
    by_class: dict[str, list[list[int]]] = {}
    for rows in groups.values():
        by_class.setdefault(labels[rows[0]], []).append(rows)

    test: list[int] = []
    wanted = 0.0
    for name in sorted(by_class):
        members = by_class[name]
        wanted += test_share * sum(map(len, members))  # what one class rounds off, the next makes good
        for index in _class_rng(seed, name).permutation(len(members))[1:]:
            if len(test) + len(members[index]) / 2 > wanted:
                break
            test.extend(members[index])
    if not test:
        raise SelftaughtError(
            f"{len(labels)} labelled rows are too few to set any aside for the test",
            do="give more labelled rows with different texts, or a test file of its own",
        )
    is_test = np.zeros(len(labels), dtype=bool)
    is_test[test] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def folded(text: str) -> str:
    """A text but for case and white space."""
    return " ".join(text.casefold().split())


def _class_rng(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(str(name).encode())])
