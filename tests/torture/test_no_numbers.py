"""NaN and infinity, planted wherever numbers pass: training stops at once, and what was saved before is good."""

import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.optim.optimizer import register_optimizer_step_post_hook

from selftaught.data.manifest import MANIFEST
from selftaught.health import Diverged
from selftaught.verbs.pretrain import pretrain
from tests.torture.data import write_array
from tests.torture.table import Tried

STEPS = 60
TEXT = {"objective": "mlm", "size": "tiny", "batch": 4, "set_": ["train.length=16"]}
PICTURES = {"objective": "simclr", "size": "conv-tiny", "batch": 8, "set_": ["data.resolution=16"]}


@dataclass
class Planted:
    """Something that is no number, planted once a run has a checkpoint.

    Args:
        kind: of modules into which it is planted; the first that is called.
        where: "activation", "gradient" or "weight".
        value: what is planted.
        run: the run folder.
    """

    kind: type[nn.Module]
    where: str
    value: float
    run: Path
    done: bool = False
    steps_after: int = 0
    saved: list[str] = field(default_factory=list)

    def ready(self) -> bool:
        metrics = self.run / "metrics.jsonl"
        self.saved = sorted(place.name for place in self.run.glob("checkpoints/step-*[0-9]"))
        return bool(self.saved) and metrics.exists() and metrics.read_bytes().count(b"\n") >= 3

    def called(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        if self.done or not isinstance(module, self.kind) or not module.training or not self.ready():
            return None
        self.done = True
        if self.where == "weight":
            self._spoil(next(module.parameters()).data)
            return None
        if self.where == "gradient":
            output.register_hook(self._spoilt)
            return None
        return self._spoilt(output)

    def _spoil(self, tensor: Tensor) -> Tensor:
        tensor[(0,) * tensor.ndim] = self.value
        return tensor

    def _spoilt(self, tensor: Tensor) -> Tensor:
        return self._spoil(tensor.clone())

    def stepped(self, optimizer: Any, arguments: Any, keywords: Any) -> None:
        self.steps_after += self.done

    @contextmanager
    def there(self) -> Iterator[None]:
        handles = [register_module_forward_hook(self.called), register_optimizer_step_post_hook(self.stepped)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def train(data: Path, out: Path, given: dict[str, Any]) -> dict[str, Any]:
    settings = [*given["set_"], "train.save_seconds=0"]
    return pretrain(str(data), out=out, steps=STEPS, device="cpu", **{**given, "set_": settings})


def wrong_with(data: Path, out: Path, given: dict[str, Any], planted: Planted) -> list[str]:
    """What is not as it should be."""
    try:
        with planted.there():
            train(data, out, given)
        return ["it went on"]
    except Diverged as told:
        said = told
    wrong = [] if planted.steps_after <= 1 else [f"{planted.steps_after} steps later"]
    first, last = (int(word) for word in said.where.split() if word.isdigit())
    batch = given["batch"]
    if f"step {said.step}" not in said.what or (first, last) != (batch * (said.step - 1), batch * said.step - 1):
        wrong.append(f"another batch was named: {said}")
    kept = {file.name: load_file(file) for file in out.glob("checkpoints/step-*/learner.safetensors")}
    if not all(bool(t.isfinite().all()) for tensors in kept.values() for t in tensors.values()):
        wrong.append("it was saved")
    if planted.saved[-1] not in {place.name for place in (out / "checkpoints").iterdir()}:
        wrong.append(f"the checkpoint of {planted.saved[-1]} is gone")
    if train(data, out, given)["steps"] != STEPS:
        wrong.append("the last checkpoint could not be gone on with")
    return wrong


@pytest.fixture(scope="module")
def picture_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_array(tmp_path_factory.mktemp("pictures"), 64, 16)


@pytest.mark.parametrize(
    ("given", "kind", "where"),
    [
        pytest.param(TEXT, nn.Linear, "activation", id="text, activation"),
        pytest.param(TEXT, nn.Linear, "gradient", id="text, gradient"),
        pytest.param(TEXT, nn.LayerNorm, "weight", id="text, weight"),
        pytest.param(PICTURES, nn.Conv2d, "activation", id="pictures, activation"),
        pytest.param(PICTURES, nn.Conv2d, "gradient", id="pictures, gradient"),
        pytest.param(PICTURES, nn.Conv2d, "weight", id="pictures, weight"),
    ],
)
def test_what_is_no_number_stops_training(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tried: Tried,
    times: Callable[[int, int], int],
    given: dict[str, Any],
    kind: type[nn.Module],
    where: str,
) -> None:
    data = request.getfixturevalue("text_folder" if given is TEXT else "picture_file")
    values = [math.nan, math.inf, -math.inf]
    if times(1, 0) == 0 and (given is PICTURES or where != "gradient"):
        pytest.skip("in the whole form")
    wrong: list[str] = []
    for number, value in enumerate(values[: times(3, 1)]):
        out = tmp_path / str(number)
        wrong += wrong_with(data, out, given, Planted(kind, where, value, out))
    tried(f"NaN, infinity: {request.node.callspec.id}", times(3, 1), len(wrong), "; ".join(wrong))


@pytest.mark.torture
def test_weights_to_begin_with_that_are_no_numbers(text_folder: Path, tmp_path: Path, tried: Tried) -> None:
    train(text_folder, tmp_path / "begun", TEXT)
    file = tmp_path / "begun" / "model" / "model.safetensors"
    (tmp_path / "begun" / MANIFEST).unlink()  # which would tell of the damage: such weights may come from elsewhere
    sound = load_file(file)
    for value in (math.nan, math.inf):
        tensors = {name: tensor.clone() for name, tensor in sound.items()}
        random.Random(0).choice(list(tensors.values())).view(-1)[0] = value
        save_file(tensors, file, metadata={"format": "pt"})
        with pytest.raises(Diverged, match="at step 1") as caught:
            pretrain(str(text_folder), out=tmp_path / "run", init=tmp_path / "begun", steps=STEPS, device="cpu")
        assert "--init" in caught.value.do
        assert not (tmp_path / "run" / "model").exists()
    tried("NaN, infinity in the weights of --init", 2, 0)
