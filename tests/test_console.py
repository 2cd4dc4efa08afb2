"""What a verb says at its end."""

import json
import math

import pytest

from selftaught.console import dump, table, tell


def test_json_has_no_nan_and_keeps_every_letter() -> None:
    value = {"loss": math.nan, "parts": [1, (math.inf, 0.5)], "名": {"bits": None}}
    assert json.loads(dump(value)) == {"loss": None, "parts": [1, [None, 0.5]], "名": {"bits": None}}
    assert "名" in dump(value)


def test_one_of_two_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell({"a": 1}, ["one", "two"], json=False) == {"a": 1}
    assert capsys.readouterr().out == "one\ntwo\n"
    tell({"a": 1}, ["one", "two"], json=True)
    assert capsys.readouterr().out == '{"a": 1}\n'


def test_a_table_is_aligned() -> None:
    assert table(["method", "8"], [["probe", "0.7"], ["untrained network", "0.25"]]) == [
        "method                8",
        "-----------------  ----",
        "probe               0.7",
        "untrained network  0.25",
    ]
