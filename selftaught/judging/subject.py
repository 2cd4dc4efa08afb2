"""What a verdict is about: a pretrained model as a maker of features, beside itself untrained."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from selftaught.finetuning.learner import answers, finetune_quickly, finetuning_rate
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.randomness import derive
from selftaught.recipe import Recipe, read_recipe
from selftaught.run.folder import Run
from selftaught.task import Answer, Task
from selftaught.text.features import text_features
from selftaught.word2vec.model import WordModel


class Subject(Protocol):
    """A model that is judged; ``folder``, ``run`` and ``recipe`` say how it came about."""

    @property
    def folder(self) -> Path: ...

    @property
    def run(self) -> Run | None: ...

    @property
    def recipe(self) -> Recipe | None: ...

    @property
    def can_be_finetuned(self) -> bool: ...

    def features(self, texts: Sequence[str], untrained: int | None = None) -> np.ndarray:
        """Features of texts, float32 [N, F].

        Args:
            untrained: the seed of a model of the same form that has learned nothing, which is asked instead.
        """
        ...

    def finetuned(
        self, task: Task[Any], train: Sequence[Any], test: Sequence[Any], seed: int, *, trained: bool
    ) -> list[Answer]:
        """The answers to ``test`` after fine-tuning on ``train``, begun from the model or from an untrained one."""
        ...


@dataclass(frozen=True)
class Network:
    """A transformer.

    Args:
        precision, device: of its passes.
    """

    pretrained: Pretrained
    precision: str
    device: torch.device

    can_be_finetuned = True

    @property
    def folder(self) -> Path:
        return self.pretrained.folder

    @property
    def run(self) -> Run | None:
        return self.pretrained.run

    @property
    def recipe(self) -> Recipe | None:
        return self.pretrained.recipe

    def features(self, texts: Sequence[str], untrained: int | None = None) -> np.ndarray:
        backbone = self.pretrained.backbone if untrained is None else self._untrained(untrained)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return text_features(backbone.to(self.device), self.pretrained.tokenizer, texts)

    def finetuned(
        self, task: Task[Any], train: Sequence[Any], test: Sequence[Any], seed: int, *, trained: bool
    ) -> list[Answer]:
        backbone = open_pretrained(self.folder).backbone if trained else self._untrained(seed)
        learner = finetune_quickly(
            backbone.to(self.device),
            self.pretrained.tokenizer,
            task,
            train,
            seed=seed,
            rate=finetuning_rate(backbone, ours=self.run is not None or not trained),
            precision=self.precision,
        )
        return answers(learner, self.pretrained.tokenizer, test)

    def _untrained(self, seed: int) -> Any:
        torch.manual_seed(derive("untrained", seed))
        return self.pretrained.backbone.untrained_twin()


@dataclass(frozen=True)
class Words:
    """Word vectors; a text is the weighted mean of its words.

    Untrained, each word has a vector drawn at random: what is left is which words a text has.
    """

    place: Path

    can_be_finetuned = False

    @cached_property
    def model(self) -> WordModel:
        return WordModel.load(self.place)

    @property
    def folder(self) -> Path:
        return self.place / "model"

    @property
    def run(self) -> Run | None:
        return Run(self.place) if (self.place / "model").is_dir() else None

    @property
    def recipe(self) -> Recipe | None:
        return read_recipe(self.run.recipe) if self.run and self.run.recipe.exists() else None

    def features(self, texts: Sequence[str], untrained: int | None = None) -> np.ndarray:
        return (self.model if untrained is None else self.model.drawn_anew(untrained)).text_vectors(texts)

    def finetuned(
        self, task: Task[Any], train: Sequence[Any], test: Sequence[Any], seed: int, *, trained: bool
    ) -> list[Answer]:
        raise NotImplementedError("word vectors are features; they are not fine-tuned")
