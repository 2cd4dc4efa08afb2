"""Pairs of segments: what follows what, what comes from elsewhere, and that nothing but the text tells them apart."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught.data.segment_pairs import SegmentPairs
from selftaught.data.store import StoreWriter, TokenStore
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch, Spec, TextSpec

Documents = list[list[int]]
NewStore = Callable[[Documents], TokenStore]


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> NewStore:
    """Documents of sentences of given lengths, each between 1 and 2; the ordinary tokens are 100, 101, … in order."""

    def new(documents: Documents) -> TokenStore:
        folder = tmp_path_factory.mktemp("store") / "tokens"
        writer = StoreWriter(
            folder, source="", tokenizer="", vocab_size=1 << 17, opening=(1,), closing=(2,), sentences=True
        )
        token = 100
        for sizes in documents:
            writer.begin_document()
            writer.add(np.arange(token, token + sum(sizes)), np.cumsum([0, *sizes])[:-1])
            token += sum(sizes)
        writer.close()
        return TokenStore(folder)

    return new


@pytest.fixture
def text(spec: Spec) -> TextSpec:
    assert spec.text is not None
    return replace(spec.text, cls_id=1, sep_id=2, pad_id=0)


def taken(pairs: SegmentPairs, epochs: int) -> Batch:
    """Every sample of some epochs."""
    indices, numbers = np.tile(np.arange(len(pairs)), epochs), np.repeat(np.arange(epochs), len(pairs))
    return pairs.take(indices, numbers)


def drawn(pairs: SegmentPairs, epochs: int = 1) -> list[list[list[int]]]:
    """The same, as three segments each, without padding."""
    batch = taken(pairs, epochs)
    assert batch["input_ids"].shape[1:] == (3, pairs.length - 3)
    assert not batch["input_ids"][~batch["attention_mask"]].any()
    return [
        [ids[mask].tolist() for ids, mask in zip(*sample, strict=True)]
        for sample in zip(batch["input_ids"], batch["attention_mask"], strict=True)
    ]


def starts(documents: Documents) -> list[list[int]]:
    """The first token of each sentence, by document."""
    found, token = [], 100
    for sizes in documents:
        found.append([token + before for before in np.cumsum([0, *sizes])[:-1].tolist()])
        token += sum(sizes)
    return found


DOCUMENTS = st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=8), min_size=1, max_size=6)


@settings(max_examples=60)
@given(documents=DOCUMENTS, length=st.integers(8, 40), seed=st.none() | st.integers(0, 3))
def test_what_a_sample_is(new_store: NewStore, spec: Spec, documents: Documents, length: int, seed: int | None) -> None:
    breaks = [start for of_one in starts(documents) for start in of_one[1:]]
    if len(breaks) < 2:
        return
    assert spec.text is not None
    ends = np.cumsum([100, *map(sum, documents)])
    longest = max(map(max, documents))
    for first, second, other in drawn(SegmentPairs(new_store(documents), length, seed, spec.text), epochs=3):
        for segment in (first, second, other):
            assert segment == list(range(segment[0], segment[-1] + 1))  # whole and in order
            assert np.searchsorted(ends, segment[0], "right") == np.searchsorted(ends, segment[-1], "right")
        assert len(first) + max(len(second), len(other)) <= length - 3
        document = np.searchsorted(ends, [first[0], second[0], other[0]], "right")
        assert document[0] == document[1]
        assert document[0] != document[2] or sum(len(sizes) > 1 for sizes in documents) == 1
        if longest <= (length - 3) // 4:  # then no sentence is cut
            assert first[-1] + 1 == second[0]
            assert {second[0], other[0]} <= set(breaks)


def test_segments_are_as_many_whole_sentences_as_fit(new_store: NewStore, text: TextSpec) -> None:
    """Sentences of two tokens in a room of eleven, of which a segment has 2 to 9: so 2, 4, 6 or 8 tokens each."""
    pairs = SegmentPairs(new_store([[2] * 30, [2] * 30]), 14, 0, text)
    inner = [sample for sample in drawn(pairs, 60) if 10 <= (sample[1][0] - 100) % 60 <= 50]
    sizes = {(len(first), len(second)) for first, second, _ in inner}
    assert sizes == {(2, 8), (4, 6), (6, 4), (8, 2)}


def test_a_sentence_too_long_loses_one_of_its_ends(new_store: NewStore, text: TextSpec) -> None:
    pairs = SegmentPairs(new_store([[50, 50], [50, 50]]), 15, 0, text)
    firsts = {(first[0] % 100 % 50 == 0, first[-1] % 50 == 49) for first, _, _ in drawn(pairs, 60)}
    seconds = {(second[0] % 50 == 0, second[-1] % 50 == 49) for _, second, _ in drawn(pairs, 60)}
    assert firsts == seconds == {(True, False), (False, True)}


def test_neither_length_nor_edges_say_which_is_first(new_store: NewStore, text: TextSpec) -> None:
    """Or sentence order could be told without reading."""
    rng = np.random.default_rng(0)
    store = new_store([rng.integers(1, 30, 40).tolist() for _ in range(8)])
    sizes = taken(SegmentPairs(store, 43, 0, text), 200)["attention_mask"].sum(2).numpy()  # [B, 3]
    deviation = sizes.std() / len(sizes) ** 0.5
    assert abs(sizes[:, 0].mean() - sizes[:, 1].mean()) < 4 * deviation
    assert abs(sizes[:, 1].mean() - sizes[:, 2].mean()) < 4 * deviation
    longer = (sizes[:, 0] > sizes[:, 1]).mean() - (sizes[:, 0] < sizes[:, 1]).mean()
    assert abs(longer) < 4 / len(sizes) ** 0.5


def test_an_epoch_reads_about_as_many_tokens_as_there_are(new_store: NewStore, text: TextSpec) -> None:
    pairs = SegmentPairs(new_store([[5] * 200] * 4), 43, 0, text)
    assert len(pairs) == (4 * 1002) // 43
    read = sum(len(first) + len(second) for first, second, _ in drawn(pairs))
    assert 0.75 < read / 4000 < 1.0
    assert pairs.tokens == pytest.approx(read / len(pairs) + 3)  # with [CLS] and twice [SEP]
    asked = taken(pairs, 300)["input_ids"][:, 1, 0].unique()
    assert len(asked) == pairs.breaks == 4 * 199  # sooner or later, each


def test_a_draw_is_a_function_of_seed_epoch_and_index(new_store: NewStore, text: TextSpec) -> None:
    store = new_store([[5] * 100] * 3)
    pairs = SegmentPairs(store, 43, 1, text)
    whole = pairs.take(np.arange(len(pairs)), np.full(len(pairs), 2))["input_ids"]
    some = pairs.take(np.array([7, 3]), np.array([2, 2]))["input_ids"]
    assert some.equal(whole[[7, 3]])
    assert drawn(SegmentPairs(store, 43, 2, text)) != drawn(pairs)
    assert drawn(pairs, 2)[: len(pairs)] != drawn(pairs, 2)[len(pairs) :]
    fixed = drawn(SegmentPairs(store, 43, None, text), 2)
    assert fixed[: len(pairs)] == fixed[len(pairs) :]


def test_of_one_document_the_third_segment_is_from_far_away(new_store: NewStore, text: TextSpec) -> None:
    pairs = SegmentPairs(new_store([[4] * 401]), 20, 0, text)
    distances = [abs(other[0] - second[0]) // 4 for _, second, other in drawn(pairs, 20)]
    assert min(distances) > 100  # of the 400 breaks, the 100 to each side are near


def test_documents_of_one_sentence_are_counted(new_store: NewStore, text: TextSpec) -> None:
    pairs = SegmentPairs(new_store([[9], [5] * 4, [7], [5] * 4, [8]]), 20, 0, text)
    assert pairs.breaks == 6
    assert str(pairs).startswith("3 pairs of segments an epoch, about 6 breaks")
    assert str(pairs).endswith("3 documents of one sentence have none")
    shown = {token for sample in drawn(pairs, 50) for segment in sample for token in segment}
    assert shown == {*range(109, 129), *range(136, 156)}


@pytest.mark.parametrize("documents", [[], [[5], [5], [5]], [[5, 5], [5]]])
def test_a_text_without_pairs_is_refused(new_store: NewStore, text: TextSpec, documents: Documents) -> None:
    with pytest.raises(SelftaughtError, match="no pairs of sentences"):
        SegmentPairs(new_store(documents), 20, 0, text)
