import ast
import inspect
import sys
import textwrap
from pathlib import Path

import pytest

from selftaught.data import builtin
from selftaught.data.builtin import SHORTEST, docstrings_in, is_labelled
from selftaught.data.labels import read_labels
from selftaught.data.source import open_text
from selftaught.data.tally import Tally

PROSE = "which is long enough to be worth reading"
SOURCE = textwrap.dedent(f'''
    # a comment: with 'quotes"
    """A module, {PROSE}."""

    NOT_ONE = """A string that is assigned, {PROSE}."""

    def function(name="x:", *, other='"""'):  # a comment
        r"""Raw \\d, {PROSE}.

            Indented as it is.
        """
        """A second string, {PROSE}."""
        return {{"key": "value:"}}

    class Class:

        \'\'\'A class, {PROSE}.\'\'\'

        async def method(
            self,
        ) -> None:
            """Escaped \\u5b57, {PROSE}."""

        def short(self):
            """Too short."""
''')


def test_docstrings_are_those_that_the_parser_finds() -> None:
    assert list(docstrings_in(SOURCE)) == [
        (3, f"A module, {PROSE}."),
        (8, f"Raw \\d, {PROSE}.\n\nIndented as it is."),
        (17, f"A class, {PROSE}."),
        (22, f"Escaped 字, {PROSE}."),
    ]


@pytest.mark.parametrize("module", [ast, inspect, textwrap, sys.modules["dataclasses"]])
def test_they_are_those_of_the_standard_library_too(module: object) -> None:
    source = Path(inspect.getfile(module)).read_text("utf-8")  # type: ignore[arg-type]
    nodes = ast.walk(ast.parse(source))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    parsed = {ast.get_docstring(node) for node in nodes if isinstance(node, kinds)}
    triple = {doc for doc in parsed if doc and len(doc) >= SHORTEST}
    found = {text for _, text in docstrings_in(source)}
    assert found <= triple
    assert len(triple - found) <= 0.1 * len(triple)  # those in single quotes


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of two packages with 300 docstrings each."""
    for package in ("alpha", "beta"):
        (tmp_path / package / "tests").mkdir(parents=True)
        functions = [
            f'def f{n}():\n    """What {word} {n} does, {PROSE}."""\n'
            for n, word in enumerate([package if n % 10 == 0 else "function" for n in range(300)])
        ]
        (tmp_path / package / "__init__.py").write_text(
            f"# {package}\n" + "\n".join(functions).replace("does", f"does in {package[::-1]}")
        )
        (tmp_path / package / "tests" / "test_it.py").write_text(f'"""A test, {PROSE}."""')
    (tmp_path / "gamma").mkdir()
    (tmp_path / "gamma" / "copy.py").write_text((tmp_path / "alpha" / "__init__.py").read_text())
    paths = dict.fromkeys(("stdlib", "purelib", "platlib"), str(tmp_path))
    monkeypatch.setattr(builtin.sysconfig, "get_paths", lambda: paths)
    monkeypatch.setattr(builtin, "FEWEST_EXAMPLES", 10)
    builtin.installed_docstrings.cache_clear()
    yield tmp_path
    builtin.installed_docstrings.cache_clear()


def test_pretraining_and_labels_share_no_docstring(site: Path) -> None:
    rows = list(open_text("builtin:docs").rows(Tally()))
    labels = read_labels("builtin:docs")
    assert not {row.text for row in rows} & {one.text for one in labels.examples}
    assert all(is_labelled(one.text) for one in labels.examples)
    assert len(rows) + sum(is_labelled(one.text) for one in builtin.installed_docstrings()) == 600
    assert 60 < 600 - len(rows) < 180


def test_labels_are_packages_and_no_text_names_its_own(site: Path) -> None:
    labels = read_labels("builtin:docs")
    assert set(labels.counts) == {"alpha", "beta"}
    assert not any(one.label in one.text for one in labels.examples)
    first = min(labels.examples, key=lambda one: (one.file, one.line))
    assert first.file == "alpha/__init__.py"
    assert (site / first.file).read_text().splitlines()[first.line - 1].strip().startswith('"""')


def test_the_order_and_the_fingerprint_are_the_same_each_time(site: Path) -> None:
    first = open_text("builtin:docs")
    rows = list(first.rows(Tally()))
    builtin.installed_docstrings.cache_clear()
    second = open_text("builtin:docs")
    assert (second, list(second.rows(Tally()))) == (first, rows)
    assert first.size_bytes == sum(len(row.text.encode()) for row in rows)
    (site / "beta" / "__init__.py").write_text("")
    builtin.installed_docstrings.cache_clear()
    assert open_text("builtin:docs").fingerprint != first.fingerprint
