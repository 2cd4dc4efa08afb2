"""A model to start from or to use: a run of ours, or any checkpoint folder that transformers can read."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from selftaught.backbones.flamingo import Between, Flamingo
from selftaught.backbones.heads import Head, model_head
from selftaught.backbones.hf import TextBackbone, load_backbone
from selftaught.backbones.pooling import read_pooling
from selftaught.backbones.remembering import Remembering
from selftaught.data.manifest import refuse_damaged
from selftaught.data.processor import Processor
from selftaught.data.ready_tokens import TOKENIZER
from selftaught.data.store import sha256_of
from selftaught.data.tokenise import TextTokenizer, load_tokenizer
from selftaught.errors import SelftaughtError
from selftaught.flamingo.folder import holds_flamingo, load_between
from selftaught.objective import Pooling
from selftaught.pictures.model import PictureModel, holds_picture_model
from selftaught.recipe import Recipe, read_recipe
from selftaught.run.folder import Run
from selftaught.word2vec.model import holds_words


@dataclass(frozen=True)
class Pretrained:
    """A backbone with its tokenizer.

    Args:
        folder: the transformers folder.
        run: the run it belongs to; None for a checkpoint from elsewhere.
        recipe: how the run was made.
        parts: what a run keeps beside the model: the frequency of each token in the pretraining text as ``unigram``
            [V], and the weights of those heads that transformers has no class for.
    """

    folder: Path
    backbone: TextBackbone
    tokenizer: TextTokenizer
    run: Run | None
    recipe: Recipe | None
    parts: dict[str, Tensor]

    @property
    def unigram(self) -> Tensor | None:
        """The frequency of each token in the pretraining text, [V]; None where nobody counted."""
        return self.parts.get("unigram")

    @property
    def pooling(self) -> Pooling | None:
        """How it makes the vector of a text; None if it was not trained to make one.

        Raises:
            SelftaughtError: if it does so in a way that is not known here.
        """
        return read_pooling(self.folder)


def open_pretrained(place: str | Path) -> Pretrained:
    """Open a run or a checkpoint folder.

    Raises:
        SelftaughtError: if there is no model in it, or it cannot be loaded.
    """
    folder = model_folder(place)
    run = Run(Path(place)) if folder != Path(place) else None
    recipe = read_recipe(run.recipe) if run and run.recipe.exists() else None
    parts = run.load_parts() if run else {}
    found = Pretrained(folder, load_backbone(folder), load_tokenizer(folder), run, recipe, parts)
    return _seeing(found, *load_between(folder)) if holds_flamingo(folder) else found


def open_towers(pictures: str | Path, language: str | Path) -> Pretrained:
    """A language model that sees through a network over pictures; what goes between the two has learned nothing yet.

    Raises:
        SelftaughtError: if one of them cannot be opened, or the language model is not one that writes.
    """
    text, picture = open_pretrained(language), PictureModel.load(pictures)
    if isinstance(text.backbone, Flamingo):
        raise SelftaughtError("this language model sees pictures already", where=str(language), do="give it as --init")
    return _seeing(text, picture, Between(), None)


def _seeing(text: Pretrained, pictures: PictureModel, form: Between, between: dict[str, Tensor] | None) -> Pretrained:
    backbone = Flamingo(text.backbone, Remembering(pictures.backbone, pictures.spec), form)
    if between is not None:
        backbone.restore(between)
    tokenizer = Processor(text.tokenizer.backend, text.tokenizer.specials, pictures.spec.resolution, form.frames)
    return replace(text, backbone=backbone, tokenizer=tokenizer)


_HEADS = "heads."


def head_parts(heads: nn.Module, backbone: TextBackbone) -> dict[str, Tensor]:
    """The weights of an objective's heads that the model folder, which has the ``backbone``, does not hold, by name."""
    held = [part for part in (backbone, model_head(heads)) if part is not None]
    inside = {id(tensor) for part in held for tensor in part.state_dict(keep_vars=True).values()}
    return {
        _HEADS + name: tensor.detach().cpu().contiguous()
        for name, tensor in heads.state_dict(keep_vars=True).items()
        if id(tensor) not in inside
    }


