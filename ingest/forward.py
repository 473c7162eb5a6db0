"""Copy good readings from the journal into InfluxDB, behind ingest's back and at its own pace.

In go committed records in order of arrival, out goes line protocol (`ingest.lines`). The cursor moves only after
InfluxDB has the lines; sending some of them again changes nothing. A reading that is in InfluxDB is never overwritten
with another value.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ingest.errors import InfluxError, InfluxRejectedError
from ingest.lines import Lines, Plan, Row, Span, lines_of, plan_of, spans_of
from ingest.results import Results
from ingest.store.influx import Writer
from ingest.store.reader import JournalReader, StoredRecord
from metering.clock import Clock

log = logging.getLogger(__name__)

MOST_RECORDS = 512
"""How many records are forwarded at a time."""
MOST_BYTES = 2 * 1024 * 1024
"""How large they may be together [bytes]."""
MOST_LINES = 5000
"""How many lines go into one request."""
_PLANS_KEPT = 16_384
_POLL_S = 0.5
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_WITH_READINGS = frozenset({"readings", "thinned"})

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS cursor (
    only INTEGER PRIMARY KEY CHECK (only = 1), journal TEXT, id INTEGER, digest TEXT, replay INTEGER
);
CREATE TABLE IF NOT EXISTS newest (site TEXT, point TEXT, measurand TEXT, slot_ms INTEGER,
    PRIMARY KEY (site, point, measurand)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held_lines (line TEXT PRIMARY KEY, error TEXT, held_ms INTEGER) WITHOUT ROWID;
"""
# WAL and NORMAL: after a power cut the cursor may be a little behind, and what it is behind is sent again.

Series = tuple[str, str, str]
"""(site, point, measurand)."""
Place = tuple[str, str, int]
"""(point, measurand, slot [ms])."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far we are in a journal."""

    id: int = 0
    """The last record."""
    digest: str = ""
    replay: int = 0
    """The last of the records that were held and could be used later."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent together, and where we are when it has been."""

    lines: list[Lines]
    cursor: Cursor
    newest: dict[Series, int] = field(default_factory=dict)


