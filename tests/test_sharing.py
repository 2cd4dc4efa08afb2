"""Who computes a step."""

import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selftaught.sharing import Crew, fitting_crew


@pytest.mark.parametrize(
    ("operations", "rows", "threads", "expected"),
    [
        (4e9, 12, 2, 2),
        (4e9, 12, 8, 6),  # eight could not have as many rows each
        (4e9, 7, 4, 1),
        (1e8, 16, 8, 1),  # too little to be shared
        (1.2e9, 16, 8, 2),
        (1e12, 16, 8, None),  # large enough that each operation is
        (4e9, 16, 1, 1),
    ],
)
def test_how_many(operations: float, rows: int, threads: int, expected: int | None) -> None:
    assert fitting_crew(operations, rows, threads) == expected


@given(st.floats(0, 1e11), st.integers(1, 512), st.integers(1, 64))
def test_all_have_as_many_rows(operations: float, rows: int, threads: int) -> None:
    found = fitting_crew(operations, rows, threads)
    assert found is not None
    assert 1 <= found <= threads
    assert rows % found == 0


def test_parts_are_worked_on_at_once_and_come_back_in_order() -> None:
    together = threading.Barrier(3, timeout=10)

    def work(part: int) -> int:
        together.wait()
        return 10 * part

    with Crew(3) as crew:
        assert crew.map(work, [1, 2, 3]) == [10, 20, 30]


@pytest.mark.parametrize("size", [None, 1])
def test_nobody_else_is_needed_for_one(size: int | None) -> None:
    with Crew(size) as crew:
        assert crew.map(lambda _: threading.current_thread(), [0]) == [threading.current_thread()]


@pytest.mark.parametrize(("size", "threads"), [(None, 2), (1, 1), (2, 1)])
def test_an_operation_is_shared_out_only_where_rows_are_not(size: int | None, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with Crew(size) as crew, crew.at_work():
            assert crew.map(lambda _: torch.get_num_threads(), [0, 0]) == [threads, threads]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