@torch.no_grad()
def restore_heads(heads: nn.Module, parts: dict[str, Tensor]) -> None:
    """Give heads the weights that a run saved with :func:`head_parts`, as far as there are some of their name."""
    for name, tensor in heads.state_dict(keep_vars=True).items():
        if (saved := parts.get(_HEADS + name)) is not None and saved.shape == tensor.shape:
            tensor.detach().copy_(saved)


def lend_heads(heads: nn.Module, trained: nn.Module) -> None:
    """Give each of ``heads`` the weights of the trained one of its class, whatever objective that was trained for.

    Raises:
        SelftaughtError: if there is none, and no checkpoint gave the head its weights.
    """
    known = {type(head): head for head in _each(trained)}
    for head in _each(heads):
        if (same := known.get(type(head))) is not None:
            head.load_state_dict(same.state_dict())
        elif head.fresh if isinstance(head, Head) else any(True for _ in head.parameters()):
            raise SelftaughtError(
                f"the model was never trained to answer this: it has no {type(head).__name__}",
                do="ask what its own objective asks, or train it with one that has this head",
            )


def _each(heads: nn.Module) -> list[nn.Module]:
    """An objective's heads, one by one."""
    return [one for head in heads.values() for one in _each(head)] if isinstance(heads, nn.ModuleDict) else [heads]


def weights_sha256(folder: Path) -> str:
    """One hash of all weights in a model folder."""
    hashes = [sha256_of(file) for file in sorted(folder.glob("*.safetensors"))]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


class Trained(Protocol):
    """A model that was trained somehow."""

    @property
    def folder(self) -> Path: ...

    @property
    def recipe(self) -> Recipe | None: ...


def trainings(model: Trained) -> tuple[list[Recipe], str | None]:
    """How a model came about: the recipes of its runs, the latest first, back through every ``--init`` and teacher.

    Returns:
        the recipes, and a checkpoint at their beginning of which nobody knows how it was made; None if there is none.
    """
    found: list[Recipe] = []
    unknown = None
    waiting = [(str(model.folder), model.recipe)]
    while waiting:
        place, recipe = waiting.pop(0)
        if recipe is None:
            unknown = place
            continue
        found.append(recipe)
        for before in (recipe.model.init, recipe.model.text_init, recipe.model.teacher):
            if before is not None:
                file = Run(Path(before)).recipe
                waiting.append((before, read_recipe(file) if file.is_file() else None))
    return found, unknown


def tokenizer_folder(place: str | Path) -> Path:
    """Where the tokenizer lies of a run or checkpoint folder, or of a corpus that ``prepare`` gave tokens.

    Raises:
        SelftaughtError: if ``place`` is none of these.
    """
    own = Path(place) / TOKENIZER
    return own if (own / "tokenizer.json").is_file() else model_folder(place)


def model_folder(place: str | Path) -> Path:
    """The transformers folder of a run or checkpoint folder.

    Raises:
        SelftaughtError: if ``place`` is neither.
    """
    place = Path(place)
    if holds_words(place):
        raise SelftaughtError(
            "this run holds word vectors, not a transformer",
            where=str(place),
            do="use it with selftaught predict, embed, evaluate and verdict",
        )
    if holds_picture_model(place):
        raise SelftaughtError(
            "this run holds a network over pictures, not over text",
            where=str(place),
            do="use it with selftaught embed and verdict, or load its model/ in transformers",
        )
    if (place / "model" / "config.json").is_file():
        return place / "model"
    if (place / "config.json").is_file():
        return place
    refuse_damaged(place / "model")  # what says of which kind it is may be what is damaged
    if (place / "recipe.yaml").is_file():
        raise SelftaughtError(
            "this run has no model yet: it has not ended",
            where=str(place),
            do="repeat its command; it resumes",
        )
    raise SelftaughtError(
        "this is neither a run nor a checkpoint folder" if place.exists() else "there is no such folder",
        where=str(place),
        do="give the --out of selftaught pretrain, or a folder with config.json and model.safetensors",
    )
