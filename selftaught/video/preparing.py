"""What a run on clips needs, made from its recipe."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught import lookup
from selftaught.backbones.presets import PICTURE_SIZES
from selftaught.backbones.video import VIDEO, VideoBackbone, video_backbone
from selftaught.backbones.vision import new_picture_backbone
from selftaught.console import note
from selftaught.data.loader import Batches
from selftaught.data.tally import QUARANTINE, tally_sentence
from selftaught.data.video_decoding import MOST_FRAMES
from selftaught.data.video_source import open_videos
from selftaught.data.video_store import Clips, VideoStore, prepare_videos
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner, refuse_to_split
from selftaught.machine import pick_device, pick_precision
from selftaught.objective import Batch, Objective, PictureSpec, Spec, VideoSpec
from selftaught.pictures.model import PictureModel
from selftaught.pictures.preparing import DEFAULT_SECONDS, begun_from, peak_rate, refuse_text, working_resolution
from selftaught.randomness import derive
from selftaught.recipe import Recipe
from selftaught.run.folder import Run
from selftaught.video.illustrating import Filmstrips
from selftaught.video.model import DEFAULT, VideoModel

_BATCH = 32  # clips
_ASKED, _TIMES = 512, 8  # questions about held-out clips, and how often one window is asked about
_LOOKED_AT = 2_000  # frames whose mean and deviation are taken for all
_FEWEST_RATE = 2.0  # frames a second, of clips that are long


@dataclass(frozen=True)
class VideoPretraining:
    """Everything a run on clips needs, made from its recipe.

    Args:
        log: the file that names all clips that were set aside.
    """

    recipe: Recipe
    objective: Objective
    store: VideoStore
    spec: Spec
    learner: Learner
    batches: Batches
    log: Path

    @property
    def plan(self) -> "VideoPretraining":
        """Itself: there is nothing to measure before the start."""
        return self

    @property
    def backbone(self) -> VideoBackbone:
        return video_backbone(self.learner.backbones)

    @property
    def model(self) -> VideoModel:
        """The network as it is now, and what it must be given."""
        assert self.spec.image is not None
        assert self.spec.video is not None
        picture = PictureModel(self.backbone.picture, self.spec.image, self.learner.precision)
        return VideoModel(picture, self.spec.video)

    def held_out(self) -> Clips:
        """The windows of held-out clips."""
        assert self.spec.video is not None
        return self.store.part(held_out=True, window=self.spec.video.frames, seed=self.recipe.train.seed)

    def held_out_batches(self) -> list[Batch]:
        """What is asked of held-out clips: each window several times, for there are few; none where there is none."""
        held, size = self.held_out(), self.batches.size
        if not len(held):
            return []
        asked = Batches(held, self.objective, self.spec, size, self.recipe.train.seed)
        count = max(1, min(_ASKED, _TIMES * len(held)) // size)
        return [asked.at(size * number) for number in range(count)]

    def illustrator(self, run: Run) -> Filmstrips:
        """What draws pages for a person to look at, into the run."""
        return Filmstrips(run.folder, self.learner, self.spec, self.model, self.store, self.recipe.train.seed)

    @property
    def size(self) -> str:
        """The size of the network, or where it came from."""
        return self.recipe.model.size or f"as {self.recipe.model.init}"

    @property
    def parameters(self) -> int:
        """Of the network, without the objective's heads."""
        return sum(p.numel() for p in self.backbone.parameters())

    def lines(self) -> list[str]:
        """The plan, for the terminal."""
        train, store = self.recipe.train, self.store
        assert self.spec.video is not None
        budget = f"{train.seconds:.0f} s" if train.seconds else f"{train.steps:,} steps"
        copies = f"; {store.copies:,} have the pixels of another" if store.copies else ""
        copies += f"; of {store.cut:,} only the first {MOST_FRAMES:,} frames are used" if store.cut else ""
        return [
            f"read        {store.description}",
            f"clips       {tally_sentence(store.tally, self.log)}{copies}",
            f"data        {len(store) - int(store.held_out.sum()):,} to train on, {int(store.held_out.sum()):,} held "
            f"out, {len(store.frames):,} frames, {store.rate:g} a second, at {store.resolution} x {store.resolution} "
            "pixels",
            f"windows     {len(self.batches.source):,} of {self.spec.video.frames} frames, "
            f"{self.spec.video.frames / store.rate:.1f} s",
            f"plan        {self.recipe.objective.name}, {self.size}, {self.parameters / 1e6:.2f} M "
            f"parameters, {budget}, batches of {train.batch}, peak rate {train.rate:g} ({train.device}, "
            f"{train.precision})",
        ]

    def to_json(self) -> dict[str, Any]:
        """The plan, for programs."""
        return {
            "objective": self.objective.name,
            "size": self.size,
            "parameters": self.parameters,
            "clips": len(self.store),
            "held_out": int(self.store.held_out.sum()),
            "frames": len(self.store.frames),
            "resolution": self.store.resolution,
            "frame_rate": self.store.rate,
            "train": self.recipe.train.model_dump(),
        }


