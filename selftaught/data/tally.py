"""The ledger of a reading: every row is either kept or quarantined, and the quarantined ones are named."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

IN_MEMORY = 1000
WHOLE_FILE = 0
QUARANTINE = "quarantine.jsonl"  # what a run calls the file that names every row it set aside


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that was set aside: ``file`` as the user would name it, ``line`` from 1 (0: the whole file)."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        place = self.file if self.line == WHOLE_FILE else f"{self.file}:{self.line}"
        return f"{place}: {self.why}"


@dataclass
class Tally:
    """Counts rows; ``rows == kept + quarantined`` always.

    All rows are counted, the first 1000 quarantined ones are held in ``records``, and all of them are
    appended to ``log`` as JSON lines where a path is given, so that memory is bounded and nothing is lost.
    """

    log: Path | None = None
    kept: int = 0
    quarantined: int = 0
    records: list[Quarantined] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.kept + self.quarantined

    def keep(self, rows: int = 1) -> None:
        self.kept += rows

    def quarantine(self, file: str, line: int, why: str) -> None:
        record = Quarantined(file, line, why)
        self.quarantined += 1
        if len(self.records) < IN_MEMORY:
            self.records.append(record)
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as out:
                out.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")

    def take_over(self, other: "Tally") -> None:
        """Count the rows that another reading set aside, and name those that it names."""
        for record in other.records:
            self.quarantine(record.file, record.line, record.why)
        self.quarantined += other.quarantined - len(other.records)

    def summary(self) -> str:
        """One sentence, such as ``1000 rows: 999 kept, 1 quarantined``."""
        noun = "row" if self.rows == 1 else "rows"
        return f"{self.rows} {noun}: {self.kept} kept, {self.quarantined} quarantined"

    def note(self, what: str) -> list[str]:
        """A sentence on ``what`` was read, if some of it was set aside."""
        return [f"{what}: {self.summary()}; the first: {self.records[0]}"] if self.quarantined else []

    def named(self, most: int) -> list[str]:
        """The first quarantined rows, each in a line, and how many more there are."""
        more = self.quarantined - most
        return [*map(str, self.records[:most]), *([f"… and {more} more, named by --json"] if more > 0 else [])]

    def to_json(self) -> dict[str, object]:
        """``{"rows", "kept", "quarantined": [{"file", "line", "why"}, …], "quarantined_rows"}``."""
        return {
            "rows": self.rows,
            "kept": self.kept,
            "quarantined_rows": self.quarantined,
            "quarantined": [asdict(record) for record in self.records],
        }


def shown_record(record: dict[str, Any]) -> str:
    """A row that was set aside, as :meth:`Tally.to_json` has it, in words."""
    return str(Quarantined(**record))


def tally_sentence(tally: dict[str, Any], log: Path) -> str:
    """What :meth:`Tally.to_json` says, in words.

    Args:
        log: the file that names all rows that were set aside.
    """
    sentence = f"{tally['rows']:,} in = {tally['kept']:,} kept + {tally['quarantined_rows']:,} quarantined"
    if tally["quarantined_rows"]:
        first = tally["quarantined"][0]
        sentence += f"; the first is {first['file']}:{first['line']} ({first['why']}), all are in {log}"
    return sentence