class Forwarder:
    """Forwards one journal into one InfluxDB. Use it with `with`."""

    def __init__(
        self, reader: JournalReader, writer: Writer, cursor_path: Path, clock: Clock, results: Results | None = None
    ) -> None:
        """Keep the parts; nothing is opened.

        Args:
            reader: the journal.
            writer: InfluxDB.
            cursor_path: a small SQLite file of our own: how far we are, and lines that InfluxDB does not take.
            clock: when a line was held.
            results: what compute made of it, when that is forwarded too.
        """
        self._results = results
        self._reader = reader
        self._writer = writer
        self._cursor_path = cursor_path
        self._clock = clock
        self._stack = ExitStack()
        self._plans: dict[tuple[str, str, str], Plan] = {}
        self._newest: dict[Series, int] = {}
        self._cursor = Cursor()
        self._batch: Batch | None = None
        self._ahead: Future[Batch | None] | None = None

    def __enter__(self) -> Self:
        """Open our own file. Whoever calls `step` then may be another thread, one at a time."""
        own = sqlite3.connect(self._cursor_path, isolation_level=None, check_same_thread=False)
        self._own = self._stack.enter_context(closing(own))
        own.executescript(_SCHEMA)
        # While InfluxDB takes one batch, the next one is made.
        self._helper = self._stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="forward-ahead"))
        self._cursor = self._resume()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Close it."""
        self._stack.close()

    def step(self) -> bool:
        """Forward the next records; False when there are none.

        Raises:
            InfluxError: when InfluxDB cannot take them now; nothing has moved.
        """
        if self._batch is None and self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            self._batch = ahead.result()
        self._batch = self._batch or self._next(self._cursor)
        if self._batch is None:
            return False
        if self._ahead is None:
            self._ahead = self._helper.submit(self._next, self._batch.cursor)
        for text in requests(self._batch.lines):
            send(self._writer, text, self._hold)
        self._move(self._batch)
        self._cursor, self._batch = self._batch.cursor, None
        return True

    def run(self, stop: threading.Event) -> None:
        """Forward until told to stop, opened and closed by this; InfluxDB may be away as long as it likes."""
        wait_s = _FIRST_WAIT_S
        while not stop.is_set():
            try:
                with self:
                    while not stop.is_set():
                        busy = self.step()
                        if self._results is not None:
                            self._results.step()
                        wait_s = _FIRST_WAIT_S
                        if not busy:
                            stop.wait(_POLL_S)
            except Exception as error:  # main loop: nothing has moved, so wait and do it again
                asked_s = error.retry_after_s if isinstance(error, InfluxError) else None
                pause_s = asked_s or wait_s
                foreseen = isinstance(error, InfluxError | sqlite3.Error)  # our own file's disk may be full
                log.warning("not forwarded, again in %g s: %s", pause_s, error, exc_info=not foreseen)
                stop.wait(pause_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    # --- our own file ---------------------------------------------------------------------------------------------

    def _resume(self) -> Cursor:
        """Where we were; the start when this is another journal, or an older copy of the same."""
        self._batch, self._ahead, self._newest = None, None, {}
        row = self._own.execute("SELECT journal, id, digest, replay FROM cursor").fetchone()
        if row is None:
            return Cursor()
        journal, *rest = row
        cursor = Cursor(*rest)
        there = self._reader.after(cursor.id - 1, 1)
        if (
            journal == self._reader.journal_id
            and there
            and (there[0].id, there[0].digest)
            == (
                cursor.id,
                cursor.digest,
            )
        ):
            series = self._own.execute("SELECT site, point, measurand, slot_ms FROM newest")
            self._newest = {(site, point, measurand): slot_ms for site, point, measurand, slot_ms in series}
            return cursor
        log.info("another journal, or an older copy: everything is forwarded again")
        self._own.execute("DELETE FROM newest")
        self._own.execute("DELETE FROM cursor")
        return Cursor()

    def _move(self, batch: Batch) -> None:
        self._own.execute("BEGIN")
        rows = [(*series, slot_ms) for series, slot_ms in batch.newest.items()]
        self._own.executemany("INSERT OR REPLACE INTO newest VALUES (?, ?, ?, ?)", rows)
        row = (self._reader.journal_id, batch.cursor.id, batch.cursor.digest, batch.cursor.replay)
        self._own.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?, ?, ?, ?)", row)
        self._own.execute("COMMIT")

    # --- what to send ---------------------------------------------------------------------------------------------

    def _next(self, cursor: Cursor) -> Batch | None:
        """Take the next records in order of arrival; when there are none, those that could be used only later."""
        newest: dict[Series, int] = {}
        lines: list[Lines] = []
        batch = self._reader.after(cursor.id, MOST_RECORDS, MOST_BYTES)
        for stored in batch:
            lines += self._lines(stored, stored.id, newest)
        if batch:
            return Batch(lines, replace(cursor, id=batch[-1].id, digest=batch[-1].digest), newest)
        replays = self._reader.replayed_after(cursor.replay, MOST_RECORDS)
        for _, stored in replays:
            # Their place is behind the cursor: all that has been sent may contradict them.
            lines += self._lines(stored, cursor.id + 1, newest)
        return Batch(lines, replace(cursor, replay=replays[-1][0]), newest) if replays else None

    def _lines(self, stored: StoredRecord, before: int, newest: dict[Series, int]) -> Iterator[Lines]:
        if stored.status != "appended":
            return
        if stored.kind == "birth":
            self._plans.pop(_stream(stored), None)
        plan = self._plan(stored) if stored.kind in _WITH_READINGS else None
        if plan is not None and plan.live:
            for span in self._unsent(stored, plan, before, newest):
                yield lines_of(span)

    def _unsent(self, stored: StoredRecord, plan: Plan, before: int, newest: dict[Series, int]) -> Iterator[Span]:
        """Give the good readings of a record, without those that contradict a record below an `id`."""
        earlier: dict[Place, int | None] | None = None
        for span in spans_of(stored.data, plan):
            rows = span.rows
            if any(self._newest.get((span.site, row.point, row.measurand), -1) >= span.slots[0] for row in rows):
                if earlier is None:
                    earlier = self._values_before(stored, before)
                rows = [_agreeing(stored, row, span.slots, earlier) for row in rows]
            for row in rows:
                series = (span.site, row.point, row.measurand)
                newest[series] = self._newest[series] = max(self._newest.get(series, -1), span.slots[-1])
            yield replace(span, rows=rows)

    def _values_before(self, stored: StoredRecord, before: int) -> dict[Place, int | None]:
        """What other records hold for the time of a record: its value, or None where they differ among themselves."""
        values: dict[Place, int | None] = {}
        for other in self._reader.overlapping(stored, before):
            plan = self._plan(other, keep=False)
            for span in spans_of(other.data, plan) if plan is not None and plan.live else ():
                for row in span.rows:
                    for slot_ms, value in zip(span.slots, row.values, strict=True):
                        if value is not None:
                            place = (row.point, row.measurand, slot_ms)
                            values[place] = value if values.get(place, value) == value else None
        return values

    def _plan(self, stored: StoredRecord, *, keep: bool = True) -> Plan | None:
        """What the birth says that governs a record; None without one that can be used.

        Args:
            stored: the record.
            keep: it is the newest of its stream, and those behind it are governed by the same birth until there is
                another.
        """
        known = self._plans.get(_stream(stored)) if keep else None
        if known is None:
            birth = self._reader.birth_before(stored)
            if birth is None or birth.status != "appended":
                return None
            known = plan_of(birth.data)
            if keep:
                if len(self._plans) >= _PLANS_KEPT:
                    self._plans.clear()
                self._plans[_stream(stored)] = known
        return known

    # --- sending --------------------------------------------------------------------------------------------------

    def _hold(self, line: bytes, error: InfluxRejectedError) -> None:
        log.warning("InfluxDB does not take a line: %s", error)
        row = (line.decode().strip(), str(error), self._clock.now_ms())
        self._own.execute("INSERT OR REPLACE INTO held_lines VALUES (?, ?, ?)", row)


def send(writer: Writer, text: bytes, hold: Callable[[bytes, InfluxRejectedError], None]) -> None:
    """Send lines; when some are bad, find them by halves, hold them, and send the rest again.

    Args:
        writer: InfluxDB.
        text: the lines.
        hold: told of each line that is not taken.

    Raises:
        InfluxError: when InfluxDB cannot take them now.
    """
    try:
        writer.write(text)
    except InfluxRejectedError as error:
        lines = text.splitlines(keepends=True)
        if len(lines) == 1:
            hold(text, error)
            return
        middle = len(lines) // 2
        send(writer, b"".join(lines[:middle]), hold)
        send(writer, b"".join(lines[middle:]), hold)


def standing(cursor_path: Path) -> tuple[int, int]:
    """How far a forwarder is: the last record that InfluxDB has, and how many lines it does not take.

    Args:
        cursor_path: the forwarder's own file; nothing is forwarded yet when it is not there.
    """
    if not cursor_path.exists():
        return 0, 0
    with closing(sqlite3.connect(f"{cursor_path.absolute().as_uri()}?mode=ro", uri=True)) as own:
        if not own.execute("SELECT 1 FROM sqlite_master WHERE name = 'held_lines'").fetchone():
            return 0, 0  # it is just being made
        sql = "SELECT COALESCE((SELECT id FROM cursor), 0), (SELECT COUNT(*) FROM held_lines)"
        last, held = own.execute(sql).fetchone()
    return last, held


def requests(lines: Sequence[Lines]) -> Iterator[bytes]:
    """Join lines into requests of about the same size."""
    total = sum(part.count for part in lines)
    most = -(-total // max(1, -(-total // MOST_LINES)))
    texts: list[bytes] = []
    count = 0
    for part in lines:
        texts.append(part.text)
        count += part.count
        if count >= most:
            yield b"".join(texts)
            texts, count = [], 0
    if count:
        yield b"".join(texts)


def _stream(stored: StoredRecord) -> tuple[str, str, str]:
    return stored.site, stored.gateway, stored.stream


def _agreeing(stored: StoredRecord, row: Row, slots: list[int], earlier: dict[Place, int | None]) -> Row:
    """Take out of a row what contradicts earlier records."""
    places = [(row.point, row.measurand, slot_ms) for slot_ms in slots]
    values = [
        value if earlier.get(place, value) == value else None for place, value in zip(places, row.values, strict=True)
    ]
    lost = sum(1 for old, new in zip(row.values, values, strict=True) if old != new)
    if lost:
        log.warning(
            "%d readings of %s/%s in record %d of stream %s are not forwarded: earlier ones differ",
            lost, row.point, row.measurand, stored.seq, stored.stream,
        )  # fmt: skip
    return replace(row, values=values)
