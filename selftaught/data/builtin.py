"""Text that is on every machine: the documentation strings of the installed Python and its packages.

They are found by reading the source files, and nothing is imported. A fifth of them, told by a hash of the
text, is set apart as the labelled part (the label is the package) and never given for pretraining: a verdict
on ``builtin:docs`` judges on rows that no model trained on ``builtin:docs`` has seen.
"""

import ast
import hashlib
import os
import re
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from inspect import cleandoc
from pathlib import Path

from selftaught.data.examples import LabelledText, Labels
from selftaught.data.files import printable, suggestion
from selftaught.data.tally import Tally
from selftaught.data.text import Row, TextSource
from selftaught.data.values import text_problem
from selftaught.errors import SelftaughtError

BUILTIN = "builtin:"
NAMES = ("docs",)
SHORTEST = 40  # characters of a docstring worth reading
PACKAGE_SHARE = 3_000_000  # characters of one package, so that none drowns the others
LARGEST_FILE = 1 << 20  # bytes: larger source files are generated tables
LABELLED = 0.2  # of the docstrings
MOST_PACKAGES, FEWEST_EXAMPLES, MOST_EXAMPLES = 16, 60, 400
PASSED_OVER = {"test", "tests", "idle_test", "__pycache__", "site-packages", "_vendor", "_vendored_packages"}
TOKEN = re.compile(
    r"#[^\n]*"
    r'|[rRuUbBfF]{0,2}(?:"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'(?:[^'\\\n]|\\.)*')",
    re.DOTALL,
)
TRIPLE = re.compile(r"[rRuU]?(\"\"\"|''')")


@dataclass(frozen=True, slots=True)
class Docstring:
    text: str
    package: str
    file: str
    line: int


@dataclass(frozen=True)
class Docstrings(TextSource):
    """The docstrings that are not in the labelled part; each is a row and a document."""

    description: str
    size_bytes: int
    fingerprint: str

    def rows(self, tally: Tally) -> Iterator[Row]:
        unlabelled = (found for found in installed_docstrings() if not is_labelled(found.text))
        for document, found in enumerate(unlabelled):
            tally.keep()
            yield Row(found.text, found.file, found.line, document)


def builtin_text(name: str) -> Docstrings:
    """The text of ``builtin:docs``; its size is that of the text in UTF-8.

    Raises:
        SelftaughtError: no built-in text has this name.
    """
    _check(name)
    texts = [found.text for found in installed_docstrings() if not is_labelled(found.text)]
    digest, size = hashlib.sha256(), 0
    for text in texts:
        encoded = text.encode()
        digest.update(encoded + b"\0")
        size += len(encoded)
    description = f"{len(texts)} docstrings of the installed Python packages, {size / 1e6:.1f} MB"
    return Docstrings(description, size, digest.hexdigest())


def builtin_labels(name: str) -> Labels:
    """The labelled part of ``builtin:docs``: the packages with the most docstrings, up to 400 of each.

    A docstring that names its package is left out: it would give the answer away.

    Raises:
        SelftaughtError: no built-in text has this name.
    """
    _check(name)
    candidates = [
        found
        for found in installed_docstrings()
        if is_labelled(found.text) and found.package.strip("_").lower() not in found.text.lower()
    ]
    packages = [
        package
        for package, number in Counter(found.package for found in candidates).most_common(MOST_PACKAGES)
        if number >= FEWEST_EXAMPLES
    ]
    tally, examples, taken = Tally(), [], Counter[str]()
    for found in sorted(candidates, key=lambda found: _digest(found.text)):
        if found.package in packages and taken[found.package] < MOST_EXAMPLES:
            taken[found.package] += 1
            tally.keep()
            examples.append(LabelledText(found.text, found.package, found.file, found.line))
    description = f"{len(examples)} docstrings, the label is the package: {', '.join(sorted(packages))}"
    return Labels(tuple(examples), tally, description, "docstring", "package")


def is_labelled(text: str) -> bool:
    """Whether a docstring belongs to the labelled part, which is never given for pretraining."""
    return int.from_bytes(_digest(text)[-8:]) < LABELLED * 2**64


@lru_cache(maxsize=1)
def installed_docstrings() -> tuple[Docstring, ...]:
    """All different docstrings, sorted by file, up to 3 million characters a package; read once a process."""
    paths = sysconfig.get_paths()
    seen: set[bytes] = set()
    size: Counter[str] = Counter()
    found = []
    for root in dict.fromkeys([paths["stdlib"], paths["purelib"], paths["platlib"]]):
        for path, package in _source_files(Path(root)):
            if size[package] >= PACKAGE_SHARE:
                continue
            for line, text in docstrings_in(_source(path)):
                digest = _digest(text)
                if digest not in seen and not text_problem(text, ""):
                    seen.add(digest)
                    size[package] += len(text)
                    name = printable(str(path.relative_to(root)))
                    found.append(Docstring(text, package, name, line))
    return tuple(found)


def docstrings_in(source: str) -> Iterator[tuple[int, str]]:
    """The line and the cleaned text of each triple-quoted docstring in a Python source, in order.

    Several times as fast as parsing: strings and comments are told apart by one regular expression, and
    a string is a docstring where it opens a file or follows a colon.
    """
    end, opens, line, counted = 0, True, 1, 0
    for token in TOKEN.finditer(source):
        if code := source[end : token.start()].rstrip():
            opens = code[-1] == ":"
        end = token.end()
        text = token.group()
        if text[0] == "#":
            continue
        if opens and (quote := TRIPLE.match(text)):
            line += source.count("\n", counted, token.start())
            counted = token.start()
            cleaned = cleandoc(_value(text, quote.end()))
            if len(cleaned) >= SHORTEST:
                yield line, cleaned
        opens = False


def _check(name: str) -> None:
    if name not in NAMES:
        there_is = [BUILTIN + one for one in NAMES]
        raise SelftaughtError(
            f"there is no built-in text {BUILTIN + name!r}; there is {', '.join(there_is)}",
            do=suggestion(BUILTIN + name, there_is),
        )


def _source(path: Path) -> str:
    """The Python source; "" where it cannot be read or is larger than sources are that people write."""
    try:
        return path.read_text("utf-8") if path.stat().st_size <= LARGEST_FILE else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _value(literal: str, quote_end: int) -> str:
    if "\\" not in literal:
        return literal[quote_end:-3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a stray backslash in somebody's docstring
        try:
            return str(ast.literal_eval(literal))
        except (SyntaxError, ValueError):
            return literal[quote_end:-3]


def _source_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Python files below a folder of packages, sorted, and the top-level package of each."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in PASSED_OVER)
        for name in sorted(names):
            if name.endswith(".py"):
                path = Path(folder, name)
                yield path, path.relative_to(root).parts[0].removesuffix(".py")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
