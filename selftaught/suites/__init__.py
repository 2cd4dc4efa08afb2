"""Published test suites, one file each; the file's name is the suite's name on the command line.

A suite is a function ``run(model, data, rows, seed)``: it gives what it reports, and the lines for people. The model is
a :class:`~selftaught.pretrained.Pretrained`, or for :data:`OF_WORDS` a :class:`~selftaught.word2vec.model.WordModel`.
"""

import difflib
import importlib
from collections.abc import Callable
from typing import Any

from selftaught.errors import SelftaughtError
from selftaught.lookup import names

OF_WORDS = ("analogies", "similarity")

Suite = Callable[[Any, str, int | None, int], tuple[dict[str, Any], list[str]]]


def find_suite(name: str) -> Suite:
    """The suite of this name.

    Raises:
        SelftaughtError: if there is none, with the nearest there is.
    """
    known = names(__name__)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        do = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(known)
        raise SelftaughtError(f"there is no suite called {name!r}", do=do)
    suite: Suite = importlib.import_module(f"{__name__}.{name}").run
    return suite
