"""Torture: the program is killed, starved and fed with rubbish, and what it loses is counted.

``make torture`` runs all of it and prints the table; ``make test`` runs a short form of what has one, without a table.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.torture.data import write_pictures, write_texts
from tests.torture.table import Row, Tried, show

_ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Tried:
    rows = request.config.stash.setdefault(_ROWS, [])

    def put(what: str, tries: int, lost: int, note: str = "", *, peer: bool = False) -> None:
        rows.append(Row(what, tries, lost, note))
        assert peer or lost == 0, f"{what}: {lost} of {tries} lost {note}"

    return put


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """How many times to try: ``times(whole, short)``."""
    whole_form = request.config.getoption("--torture")
    return lambda whole, short: whole if whole_form else short


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    return write_texts(tmp_path_factory.mktemp("text"), texts)


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-eight small pictures with a caption each."""
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(config: pytest.Config) -> Iterator[None]:
    yield
    if config.getoption("--torture"):
        show(config.stash.get(_ROWS, []))
