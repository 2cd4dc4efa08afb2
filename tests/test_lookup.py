"""Names are files: nothing is registered, and a wrong name meets the right one."""

import sys
from pathlib import Path

import pytest

import selftaught
from selftaught import lookup
from selftaught.errors import SelftaughtError
from selftaught.objective import Sum
from selftaught.objectives.mlm import MLM

OWN = """
from dataclasses import dataclass
from selftaught.objectives.mlm import MLM

@dataclass(frozen=True)
class Mine(MLM):
    pass

class NoObjective:
    pass
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "users_own_module.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("users_own_module", None)
    return "users_own_module"


@pytest.mark.parametrize("package", [lookup.OBJECTIVES, lookup.TASKS])
def test_every_file_of_the_folder_is_a_name(package: str) -> None:
    folder = Path(selftaught.__file__).parent / package.rpartition(".")[2]
    assert lookup.names(package) == sorted(f.stem for f in folder.glob("*.py") if f.stem != "__init__")


def test_by_name_with_options() -> None:
    assert lookup.make("mlm", lookup.OBJECTIVES, {"rate": 0.3}) == MLM(rate=0.3)


def test_a_name_in_a_file_imports_nothing(own: str, tmp_path: Path) -> None:
    """A model from elsewhere says by ``task.json`` what it is: with the name of a module beside it, this was run."""
    for name in (f"{own}:Mine", "antigravity:Mine", f"mlm+{own}:Mine"):
        with pytest.raises(SelftaughtError, match="code is run for no file"):
            lookup.make(name, lookup.OBJECTIVES, {})
        assert own not in sys.modules
    (tmp_path / "recipe.yaml").write_text(f"objective: {{name: '{own}:Mine'}}", encoding="utf-8")
    with pytest.raises(SelftaughtError, match="code is run for no file"):
        selftaught.pretrain("nothing", recipe=tmp_path / "recipe.yaml", out=tmp_path / "run")
    assert own not in sys.modules


def test_the_user_s_own(own: str) -> None:
    lookup.import_own(f"mlm+{own}:Mine")
    assert lookup.make(f"{own}:Mine", lookup.OBJECTIVES, {"rate": 0.3}).name == "users_own_module"


def test_a_sum_takes_its_members_options() -> None:
    found = lookup.make("mlm", lookup.OBJECTIVES, {})
    assert not isinstance(found, Sum)
    with pytest.raises(SelftaughtError, match="no member 'nsp'"):
        lookup.make("mlm+mlm", lookup.OBJECTIVES, {"nsp": {}})


@pytest.mark.parametrize(
    ("name", "options", "said", "do"),
    [
        ("mlmm", {}, "no objective called 'mlmm'", "did you mean mlm?"),
        ("zzzz", {}, "no objective called 'zzzz'", "mlm"),
        ("", {}, "no objective called ''", "mlm"),
        ("mlm", {"rte": 1}, "no option 'rte'", "did you mean rate?"),
        ("mlm", {"zzzz": 1}, "no option 'zzzz'", "whole_words"),
        ("mlm", {"rate": 3}, "share between 0 and 1", "selftaught objectives"),
        ("mlm", {"rate": "high"}, "mlm", "selftaught objectives"),
        ("nowhere_at_all:Mine", {}, "cannot be imported", "package.module:Class"),
        ("users_own_module:Yours", {}, "cannot be imported", "package.module:Class"),
        ("users_own_module:NoObjective", {}, "not an Objective", "derive it"),
        ("mlm+mlm", {}, "different names", ""),
    ],
)
def test_mistakes_are_named(own: str, name: str, options: dict[str, object], said: str, do: str) -> None:
    def ask() -> None:
        lookup.import_own(name)
        lookup.make(name, lookup.OBJECTIVES, options)

    with pytest.raises(SelftaughtError) as caught:
        ask()
    assert said in caught.value.what
    assert do in caught.value.do


def test_tasks_are_called_tasks() -> None:
    with pytest.raises(SelftaughtError, match="no task called 'clasify'") as caught:
        lookup.find("clasify", lookup.TASKS)
    assert caught.value.do == "did you mean classify?"
