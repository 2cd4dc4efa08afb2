"""Which columns of a table hold pictures, captions and labels: by name, or else by what the values look like."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from selftaught.data.columns import label_by_name, listed, named, text_column
from selftaught.data.picture_decoding import SUFFIXES
from selftaught.data.sights import is_clip_path
from selftaught.data.tabular import RecordFile, Values
from selftaught.errors import SelftaughtError

CAPTION_NAMES = (
    "caption", "captions", "text", "texts", "description", "alt", "alt_text", "title", "sentence", "sentences", "raw",
    "prompt", "name", "标题", "描述", "文本", "说明",
)  # fmt: skip
_PICTURE_NAMES = (
    "image",
    "picture",
    "img",
    "file_name",
    "filename",
    "image_path",
    "path",
    "file",
    "jpg",
    "png",
    "图片",
)
_VARIED = 0.5  # of the rows: a column with fewer different values is rather one of labels


@dataclass(frozen=True)
class Asked:
    """The columns that the user names; None for those that are to be found.

    Args:
        text: of captions, or several with commas between.
        group: of what keeps pictures together when some are held out; it is never guessed.
        clips: whether videos count as pictures.
    """

    image: str | None = None
    text: str | None = None
    label: str | None = None
    group: str | None = None
    clips: bool = False


@dataclass(frozen=True)
class PairColumns:
    """The columns of pictures with words.

    Args:
        image: of paths or bytes.
        texts: of captions; at least one.
        label, group: of labels, and of what keeps pictures together; empty if there is none.
        guessed: whether the captions were told by their looks alone.
    """

    image: str
    texts: tuple[str, ...]
    label: str
    group: str
    guessed: bool

    @property
    def all(self) -> tuple[str, ...]:
        """Each column that is read."""
        return tuple(dict.fromkeys(filter(None, (self.image, *self.texts, self.label, self.group))))

    def __str__(self) -> str:
        captions = " and ".join(map(repr, self.texts))
        label = f", labels in {self.label!r}" if self.label else ""
        guess = " (a guess; name them with --text)" if self.guessed else ""
        group = f", held out by {self.group!r}" if self.group else ""
        return f"pictures in {self.image!r}, captions in {captions}{guess}{label}{group}"


def pair_columns(records: RecordFile, sample: Sequence[Values], asked: Asked) -> PairColumns:
    """The columns of a table of pairs.

    Raises:
        SelftaughtError: if a named column is not there, or none is found.
    """
    columns, where = records.columns, records.file.name
    found = named(asked.image, columns, where) if asked.image else picture_column(columns, sample, asked.clips)
    if not found:
        raise SelftaughtError(
            f"no column names pictures; the columns are {listed(columns)}",
            where=where,
            do="name the column of paths or bytes with --image",
        )
    others = [column for column in columns if column != found]
    about = named(asked.label, columns, where) if asked.label else label_by_name(others)
    group = named(asked.group, columns, where) if asked.group else ""
    texts = _named_texts(asked.text, columns, where) if asked.text else caption_columns(columns, sample, found)
    guessed = not texts
    texts = texts or tuple(filter(None, [_prose(sample, columns, (found, about))]))
    if not texts:
        raise SelftaughtError(
            f"no column holds captions; the columns are {listed(columns)}",
            where=where,
            do="name one, or several with commas between, with --text",
        )
    if found in texts:
        raise SelftaughtError(f"pictures and captions are one and the same column, {found!r}", where=where)
    return PairColumns(found, texts, about if asked.label or about not in texts else "", group, guessed)


def looks_like_pairs(records: RecordFile, sample: Sequence[Values]) -> bool:
    """Whether a table is plainly one of pictures with captions: labels are few different words."""
    if not (image := picture_column(records.columns, sample)):
        return False
    if caption_columns(records.columns, sample, image):
        return True
    column = _prose(sample, records.columns, (image, label_by_name(records.columns)))
    values = [str(row[column]) for row in sample if row.get(column)] if column else []
    sentences = sum(" " in value.strip() for value in values)
    return len(set(values)) > _VARIED * len(values) or 2 * sentences > len(values)


def picture_column(columns: Sequence[str], sample: Sequence[Values], clips: bool = False) -> str:
    """The column whose values are mostly bytes or names of picture files; "" if there is none.

    Args:
        clips: whether names of videos count.
    """
    found = [c for c in columns if _mostly(sample, c, is_picture) or (clips and names_clips(sample, c))]
    lower = {column.lower(): column for column in reversed(found)}
    return next((lower[name] for name in _PICTURE_NAMES if name in lower), next(iter(found), ""))


def is_picture(value: object) -> bool:
    """Whether a value is the bytes of something, or the name of a picture file."""
    if isinstance(value, dict):
        return isinstance(value.get("bytes"), bytes) or is_picture(value.get("path"))
    return isinstance(value, bytes) or (isinstance(value, str) and value.strip().lower().endswith(SUFFIXES))


def names_clips(sample: Sequence[Values], column: str) -> bool:
    """Whether the values of a column are mostly names of videos."""
    return _mostly(sample, column, lambda value: isinstance(value, str) and is_clip_path(value.strip()))


def caption_columns(columns: Sequence[str], sample: Sequence[Values], image: str) -> tuple[str, ...]:
    """The columns called captions, such as ``caption_1`` and ``caption_2``; or the one with the best other name."""
    others = [column for column in columns if column != image and _mostly(sample, column, _is_text)]
    if many := tuple(column for column in others if column.lower().startswith("caption")):
        return many
    lower = {column.lower(): column for column in reversed(others)}
    return tuple([lower[name] for name in CAPTION_NAMES if name in lower][:1])


def _named_texts(text: str, columns: Sequence[str], where: str) -> tuple[str, ...]:
    """A name as it is, if there is such a column; else the names between its commas."""
    names = [text] if text in columns else [part.strip() for part in text.split(",") if part.strip()]
    return tuple(dict.fromkeys(named(name, columns, where) for name in names))


def _prose(sample: Sequence[Values], columns: Sequence[str], but: Sequence[str]) -> str:
    """The first column with texts about as long as the longest, of those that are no addresses; "" if there is none."""
    places = {column for column in columns if _mostly(sample, column, _is_address)}
    free = [{c: v for c, v in row.items() if c not in but and c not in places} for row in sample]
    longest = text_column(free)
    return next((c for c in columns if longest and 2 * _length(free, c) > _length(free, longest)), longest)


def _length(rows: Sequence[Values], column: str) -> int:
    """Characters of the texts in a column."""
    return sum(len(value) for row in rows if isinstance(value := row.get(column), str))


def _is_text(value: object) -> bool:
    return (isinstance(value, str) and bool(value.strip()) and not _is_address(value)) or (
        isinstance(value, list) and all(part is None or isinstance(part, str) for part in value)
    )


def _is_address(value: object) -> bool:
    return isinstance(value, str) and (is_picture(value) or is_clip_path(value.strip()) or "://" in value[:12])


def _mostly(sample: Sequence[Values], column: str, is_one: Callable[[object], bool]) -> bool:
    values = [row.get(column) for row in sample if row.get(column) not in (None, "")]
    return bool(values) and 2 * sum(map(is_one, values)) > len(values)
