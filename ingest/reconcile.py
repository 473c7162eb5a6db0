"""Do gateways, journal, archive and InfluxDB tell the same story? Point by point and day by day.

In go their readers, out come rows of counts. Three days of one project are in memory at a time, whatever the interval.
What is in `conflict`, or was read with a clock that had jumped ahead, has no value in the journal while InfluxDB keeps
what came first: that is told apart and is no difference.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final, NamedTuple

import numpy as np

from ingest.errors import InfluxEmptyError
from ingest.store.archive import Archive
from ingest.store.archive_layout import month_of
from ingest.store.census import StreamStanding, streams
from ingest.store.influx_query import Found, InfluxReader
from ingest.store.reader import JournalReader
from ingest.store.readings import Evidence, Key, collect
from ingest.store.series import VALUED_CODES, BoolArray, Int64Array, Series, UInt8Array
from metering.clock import utc_text
from metering.interval import DAY_MS, Interval
from metering.measurands import MEASURANDS
from metering.quality import Quality

_APART: Final = (Quality.CONFLICT, Quality.CLOCK)
_NAMES: Final = ("project", "point", "day")


@dataclass(frozen=True, slots=True)
class Row:
    """One point on one day (UTC); counts of readings over all its measurands."""

    project: str
    point: str
    day: str
    journal: int
    """Good readings."""
    absent: int
    """Due and not read, with a reason."""
    unexplained: int
    """Due, and nothing speaks of them."""
    conflicts: int
    """In conflict, or of a clock that had jumped ahead."""
    influxdb: int | None
    """Readings in InfluxDB; None when it was not asked."""
    missing: int
    """Good in the journal, not in InfluxDB."""
    extra: int
    """In InfluxDB, and the journal knows of no reading there."""
    unequal: int
    """In both, with different values."""
    archive: int | None
    """Good readings in the archive; None where it holds nothing of this day yet."""
    archive_differs: int
    """Slots in which archive and journal say different things."""

    @property
    def says_something(self) -> bool:
        """Whether there is anything at all on that day."""
        return any(count for name, count in asdict(self).items() if name not in _NAMES)

    @property
    def differs(self) -> bool:
        """Whether the stories differ."""
        return bool(self.missing or self.extra or self.unequal or self.archive_differs)


@dataclass(frozen=True, slots=True)
class Places:
    """What is compared."""

    journal: JournalReader
    influxdb: InfluxReader | None
    archive: Archive | None = None


def incomplete_streams(places: Places, project: str | None) -> list[StreamStanding]:
    """Give the gateway streams that the journal does not hold whole, or not usable as a whole.

    Args:
        places: what is compared.
        project: of this project alone.
    """
    return [one for one in streams(places.journal.path) if one.incomplete and project in (None, one.project)]


def days(places: Places, project: str, span: Interval) -> Iterator[Row]:
    """Compare a project day by day.

    Args:
        places: what is compared.
        project: the project.
        span: which days, from midnight to midnight (UTC).

    Raises:
        IngestError: when something cannot be read; what could not be compared is no agreement.
    """
    for start_ms in range(span.start_ms, span.end_ms, DAY_MS):
        day = Interval(start_ms, start_ms + DAY_MS)
        journal = whole_day(places.journal, project, day)
        ours = _slots(journal, day)
        archived = _archived(places.archive, project, day)
        sites = {
            point.point: birth.site for birth in journal.births for group in birth.groups for point in group.points
        }
        for point in sorted({key[0] for key in (*ours, *(archived or ()))} | set(sites)):
            there = None
            if places.influxdb is not None and point in sites:
                there = _in_influxdb(places.influxdb, sites[point], point, day)
            row = _row(project, point, day, ours, there, archived)
            if row.says_something:
                yield row


def _in_influxdb(influxdb: InfluxReader, site: str, point: str, day: Interval) -> Mapping[str, Found]:
    try:
        return influxdb.readings(site, point, day)
    except InfluxEmptyError:
        return {}  # nothing was ever written


def whole_day(reader: JournalReader, project: str, day: Interval) -> Evidence:
    """Read a day with its neighbours: records beside it tell which of its slots lay ahead of the true time."""
    records = reader.records(project, day.start_ms - DAY_MS, day.end_ms + DAY_MS)
    return collect((stored.data for stored in records), judged=True)


def _archived(archive: Archive | None, project: str, day: Interval) -> "dict[Key, Slots] | None":
    """What the archive holds of a day; None when it was not made as far as that."""
    manifest = None if archive is None else archive.folder.manifest(project)
    if archive is None or manifest is None or month_of(day.start_ms) > manifest.through:
        return None
    return _slots(archive.evidence(project, day.start_ms, day.end_ms), day)


class Slots(NamedTuple):
    """A day of a series."""

    time_ms: Int64Array
    value: Int64Array
    quality: UInt8Array

    @property
    def good(self) -> BoolArray:
        """Where there is a value."""
        return np.isin(self.quality, VALUED_CODES)

    @property
    def apart(self) -> BoolArray:
        """Where there is none, because there were several, or one at a wrong time."""
        return np.isin(self.quality, _APART)


_NO_SLOTS: Final = Slots(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))
_NONE_FOUND: Final[Found] = (np.empty(0, np.int64), np.empty(0))


def _slots(evidence: Evidence, day: Interval) -> dict[Key, Slots]:
    cut = {key: slots_of(series, day) for key, series in evidence.by_key.items()}
    return {key: slots for key, slots in cut.items() if len(slots.time_ms)}


def slots_of(series: Series, day: Interval) -> Slots:
    """Cut a day out of a series."""
    first, end = np.searchsorted(series.time_ms, (day.start_ms, day.end_ms))
    return Slots(series.time_ms[first:end], series.value[first:end], series.quality[first:end])


def _row(
    project: str,
    point: str,
    day: Interval,
    journal: Mapping[Key, Slots],
    influxdb: Mapping[str, Found] | None,
    archive: Mapping[Key, Slots] | None,
) -> Row:
    counts = {field.name: 0 for field in fields(Row) if field.name not in _NAMES}
    names = {name for place, name in (*journal, *(archive or ())) if place == point} | set(influxdb or ())
    for name in sorted(names):
        ours = journal.get((point, name), _NO_SLOTS)
        found = _counts(ours)
        if influxdb is not None:
            found |= compare(name, ours, influxdb.get(name, _NONE_FOUND))
        if archive is not None:
            other = archive.get((point, name), _NO_SLOTS)
            found |= {"archive": int(other.good.sum()), "archive_differs": unlike(ours, other)}
        for what, count in found.items():
            counts[what] += count
    told: dict[str, int | None] = {**counts}
    told |= ({} if influxdb is not None else {"influxdb": None}) | ({} if archive is not None else {"archive": None})
    return Row(project, point, utc_text(day.start_ms)[:10], **told)  # type: ignore[arg-type]


def _counts(slots: Slots) -> dict[str, int]:
    unexplained = slots.quality == Quality.UNEXPLAINED
    return {
        "journal": int(slots.good.sum()),
        "conflicts": int(slots.apart.sum()),
        "unexplained": int(unexplained.sum()),
        "absent": int((~slots.good & ~slots.apart & ~unexplained).sum()),
    }


def compare(measurand: str, slots: Slots, found: Found) -> dict[str, int]:
    """Count how the journal and InfluxDB differ.

    Args:
        measurand: of which measurand.
        slots: the journal's.
        found: InfluxDB's.
    """
    times, values = found
    quanta = MEASURANDS[measurand].quanta_per_unit
    good = slots.good
    # Divided as Python's integers: numpy would round those beyond 2^53 twice.
    expected = np.array([value / quanta for value in slots.value[good].tolist()])
    _, ours, theirs = np.intersect1d(slots.time_ms[good], times, return_indices=True)
    known = np.isin(times, slots.time_ms[good | slots.apart])
    return {
        "influxdb": len(times),
        "missing": int(good.sum()) - len(ours),
        "extra": int((~known).sum()),
        "unequal": int((expected[ours] != values[theirs]).sum()),
    }


def unlike(one: Slots, other: Slots) -> int:
    """Count the slots of which two do not say the same; that nothing is known of one needs no saying."""
    one, other = (Slots(*(column[slots.quality != Quality.UNEXPLAINED] for column in slots)) for slots in (one, other))
    _, ours, theirs = np.intersect1d(one.time_ms, other.time_ms, return_indices=True)
    same = (one.quality[ours] == other.quality[theirs]) & (~one.good[ours] | (one.value[ours] == other.value[theirs]))
    return len(one.time_ms) + len(other.time_ms) - len(ours) - int(same.sum())
