"""People's judgements on pairs of words, in the files as they are published; gensim brings two among its test data."""

import numpy as np
import pytest

from selftaught.suites import similarity
from selftaught.word2vec.model import WordModel
from selftaught.word2vec.options import SkipGram
from selftaught.word2vec.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("name", "words", "pairs", "covered"),
    [
        ("wordsim353.tsv", "tiger cat book paper stock cd", 353, 4),  # three pairs, and tiger with itself
        ("simlex999.txt", "old new smart intelligent hard difficult happy cheerful", 999, 4),
    ],
)
def test_published_files_are_read_as_they_are(name: str, words: str, pairs: int, covered: int) -> None:
    """Tabs in a .txt, two lines of comment, capitals: each pair counts, and each other line is named."""
    gensim = pytest.importorskip("gensim.test.utils")
    known = Vocabulary(tuple(words.split()), np.full(len(words.split()), 5))
    vectors = np.random.default_rng(0).normal(size=(len(known), 4)).astype(np.float32)
    report, lines = similarity.run(WordModel(known, vectors, SkipGram()), gensim.datapath(name), None, 0)
    assert (report["pairs"], report["covered"]) == (pairs, covered)
    assert [row["line"] for row in report["rows"]["quarantined"]] == [1, 2]
    assert f"covered     {covered} of {pairs} pairs, both of whose words are known" in lines