def prepare_video_pretraining(run: Run, recipe: Recipe) -> VideoPretraining:
    """Decode the clips, choose what was left open, and build the network.

    Raises:
        SelftaughtError: for what only text has, or clips that cannot be used.
    """
    goal, train = recipe.objective, recipe.train
    objective = lookup.make(goal.name, lookup.OBJECTIVES, goal.options, goal.weights)
    refuse_text(recipe, objective, "clips")
    refuse_to_split(objective, train.accumulate, "clips")
    device, init = pick_device(train.device), begun_from(recipe, objective)
    source = open_videos(recipe.data.path, clip=recipe.data.image, label=recipe.data.label)
    size = None if init else recipe.model.size or ("vit-tiny" if objective.needs_patches else "conv-tiny")
    store, window = _decoded(source, run, recipe, init)
    clips = store.part(held_out=False, window=window, seed=train.seed)
    if not len(clips):
        raise SelftaughtError("there is no clip to train on", where=store.description, do="give more videos")
    batch = min(train.batch or _BATCH, len(clips))
    train = train.settled(
        samples=len(clips),
        batch=_BATCH,
        rate=peak_rate(4 * batch, size, init),
        seconds=DEFAULT_SECONDS,
        device=str(device),
        precision=pick_precision(device),
    )
    assert train.precision is not None
    asked = {"resolution": store.resolution, "frames": window, "frame_rate": store.rate}
    recipe = recipe.model_copy(
        update={
            "train": train,
            "model": recipe.model.model_copy(update={"size": size}),
            "data": recipe.data.model_copy(update=asked),
        }
    )
    torch.manual_seed(derive("weights", train.seed))
    picture = init.backbone if init else new_picture_backbone(PICTURE_SIZES[size or ""], store.resolution)
    patch = picture.patch if picture.reads_patches else None
    image = replace(init.spec, patch=patch) if init else _spec(store, clips, patch)
    spec = Spec(image=image, video=VideoSpec(window, store.rate))
    learner = Learner({VIDEO: VideoBackbone(picture)}, objective, spec, train.precision).to(device)
    batches = Batches(clips, objective, spec, batch, train.seed, train.workers)
    _try(batches)
    return VideoPretraining(recipe, objective, store, spec, learner, batches, store.folder / QUARANTINE)


def _try(batches: Batches) -> None:
    """Pose one question, before anything is promised.

    Raises:
        SelftaughtError: if it cannot be posed of such windows.
    """
    try:
        batches.of(np.zeros(1, np.int64), np.zeros(1, np.int64))
    except ValueError as error:
        do = "give --set data.frames another number, or change the objective's options"
        raise SelftaughtError(f"{batches.objective.name}: {error}", do=do) from error


def _decoded(source: Any, run: Run, recipe: Recipe, init: PictureModel | None) -> tuple[VideoStore, int]:
    """The store, and how many frames are a window."""
    window, typical = recipe.data.frames or DEFAULT.frames, source.typical()
    side = (
        init.spec.resolution
        if init
        else recipe.data.resolution or working_resolution(min(typical.width, typical.height))
    )
    rate = recipe.data.frame_rate or frame_rate(typical.seconds, typical.rate, window)
    store = prepare_videos(
        source,
        run.folder / "clips",
        resolution=side,
        rate=rate,
        seed=recipe.train.seed,
        keep=run.has_begun,
        tell=note,
    )
    return store, window


def frame_rate(seconds: float, rate: float, window: int) -> float:
    """So many frames a second that a clip of typical length is one window, but not more than there are."""
    if not seconds:
        return DEFAULT.rate
    wanted = max(window / seconds, _FEWEST_RATE)
    return round(min(wanted, rate) if rate else wanted, 3)


def _spec(store: VideoStore, clips: Clips, patch: int | None) -> PictureSpec:
    """Mean and deviation of each channel, from some frames of the training clips."""
    frames = np.concatenate([np.arange(store.starts[c], store.starts[c + 1]) for c in np.unique(clips.clips)])
    some = store.frames[np.sort(np.random.default_rng(0).permutation(frames)[:_LOOKED_AT])].astype(np.float32) / 255
    mean, deviation = some.mean((0, 2, 3)), some.std((0, 2, 3))
    return PictureSpec(store.resolution, patch, torch.from_numpy(mean), torch.from_numpy(deviation.clip(min=1e-3)))
