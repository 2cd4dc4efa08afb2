"""easy-VQA by a frozen language model that is shown pictures, through the verbs, from nothing but the training split.

Both towers are trained here: the language model on the questions with their answers and on captions, the network over
pictures on the pictures. A caption is what the training questions tell of a picture ("a blue circle"). The part
between is trained on the captions, and asked behind 0, 4 and 8 examples; then on the questions, beside the same with
black pictures and the same with empty questions.
"""

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import cyclopts

from benchmarks.pairs import note, tell

FLOOR = 0.85
SHAPES = ("circle", "rectangle", "triangle")


def measure(
    *, data: Path, out: Path | None = None, steps: int = 3000, captions: int = 600, towers: int = 250, seed: int = 0
) -> None:
    """Train, and measure on the test split, which nothing is tuned on.

    Args:
        data: The folder ``data`` of easy-VQA, with ``train`` and ``test``.
        out: Where the runs are kept, so that the same command goes on; forgotten if not given.
        steps: Of 32 questions, for the part between and for each control.
        captions: Steps of 32 captions before.
        towers: Steps of each tower.
        seed: Of everything.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = out or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        with redirect_stdout(sys.stderr):
            found = _measured(data, place, steps, captions, towers, seed)
    accuracy = found["accuracy"]
    tell({"name": "easy_vqa", "unit": "accuracy", "floor": FLOOR, "passed": accuracy >= FLOOR, "seed": seed, **found})


def _measured(data: Path, place: Path, steps: int, captions: int, towers: int, seed: int) -> dict[str, Any]:
    from selftaught.data.examples import Columns
    from selftaught.data.picture_question_files import read_picture_questions
    from selftaught.tasks.vqa import Vqa
    from selftaught.verbs.evaluate import evaluate
    from selftaught.verbs.finetune import finetune
    from selftaught.verbs.pretrain import pretrain

    train, test = (str(data / part / "questions.json") for part in ("train", "test"))
    _write_texts(data / "train", place)
    words, eyes = place / "words", place / "eyes"
    pretrain(
        str(place / "text.jsonl"), objective="causal_lm", size="tiny", steps=towers, batch=16, seed=seed, out=words
    )
    pretrain(
        str(data / "train" / "images"),
        objective="mae",
        size="vit-tiny",
        steps=towers,
        batch=32,
        seed=seed,
        out=eyes,
        set_=["data.resolution=32"],
    )

    seeing = place / "seeing"
    together = ["objective.options.together=4", "train.rate=2e-3"]
    pretrain(
        str(place / "captions.csv"),
        objective="caption",
        init=eyes,
        steps=captions,
        seed=seed,
        out=seeing,
        set_=[f"model.text_init={words}", *together],
    )
    shots = _once(place / "shots.json", lambda: evaluate(seeing, test, shots="0,4,8", train=train, draws=1, seed=seed))
    note(json.dumps(shots["scores"]))

    def taught(name: str, *more: str) -> float:
        run = place / name
        finetune(seeing, train, task="vqa", steps=steps, seed=seed, out=run, set_=["train.rate=2e-3", *more])
        return _once(place / f"{name}.json", lambda: evaluate(run, test))["measures"]["accuracy"]

    found: dict[str, Any] = {"accuracy": taught("answers")}
    seen, asked = (read_picture_questions(path, Columns()).examples for path in (train, test))
    task = Vqa.of(seen)
    found |= {name: task.measure(asked, said)["accuracy"] for name, said in task.baselines(seen, asked, seed).items()}
    note(json.dumps(found))
    found["black pictures"] = taught("blind", "objective.options.without=picture")
    found["empty questions"] = taught("mute", "objective.options.without=question")
    return {**found, "shots": shots["scores"]}


def _once(file: Path, measured: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was measured before, or is now."""
    if not file.exists():
        file.write_text(json.dumps(measured()), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def _write_texts(folder: Path, place: Path) -> None:
    """``captions.csv``, and ``text.jsonl`` with the questions, their answers and the captions."""
    rows = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    colours, shapes = defaultdict(set), defaultdict(set)
    for _, answer, picture in rows:
        if answer in SHAPES:
            shapes[picture].add(answer)
        elif answer not in ("yes", "no"):
            colours[picture].add(answer)
    captions = {i: f"a {min(colours[i])} {min(shapes[i])}" for i in sorted(colours.keys() & shapes.keys())}
    asked = [f"Question: {question} Answer: {answer}" for question, answer, _ in rows]
    texts = [json.dumps({"text": text}) for text in (*asked, *captions.values())]
    table = [f"{(folder / 'images').resolve() / str(i)}.png,{text}" for i, text in captions.items()]
    for file, lines in ((place / "text.jsonl", texts), (place / "captions.csv", ["image,caption", *table])):
        if not file.exists():  # a file that is written anew is another corpus
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    cyclopts.run(measure)
