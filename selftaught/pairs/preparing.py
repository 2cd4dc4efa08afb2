"""What a run on pictures with words needs, made from its recipe."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftaught import lookup
from selftaught.backbones.dual import new_picture_tower, new_text_tower
from selftaught.backbones.hf import TextBackbone, load_backbone, text_backbone
from selftaught.backbones.presets import PAIR_SIZES
from selftaught.backbones.towers import TwoTowers
from selftaught.backbones.vision import IMAGE, PictureBackbone, picture_backbone
from selftaught.data.loader import Batches
from selftaught.data.pair_samples import PairSamples
from selftaught.data.pair_source import open_pairs
from selftaught.data.pair_store import PairStore, prepare_pairs
from selftaught.data.scan import scan_rows
from selftaught.data.tally import QUARANTINE, tally_sentence
from selftaught.data.text import Row
from selftaught.data.tokenise import TextTokenizer, load_tokenizer, train_tokenizer
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner, refuse_to_split
from selftaught.machine import pick_device, pick_precision
from selftaught.objective import Objective, Spec
from selftaught.pairs.illustrating import PairPages
from selftaught.pairs.model import PairModel, holds_pair_model
from selftaught.pictures.model import PictureModel
from selftaught.pictures.preparing import picture_spec, working_resolution
from selftaught.pretrained import model_folder
from selftaught.randomness import derive
from selftaught.recipe import Recipe
from selftaught.run.folder import Run

DEFAULT_SECONDS = 600.0
_SIZE = "clip-tiny"
_BATCH = 128
_RATE, _TRAINED = 1e-3, 0.1  # of AdamW at that batch; of it, where both networks have learned already
_FEWEST_HELD_OUT = 2


@dataclass(frozen=True)
class PairPretraining:
    """Everything a run on pictures with words needs, made from its recipe.

    Args:
        log: the file that names all rows that were set aside.
    """

    recipe: Recipe
    objective: Objective
    store: PairStore
    tokenizer: TextTokenizer
    spec: Spec
    learner: Learner
    batches: Batches
    log: Path

    @property
    def plan(self) -> "PairPretraining":
        """Itself: there is nothing to measure before the start."""
        return self

    @property
    def model(self) -> PairModel:
        """The networks as they are now, and what they must be given."""
        learner = self.learner
        picture, text = picture_backbone(learner.backbones), text_backbone(learner.backbones)
        assert isinstance(learner.heads, TwoTowers)
        assert self.spec.image is not None
        longest = min(self.recipe.train.length, text.longest_row)
        return PairModel(picture, text, learner.heads, self.tokenizer, self.spec.image, longest, learner.precision)

    @property
    def held_out(self) -> np.ndarray:
        """Places of the pictures that are kept from training, int64 [N]; none if there are too few to measure by."""
        rows = self.store.part(held_out=True)
        return rows if len(rows) >= _FEWEST_HELD_OUT else rows[:0]

    def held_out_batches(self) -> Batches | None:
        """The question that is posed of held-out pictures; None where there are too few."""
        if not len(self.held_out):
            return None
        source = self.batches.source
        assert isinstance(source, PairSamples)
        size = min(self.batches.size, len(self.held_out))
        return replace(self.batches, source=replace(source, rows=self.held_out), size=size)

    def illustrator(self, run: Run) -> PairPages:
        """What draws pages for a person to look at, into the run."""
        return PairPages(run.folder, self.store, self.batches)

    @property
    def size(self) -> str:
        """The size of the networks, or where they came from."""
        begun = [f"as {place}" for place in (self.recipe.model.init, self.recipe.model.text_init) if place]
        return " and ".join(filter(None, [self.recipe.model.size, *begun]))

    @property
    def parameters(self) -> dict[str, int]:
        """Of each network, without what stands above both."""
        return {name: sum(p.numel() for p in part.parameters()) for name, part in self.learner.backbones.items()}

    def lines(self) -> list[str]:
        """The plan, for the terminal."""
        train, store, parameters = self.recipe.train, self.store, self.parameters
        budget = f"{train.seconds:.0f} s" if train.seconds else f"{train.steps:,} steps"
        return [
            f"read        {store.description}",
            f"rows        {tally_sentence(store.tally, self.log)}",
            f"pictures    {len(store.pixels):,} different ones with {len(store.texts):,} captions{counted(store)}",
            f"data        {len(self.batches.source):,} to train on, {int(store.held_out.sum()):,} held out, at "
            f"{store.resolution} x {store.resolution} pixels; {self.tokenizer.vocab_size:,} tokens",
            f"plan        {self.recipe.objective.name}, {self.size}: pictures {parameters[IMAGE] / 1e6:.2f} M, text "
            f"{parameters['text'] / 1e6:.2f} M parameters; {budget}, batches of {train.batch}, peak rate "
            f"{train.rate:g} ({train.device}, {train.precision})",
        ]

    def to_json(self) -> dict[str, Any]:
        """The plan, for programs."""
        return {
            "objective": self.objective.name,
            "size": self.size,
            "parameters": self.parameters,
            "pictures": len(self.batches.source),
            "captions": len(self.store.texts),
            "held_out": int(self.store.held_out.sum()),
            "resolution": self.store.resolution,
            "vocabulary": self.tokenizer.vocab_size,
            "train": self.recipe.train.model_dump(),
        }


def counted(store: PairStore) -> str:
    """What was noticed while the rows were read, for the terminal."""
    said = {
        "joined": "rows had the pixels of one before them and were joined to it",
        "repeated": "captions came again with their picture",
        "shared": "captions are those of several pictures",
        "empty": "places for a caption were empty",
    }
    return "".join(f"; {store.counts[name]:,} {what}" for name, what in said.items() if store.counts[name])


def prepare_pair_pretraining(run: Run, recipe: Recipe) -> PairPretraining:
    """Decode the pictures, choose what was left open, and build the networks.

    Raises:
        SelftaughtError: for what cannot be meant, or data that cannot be used.
    """
    goal, train, data = recipe.objective, recipe.train, recipe.data
    objective = lookup.make(goal.name, lookup.OBJECTIVES, goal.options, goal.weights)
    _refuse(recipe, objective)
    device, init = pick_device(train.device), _begun_from(recipe)
    source = open_pairs(data.path, image=data.image, text=data.text, label=data.label, group=data.group)
    resolution = init.picture.spec.resolution if init.picture else data.resolution
    store = prepare_pairs(
        source,
        run.folder / "pictures",
        resolution=resolution or working_resolution(source.typical_side()),
        seed=train.seed,
        share=data.held_out,
        keep=run.has_begun,
    )
    rows = store.part(held_out=False)
    if not len(rows):
        raise SelftaughtError("all pictures are held out", where=store.description, do="give more, or other ones")
    tokenizer = init.tokenizer or _learned_tokenizer(store, rows, recipe.model.vocabulary)
    recipe = _resolved(recipe, init, store, len(rows), device)
    torch.manual_seed(derive("weights", train.seed))
    picture, text = _networks(recipe, init, store.resolution, tokenizer)
    patch = picture.patch if picture.reads_patches else None
    image = init.picture.spec if init.picture else picture_spec(store.pixels, rows, patch)
    spec = Spec(text=tokenizer.spec(), image=image)
    assert recipe.train.precision is not None
    assert recipe.train.batch is not None
    learner = Learner({IMAGE: picture, "text": text}, objective, spec, recipe.train.precision)
    if init.both:
        _go_on(learner.heads, init.both, recipe.model.init or "")
    longest = min(recipe.train.length, text.longest_row)
    samples = PairSamples.of(store, rows, tokenizer, longest, train.seed)
    batches = Batches(samples, objective, spec, recipe.train.batch, train.seed, train.workers)
    log = run.folder / "pictures" / QUARANTINE
    return PairPretraining(recipe, objective, store, tokenizer, spec, learner.to(device), batches, log)


@dataclass(frozen=True)
class _Begun:
    """What there is to begin with.

    Args:
        both: two towers, if they are those of one run.
    """

    picture: PictureModel | None
    text: TextBackbone | None
    tokenizer: TextTokenizer | None
    both: PairModel | None


def _begun_from(recipe: Recipe) -> _Begun:
    model = recipe.model
    both = PairModel.load(model.init) if model.init and holds_pair_model(model.init) else None
    if both and model.text_init:
        raise SelftaughtError(
            "--init already has a tower of text", where=model.init or "", do="leave model.text_init out"
        )
    if both:
        return _Begun(PictureModel(both.picture, both.spec), both.text, both.tokenizer, both)
    picture = PictureModel.load(model.init) if model.init else None
    if picture and recipe.data.resolution not in (None, picture.spec.resolution):
        raise SelftaughtError(
            f"this network reads pictures of {picture.spec.resolution} pixels a side, not of {recipe.data.resolution}",
            where=model.init or "",
            do="leave data.resolution out",
        )
    folder = _text_folder(model.text_init) if model.text_init else None
    if folder is None:
        return _Begun(picture, None, load_tokenizer(model_folder(model.tokenizer)) if model.tokenizer else None, None)
    return _Begun(picture, load_backbone(folder), load_tokenizer(folder), None)


def _text_folder(place: str) -> Path:
    """The model folder of a network over text, or of two towers that are in one."""
    found = Path(place) / "model" if holds_pair_model(Path(place) / "model") else Path(place)
    return found if holds_pair_model(found) and (found / "config.json").is_file() else model_folder(place)


def _networks(
    recipe: Recipe, init: _Begun, resolution: int, tokenizer: TextTokenizer
) -> tuple[PictureBackbone, TextBackbone]:
    size = PAIR_SIZES[recipe.model.size or _SIZE]
    picture = init.picture.backbone if init.picture else new_picture_tower(size.picture, resolution)
    pad, longest = tokenizer.id_of("pad_token") or 0, recipe.train.length
    text = init.text or new_text_tower(size.text, tokenizer.vocab_size, pad_id=pad, longest_row=longest)
    return picture, text


def _resolved(recipe: Recipe, init: _Begun, store: PairStore, pictures: int, device: torch.device) -> Recipe:
    """The recipe with what it left open."""
    train, model = recipe.train, recipe.model
    begun = _TRAINED if init.picture and init.text else 1.0
    train = train.settled(
        samples=pictures,
        batch=_BATCH,
        rate=_RATE * min(1.0, min(train.batch or _BATCH, pictures) / _BATCH) * begun,
        seconds=DEFAULT_SECONDS,
        device=str(device),
        precision=pick_precision(device),
    )
    size = None if init.picture and init.text else model.size or _SIZE
    return recipe.model_copy(
        update={
            "train": train,
            "model": model.model_copy(update={"size": size}),
            "data": recipe.data.model_copy(update={"resolution": store.resolution}),
        }
    )


def _learned_tokenizer(store: PairStore, rows: np.ndarray, vocabulary: int | None) -> TextTokenizer:
    """A tokenizer of the captions that are trained on; what only held-out ones have is unknown to it."""
    texts = [text for row in rows for text in store.captions(row)]
    found = scan_rows(Row(text, "", 0, number) for number, text in enumerate(texts))
    return train_tokenizer(texts, "wordpiece", vocabulary or found.vocabulary(), alphabet=found.alphabet)


def _go_on(heads: torch.nn.Module, begun: PairModel, where: str) -> None:
    """Give what stands above the networks the weights that it had."""
    own, known = heads.state_dict(), begun.towers.state_dict()
    for name, tensor in known.items():
        if name not in own or own[name].shape != tensor.shape:
            raise SelftaughtError(
                f"these towers end in vectors of {begun.width} numbers, and this run's do not",
                where=where,
                do=f"--set objective.options.projection={begun.width}",
            )
        own[name].copy_(tensor)


def _refuse(recipe: Recipe, objective: Objective) -> None:
    if recipe.model.size and recipe.model.size not in PAIR_SIZES:
        raise SelftaughtError(
            f"there is no size {recipe.model.size!r} for pictures with words",
            do="the sizes are " + ", ".join(PAIR_SIZES) + "; for another network of pictures give one with --init",
        )
    refuse_to_split(objective, recipe.train.accumulate, "pairs")
