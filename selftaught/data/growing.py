"""A ``.npy`` file that grows: one row of numbers, whose length is not known before its end."""

from pathlib import Path
from types import TracebackType

import numpy as np


class GrowingArray:
    """Writes the array; without :meth:`close` the file is none.

    Args:
        file: is replaced.
        dtype: of the numbers.
    """

    def __init__(self, file: Path, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._length = 0
        self._file = file.open("wb")
        self._write_header()

    def __len__(self) -> int:
        return self._length

    def __enter__(self) -> "GrowingArray":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, numbers: np.ndarray) -> None:
        np.asarray(numbers, self._dtype).tofile(self._file)
        self._length += len(numbers)

    def close(self) -> None:
        """Say how long it is; numpy leaves room for that."""
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        facts = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._length,)}
        np.lib.format.write_array_header_1_0(self._file, facts)
