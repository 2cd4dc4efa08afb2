"""The recipe: everything a training run needs, as typed data. ``recipe.yaml`` in a run repeats it."""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selftaught.data.files import not_a_file
from selftaught.data.unchanged import short_digest
from selftaught.errors import SelftaughtError
from selftaught.lookup import import_own
from selftaught.schedule import Course

_LARGEST = 1 << 20  # bytes of a recipe


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Data(_Section):
    """What is read."""

    path: str = ""
    text: str | None = None
    """The text column; detected if not given."""
    second: str | None = None
    """The column of the second text of a pair; detected if not given."""
    label: str | None = None
    """The label column; detected if not given."""
    image: str | None = None
    """The column of paths to pictures; detected if not given."""
    resolution: int | None = Field(default=None, ge=8, le=1024, multiple_of=8)
    """The sides that pictures are brought to, in pixels; from their own size if not given."""
    frames: int | None = Field(default=None, ge=2, le=128)
    """Frames of a clip that are seen at once; 16 if not given."""
    frame_rate: float | None = Field(default=None, gt=0, le=240)
    """Frames a second that clips are brought to; from their length if not given."""
    group: str | None = None
    """The column that keeps pictures with words on one side when some are held out."""
    held_out: float = Field(default=0.05, gt=0, lt=1)
    """The share of pictures with words that is held out."""
    labels: str | None = None
    """Labels for the probe while pretraining."""
    test: str | None = None
    """Labels to be scored on after fine-tuning, or after the task stage of distillation."""
    unlabelled: str | None = None
    """Texts that labels spread to before fine-tuning."""
    task_labels: str | None = None
    """Labels for the task stage of distillation."""


class Goal(_Section):
    """What is learned."""

    name: str = "mlm"
    options: dict[str, Any] = Field(default_factory=dict)
    weights: tuple[float, ...] = ()
    """Of the members of a sum, in the order they are named; 1 each if not given."""


class Model(_Section):
    """The network."""

    size: str | None = None
    """A preset; chosen from the budget if not given."""
    init: str | None = None
    """A run or checkpoint folder to begin with."""
    text_init: str | None = None
    """A run or checkpoint folder with a network over text, where ``init`` has one over pictures."""
    scratch: bool = False
    """Whether the weights of ``init`` are drawn anew: the same network without what it has learned."""
    teacher: str | None = None
    """A run or checkpoint folder to learn from; the tokenizer is its."""
    teacher_sha256: str | None = None
    """Of its weights: a run goes on with the teacher that it began with, or not at all."""
    tokenizer: str | None = None
    """A run, checkpoint folder or corpus with tokens, whose tokenizer to use; one is learned if none is given."""
    vocabulary: int | None = Field(default=None, ge=300)
    """Tokens to learn; from the corpus' size if not given."""
    longest_row: int = Field(default=512, ge=8)
    """The most tokens a row may ever have."""


class Train(_Section):
    """How it is learned. What is None is chosen and written into the run's recipe."""

    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    seconds: float | None = Field(default=None, gt=0)
    batch: int | None = Field(default=None, ge=1)
    accumulate: int = Field(default=1, ge=1)
    length: int = Field(default=128, ge=8)
    """Tokens a row."""
    rate: float | None = Field(default=None, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    final: float = Field(default=0.0, ge=0, le=1)
    course: Course = "linear"
    """How the rate falls from its peak to ``final`` of it."""
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0)
    precision: Literal["fp32", "bf16"] | None = None
    device: str | None = None
    workers: int = Field(default=0, ge=0)
    threads: int | None = Field(default=None, ge=1)
    """That share a step's rows on the processor, each computing by itself; chosen from the work of a step if not given.
    Word vectors train on all cores if not given, and on one are the same bits each time."""
    shard: bool | None = None
    """Whether each rank has only its share of weights, gradients and moments; if not given, where all would not fit."""
    recompute: bool = False
    """Whether activations are computed again going backward instead of kept: a third slower, in far less memory."""
    save_seconds: float = Field(default=30.0, ge=0)
    """At least this long between checkpoints."""
    seed: int = Field(default=0, ge=0)

    def settled(self, *, samples: int, batch: int, rate: float, seconds: float, device: str, precision: str) -> "Train":
        """With what was left open: passes become steps, and without any budget it is ``seconds``.

        Args:
            samples: of a pass.
            batch, rate: to be taken where none is given; a batch is no larger than a pass.
        """
        size = min(self.batch or batch, samples)
        values: dict[str, Any] = {
            "batch": size,
            "rate": self.rate or rate,
            "device": device,
            "precision": self.precision or precision,
        }
        if self.epochs is not None:
            values |= {"steps": max(1, round(self.epochs * samples / size)), "epochs": None}
        elif self.steps is None and self.seconds is None:
            values["seconds"] = seconds
        return self.model_copy(update=values)


