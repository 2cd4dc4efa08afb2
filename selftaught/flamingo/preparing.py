"""What ``selftaught pretrain --objective caption`` needs, made from its recipe."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from selftaught import lookup
from selftaught.backbones.flamingo import Flamingo, flamingo
from selftaught.data.captions import Captions
from selftaught.data.loader import Batches
from selftaught.data.pair_source import open_pairs
from selftaught.data.pair_store import PairStore, prepare_pairs
from selftaught.data.processor import Processor, processor
from selftaught.data.tally import QUARANTINE, tally_sentence
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner
from selftaught.machine import pick_device, pick_precision
from selftaught.objective import Spec
from selftaught.objectives.caption import Caption
from selftaught.pictures.model import holds_picture_model
from selftaught.pretrained import Pretrained, open_pretrained, open_towers
from selftaught.randomness import derive
from selftaught.recipe import Recipe
from selftaught.run.folder import Run

DEFAULT_SECONDS = 600.0
NO_LANGUAGE = "add --set model.text_init=RUN, with a run of causal_lm or a checkpoint folder of a decoder"
_BATCH = 32
_RATE = 1e-3  # of AdamW at that batch


@dataclass(frozen=True)
class CaptionPretraining:
    """Everything a run on captions needs.

    Args:
        held: captions that are kept from training; None if there are none.
        log: the file that names all rows that were set aside.
    """

    recipe: Recipe
    objective: Caption
    pretrained: Pretrained
    store: PairStore
    learner: Learner
    batches: Batches
    held: Captions | None
    log: Path

    @property
    def plan(self) -> "CaptionPretraining":
        """Itself: there is nothing to measure before the start."""
        return self

    @property
    def network(self) -> Flamingo:
        return flamingo(self.learner.backbones)

    @property
    def processor(self) -> Processor:
        return processor(self.pretrained.tokenizer)

    @property
    def towers(self) -> str:
        """Where the network came from."""
        model = self.recipe.model
        return f"{model.init} and {model.text_init}" if model.text_init else str(model.init)

    @property
    def trained(self) -> int:
        """Parameters that are trained."""
        return sum(p.numel() for p in self.learner.parameters() if p.requires_grad)

    def lines(self) -> list[str]:
        """The plan, for the terminal."""
        train, store, network = self.recipe.train, self.store, self.network
        budget = f"{train.seconds:.0f} s" if train.seconds else f"{train.steps:,} steps"
        frozen = sum(p.numel() for p in (*network.parameters(), *network.pictures.parameters()) if not p.requires_grad)
        held = f"{len(self.held):,} held out with their pictures" if self.held else "none held out"
        return [
            f"read        {store.description}",
            f"pictures    {tally_sentence(store.tally, self.log)}; {store.counts['joined']:,} have the pixels of "
            f"another, {store.counts['repeated']:,} repeat a caption",
            f"data        {len(self.batches.source):,} captions to train on, {held}, at "
            f"{store.resolution} x {store.resolution} pixels",
            f"towers      {self.towers}: {frozen / 1e6:.2f} M parameters, frozen; {self.trained / 1e6:.2f} M between "
            "them are trained",
            f"plan        {budget}, batches of {train.batch}, peak rate {train.rate:g} ({train.device}, "
            f"{train.precision})",
        ]

    def to_json(self) -> dict[str, Any]:
        """The plan, for programs."""
        return {
            "objective": self.objective.name,
            "towers": self.towers,
            "trained_parameters": self.trained,
            "captions": len(self.batches.source),
            "held_out": len(self.held) if self.held else 0,
            "rows": self.store.tally,
            "resolution": self.store.resolution,
            "train": self.recipe.train.model_dump(),
        }


def prepare_caption_pretraining(run: Run, recipe: Recipe) -> CaptionPretraining:
    """Decode the pictures, choose what was left open, and put the two towers together.

    Raises:
        SelftaughtError: if a tower is missing, or there are no captions that can be used.
    """
    goal, train, data = recipe.objective, recipe.train, recipe.data
    objective = lookup.make(goal.name, lookup.OBJECTIVES, goal.options, goal.weights)
    assert isinstance(objective, Caption)
    device = pick_device(train.device)
    precision = train.precision or pick_precision(device)
    torch.manual_seed(derive("weights", train.seed))
    pretrained = open_seeing(recipe)
    reader = processor(pretrained.tokenizer)
    source = open_pairs(data.path, image=data.image, text=data.text, label=data.label, frames=reader.frames)
    store = prepare_pairs(
        source, run.folder / "pictures", resolution=reader.resolution, seed=train.seed, keep=run.has_begun
    )
    learner = Learner({"text": pretrained.backbone}, objective, Spec(text=reader.spec()), precision).to(device)
    longest = min(train.length, pretrained.backbone.longest_row)
    captions = Captions.of(store, reader, held_out=False, longest=longest, together=objective.together, seed=train.seed)
    held = Captions.of(store, reader, held_out=True, longest=longest, together=1, seed=train.seed)
    batch = min(train.batch or _BATCH, len(captions))
    rate = _RATE * min(1.0, batch / _BATCH)
    train = train.settled(
        samples=len(captions),
        batch=_BATCH,
        rate=rate,
        seconds=DEFAULT_SECONDS,
        device=str(device),
        precision=precision,
    )
    recipe = recipe.model_copy(update={"train": train})
    batches = Batches(captions, objective, Spec(text=reader.spec()), batch, train.seed, train.workers)
    log = run.folder / "pictures" / QUARANTINE
    return CaptionPretraining(recipe, objective, pretrained, store, learner, batches, held if len(held) else None, log)


def open_seeing(recipe: Recipe) -> Pretrained:
    """The language model that sees: one to go on from, or two towers.

    Raises:
        SelftaughtError: if one of the two is missing.
    """
    model = recipe.model
    if model.init is None:
        raise SelftaughtError(
            f"{recipe.objective.name} needs a trained network over pictures and a language model",
            do="give --init PICTURE_RUN --set model.text_init=LANGUAGE_RUN, or --init with a run of caption",
        )
    if model.text_init is not None:
        return open_towers(model.init, model.text_init)
    if holds_picture_model(model.init):
        raise SelftaughtError(
            "this network over pictures has no language model beside it", where=model.init, do=NO_LANGUAGE
        )
    found = open_pretrained(model.init)
    if not isinstance(found.backbone, Flamingo):
        raise SelftaughtError(
            "this language model has not been given a network over pictures",
            where=model.init,
            do="give the network over pictures as --init, and this one with --set model.text_init=RUN",
        )
    return found
