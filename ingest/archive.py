"""Bring the archive up to date: every month that is over, of every project, from the journal.

In goes the journal, read-only, out come files. It can be run at any time, again and again: a month whose records did
not change is left alone, one that late readings have changed gets new files.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace

from ingest.store.archive import Archive
from ingest.store.archive_layout import Manifest, interval_of, month_of, months_in
from ingest.store.archive_write import PYARROW
from ingest.store.reader import JournalReader, StoredRecord
from ingest.store.readings import Evidence, collect
from ingest.store.sources import cut
from metering.interval import DAY_MS, Interval

OPEN_FOR_MS = 7 * DAY_MS
"""So long after its end a month waits for readings that are still under way [ms]."""
MARGIN_MS = DAY_MS
"""Records so far beyond a month's ends tell which of its slots lay ahead of the true time [ms]."""
_BESIDE = ("birth", "horizon")


@dataclass(frozen=True, slots=True)
class Archived:
    """A month that was written."""

    project: str
    month: str
    readings: int
    """Rows, those without a value among them."""
    size_bytes: int
    """Of all its files [bytes]."""
    again: bool
    """Whether there was an earlier generation."""


def archive(reader: JournalReader, target: Archive, now_ms: int, told: Callable[[Archived], None]) -> None:
    """Write every month that is over and not archived as it stands in the journal.

    Args:
        reader: the journal.
        target: where to.
        now_ms: the time [ms since the Unix epoch].
        told: is called with each month that was written.

    Raises:
        JournalError: when the journal cannot be read.
        ArchiveError: when a file cannot be written; months that were told are there.
    """
    through = month_of(interval_of(month_of(now_ms - OPEN_FOR_MS)).start_ms - 1)
    for project in reader.projects():
        _archive_project(reader, target, project, through, told)


def _archive_project(
    reader: JournalReader, target: Archive, project: str, through: str, told: Callable[[Archived], None]
) -> None:
    manifest = target.folder.manifest(project)
    if manifest is None:
        manifest = Manifest(project=project, pyarrow=PYARROW, through=through, months={})
    for month in _months(reader, project, through):
        records = _Records(reader, project, month)
        known = manifest.months.get(month)
        if known is not None and known.records == records.digest and target.folder.holds(project, known):
            continue
        evidence = records.evidence()
        span = interval_of(month)
        if any(len(cut(series, span.start_ms, span.end_ms)) for series in evidence.by_key.values()):
            manifest = target.put(manifest, month, evidence, records.beside, records.digest)
            target.folder.put_manifest(manifest)
            entry = manifest.months[month]
            told(Archived(project, month, entry.readings.rows, entry.size_bytes, again=known is not None))
    target.folder.put_manifest(manifest.model_copy(update={"through": max(through, manifest.through)}))


def _months(reader: JournalReader, project: str, through: str) -> list[str]:
    """Name the months from the first that any record speaks of."""
    months = months_in(Interval(0, interval_of(through).end_ms))
    first = bisect_left(months, True, key=lambda month: _speaks_before(reader, project, interval_of(month).end_ms))
    return months[first:]


def _speaks_before(reader: JournalReader, project: str, end_ms: int) -> bool:
    return any(stored.kind not in _BESIDE for stored in reader.records(project, 0, end_ms))


class _Records:
    """The records that a month is made from: those of its time, and the births and horizons before the last of them.

    A birth that comes later says nothing about the month, and must not make it another one.
    """

    def __init__(self, reader: JournalReader, project: str, month: str) -> None:
        self._reader = reader
        self._project = project
        span = interval_of(month)
        self._window = (max(0, span.start_ms - MARGIN_MS), span.end_ms + MARGIN_MS)
        self._last: dict[_Gateway, tuple[str, int]] = {}
        streams = set()
        every: list[StoredRecord] = []
        for stored in reader.records(project, *self._window):
            every.append(stored if stored.kind in _BESIDE else replace(stored, data=b""))
            if stored.kind not in _BESIDE:
                place = (stored.stream, stored.seq)
                self._last[_gateway(stored)] = max(self._last.get(_gateway(stored), place), place)
                streams.add((_gateway(stored), stored.stream))
        counted = [stored for stored in every if self._counts(stored)]
        self.digest = hashlib.sha256("".join(stored.digest for stored in counted).encode()).hexdigest()
        self.beside = [
            stored.data
            for stored in counted
            if stored.kind == "horizon" or (stored.kind == "birth" and (_gateway(stored), stored.stream) in streams)
        ]
        """The births that its readings were read with, and all horizons; exact bytes."""

    def evidence(self) -> Evidence:
        """Read them into arrays."""
        stored = self._reader.records(self._project, *self._window)
        return collect(one.data for one in stored if self._counts(one))

    def _counts(self, stored: StoredRecord) -> bool:
        last = self._last.get(_gateway(stored))
        return last is not None and (stored.stream, stored.seq) <= last


_Gateway = tuple[str, str]


def _gateway(stored: StoredRecord) -> _Gateway:
    return stored.site, stored.gateway