class Privacy(_Section):
    """What is promised to each sample; nothing if no epsilon is given. What is None is chosen, as in ``train``."""

    epsilon: float | None = Field(default=None, gt=0)
    """The most that the whole run may spend."""
    delta: float | None = Field(default=None, gt=0, lt=1)
    """The probability that it is more; n to the power of -1.1 for n samples if not given."""
    noise: float | None = Field(default=None, gt=0)
    """The deviation of the noise, in units of ``train.clip``; the least that keeps to epsilon if not given."""
    seeded: bool = False
    """Whether the noise follows from the seed, for tests: it then protects from nobody who knows it."""


class Recipe(_Section):
    """A run, as it was asked for and resolved."""

    verb: Literal["pretrain", "finetune", "distill"] = "pretrain"
    data: Data = Data()
    objective: Goal = Goal()
    model: Model = Model()
    train: Train = Train()
    privacy: Privacy = Privacy()

    def with_train(self, **values: Any) -> "Recipe":
        """The same with other values in ``train``."""
        return self.model_copy(update={"train": self.train.model_copy(update=values)})

    def with_model(self, **values: Any) -> "Recipe":
        """The same with other values in ``model``."""
        return self.model_copy(update={"model": self.model.model_copy(update=values)})

    def to_yaml(self) -> str:
        """The text of ``recipe.yaml``."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True)


def compose(given: Mapping[str, Any], *, file: Path | None = None, settings: Iterable[str] = ()) -> Recipe:
    """A recipe from a file, then the arguments of a verb, then ``key=value`` settings; the later ones win.

    Args:
        given: by dotted key; None means not given.
        file: a recipe file.
        settings: such as ``train.rate=3e-4``.

    Raises:
        SelftaughtError: for a key that does not exist (with the nearest that does), a value of the wrong kind, or a
            file that is another verb's.
    """
    tree = read_yaml(file) if file else {}
    if (verb := given.get("verb")) and (theirs := tree.get("verb", verb)) != verb:
        raise SelftaughtError(
            f"this is a recipe of {theirs}, not of {verb}", where=str(file), do=f"give one that selftaught {verb} wrote"
        )
    import_own(given.get("objective.name"))
    for key, value in given.items():
        if value is not None:
            _put(tree, key, value)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise SelftaughtError(f"--set takes key=value, not {setting!r}", do="for example --set train.rate=3e-4")
        _put(tree, key.strip(), _value(setting, value))
        if key.strip() == "objective.name":
            import_own(value)
    found = _validated(tree, str(file) if file else "")
    if found.privacy.epsilon is not None and found.verb != "pretrain":
        raise SelftaughtError(
            f"{found.verb} cannot be private: it looks at the data in ways that no noise covers",
            do="leave the recipe keys of privacy out; docs/private.md says what pretrain does",
        )
    return found


_MAY_CHANGE = {"train.device", "train.workers", "train.save_seconds", "train.shard", "train.recompute"}
_PATHS = {
    "data.path",
    "data.labels",
    "data.test",
    "data.task_labels",
    "model.init",
    "model.text_init",
    "model.teacher",
    "model.tokenizer",
}


def settled(file: Path, asked: Recipe) -> Recipe | None:
    """The recipe a run was started with, if it was; what is asked now must not contradict it.

    A step may be put together from other batches than before, if it has as many samples.

    Raises:
        SelftaughtError: naming the first key that does.
    """
    if not file.exists():
        if any((file.parent / "checkpoints").glob("step-*")):
            raise SelftaughtError(
                "this run has begun, and its recipe is missing",
                where=str(file),
                do="restore it, or choose another --out",
            )
        return None
    before = read_recipe(file)
    old, now = _flat(before.model_dump()), _flat(asked.model_dump(exclude_unset=True))
    parts = _same_step(before.train, asked.train)
    now |= parts
    may_change = _MAY_CHANGE | parts.keys()
    for key, value in now.items():
        resolved = {"train.epochs", *(("train.seconds",) if before.privacy.epsilon is not None else ())}
        if key in resolved and before.train.steps is not None:
            continue  # to steps, when the run began
        if key not in may_change and value is not None and not _same(key, old.get(key), value):
            other = before.model_dump()
            _put(other, key, value)
            raise SelftaughtError(
                f"this run was started with {key} = {old.get(key)!r}, not {value!r} "
                f"(recipe {fingerprint(before)}, not {fingerprint(_validated(other, str(file)))})",
                where=str(file),
                do="choose another --out, or repeat the command it was started with",
            )
    changed = before.model_dump()
    for key in may_change & now.keys():
        _put(changed, key, now[key])
    return _validated(changed, str(file))


def _same_step(before: Train, asked: Train) -> dict[str, int]:
    """The batches that a step is put together from, where they are given and make up the step that it was."""
    if (
        before.batch is None
        or asked.batch is None
        or asked.batch * asked.accumulate != before.batch * before.accumulate
    ):
        return {}
    return {"train.batch": asked.batch, "train.accumulate": asked.accumulate}


def fingerprint(recipe: Recipe) -> str:
    """Of all that decides what a run computes, with the samples of a step instead of how it is put together."""
    train = recipe.train
    facts = {key: value for key, value in _flat(recipe.model_dump(mode="json")).items() if key not in _MAY_CHANGE}
    for key in facts.keys() & _PATHS:
        facts[key] = os.path.normpath(facts[key]) if facts[key] else None
    del facts["train.batch"], facts["train.accumulate"]
    return short_digest({**facts, "samples": train.batch * train.accumulate if train.batch else None})


def read_recipe(file: Path) -> Recipe:
    """The recipe in a file.

    Raises:
        SelftaughtError: if it cannot be read, or holds what no recipe does.
    """
    return _validated(read_yaml(file), str(file))


def _same(key: str, old: Any, new: Any) -> bool:
    """Whether two values of a recipe key mean the same: ``notes``, ``notes/`` and ``./notes`` do."""
    if key in _PATHS and isinstance(old, str) and isinstance(new, str):
        return os.path.normpath(old) == os.path.normpath(new)
    return bool(old == new)


def _validated(tree: dict[str, Any], where: str) -> Recipe:
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        raise _explained(error, where) from error


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


class _PlainLoader(yaml.SafeLoader):
    """Reads plain data that is written out: with aliases a few lines stand for billions of values."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="an alias, which recipes have none of", problem_mark=self.peek_event().start_mark
            )
        return super().compose_node(parent, index)


