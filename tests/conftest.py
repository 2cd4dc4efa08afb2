"""What many tests need: a small text, its tokenizers, and networks small enough to train in a second."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import settings

from selftaught.backbones.flamingo import Between, Flamingo
from selftaught.backbones.hf import TextBackbone, new_backbone, new_decoder
from selftaught.backbones.presets import PatchSize, Size
from selftaught.backbones.remembering import Remembering
from selftaught.backbones.vision import new_picture_backbone
from selftaught.data.processor import Processor
from selftaught.data.samples import samples_of
from selftaught.data.store import StoreWriter, TokenStore
from selftaught.data.tokenise import TextTokenizer, train_tokenizer
from selftaught.loop import Learner
from selftaught.objective import Batch, PictureSpec, Spec, VideoSpec
from selftaught.objectives.mlm import MLM

settings.register_profile("untimed", deadline=None)  # a busy machine is no bug; tests assert what is, not how fast
settings.load_profile("untimed")

TINY = Size(layers=2, width=32, head_width=16, inner=48, window=4)
NewBackbone = Callable[[TextTokenizer], TextBackbone]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="torture tests in full length, with a table at the end")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)  # faster for tensors this small, and the machine may be shared


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Sentences with something to learn: the colour decides the place, the animal decides the verb."""
    places = {"red": "over the mountain", "grey": "under the bridge", "white": "behind the waterfall"}
    verbs = {"fox": "wandered", "heron": "watched", "otter": "whispered", "badger": "waited"}
    return [
        f"The {colour} {animal} {verb} {place}, unbelievably {mood}."
        for mood in ("quietly", "happily", "carefully")
        for colour, place in places.items()
        for animal, verb in verbs.items()
    ]


@pytest.fixture(scope="session")
def tokenizer(texts: list[str]) -> TextTokenizer:
    """WordPiece so small that most words are several pieces."""
    return train_tokenizer(texts, "wordpiece", 120, set("".join(texts)))


@pytest.fixture(scope="session")
def bytelevel(texts: list[str]) -> TextTokenizer:
    return train_tokenizer(texts, "bytelevel", 340)


@pytest.fixture(scope="session")
def spec(tokenizer: TextTokenizer) -> Spec:
    quarter = torch.full((3,), 0.25)
    image = PictureSpec(resolution=16, patch=4, mean=2 * quarter, deviation=quarter)
    return Spec(text=tokenizer.spec(), image=image, video=VideoSpec(frames=8, rate=8.0))


@pytest.fixture(scope="session")
def pictures() -> Batch:
    """Eight pictures of 16 x 16, each of a colour of its own that grows lighter to one side."""
    drawn = torch.Generator().manual_seed(0)
    colours = torch.rand(8, 3, 1, 1, generator=drawn)
    lighter = torch.linspace(0.2, 1, 16).view(1, 1, 1, 16)
    noise = 0.1 * torch.rand(8, 3, 16, 16, generator=drawn)
    return {"pixels": (255 * (colours * lighter + noise).clamp(0, 1)).to(torch.uint8)}


@pytest.fixture(scope="session")
def pairs(pictures: Batch, texts: list[str], tokenizer: TextTokenizer) -> Batch:
    """The eight pictures, each with a sentence: ``input_ids`` and ``attention_mask``, and a number for each of both."""
    numbers = torch.arange(8)
    return {**pictures, **tokenizer.batch(texts[:8], 32), "picture": numbers, "caption": numbers}


@pytest.fixture(scope="session")
def clips() -> Batch:
    """Eight clips of 8 frames of 16 x 16, in each a light square that moves along a line of its own."""
    drawn = torch.Generator().manual_seed(0)
    begin, step = torch.randint(2, 10, (8, 2), generator=drawn), torch.randint(0, 2, (8, 2), generator=drawn) * 2 - 1
    frames = 60 * torch.rand(8, 1, 3, 16, 16, generator=drawn).repeat(1, 8, 1, 1, 1)
    for clip in range(8):
        for time in range(8):
            row, column = ((begin[clip] + time * step[clip]).clamp(0, 12)).tolist()
            frames[clip, time, :, row : row + 4, column : column + 4] = 200
    frames = frames.to(torch.uint8)
    return {"frames": frames, "motion": (frames[:, 1:].float() - frames[:, :-1].float()).abs().mean((2, 3, 4)) / 255}


@pytest.fixture(scope="session")
def packed(texts: list[str], tokenizer: TextTokenizer) -> Batch:
    """Rows [8, 32] without padding, of several sentences: ``input_ids``, ``segments``, and a ``label``."""
    assert tokenizer.start_id is not None
    assert tokenizer.end_id is not None
    documents = [[tokenizer.start_id, *ids, tokenizer.end_id] for ids in tokenizer.encode(texts)]
    ids = torch.tensor([i for document in documents for i in document])
    numbers = torch.tensor([n for n, document in enumerate(documents) for _ in document])
    numbers = numbers[: 8 * 32].view(8, 32)
    return {
        "input_ids": ids[: 8 * 32].view(8, 32),
        "segments": numbers - numbers[:, :1],
        "label": torch.arange(8) % 3,
    }


