"""What stands where in the archive: the manifest of a project, and what the files of a month say about themselves.

A month has three files. `readings` has a row a reading, sorted by measurand, point and slot; a value is written as a
multiple of what divides all values of its series, so that it packs: `value [quanta] = scaled × scale`. `polls` has a
row each time a group was read, shared by all its measurands: when, from which meter, whether the clock was
synchronised. `births` has the exact bytes of what the readings were read with. Raw words stay in the journal.
"""

from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from ingest.store.readings import Excluded, Run
from metering import record
from metering.interval import Interval

META: Final = b"sakugen.archive"
"""Under this key each file of a month describes itself, as JSON."""


class ArchivePart(BaseModel):
    """A part of a document of the archive: no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(ArchivePart):
    """One immutable file."""

    path: str
    """Below the project's folder; its name holds its digest."""
    sha256: str
    size_bytes: int
    rows: int


class MonthEntry(ArchivePart):
    """What counts of one month."""

    evidence: str
    """`Evidence.digest` of the journal's records that it was made from."""
    records: str
    """SHA-256 over the digests of all records that were looked at, those that do not count among them."""
    readings: FileEntry
    polls: FileEntry
    births: FileEntry

    @property
    def size_bytes(self) -> int:
        """Of all its files [bytes]."""
        return self.readings.size_bytes + self.polls.size_bytes + self.births.size_bytes


class Manifest(ArchivePart):
    """Which files of a project count."""

    type: Literal["sakugen.archive/1"] = "sakugen.archive/1"
    project: str
    pyarrow: str
    """The version that wrote the newest files: another may write other bytes for the same readings."""
    through: str
    """The last month that was archived; an earlier one that is not named has no readings."""
    months: dict[str, MonthEntry]
    """By month, "2026-01"."""


class BoundPart(ArchivePart):
    """What all measurands of a poll group are read with."""

    group: str
    device: str
    meter: record.MeterPart
    map: str
    """SHA-256 of the device map's text, which is in the births."""
    unit_id: int
    interval_ms: int
    blocks: tuple[record.BlockPart, ...]


class SeriesPart(ArchivePart):
    """Where one series is."""

    measurand: str
    point: str
    rows: int
    polls: int
    """Its block of rows in `polls`: as many rows, for the same slots."""
    registers: dict[int, str]
    """For each place in `bounds` that its rows name, the register in that device map."""


class ReadingsMeta(ArchivePart):
    """Stands in the file of readings, one entry a series, in the order of the rows."""

    series: tuple[SeriesPart, ...]


class PollsMeta(ArchivePart):
    """Stands in the file of polls."""

    blocks: tuple[int, ...]
    """Rows of each block, in order."""
    bounds: tuple[BoundPart, ...]


class BirthsMeta(ArchivePart):
    """Stands in the file of births."""

    runs: tuple[Run, ...]
    excluded: tuple[Excluded, ...]


def month_of(at_ms: int) -> str:
    """The calendar month (UTC) of an instant [ms since the Unix epoch], like "2026-01"."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m}"


def interval_of(month: str) -> Interval:
    """The span of a calendar month, UTC."""
    year, number = (int(part) for part in month.split("-"))
    ends = (datetime(year, number, 1, tzinfo=UTC), datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC))
    start_ms, end_ms = (int(end.timestamp()) * 1000 for end in ends)
    return Interval(start_ms, end_ms)


def months_in(span: Interval) -> list[str]:
    """Name the months that share an instant with a span."""
    months = []
    at_ms = span.start_ms
    while at_ms < span.end_ms:
        months.append(month_of(at_ms))
        at_ms = interval_of(months[-1]).end_ms
    return months
