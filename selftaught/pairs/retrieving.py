"""How well two towers find captions for pictures and pictures for captions, in all and by how captions are written."""

from dataclasses import dataclass

import numpy as np

from selftaught.data.pair_store import PairStore
from selftaught.metrics.retrieval import retrieval
from selftaught.pairs.model import PairModel
from selftaught.pretext.words import is_cjk
from selftaught.randomness import derive

TO_TEXT, TO_PICTURE = "picture to caption", "caption to picture"
MOST = 2_000  # pictures that are asked about
_FEW = 10  # pictures with captions of a writing, below which it is not measured by itself

Measured = dict[str, dict[str, dict[str, float]]]
"""By how captions are written, or ``all``; then by way; then as :meth:`Retrieval.to_json` says."""


@dataclass(frozen=True)
class Found:
    """Some pictures, their different captions, and how near each picture is to each caption.

    Args:
        rows: places of the pictures, int64 [N].
        texts: the captions.
        cosines: float32 [N, C].
        right: which captions are a picture's own, bool [N, C].
    """

    rows: np.ndarray
    texts: tuple[str, ...]
    cosines: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, model: PairModel, store: PairStore, rows: np.ndarray, seed: int = 0) -> "Found":
        """Ask the towers about pictures of a store; about ``MOST`` of them, where there are more."""
        if len(rows) > MOST:
            rows = np.sort(np.random.default_rng(derive("retrieval", seed)).permutation(rows)[:MOST])
        texts = tuple(dict.fromkeys(text for row in rows for text in store.captions(row)))
        place = {text: i for i, text in enumerate(texts)}
        right = np.zeros((len(rows), len(texts)), bool)
        for i, row in enumerate(rows):
            right[i, [place[text] for text in store.captions(row)]] = True
        return cls(rows, texts, model.of_pictures(store.pixels[rows]) @ model.of_texts(texts).T, right)

    def measures(self) -> Measured:
        """Both ways; where some captions are Chinese and some are not, also of each alone."""
        chinese = np.array([any(map(is_cjk, text)) for text in self.texts], bool)
        parts: dict[str, np.ndarray] = {"all": np.ones(len(self.texts), bool)}
        if min(self.right[:, chinese].any(1).sum(), self.right[:, ~chinese].any(1).sum()) >= _FEW:
            parts |= {"alphabetic": ~chinese, "Chinese": chinese}
        return {name: self._ways(captions) for name, captions in parts.items()}

    def _ways(self, captions: np.ndarray) -> dict[str, dict[str, float]]:
        pictures = self.right[:, captions].any(1)
        cosines, right = self.cosines[pictures][:, captions], self.right[pictures][:, captions]
        return {
            TO_TEXT: retrieval(cosines, right).to_json(),
            TO_PICTURE: retrieval(cosines.T, right.T).to_json(),
        }


def told(part: str, way: str, values: dict[str, float]) -> str:
    """One way, for the terminal."""
    kind = "" if part == "all" else f" ({part})"
    recalls = ", ".join(f"R@{k} {values[f'R@{k}']:.1%}" for k in (1, 5, 10))
    times = values["R@10"] / values["chance_R@10"]
    return (
        f"{way}{kind}: {recalls} ({values['chance_R@10']:.1%} by chance, {times:.1f} times that); median rank "
        f"{values['median_rank']:g} of {values['candidates']:,.0f} (chance {values['chance_rank']:,.0f})"
    )
