"""Copy good readings from the journal into InfluxDB, behind ingest's back and at its own pace.

In go committed records in order of arrival, out goes line protocol (measurement `reading`, tags `site` and `point`, one
float field per measurand, milliseconds). Its cursor moves only after InfluxDB has the lines; sending some of them again
changes nothing. A reading that is in InfluxDB is never overwritten with another value.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.errors import InfluxError, InfluxRejectedError
from ingest.store.influx import Writer
from ingest.store.reader import JournalReader, StoredRecord
from metering import record
from metering.clock import Clock
from metering.measurands import MEASURANDS

log = logging.getLogger(__name__)

MOST_RECORDS = 64
"""How many records are forwarded at a time."""
MOST_LINES = 5000
"""How many lines go into one request."""
_POLL_S = 0.5
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cursor (only INTEGER PRIMARY KEY CHECK (only = 1), journal TEXT, id INTEGER, digest TEXT);
CREATE TABLE IF NOT EXISTS newest (site TEXT, point TEXT, measurand TEXT, slot_ms INTEGER,
    PRIMARY KEY (site, point, measurand)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held_lines (line TEXT PRIMARY KEY, error TEXT, held_ms INTEGER) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """One good reading of a record."""

    site: str
    point: str
    measurand: str
    slot_ms: int
    value: int
    """In quanta."""


def good_readings(stored: StoredRecord, birth: record.Birth) -> Iterator[Reading]:
    """Give the readings of a record that have a value."""
    readings = record.parse(stored.data)
    points = {group.group: group.points for group in birth.groups}
    for part in readings.groups if isinstance(readings, record.Readings) else ():
        for point, row in zip(points[part.group], part.values, strict=True):
            for slot_ms, value in zip(part.slots, row, strict=True):
                if value is not None:
                    yield Reading(stored.site, point.point, point.measurand, slot_ms, value)


def lines_of(readings: Sequence[Reading]) -> list[bytes]:
    """Write readings as line protocol, one line a point and slot; names need no escaping (`metering.topics`)."""
    rows: dict[tuple[str, str, int], list[str]] = {}
    for reading in readings:
        number = repr(MEASURANDS[reading.measurand].to_unit(reading.value))
        rows.setdefault((reading.site, reading.point, reading.slot_ms), []).append(f"{reading.measurand}={number}")
    return [
        f"reading,point={point},site={site} {','.join(fields)} {slot_ms}".encode()
        for (site, point, slot_ms), fields in rows.items()
    ]


class Forwarder:
    """Forwards one journal into one InfluxDB. Nothing is opened before the first `step`."""

    def __init__(self, reader: JournalReader, writer: Writer, cursor_path: Path, clock: Clock) -> None:
        """Keep the parts.

        Args:
            reader: the journal.
            writer: InfluxDB.
            cursor_path: a small SQLite file of our own: how far we are, and lines that InfluxDB does not take.
            clock: when a line was held.
        """
        self._reader = reader
        self._writer = writer
        self._cursor_path = cursor_path
        self._clock = clock
        self._births: dict[str, record.Birth] = {}

    def step(self) -> bool:
        """Forward the next records; False when there are none.

        Raises:
            InfluxError: when InfluxDB cannot take them now; nothing has moved.
        """
        with closing(sqlite3.connect(self._cursor_path, isolation_level=None)) as own:
            own.executescript(_SCHEMA)
            batch = self._reader.after(self._cursor(own), MOST_RECORDS)
            if not batch:
                return False
            readings = [reading for stored in batch for reading in self._unsent(own, stored)]
            lines = lines_of(readings)
            for start in range(0, len(lines), MOST_LINES):
                self._send(own, lines[start : start + MOST_LINES])
            own.execute("BEGIN")
            own.executemany(
                "INSERT INTO newest VALUES (?,?,?,?)"
                " ON CONFLICT DO UPDATE SET slot_ms = MAX(slot_ms, excluded.slot_ms)",
                [(reading.site, reading.point, reading.measurand, reading.slot_ms) for reading in readings],
            )
            row = (self._reader.journal_id, batch[-1].id, batch[-1].digest)
            own.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?, ?, ?)", row)
            own.execute("COMMIT")
        return True

    def run(self, stop: threading.Event) -> None:
        """Forward until told to stop; InfluxDB may be away as long as it likes."""
        wait_s = _FIRST_WAIT_S
        while not stop.is_set():
            try:
                busy = self.step()
            except Exception as error:  # main loop: nothing has moved, so wait and do it again
                asked_s = error.retry_after_s if isinstance(error, InfluxError) else None
                pause_s = asked_s or wait_s
                log.warning(
                    "not forwarded, again in %g s: %s", pause_s, error, exc_info=not isinstance(error, InfluxError)
                )
                stop.wait(pause_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            else:
                wait_s = _FIRST_WAIT_S
                if not busy:
                    stop.wait(_POLL_S)

    def _cursor(self, own: sqlite3.Connection) -> int:
        """How far we are; the start when this is another journal, or an older copy of the same."""
        row = own.execute("SELECT journal, id, digest FROM cursor").fetchone()
        if row is None:
            return 0
        journal, cursor, digest = row
        there = self._reader.after(cursor - 1, 1)
        if journal == self._reader.journal_id and there and (there[0].id, there[0].digest) == (cursor, digest):
            return int(cursor)
        log.info("another journal, or an older copy: everything is forwarded again")
        own.execute("DELETE FROM newest")
        own.execute("DELETE FROM cursor")
        return 0

    def _unsent(self, own: sqlite3.Connection, stored: StoredRecord) -> Iterator[Reading]:
        birth = self._birth(stored) if stored.kind == "readings" and stored.status == "appended" else None
        if birth is None or birth.mode != "live":
            return
        for reading in good_readings(stored, birth):
            row = own.execute(
                "SELECT slot_ms FROM newest WHERE site = ? AND point = ? AND measurand = ?",
                (reading.site, reading.point, reading.measurand),
            ).fetchone()
            if row is not None and reading.slot_ms <= row[0] and self._contradicts(stored, reading):
                log.warning("a second, unequal reading is not forwarded: %s", reading)
            else:
                yield reading

    def _contradicts(self, stored: StoredRecord, reading: Reading) -> bool:
        """Whether an earlier record holds another value for the same point, measurand and slot."""
        for earlier in self._reader.earlier(stored, reading.slot_ms):
            birth = self._birth(earlier)
            for other in good_readings(earlier, birth) if birth is not None else ():
                if replace(other, value=reading.value) == reading != other:
                    return True
        return False

    def _birth(self, stored: StoredRecord) -> record.Birth | None:
        found = self._reader.birth_before(stored)
        if found is None or found.status != "appended":
            return None
        if found.digest not in self._births:
            birth = record.parse(found.data)
            if isinstance(birth, record.Birth):
                self._births[found.digest] = birth
        return self._births[found.digest]

    def _send(self, own: sqlite3.Connection, lines: list[bytes]) -> None:
        """Send lines; when some are bad, find them by halves, hold them, and send the rest again."""
        if not lines:
            return
        try:
            self._writer.write(b"\n".join(lines) + b"\n")
        except InfluxRejectedError as error:
            if len(lines) == 1:
                log.warning("InfluxDB does not take a line: %s", error)
                row = (lines[0].decode(), str(error), self._clock.now_ms())
                own.execute("INSERT OR REPLACE INTO held_lines VALUES (?, ?, ?)", row)
                return
            middle = len(lines) // 2
            self._send(own, lines[:middle])
            self._send(own, lines[middle:])
