"""Captions of clips: what comes after the first frame reaches the network that writes about them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from selftaught.backbones.flamingo import Flamingo
from selftaught.backbones.hf import TextBackbone
from selftaught.data.captions import Captions
from selftaught.data.pair_source import open_pairs
from selftaught.data.pair_store import prepare_pairs
from selftaught.data.processor import Processor
from selftaught.data.tokenise import TextTokenizer
from selftaught.loop import Learner
from selftaught.objective import Spec
from selftaught.objectives.caption import Caption
from selftaught.randomness import Randomness

from ..films import film, moving_square

WAYS = ("across", "down")


@pytest.fixture
def captions(tmp_path: Path, processor: Processor) -> Captions:
    """The same words about two clips that begin alike: a square moves across, or down."""
    for way in WAYS:
        film(tmp_path / f"{way}.mkv", moving_square(across=way == "across", down=way == "down"))
    rows = ["clip,caption", *(f"{way}.mkv,the quick fox" for way in WAYS)]
    (tmp_path / "clips.csv").write_text("\n".join(rows), encoding="utf-8")
    source = open_pairs(str(tmp_path / "clips.csv"), frames=processor.frames)
    store = prepare_pairs(source, tmp_path / "store", resolution=processor.resolution, seed=0, share=0.0)
    return Captions.of(store, processor, held_out=False, longest=16, together=1, seed=0)


def test_the_same_frames_are_trained_on_and_asked_about_later(
    captions: Captions, processor: Processor, tmp_path: Path
) -> None:
    taken = captions.take(np.arange(2), np.zeros(2, int))
    across, down = taken["pixels"][:, 0].numpy()
    assert taken["frames"].tolist() == [[3], [3]]
    assert np.array_equal(across[0], down[0])
    assert not any(np.array_equal(one, other) for one, other in zip(across[1:], down[1:], strict=True))
    for way, frames in zip(WAYS, (across, down), strict=True):
        assert np.array_equal(processor.sight(str(tmp_path / f"{way}.mkv")), frames)


@torch.no_grad()
def test_what_a_clip_shows_later_changes_what_its_caption_costs(
    captions: Captions, processor: Processor, small_flamingo: Callable[[TextTokenizer], TextBackbone], spec: Spec
) -> None:
    torch.manual_seed(0)
    network = small_flamingo(processor)
    assert isinstance(network, Flamingo)
    for gated in network.gated.values():  # half open, and what looks sharper than it is drawn: as if it were trained
        gated.attention_gate.fill_(0.5)  # type: ignore[operator]
    for weight in network.resampler.parameters():
        weight *= 8 if weight.ndim > 1 else 1
    learner = Learner({"text": network}, Caption(), spec).eval()

    def costs(frames: int) -> list[float]:
        """Of the two captions, where so many frames of the clips are shown."""
        found = []
        for row in np.arange(2)[:, None]:
            batch = captions.take(row, np.zeros(1, int))
            batch |= {"pixels": batch["pixels"][:, :, :frames], "frames": batch["frames"].clamp(max=frames)}
            rng = Randomness.of(0, torch.zeros(1, dtype=torch.long), torch.from_numpy(row))
            found.append(float(learner(Caption().pretext(batch, spec, rng))["loss"]))
        return found

    across, down = costs(frames=3)
    assert abs(across - down) > 1e-3
    across, down = costs(frames=1)
    assert across == down
