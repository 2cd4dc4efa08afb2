"""What needs no network: to copy, to take the first sentence, to remember the nearest."""

from selftaught.metrics.copying import first_sentence, nearest_targets


def test_the_first_sentence() -> None:
    assert first_sentence("Dr. Fox saw it. Then he left.") == "Dr. Fox saw it."
    assert first_sentence("他走了。她来了。") == "他走了。"
    assert first_sentence("One line\nand another.") == "One line"
    assert first_sentence("no mark at all") == "no mark at all"


def test_the_target_of_the_nearest_source() -> None:
    sources = ["remove a file", "list all files", "show the date"]
    assert nearest_targets(sources, ["rm", "ls", "date"], ["list some files", "the date today"]) == ["ls", "date"]
    assert nearest_targets(["删除文件", "显示日期"], ["rm", "date"], ["请显示今天的日期"]) == ["date"]
