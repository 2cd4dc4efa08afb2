"""Which column is the text, the second text, the label: by name, or else by what the values look like."""

from collections.abc import Sequence

from selftaught.data.files import suggestion
from selftaught.errors import SelftaughtError

TEXT_NAMES = (
    "text", "sentence", "content", "body", "review", "document", "title", "article", "comment", "message",
    "utterance", "question", "query", "文本", "正文", "内容", "评论", "句子", "标题",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "category", "class", "intent", "target", "sentiment", "y", "topic", "tag", "polarity",
    "gold_label", "label_text", "coarse_label", "fine_label", "类别", "标签", "分类", "情感",
)  # fmt: skip
PAIR_NAMES = (
    ("sentence1", "sentence2"), ("sentence_1", "sentence_2"), ("sentence_a", "sentence_b"), ("sent1", "sent2"),
    ("text1", "text2"), ("text_1", "text_2"), ("text_a", "text_b"), ("texta", "textb"), ("text", "text_pair"),
    ("premise", "hypothesis"), ("question1", "question2"), ("q1", "q2"), ("s1", "s2"), ("first", "second"),
    ("#1 string", "#2 string"), ("query", "passage"), ("question", "sentence"), ("anchor", "positive"),
    ("句子1", "句子2"), ("文本1", "文本2"), ("前提", "假设"),
)  # fmt: skip
MOST_CLASSES = 0.5  # a label column has at most this many different values a row

Rows = Sequence[dict[str, object]]


def columns_of(rows: Rows) -> tuple[str, ...]:
    """Every column of the rows, in the order in which they first appear."""
    return tuple(dict.fromkeys(name for row in rows for name in row))


def named(column: str, columns: Sequence[str], where: str) -> str:
    """The column the user asked for.

    Raises:
        SelftaughtError: there is no such column; the message lists those there are.
    """
    if column in columns:
        return column
    raise SelftaughtError(
        f"there is no column {column!r}; the columns are {listed(columns)}",
        where=where,
        do=suggestion(column, columns) or "name one of these",
    )


def listed(columns: Sequence[str]) -> str:
    return ", ".join(columns) if columns else "none"


def text_column(rows: Rows, but: str = "") -> str:
    """The text column, "" if there is none: one named so, the longest of several; else the longest prose."""
    lengths = {name: _mean_length(rows, name) for name in columns_of(rows) if name != but}
    prose = {name: length for name, length in lengths.items() if length > 0}
    hinted = [name for name in prose if name.lower() in TEXT_NAMES]
    if any(name.lower() == "text" for name in hinted):
        hinted = [name for name in hinted if name.lower() == "text"]
    return max(hinted or prose, key=lambda name: prose[name], default="")


def text_by_name(columns: Sequence[str]) -> str:
    """The column with the best of the names that text columns have, "" if there is none."""
    return _by_name(columns, TEXT_NAMES)


def label_by_name(columns: Sequence[str]) -> str:
    """The column with the best of the names that label columns have, "" if there is none."""
    return _by_name(columns, LABEL_NAMES)


def labels_by_values(rows: Rows, but: str) -> list[str]:
    """The columns with few different values, those with the fewest first."""
    counts = {name: len({str(row.get(name)) for row in rows}) for name in columns_of(rows) if name != but}
    few = [name for name, count in counts.items() if 2 <= count <= max(2, MOST_CLASSES * len(rows))]
    return sorted(few, key=lambda name: counts[name])


def known_pair(columns: Sequence[str]) -> tuple[str, str] | None:
    """The two columns with names that the texts of a pair have; None if there are no such two."""
    lower = {name.lower(): name for name in reversed(columns)}
    return next(((lower[one], lower[two]) for one, two in PAIR_NAMES if one in lower and two in lower), None)


def _by_name(columns: Sequence[str], hints: Sequence[str]) -> str:
    lower = {name.lower(): name for name in reversed(columns)}
    return next((lower[hint] for hint in hints if hint in lower), "")


def _mean_length(rows: Rows, name: str) -> float:
    """Mean characters of the values that are strings and no numbers; 0 where most are not."""
    values = [row.get(name) for row in rows if row.get(name) not in (None, "")]
    strings = [value for value in values if isinstance(value, str) and not is_number(value)]
    if 2 * len(strings) < len(values) or not strings:
        return 0.0
    return sum(map(len, strings)) / len(strings)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
