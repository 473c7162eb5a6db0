"""Read the journal without ever getting in its writer's way.

In goes the path of a journal, out come records and what else it knows, from closed months too (`rows`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from ingest.store.months import ListedMonth, Row
from ingest.store.rows import Rows
from metering import record
from metering.interval import DAY_MS
from metering.measurands import MEASURANDS
from metering.quality import Quality
from metering.topics import GatewayId, gateway_of

_LATEST_RECORDS = 64
_THROUGH, _DIGEST = 12, 14  # places in a row (`months.COLUMNS`)
_LONGEST_RECORD_MS = 7 * DAY_MS  # a record is sealed within minutes; this much is never in one


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record of the journal."""

    id: int
    """Order of arrival in this journal; a cursor for forwarders."""
    site: str
    gateway: str
    stream: str
    seq: int
    """0 for a `horizon`, which stands outside the chain."""
    kind: str
    status: str
    """"appended", or "held": stored, but it cannot be used yet."""
    reason: str | None
    """Why it is held."""
    received_ms: int
    """When ingest took it [ms since the Unix epoch]."""
    first_slot_ms: int | None
    """The first slot it speaks of [ms since the Unix epoch]; null for births."""
    last_slot_ms: int | None
    """The last slot it speaks of, inclusive [ms since the Unix epoch]."""
    project: str | None
    digest: str
    data: bytes
    """The exact bytes."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far one stream is in the journal."""

    site: str
    gateway: str
    stream: str
    head: int
    digest: str | None
    project: str | None
    heard_ms: int
    """When a record of it was last stored [ms since the Unix epoch]."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A signed record that contradicts the journal."""

    site: str
    gateway: str
    stream: str
    seq: int
    reason: str
    """"other-digest" or "wrong-prev"."""
    received_ms: int
    times: int
    """How often these bytes came."""
    digest: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that proves nothing."""

    topic: str
    reason: str
    received_ms: int
    times: int
    size_bytes: int
    digest: str
    data: bytes
    """At most its first MiB."""

    @property
    def gateway(self) -> GatewayId | None:
        """Whose topic it came on; which says nothing about who sent it."""
        return gateway_of(self.topic)


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that only a person can judge: two boxes with one identity, a card rolled back."""

    code: str
    site: str
    gateway: str
    stream: str
    seq: int
    what: str
    first_ms: int
    times: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Sequence numbers that no gateway holds any more; what they said is lost."""

    site: str
    gateway: str
    stream: str
    first_seq: int
    last_seq: int
    project: str | None
    noted_ms: int


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest reading of one measurand of one point, for people to look at."""

    point: str
    measurand: str
    time_ms: int
    """The slot [ms since the Unix epoch]."""
    value: int | None
    """In quanta; None = not obtained."""
    quality: Quality
    received_ms: int
    """When ingest took the record [ms since the Unix epoch]."""

    @property
    def value_in_unit(self) -> float | None:
        """The value in the unit that the measurand's name ends with."""
        return None if self.value is None else MEASURANDS[self.measurand].to_unit(self.value)