def read_yaml(file: Path) -> dict[str, Any]:
    """A recipe file as nested dictionaries; plain data only, no tags and no aliases."""
    try:
        if why := not_a_file(file) or ("is far too large" if file.stat().st_size > _LARGEST else ""):
            raise SelftaughtError(f"the recipe cannot be read: it {why}", where=str(file))
        tree = yaml.load(file.read_text(encoding="utf-8"), _PlainLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise SelftaughtError(f"the recipe cannot be read: {error}", where=str(file)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a number too long, lists nested too deep
        raise SelftaughtError(f"the recipe is not valid YAML: {error}", where=str(file)) from error
    if not isinstance(tree, dict):
        raise SelftaughtError("the recipe holds no keys", where=str(file), do="take a run's recipe.yaml as a pattern")
    return tree


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise SelftaughtError(f"{key!r} is not a recipe key: {part!r} has no parts")
    tree[last] = value


def _value(setting: str, text: str) -> Any:
    """The YAML that stands behind the equals sign; it reads ``3e-4`` as text, where a user means the number."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SelftaughtError(f"--set {setting}: {text!r} is not a YAML value", do="put it in quotes") from error
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _explained(error: ValidationError, where: str) -> SelftaughtError:
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] != "extra_forbidden":
        return SelftaughtError(f"{key}: {first['msg']}, not {first['input']!r}", where=where)
    near = difflib.get_close_matches(key, _keys(Recipe), 1, cutoff=0.5)
    do = f"did you mean {near[0]}?" if near else "the keys are: " + ", ".join(_keys(Recipe))
    return SelftaughtError(f"there is no recipe key {key!r}", where=where, do=do)


def _keys(section: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in section.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            keys += _keys(nested, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys
