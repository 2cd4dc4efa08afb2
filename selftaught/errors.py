"""The one exception a user meets: it says what is wrong, where, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SelftaughtError(Exception):
    """A mistake or a damaged input that the user can mend; the command line prints it without a traceback.

    Args:
        what: what is wrong, in one sentence.
        where: the file, and the line or column if known (``notes.jsonl:17``).
        do: the next step the user can take.
    """

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        self.what, self.where, self.do = what, where, do
        parts = [what]
        if where:
            parts.append(f"  where: {where}")
        if do:
            parts.append(f"  do:    {do}")
        super().__init__("\n".join(parts))


@contextmanager
def saving(place: Path) -> Iterator[None]:
    """Whatever is written below this, a full or unwritable disk is a clear error.

    Raises:
        SelftaughtError: naming ``place``.
    """
    try:
        yield
    except OSError as error:
        raise SelftaughtError(
            f"this could not be saved: {error}",
            where=str(place),
            do="make room or choose another disk; what was saved before is untouched, and the same command resumes",
        ) from error
