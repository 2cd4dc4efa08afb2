"""Files made to hurt: nothing in them is run, nothing outside is touched, and refusing them takes little."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import selftaught
from tests.films import film, moving_square
from tests.torture.bombs import BOMBS
from tests.torture.guarded import Told, guarded, in_a_copy
from tests.torture.hostile import SECRET, Make, Scene
from tests.torture.hostile_data import DATA, GOOD_DATA, TEXTS, png
from tests.torture.hostile_models import GOOD_MODELS, MODELS
from tests.torture.table import Tried

SECONDS, MEGABYTES = 1.0, 100.0
SMALL = ["--steps", "1", "--set=train.length=16", "--set=train.precision=fp32", "--set=train.device=cpu"]

Times = Callable[[int, int], int]


@pytest.fixture(scope="module")
def good(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """``run``, ``text.txt`` and ``labels.csv``; verbs are called once, so that a copy of this process has them."""
    place, whole = tmp_path_factory.mktemp("good"), request.config.getoption("--torture")
    (place / "text.txt").write_text("\n".join(texts * 9), encoding="utf-8")
    rows = [f'"{text}",{"fox" in text}' for text in texts]
    (place / "labels.csv").write_text("text,label\n" + "\n".join(rows * 3), encoding="utf-8")
    settings = [setting.removeprefix("--set=") for setting in SMALL[2:]]
    for folder, content in (("pictures", png()), ("films", film(place / "a.mkv", moving_square()).read_bytes())):
        (place / folder).mkdir()
        for number in "abc":
            (place / folder / f"{number}.{'png' if folder == 'pictures' else 'mkv'}").write_bytes(content)
        selftaught.check(str(place / folder))
        if whole:
            selftaught.pretrain(
                str(place / folder), steps=1, size="vit-tiny", out=place / f"run {folder}", set_=settings[1:]
            )
    selftaught.check(str(place / "text.txt"))
    selftaught.pretrain(str(place / "text.txt"), steps=1, size="tiny", out=place / "run", set_=settings)
    if whole:
        selftaught.finetune(place / "run", str(place / "labels.csv"), steps=1, out=place / "taught", set_=settings)
        selftaught.embed(place / "run", str(place / "text.txt"), out=place / "v.parquet")
    selftaught.predict(place / "run", "a [MASK]")
    return place


def _with_model(model: Path, good: Path, out: Path) -> list[list[str]]:
    text = str(good / "text.txt")
    return [
        ["predict", str(model), "a [MASK] fox"],
        ["embed", str(model), text, "--out", str(out / "v.parquet")],
        ["pretrain", text, "--init", str(model), "--out", str(out / "more"), *SMALL],
        ["finetune", str(model), str(good / "labels.csv"), "--out", str(out / "taught"), *SMALL],
    ]


def _with_data(data: Path, good: Path, out: Path) -> list[list[str]]:
    return [
        ["check", str(data), "--json"],
        ["pretrain", str(data), "--out", str(out / "of data"), *SMALL],
        ["embed", str(good / "run"), str(data), "--out", str(out / "v.parquet")],
        ["finetune", str(good / "run"), str(data), "--out", str(out / "taught"), *SMALL],
    ]


Commands = Callable[[Path, Path, Path], list[list[str]]]


def attack(make: Make, commands: Commands, good: Path, place: Path, most: int) -> list[tuple[list[str], Told]]:
    """What a case came to with each command; that nothing was run, written or read outside is seen to here."""
    scene = Scene(place / "inside", place / "outside", good / "run" / "model")
    for folder in (scene.inside, scene.outside, place / "out"):
        folder.mkdir(parents=True)
    (scene.outside / "secret.txt").write_text(SECRET + "\n", encoding="utf-8")
    given = in_a_copy(make, scene)
    before = sorted(scene.outside.iterdir())
    found = [(argv, guarded(*argv, where=scene.inside)) for argv in commands(given, good, place / "out")[:most]]
    assert not scene.canary.exists(), "code was run"
    assert sorted(scene.outside.iterdir()) == before, "something was written outside"
    for file in (place / "out").rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), f"{file} has what stood outside"
    for argv, told in found:
        assert "Traceback" not in told.err, (argv, told.err)
        assert SECRET not in told.out + told.err, argv
    return found


def refused(argv: Sequence[str], told: Told) -> str:
    """What is wrong with how a command refused; empty if nothing."""
    wrong = [f"code {told.code}"] if told.code != 1 else []
    wrong += [f"{told.seconds:.2f} s"] if told.seconds >= SECONDS else []
    wrong += [f"{told.grown:.0f} MB"] if told.grown >= MEGABYTES else []
    return f"{argv[0]}: {', '.join(wrong)} ({told.err[-300:]})" if wrong else ""


_BOMBS = pytest.param("bombs", BOMBS, marks=pytest.mark.torture)  # a minute, most of it to make them


@pytest.mark.parametrize(("kind", "cases"), [("models", MODELS), ("data", DATA), _BOMBS])
def test_what_is_refused(
    kind: str, cases: dict[str, Make], good: Path, tmp_path: Path, times: Times, tried: Tried
) -> None:
    commands: Commands = _with_model if kind == "models" else _with_data
    found = {}
    for number, (name, make) in enumerate(cases.items()):
        for argv, told in attack(make, commands, good, tmp_path / str(number), times(9, 1)):
            if argv[0] != "embed" or name not in TEXTS:  # a network over texts reads them, and does nothing else
                found[f"{name}, {argv[0]}"] = refused(argv, told), told
    lost = {what: wrong for what, (wrong, _) in found.items() if wrong}
    slowest, largest = (max(found, key=lambda what: getattr(found[what][1], fact)) for fact in ("seconds", "grown"))
    note = f"slowest {found[slowest][1].seconds:.2f} s ({slowest}), most {found[largest][1].grown:.0f} MB ({largest})"
    assert not lost, json.dumps(lost, indent=1)
    tried(f"{len(cases)} hostile files, {kind}: refused", len(found), len(lost), note)


@pytest.mark.parametrize(("kind", "cases"), [("models", GOOD_MODELS), ("data", GOOD_DATA)])
def test_what_is_passed_over(
    kind: str, cases: dict[str, Make], good: Path, tmp_path: Path, times: Times, tried: Tried
) -> None:
    commands: Commands = _with_model if kind == "models" else _with_data
    tries = 0
    for number, make in enumerate(cases.values()):
        told = attack(make, commands, good, tmp_path / str(number), times(9, 1))
        assert all(one.code in (0, 1) for _, one in told), told  # what needs the hostile part says that it is refused
        tries += len(told)
    tried(f"{len(cases)} hostile files beside good {kind}", tries, 0)
