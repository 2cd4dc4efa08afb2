"""ONNX files of networks over pictures: from the bytes of a picture of any size to features and answers."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from selftaught.errors import SelftaughtError, saving
from selftaught.pictures.classifying import PictureClassifier
from selftaught.pictures.model import PictureModel
from selftaught.pretext.pictures import as_fractions, standardised

_NEEDED = "pip install 'selftaught[export]'"
_TRIED = ((5, 64, 33), (2, 32, 32), (1, 19, 90))  # pictures, and their sides, that the file is tried on
_MOST_APART = 1e-3


class WholeNetwork(nn.Module):
    """All that happens to a picture, in one: brought to size, standardised, encoded, answered.

    Args:
        classifier: of a network that was taught classes; None of one that was not.
    """

    def __init__(self, model: PictureModel, classifier: PictureClassifier | None) -> None:
        super().__init__()
        self.encoder, self.spec = model.backbone, model.spec
        self.head = classifier.head if classifier else None
        self.several = classifier is not None and classifier.task.several

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """From uint8 [N, 3, H, W] to ``pooled`` [N, D], ``patches`` [N, P, D] and perhaps ``probabilities`` [N, K].

        Resizing is bilinear with antialiasing, as transformers' processors and Pillow do it, but for the rounding to
        bytes between.
        """
        side = self.spec.resolution
        sized = F.interpolate(pixels.float(), (side, side), mode="bilinear", antialias=True, align_corners=False)
        states = self.encoder({"pixels": standardised(as_fractions(sized), self.spec)})
        pooled = self.encoder.pooled(states)
        patches = states[:, 1:] if self.encoder.reads_patches else states
        if self.head is None:
            return pooled, patches
        logits = self.head(pooled)
        return pooled, patches, logits.sigmoid() if self.several else logits.softmax(1)


@dataclass(frozen=True)
class Exported:
    """An ONNX file.

    Args:
        outputs: their names.
        apart: the largest difference of any output from torch's, over pictures of several sizes.
    """

    file: Path
    outputs: tuple[str, ...]
    apart: float


def export_pictures(run: str | Path, file: Path) -> Exported:
    """Write the network of a run as one ONNX file, and try it with onnxruntime.

    Raises:
        SelftaughtError: if what writes or reads such files is not installed, or the file does not give torch's numbers.
    """
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 torch's exporter needs it
    except ImportError as error:
        raise SelftaughtError(f"ONNX files need {error.name}, which is not installed", do=_NEEDED) from error
    model, classifier = PictureModel.load(run), PictureClassifier.load(run)
    network = WholeNetwork(classifier.model if classifier else model, classifier).eval()
    outputs = ("pooled", "patches", *(["probabilities"] if classifier else []))
    with _quiet():
        program = torch.onnx.export(
            network,
            (torch.zeros(2, 3, 40, 50, dtype=torch.uint8),),
            dynamo=True,
            verbose=False,
            input_names=["pixels"],
            output_names=list(outputs),
            dynamic_shapes={"pixels": {0: "pictures", 2: "height", 3: "width"}},
        )
    assert program is not None
    program.model.metadata_props.update(_facts(model, classifier))
    with saving(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        program.save(file, external_data=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    apart = max(_apart(network, session, *shape) for shape in _TRIED)
    if apart > _MOST_APART:
        raise SelftaughtError(f"the ONNX file gives other numbers: they differ by up to {apart:.1e}", where=str(file))
    return Exported(file, outputs, apart)


def _facts(model: PictureModel, classifier: PictureClassifier | None) -> dict[str, str]:
    """What stands in the file beside the network."""
    facts: dict[str, Any] = {"resolution": model.spec.resolution, "input": "pixels: uint8 [pictures, 3, height, width]"}
    if classifier:
        facts |= {"classes": list(classifier.task.classes), "several": classifier.task.several}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}


@torch.no_grad()
def _apart(network: WholeNetwork, session: Any, count: int, height: int, width: int) -> float:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, height, width), np.uint8)
    wanted, given = network(torch.from_numpy(pixels)), session.run(None, {"pixels": pixels})
    return max(float(np.abs(theirs - ours.numpy()).max()) for ours, theirs in zip(wanted, given, strict=True))


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of every package that it does without."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
