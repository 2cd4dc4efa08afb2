"""Every objective of pictures for the same time: what its features are worth by each way to ask, and how fast it is.

kNN alone misjudges objectives that draw what is hidden; so there stand a linear probe and fine-tuning beside it.
"""

import json
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import cyclopts
import numpy as np

from benchmarks.pairs import note, tell

OBJECTIVES = "simclr,vicreg,dino,pirl,rotation,jigsaw,mae,inpaint,simclr+mae"
PER_CLASS = 50
DRAWS = 2


def measure(
    *,
    data: Path,
    test: Path,
    for_: Annotated[str, cyclopts.Parameter(name="--for")] = "2m",
    objectives: str = OBJECTIVES,
    scratch: bool = True,
    resolution: int = 32,
    seed: int = 0,
) -> None:
    """Train with each objective, and measure on the test pictures.

    Args:
        data: A folder of pictures to train on, with a subfolder a class; the labels are for measuring.
        test: Another one.
        for_: How long each is trained.
        objectives: Which.
        scratch: Also fine-tune networks that have learned nothing.
        resolution: Pixels a side.
        seed: Of the runs and the draws.
    """
    from selftaught.data.picture_source import open_pictures
    from selftaught.data.picture_store import prepare_pictures
    from selftaught.pictures.model import PictureModel
    from selftaught.verbs.pretrain import pretrain

    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        sides = [
            prepare_pictures(open_pictures(str(one)), place / name, resolution=resolution, seed=seed)
            for name, one in (("train", data), ("test", test))
        ]
        networks: dict[str, PictureModel] = {}
        for name in objectives.split(","):
            run = place / name
            settings = [f"data.resolution={resolution}"]
            with redirect_stdout(sys.stderr):
                found = pretrain(str(data), objective=name, for_=for_, seed=seed, out=run, set_=settings)
            model = PictureModel.load(run)
            networks[found["size"]] = model
            lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
            course = [[round(one["seconds"]), round(one["probe"], 3)] for one in lines if "probe" in one]
            facts = {"objective": name, "size": found["size"], "probe_over_time": course}
            rate = {"pictures_per_second": found["pictures"] / found["seconds"]}
            rows.append(facts | rate | _worth(model, *sides, trained=True, seed=seed))
            note(json.dumps(rows[-1]))
        for size, model in networks.items() if scratch else ():
            untrained = _worth(model.untrained(seed), *sides, trained=False, seed=seed)
            rows.append({"objective": "none", "size": size} | untrained)
            note(json.dumps(rows[-1]))
    tell({"name": "picture_objectives", "for": for_, "seed": seed, "labels_per_class": PER_CLASS, "rows": rows})


def _worth(model: Any, train: Any, test: Any, *, trained: bool, seed: int) -> dict[str, float]:
    """The accuracy on the test pictures of kNN and a probe with all labels, of a probe and fine-tuning with few."""
    from selftaught.metrics.knn import knn_predict
    from selftaught.metrics.probe import fit_probe
    from selftaught.metrics.sampling import few_label_subset
    from selftaught.pictures.classifying import ClassifyPictures
    from selftaught.pictures.lessons import finetune_pictures_quickly

    labels, truth = list(train.labels), np.array(test.labels)
    known, asked = model.features(train.pixels), model.features(test.pixels)
    found = {
        "knn": float(np.mean(np.array(knn_predict(known, labels, asked)) == truth)),
        "linear": float(np.mean(np.array(fit_probe(known, labels, seed).predict(asked)) == truth)),
    }
    few, tuned = [], []
    weights = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()}
    for draw in range(DRAWS):
        rows = few_label_subset(labels, PER_CLASS, seed + draw)
        some = [labels[i] for i in rows]
        few.append(float(np.mean(np.array(fit_probe(known[rows], some, seed).predict(asked)) == truth)))
        model.backbone.load_state_dict(weights)
        task = ClassifyPictures.of(some)
        taught = finetune_pictures_quickly(model, task, train.pixels, labels, rows, seed=seed + draw, trained=trained)
        tuned.append(float(np.mean(np.array([one["label"] for one in taught.answers(test.pixels)]) == truth)))
    return {**found, "linear_few": float(np.mean(few)), "finetuned_few": float(np.mean(tuned))}


if __name__ == "__main__":
    cyclopts.run(measure)
