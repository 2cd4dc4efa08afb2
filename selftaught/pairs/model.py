"""Two towers in use: their folder, and the vectors they make of pictures and of texts.

model/config.json, model.safetensors   transformers' VisionTextDualEncoderModel, where it can hold them; or
model/vision, model/text               a folder of each tower for AutoModel, and towers.safetensors beside
model/preprocessor_config.json         how a picture becomes numbers
model/tokenizer.json, …                how a text does
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from selftaught.backbones.dual import VISION, holds_towers, load_towers, save_towers
from selftaught.backbones.hf import TextBackbone
from selftaught.backbones.towers import TwoTowers
from selftaught.backbones.vision import PictureBackbone
from selftaught.data.manifest import refuse_damaged
from selftaught.data.tokenise import TextTokenizer, load_tokenizer
from selftaught.errors import SelftaughtError
from selftaught.objective import PictureSpec
from selftaught.pictures.model import PictureModel, read_processor
from selftaught.pretext.pictures import as_fractions, standardised

_AT_ONCE = 256


@dataclass(frozen=True)
class PairModel:
    """Two networks, what stands above them, and what they must be given.

    Args:
        longest: tokens of a text that are read.
        precision: of its passes, ``bf16`` or ``fp32``.
    """

    picture: PictureBackbone
    text: TextBackbone
    towers: TwoTowers
    tokenizer: TextTokenizer
    spec: PictureSpec
    longest: int
    precision: str = "fp32"

    def save(self, folder: Path) -> None:
        """Write the model folder."""
        save_towers(folder, self.picture, self.text, self.towers)
        self.tokenizer.save(folder, self.longest)
        processor = PictureModel(self.picture, self.spec)
        for place in (folder, folder / VISION):
            if place.is_dir():
                processor.save_processor(place)
        file = folder / "tokenizer_config.json"
        config = json.loads(file.read_text(encoding="utf-8")) | {"processor_class": "VisionTextDualEncoderProcessor"}
        file.write_text(json.dumps(config, ensure_ascii=False, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, place: str | Path, precision: str = "fp32") -> "PairModel":
        """Open a run, or its model folder.

        Raises:
            SelftaughtError: if there are no two towers in it, or its files are damaged.
        """
        folder = pair_folder(Path(place))
        if folder is None:
            refuse_damaged(Path(place) / "model")  # what says of which kind it is may be what is damaged
            raise SelftaughtError(
                "there are no two towers over pictures and words here",
                where=str(place),
                do="give a run of pretrain --objective clip",
            )
        picture, text, towers = load_towers(folder)
        tokenizer, spec = load_tokenizer(folder), read_processor(folder, picture)
        return cls(picture, text, towers, tokenizer, spec, _longest(folder, text), precision)

    def to(self, device: torch.device) -> "PairModel":
        """Itself, its networks moved."""
        for part in self.parts:
            part.to(device)
        return self

    @property
    def parts(self) -> tuple[nn.Module, ...]:
        return self.picture, self.text, self.towers

    @property
    def width(self) -> int:
        """Numbers of a vector (D)."""
        return self.towers.visual_projection.out_features

    @property
    def device(self) -> torch.device:
        return self.towers.logit_scale.device

    def of_pictures(self, pixels: np.ndarray) -> np.ndarray:
        """Vectors of length one, float32 [N, D], of pictures uint8 [N, 3, S, S]."""
        return self._vectors(self._pictures(pixels))

    def of_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of length one, float32 [N, D]."""
        return self._vectors(self._texts(texts))

    def _pictures(self, pixels: np.ndarray) -> Iterator[Tensor]:
        for first in range(0, len(pixels), _AT_ONCE):
            some = torch.from_numpy(np.array(pixels[first : first + _AT_ONCE])).to(self.device)
            yield self.towers.of_pictures(self.picture, standardised(as_fractions(some), self.spec))

    def _texts(self, texts: Sequence[str]) -> Iterator[Tensor]:
        for first in range(0, len(texts), _AT_ONCE):
            batch = self.tokenizer.batch(texts[first : first + _AT_ONCE], self.longest)
            yield self.towers.of_texts(self.text, {name: part.to(self.device) for name, part in batch.items()})

    @torch.no_grad()
    def _vectors(self, blocks: Iterator[Tensor]) -> np.ndarray:
        """All blocks; the networks read as in use, not as in training."""
        was_training = [part.training for part in self.parts]
        for part in self.parts:
            part.eval()
        try:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                rows = [block.float().cpu() for block in blocks]
        finally:
            for part, training in zip(self.parts, was_training, strict=True):
                part.train(training)
        return torch.cat(rows).numpy() if rows else np.zeros((0, self.width), np.float32)


def holds_pair_model(place: str | Path) -> bool:
    """Whether this is a run, or a model folder, of two towers."""
    return pair_folder(Path(place)) is not None


def pair_folder(place: Path) -> Path | None:
    """The model folder of two towers: that of a run, or the place itself; None if it is neither."""
    return next((folder for folder in (place / "model", place) if holds_towers(folder)), None)


def _longest(folder: Path, text: TextBackbone) -> int:
    """Tokens of a text that are read: what the tokenizer was saved with, or what the network can."""
    try:
        known = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("model_max_length")
    except (OSError, ValueError):
        known = None
    return min(known, text.longest_row) if isinstance(known, int) else text.longest_row
