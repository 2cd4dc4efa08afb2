import pytest

from selftaught import live


def test_counted_work_tells_its_share_and_gives_all_results(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_EVERY_SECONDS", {True: 0.0, False: 0.0})
    assert list(live.counted(iter("abcd"), 4, "cleaning, units")) == ["a", "b", "c", "d"]
    told = capsys.readouterr().err.splitlines()
    assert [line.split("  left")[0].strip() for line in told] == [
        "25%  cleaning, units 1 of 4",
        "50%  cleaning, units 2 of 4",
        "75%  cleaning, units 3 of 4",
        "100%  cleaning, units 4 of 4",
    ]
    assert told[-1].endswith("left 0:00")


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(live.counted(range(3), 3, "cleaning, units")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