class JournalReader:
    """The read-only door to a journal; holds no connection, so it may be shared by threads."""

    def __init__(self, path: Path) -> None:
        """Keep the path; the file is opened by each call.

        Args:
            path: the journal's SQLite file.
        """
        self.path = path
        self._journal = Rows(path)

    @property
    def journal_id(self) -> str:
        """The ULID of this journal."""
        return str(self._journal.query("SELECT value FROM meta WHERE key = 'journal'")[0][0])

    def projects(self) -> list[str]:
        """Name every project that a birth in the journal names."""
        rows = self._journal.query("SELECT DISTINCT project FROM heads WHERE project IS NOT NULL ORDER BY project")
        return [row[0] for row in rows]

    def records(self, project: str, start_ms: int, end_ms: int) -> Iterator[StoredRecord]:
        """Give what is needed to read a project's readings of an interval.

        Args:
            project: the project.
            start_ms: the interval's start [ms since the Unix epoch].
            end_ms: its end, exclusive [ms since the Unix epoch].

        Returns:
            All births and horizons of the project, and of each stream every appended record from the first to the last
            one that speaks of a slot in the interval: without a hole, so that one that was left out is missed. Ordered
            by stream, then sequence number. Held records are never among them (see `held`).
        """
        where = (
            "project = ? AND status = 'appended' AND kind NOT IN ('birth', 'horizon')"
            " AND first_slot_ms <= ? AND last_slot_ms >= ?"
        )
        span_ms = (start_ms, end_ms - 1)
        spans = self._journal.spans(where, (project, end_ms - 1, start_ms), span_ms)
        sql = "SELECT stream, site, gateway FROM heads WHERE project IS NULL OR project = ? ORDER BY 1, 2, 3"
        for stream, site, gateway in self._journal.query(sql, (project,)):
            home = (site, gateway, stream)
            for row in self._journal.stream(home, project, *spans.get(home, (1, 0))):
                yield _stored(row)

    def newest_slot_ms(self, project: str) -> int | None:
        """The newest slot that a record of a project in the journal's own file speaks of [ms]; None without any."""
        sql = "SELECT MAX(last_slot_ms) FROM records WHERE project = ? AND status = 'appended'"
        newest: int | None = self._journal.query(sql, (project,))[0][0]
        return newest

    def months(self) -> list[ListedMonth]:
        """Give the closed months, oldest first."""
        return self._journal.months()

    def after(self, cursor: int, limit: int, most_bytes: int | None = None) -> list[StoredRecord]:
        """Give the next records in order of arrival, held ones too.

        Args:
            cursor: the `id` of the last record already seen; 0 for the start.
            limit: how many at most.
            most_bytes: the record that makes them more than this is the last one [bytes].

        Raises:
            MonthError: when some are in a closed month whose file is missing or was changed.
        """
        return [_stored(row) for row in self._journal.after(cursor, limit, most_bytes)]

    def replayed_after(self, cursor: int, limit: int) -> list[tuple[int, StoredRecord]]:
        """Give the next records that were held and became usable later, each behind its own cursor."""
        sql = "SELECT id, record FROM replays WHERE id > ? ORDER BY id LIMIT ?"
        rows = self._journal.query(sql, (cursor, limit))
        return [(place, stored) for place, row_id in rows for stored in self._records("id = ?", (row_id,), 1)]

    def birth_before(self, stored: StoredRecord) -> StoredRecord | None:
        """Find the birth that governs a record: the last one before it in its stream."""
        where = "site = ? AND gateway = ? AND stream = ? AND seq < ? AND kind = 'birth' ORDER BY seq DESC"
        found = self._records(where, (stored.site, stored.gateway, stored.stream, stored.seq), 1)
        return found[0] if found else None

    def overlapping(self, stored: StoredRecord, before: int) -> list[StoredRecord]:
        """Give the other records of the same project, with an `id` below a limit, that have readings of its time."""
        if stored.first_slot_ms is None or stored.last_slot_ms is None:
            return []
        where = (
            "project = ? AND last_slot_ms BETWEEN ? AND ? AND first_slot_ms <= ? AND id < ? AND id <> ?"
            " AND kind IN ('readings', 'thinned') AND status = 'appended'"
        )
        until_ms = stored.last_slot_ms + _LONGEST_RECORD_MS
        values = (stored.project or "", stored.first_slot_ms, until_ms, stored.last_slot_ms, before, stored.id)
        rows = self._journal.everywhere(where, values, (stored.first_slot_ms, stored.last_slot_ms))
        return [_stored(row) for row in rows]

    def held(self, project: str) -> list[StoredRecord]:
        """Give the records that are stored but cannot be used yet; a period that has any cannot be submitted.

        A held record whose project is not known counts for every project of its gateway.
        """
        where = (
            "status = 'held' AND (project = ?1 OR (project IS NULL AND (site, gateway) IN"
            " (SELECT site, gateway FROM heads WHERE project = ?1))) ORDER BY id"
        )
        return self._records(where, (project,), -1)

    def heads(self) -> list[Head]:
        """Give every stream's head, ordered by site, gateway, stream."""
        rows = self._journal.query(
            "SELECT site, gateway, stream, head, digest, project, heard_ms FROM heads ORDER BY site, gateway, stream"
        )
        return [Head(*row) for row in rows]

    def all_held(self) -> list[StoredRecord]:
        """Give every held record, oldest first."""
        return self._records("status = 'held' ORDER BY id", (), -1)

    def forks(self) -> list[Fork]:
        """Give every record that contradicts the journal, oldest first."""
        columns = ", ".join(field.name for field in fields(Fork)).replace("data", "bytes")
        return [Fork(*row) for row in self._journal.query(f"SELECT {columns} FROM forks ORDER BY id")]  # noqa: S608 - constants

    def refusals(self) -> list[Refused]:
        """Give what is in the bin of refused messages, oldest first."""
        columns = ", ".join(field.name for field in fields(Refused)).replace("data", "bytes")
        return [Refused(*row) for row in self._journal.query(f"SELECT {columns} FROM refused ORDER BY id")]  # noqa: S608

    def incidents(self) -> list[Incident]:
        """Give every incident, oldest first."""
        rows = self._journal.query(
            "SELECT code, site, gateway, stream, seq, what, first_ms, times FROM incidents ORDER BY id"
        )
        return [Incident(*row) for row in rows]

    def holes(self, project: str | None = None) -> list[Hole]:
        """Give the holes of a project, or of all."""
        rows = self._journal.query(
            "SELECT site, gateway, stream, first_seq, last_seq, project, noted_ms FROM holes"
            " WHERE ?1 IS NULL OR project = ?1 ORDER BY id",
            (project,),
        )
        return [Hole(*row) for row in rows]

    def refused(self, site: str, gateway: str) -> int:
        """Count the messages on a gateway's topic that were refused, ever."""
        rows = self._journal.query("SELECT refused FROM refused_counts WHERE site = ? AND gateway = ?", (site, gateway))
        return int(rows[0][0]) if rows else 0

    def latest(self, project: str) -> list[Latest]:
        """Give the newest reading of each measurand of each point, ordered by point and measurand."""
        newest: dict[tuple[str, str], Latest] = {}
        births: dict[str, record.Birth] = {}
        for stored in self._newest(project):
            birth_row = self.birth_before(stored)
            if birth_row is None:
                continue
            if birth_row.digest not in births and isinstance(birth := record.parse(birth_row.data), record.Birth):
                births[birth_row.digest] = birth
            for latest in _latest_of(stored, births[birth_row.digest]):
                key = (latest.point, latest.measurand)
                if key not in newest or newest[key].time_ms < latest.time_ms:
                    newest[key] = latest
        return [newest[key] for key in sorted(newest)]

    def _newest(self, project: str) -> list[StoredRecord]:
        where = "project = ? AND status = 'appended' AND kind = 'readings' ORDER BY last_slot_ms DESC"
        rows = self._journal.kept(where, (project,), _LATEST_RECORDS)
        return [_stored(row) for row in rows or self._journal.newest_closed(where, (project,), _LATEST_RECORDS)]

    def _records(self, where: str, values: tuple[str | int, ...], limit: int) -> list[StoredRecord]:
        return [_stored(row) for row in self._journal.kept(where, values, limit)]


def _stored(row: Row) -> StoredRecord:
    return StoredRecord(*row[:_THROUGH], *row[_DIGEST:])


def _latest_of(stored: StoredRecord, birth: record.Birth) -> Iterator[Latest]:
    readings = record.parse(stored.data)
    groups = {group.group: group for group in birth.groups}
    for part in readings.groups if isinstance(readings, record.Readings) else ():
        if not part.slots:
            continue
        last = len(part.slots) - 1
        marked = {(point, slot): code for point, slot, code in part.quality}
        for index, point in enumerate(groups[part.group].points):
            value = part.values[index][last]
            code = Quality(marked.get((index, last), Quality.OK))
            yield Latest(point.point, point.measurand, part.slots[last], value, code, stored.received_ms)
