"""``selftaught export``: a model in a form that runs without this library, and without torch."""

from pathlib import Path
from typing import Any, Literal

from selftaught.console import tell
from selftaught.errors import SelftaughtError
from selftaught.pictures.exporting import export_pictures
from selftaught.pictures.model import holds_picture_model
from selftaught.pretrained import model_folder
from selftaught.verbs import Place


def export(run: Place, *, to: Literal["onnx"] = "onnx", out: Place | None = None, json: bool = False) -> dict[str, Any]:
    """Write a network over pictures as one ONNX file, with all that happens to a picture before.

    The file takes uint8 [pictures, 3, height, width] of any size, and gives ``pooled`` and ``patches``; of a fine-tuned
    network also ``probabilities``, whose classes stand in the file's metadata. It is tried at once: what it gives is
    compared with what torch gives.

    Args:
        run: A run of pretrain or finetune on pictures.
        to: The form.
        out: The file; RUN/model.onnx if not given.
        json: Print one JSON object.
    """
    if not holds_picture_model(run):
        folder = model_folder(run)
        raise SelftaughtError(
            "only networks over pictures are written as ONNX yet",
            where=str(run),
            do=f"load {folder} in transformers, and export it from there",
        )
    found = export_pictures(run, Path(out) if out else Path(run) / "model.onnx")
    size = found.file.stat().st_size
    report = {
        "verb": "export",
        "file": str(found.file),
        "bytes": size,
        "outputs": list(found.outputs),
        "largest_difference": found.apart,
    }
    lines = [
        f"written     {found.file}, {size / 1e6:.1f} MB, gives {', '.join(found.outputs)}",
        f"tried       with onnxruntime: at most {found.apart:.1e} from what torch gives",
    ]
    return tell(report, lines, json=json)
