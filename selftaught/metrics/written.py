"""How good written texts are beside those that people wrote: BLEU, chrF and ROUGE, by the libraries of the field."""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from selftaught.metrics.baselines import is_chinese
from selftaught.pretext.words import is_cjk

_ROUGE = ("rouge1", "rouge2", "rougeL")


def written_scores(said: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """``chrf``, ``bleu``, ``rouge1``, ``rouge2``, ``rougeL`` and ``exact_match``, each from 0 to 1.

    BLEU (Papineni et al. 2002) and chrF (Popović 2015) are those of sacreBLEU, over all texts together, with its
    tokenisation ``13a``, or ``zh`` if the references are Chinese: each Chinese character is a token. ROUGE (Lin 2004)
    is the mean F1 of rouge-score, with stemming; in Chinese a token is a character, or a word of another script.

    Args:
        references: of each text, one or several that are all right. ROUGE and exact match take the nearest one.
    """
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU, CHRF

    chinese = is_chinese([one for some in references for one in some])
    streams = [list(stream) for stream in zip_longest(*references)]  # sacreBLEU passes over the Nones
    whole = {
        "chrf": CHRF().corpus_score(said, streams).score / 100,
        "bleu": BLEU(tokenize="zh" if chinese else "13a").corpus_score(said, streams).score / 100,
    }
    scorer = RougeScorer(_ROUGE, use_stemmer=True, tokenizer=_Characters() if chinese else None)
    pairs = list(zip(said, references, strict=True))
    rouge = [scorer.score_multi(list(some), text) for text, some in pairs]
    exact = [text.strip() in {one.strip() for one in some} for text, some in pairs]
    parts = {name: float(np.mean([one[name].fmeasure for one in rouge])) for name in _ROUGE}
    return {**whole, **parts, "exact_match": float(np.mean(exact))}


class _Characters:
    """rouge-score's own tokenizer knows Latin letters and digits only."""

    def tokenize(self, text: str) -> list[str]:
        """Chinese characters one by one, and what stands between them in words."""
        apart = "".join(f" {char} " if is_cjk(char) else char if char.isalnum() else " " for char in text.lower())
        return apart.split()