@pytest.fixture(scope="session")
def padded(texts: list[str], tokenizer: TextTokenizer) -> Batch:
    """Texts of very different lengths as rows [32, T] with padding, and a ``label``."""
    uneven = [" ".join(texts[: 1 + i % 3])[: 12 + 9 * i] for i in range(32)]
    batch: Batch = dict(tokenizer.batch(uneven, longest=64))
    return {**batch, "label": torch.arange(32) % 3}


@pytest.fixture(scope="session")
def told(texts: list[str], tokenizer: TextTokenizer, tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    """A store of six documents of six sentences, which knows where they begin."""
    assert tokenizer.start_id is not None
    assert tokenizer.end_id is not None
    folder = tmp_path_factory.mktemp("told") / "tokens"
    writer = StoreWriter(
        folder,
        source="",
        tokenizer=tokenizer.fingerprint,
        vocab_size=tokenizer.vocab_size,
        opening=(tokenizer.start_id,),
        closing=(tokenizer.end_id,),
        sentences=True,
    )
    for document in range(6):
        writer.begin_document()
        for ids in tokenizer.encode(texts[document::6]):
            writer.add(ids, np.zeros(1, np.int64))
    writer.close()
    return TokenStore(folder)


@pytest.fixture(scope="session")
def segments(told: TokenStore, spec: Spec) -> Batch:
    """Segments [8, 3, 61]: two that follow each other in a document, and one of another."""
    assert spec.text is not None
    return samples_of(told, "pairs", 64, 0, spec.text).take(np.arange(8), np.zeros(8, int))


@pytest.fixture(scope="session")
def sentences(told: TokenStore, spec: Spec) -> Batch:
    """Padded sentences [8, T]."""
    assert spec.text is not None
    return samples_of(told, "sentences", 64, 0, spec.text).take(np.arange(8), np.zeros(8, int))


@pytest.fixture(scope="session")
def small_decoder() -> NewBackbone:
    """Makes an untrained decoder of 2 layers x 32 for a tokenizer."""

    def new(tokenizer: TextTokenizer) -> TextBackbone:
        assert tokenizer.start_id is not None
        assert tokenizer.end_id is not None
        return new_decoder(
            TINY,
            tokenizer.vocab_size,
            pad_id=tokenizer.id_of("pad_token") or 0,
            bos_id=tokenizer.start_id,
            eos_id=tokenizer.end_id,
            longest_row=64,
        )

    return new


@pytest.fixture(scope="session")
def processor(tokenizer: TextTokenizer) -> Processor:
    """The same tokenizer, which reads pictures of 16 x 16 too."""
    return Processor(tokenizer.backend, tokenizer.specials, resolution=16, frames=3)


@pytest.fixture(scope="session")
def captioned(pictures: Batch, texts: list[str], processor: Processor) -> Batch:
    """Rows [8, T] of two captions each, of different lengths, each about a picture."""
    sights = [picture[None] for picture in pictures["pixels"].numpy()]
    documents = [(ids[: 5 + number], sights[number]) for number, ids in enumerate(processor.encode(texts[:8]))]
    return processor.shown([[documents[number - 1], documents[number]] for number in range(8)])


@pytest.fixture(scope="session")
def small_flamingo(small_decoder: NewBackbone, spec: Spec) -> NewBackbone:
    """Makes a decoder for a tokenizer that sees pictures of 16 x 16; nothing in it is trained."""

    def new(tokenizer: TextTokenizer) -> TextBackbone:
        assert spec.image is not None
        pictures = new_picture_backbone(PatchSize(layers=1, width=32, head_width=16), 16)
        return Flamingo(small_decoder(tokenizer), Remembering(pictures, spec.image), Between(latents=4, frames=3))

    return new


@pytest.fixture(scope="session")
def small_network() -> NewBackbone:
    """Makes an untrained encoder of 2 layers x 32 for a tokenizer."""

    def new(tokenizer: TextTokenizer) -> TextBackbone:
        assert tokenizer.start_id is not None
        assert tokenizer.end_id is not None
        return new_backbone(
            TINY,
            tokenizer.vocab_size,
            pad_id=tokenizer.id_of("pad_token") or 0,
            cls_id=tokenizer.start_id,
            sep_id=tokenizer.end_id,
            longest_row=64,
        )

    return new


@pytest.fixture
def new_learner(spec: Spec, tokenizer: TextTokenizer, small_network: NewBackbone) -> Callable[[], Learner]:
    """Makes the same learner of masked words each time."""

    def new() -> Learner:
        torch.manual_seed(0)
        return Learner({"text": small_network(tokenizer)}, MLM(), spec)

    return new
