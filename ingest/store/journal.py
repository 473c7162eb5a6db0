"""The journal's one read-write door: a SQLite file (WAL, synchronous=FULL) under a lock no second process can get.

In go records with a verdict, inside `transaction()`; when that returns they are on disk. SQLite before 3.51.3 can
corrupt a WAL file when two connections checkpoint and write, so no other connection in the system does either.
"""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from ingest.errors import JournalError, JournalFullError
from ingest.store.closed import ClosedMonths
from ingest.store.months import folder_of
from ingest.store.opening import RESTORE, is_full, locked, prepare
from metering.record import MAX_RECORD_BYTES
from metering.topics import GatewayId
from metering.ulid import new_ulid

REFUSED_LIMIT_BYTES: Final = 100_000_000
REFUSED_LIMIT_ROWS: Final = 10_000
_WAL_BYTES: Final = 16 * 1024 * 1024
_ROOM_BYTES: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StreamKey:
    """A stream of a gateway."""

    site: str
    gateway: str
    stream: str

    @property
    def row(self) -> tuple[str, str, str]:
        """The three key columns."""
        return self.site, self.gateway, self.stream


@dataclass(frozen=True, slots=True)
class StreamHead:
    """How far a stream is: its last sequence number and the digest that the next record must name."""

    seq: int
    digest: str | None


EMPTY: Final = StreamHead(0, None)


@dataclass(frozen=True, slots=True)
class Successor:
    """A stream whose first record names a record of another stream as the last one its outbox knew."""

    stream: str
    after_seq: int


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to store."""

    key: StreamKey
    seq: int
    kind: str
    held: str | None
    """Why it cannot be used yet; None when it can."""
    received_ms: int
    slots_ms: tuple[int, int] | None
    """The first and the last slot it speaks of [ms since the Unix epoch]."""
    project: str | None
    replaces: tuple[int, str | None] | None
    """For a record that stands for several: the last sequence number it stands for, and that record's digest."""
    digest: str
    data: bytes


class Journal:
    """The journal, open for writing. Use `open`, and `with`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: IO[str]) -> None:
        """Keep what `open` opened."""
        self.path = path
        self.closed = ClosedMonths(connection, folder_of(path))
        """The months that are in files of their own."""
        self._db = connection
        self._lock = lock
        self._wal = path.with_name(path.name + "-wal")
        self._wal_limit_bytes = _WAL_BYTES

    @classmethod
    def open(cls, path: Path, now_ms: int) -> Self:
        """Open a journal, or make a new one with an identity of its own.

        Args:
            path: the SQLite file; its folder is made when absent.
            now_ms: the wall clock, for the identity of a new journal [ms since the Unix epoch].

        Raises:
            JournalInUseError: when another process has it open for writing.
            JournalError: when the file is no journal, or of a newer version.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = locked(path)
        try:
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                prepare(connection, path, now_ms)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            lock.close()
            raise JournalError(f"{path}: cannot be opened as a journal: {error}; {RESTORE}") from None
        except BaseException:
            lock.close()
            raise
        return cls(path, connection, lock)

    def __enter__(self) -> Self:
        """Give the journal."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Close the file and let the lock go."""
        self._db.close()
        self._lock.close()

    @property
    def journal_id(self) -> str:
        """The ULID of this journal."""
        return str(self._meta("journal"))

    @property
    def succeeds(self) -> str | None:
        """The ULID of the journal that this one replaces."""
        return self._meta("succeeds")

    def adopt(self, succeeds: str) -> None:
        """Say that this journal replaces another, so that gateways accept its acks."""
        with self.transaction():
            self._set_meta("succeeds", succeeds)

    def begin_run(self, now_ms: int, above: str = "") -> str:
        """Draw the ULID of this start of ingest, above the last one even when the clock has gone back.

        Args:
            now_ms: the wall clock [ms since the Unix epoch].
            above: one that it must exceed too.
        """
        with self.transaction():
            run = new_ulid(now_ms, above=max(self._meta("run") or "", above) or None)
            self._set_meta("run", run)
        return run

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Store what is written inside all at once; it is on disk when this returns, or none of it is stored.

        Raises:
            JournalFullError: when the disk is full.
            JournalError: when it is broken.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            kind = JournalFullError if is_full(self.path, error) else JournalError
            raise kind(f"{self.path}: cannot be written: {error}; nothing of this was acknowledged") from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        self._bound_wal()

    def _bound_wal(self) -> None:
        """Empty the WAL file when it has grown: while some reader is always reading, SQLite by itself never does."""
        try:
            size = self._wal.stat().st_size
        except FileNotFoundError:
            return
        if size < self._wal_limit_bytes:
            return
        try:
            (busy, *_) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error:
            busy = 1  # what was committed is on disk all the same
        # A reader that stays is waited for now and then, not at each commit.
        self._wal_limit_bytes = _WAL_BYTES + (size if busy else 0)

    def has_space(self) -> bool:
        """Whether there is room for some batches again, and a commit shows it.

        Raises:
            JournalError: when the disk is broken.
        """
        if shutil.disk_usage(self.path.parent).free < _ROOM_BYTES:
            return False  # a little would be full again at once
        try:
            with self.transaction():
                self._set_meta("journal", self.journal_id)
        except JournalFullError:
            return False
        return True

    # --- what is there --------------------------------------------------------------------------------------------

    def head(self, key: StreamKey) -> StreamHead:
        """How far a stream is; `EMPTY` for one that was never seen."""
        sql = "SELECT head, digest FROM heads WHERE site = ? AND gateway = ? AND stream = ?"
        row = self._db.execute(sql, key.row).fetchone()
        return EMPTY if row is None else StreamHead(*row)

    def stored(self, key: StreamKey, seq: int, digest: str) -> bool:
        """Whether these exact bytes are in the journal."""
        sql = "SELECT 1 FROM records WHERE site = ? AND gateway = ? AND stream = ? AND seq = ? AND digest = ?"
        there = self._db.execute(sql, (*key.row, seq, digest)).fetchone() is not None
        return there or self.closed.holds(key.row, seq, digest)

    def chain(self, key: StreamKey, wanted: Sequence[int]) -> Mapping[int, str]:
        """The digests of those of the wanted sequence numbers whose record, or whose replacement's end, is known."""
        known = {}
        for seq in wanted:
            row = self._db.execute(
                "SELECT digest FROM records WHERE site = ?1 AND gateway = ?2 AND stream = ?3 AND seq = ?4"
                " AND through IS NULL UNION ALL SELECT replaces FROM records"
                " WHERE site = ?1 AND gateway = ?2 AND stream = ?3 AND through = ?4 AND replaces IS NOT NULL LIMIT 1",
                (*key.row, seq),
            ).fetchone()
            found = row[0] if row is not None else self.closed.digest_at(key.row, seq)
            if found is not None:
                known[seq] = found
        return known

    def birth_named_before(self, key: StreamKey, seq: int) -> tuple[str, bool] | None:
        """The birth that governs a sequence number: its digest, and whether it is held."""
        sql = (
            "SELECT digest, status = 'held' FROM records WHERE site = ? AND gateway = ? AND stream = ?"
            " AND seq < ? AND kind = 'birth' ORDER BY seq DESC LIMIT 1"
        )
        row = self._db.execute(sql, (*key.row, seq)).fetchone()
        return None if row is None else (row[0], bool(row[1]))

    def birth_before(self, key: StreamKey, seq: int) -> tuple[str, bytes, bool] | None:
        """The birth that governs a sequence number: its digest, its bytes, and whether it is held."""
        sql = (
            "SELECT digest, bytes, status = 'held' FROM records WHERE site = ? AND gateway = ? AND stream = ?"
            " AND seq < ? AND kind = 'birth' ORDER BY seq DESC LIMIT 1"
        )
        row = self._db.execute(sql, (*key.row, seq)).fetchone()
        return None if row is None else (row[0], row[1], bool(row[2]))

    def successors(self, key: StreamKey) -> list[Successor]:
        """The streams that name a record of this stream as their predecessor."""
        sql = "SELECT stream, after_seq FROM heads WHERE site = ? AND gateway = ? AND after_stream = ?"
        return [Successor(*row) for row in self._db.execute(sql, key.row)]

    def project_of(self, gateway: GatewayId) -> str | None:
        """The project of a gateway, as its newest stream says."""
        sql = (
            "SELECT project FROM heads WHERE site = ? AND gateway = ? AND project IS NOT NULL"
            " ORDER BY stream DESC LIMIT 1"
        )
        row = self._db.execute(sql, (gateway.site, gateway.gateway)).fetchone()
        return None if row is None else row[0]

    def gateways(self) -> list[GatewayId]:
        """Every gateway with a record in the journal."""
        rows = self._db.execute("SELECT DISTINCT site, gateway FROM heads ORDER BY site, gateway")
        return [GatewayId(*row) for row in rows]

    def unfinished(self, gateway: GatewayId, limit: int) -> list[str]:
        """The newest streams that are not complete up to the last record that a successor names."""
        sql = (
            "SELECT after.after_stream FROM heads AS after LEFT JOIN heads AS own"
            " ON own.site = after.site AND own.gateway = after.gateway AND own.stream = after.after_stream"
            " WHERE after.site = ? AND after.gateway = ? AND after.after_stream IS NOT NULL"
            " GROUP BY after.after_stream HAVING MAX(after.after_seq) > COALESCE(MAX(own.head), 0)"
            " ORDER BY after.after_stream DESC LIMIT ?"
        )
        return [row[0] for row in self._db.execute(sql, (gateway.site, gateway.gateway, limit))]

    def held(self, gateway: GatewayId, limit: int) -> list[tuple[str, int, str]]:
        """The newest held records of a gateway: stream, sequence number, reason."""
        sql = (
            "SELECT stream, seq, reason FROM records WHERE site = ? AND gateway = ? AND status = 'held'"
            " ORDER BY id DESC LIMIT ?"
        )
        return self._db.execute(sql, (gateway.site, gateway.gateway, limit)).fetchall()

    def held_after(
        self, cursor: int, limit: int, key: StreamKey | None, *, births: bool
    ) -> list[tuple[int, bytes, str, int]]:
        """The next held records in order of arrival, of one stream or of all.

        Returns:
            Of each its `id`, its exact bytes, why it is held, and when it came [ms since the Unix epoch].
        """
        sql = (
            "SELECT id, bytes, reason, received_ms FROM records"
            " WHERE status = 'held' AND id > ? AND (kind = 'birth') = ?"
        )
        if key is not None:
            sql += " AND site = ? AND gateway = ? AND stream = ?"
        values = (cursor, births, *(key.row if key is not None else ()), limit)
        return self._db.execute(f"{sql} ORDER BY id LIMIT ?", values).fetchall()

    def claimants(self, project: str, gateway: GatewayId) -> list[tuple[str, str, GatewayId]]:
        """The points that a gateway claims and another one too: point, measurand, the other."""
        sql = (
            "SELECT other.point, other.measurand, other.site, other.gateway FROM claims AS own JOIN claims AS other"
            " USING (project, point, measurand) WHERE own.project = ?1 AND own.site = ?2 AND own.gateway = ?3"
            " AND (other.site, other.gateway) <> (own.site, own.gateway) ORDER BY 1, 2, 3, 4"
        )
        rows = self._db.execute(sql, (project, gateway.site, gateway.gateway))
        return [(point, measurand, GatewayId(*other)) for point, measurand, *other in rows]

    def refused_count(self, gateway: GatewayId) -> int:
        """How many messages on a gateway's topic were refused, ever."""
        sql = "SELECT refused FROM refused_counts WHERE site = ? AND gateway = ?"
        row = self._db.execute(sql, (gateway.site, gateway.gateway)).fetchone()
        return 0 if row is None else int(row[0])

    # --- what is written, inside a transaction --------------------------------------------------------------------

    def append(self, new: NewRecord) -> None:
        """Store a record, held or not; the head is moved apart (`move_head`)."""
        first, last = new.slots_ms or (None, None)
        through, replaces = new.replaces or (None, None)
        self._db.execute(
            "INSERT INTO records (site, gateway, stream, seq, kind, status, reason, received_ms, first_slot_ms,"
            " last_slot_ms, project, through, replaces, digest, bytes) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                *new.key.row, new.seq, new.kind, "appended" if new.held is None else "held", new.held, new.received_ms,
                first, last, new.project, through, replaces, new.digest, new.data,
            ),
        )  # fmt: skip

    def release(self, row_id: int, new: NewRecord) -> None:
        """Say that a held record can be used now; its bytes stay, and what could not be read of it then is added."""
        first, last = new.slots_ms or (None, None)
        through, replaces = new.replaces or (None, None)
        self._db.execute(
            "INSERT INTO replays (record, reason, replayed_ms)"
            " SELECT id, reason, ? FROM records WHERE id = ? AND status = 'held'",
            (new.received_ms, row_id),
        )
        self._db.execute(
            "UPDATE records SET status = 'appended', reason = NULL, first_slot_ms = ?, last_slot_ms = ?, project = ?,"
            " through = ?, replaces = ? WHERE id = ? AND status = 'held'",
            (first, last, new.project, through, replaces, row_id),
        )

    def set_project(self, key: StreamKey, project: str) -> None:
        """Say which project a stream belongs to."""
        sql = "UPDATE heads SET project = ? WHERE site = ? AND gateway = ? AND stream = ?"
        self._db.execute(sql, (project, *key.row))

    def claim(self, project: str, gateway: GatewayId, points: Sequence[tuple[str, str]]) -> None:
        """Say which (point, measurand) a gateway reads from now on."""
        self._db.execute("DELETE FROM claims WHERE site = ? AND gateway = ?", (gateway.site, gateway.gateway))
        rows = [(project, *point, gateway.site, gateway.gateway) for point in points]
        self._db.executemany("INSERT INTO claims VALUES (?, ?, ?, ?, ?)", rows)

    def move_head(self, key: StreamKey, head: StreamHead, project: str | None, now_ms: int) -> None:
        """Say how far a stream is now."""
        self._db.execute(
            "INSERT INTO heads (site, gateway, stream, head, digest, project, heard_ms) VALUES (?,?,?,?,?,?,?)"
            " ON CONFLICT DO UPDATE SET head = excluded.head, digest = excluded.digest, heard_ms = excluded.heard_ms,"
            " project = COALESCE(excluded.project, project)",
            (*key.row, head.seq, head.digest, project, now_ms),
        )

    def set_predecessor(self, key: StreamKey, stream: str, seq: int) -> None:
        """Keep which record a stream's first record names as the last one its outbox knew."""
        sql = "UPDATE heads SET after_stream = ?, after_seq = ? WHERE site = ? AND gateway = ? AND stream = ?"
        self._db.execute(sql, (stream, seq, *key.row))

    def fork(self, key: StreamKey, seq: int, reason: str, received_ms: int, digest: str, data: bytes) -> None:
        """Keep the bytes of a record that contradicts the journal."""
        self._db.execute(
            "INSERT INTO forks (site, gateway, stream, seq, reason, received_ms, digest, bytes)"
            " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET times = times + 1",
            (*key.row, seq, reason, received_ms, digest, data),
        )

    def incident(self, code: str, key: StreamKey, seq: int, what: str, now_ms: int) -> None:
        """Note something that only a person can judge; a repeat is counted."""
        self._db.execute(
            "INSERT INTO incidents (code, site, gateway, stream, seq, what, first_ms) VALUES (?,?,?,?,?,?,?)"
            " ON CONFLICT DO UPDATE SET times = times + 1",
            (code, *key.row, seq, what, now_ms),
        )

    def hole(self, key: StreamKey, first_seq: int, last_seq: int, project: str | None, now_ms: int) -> None:
        """Note sequence numbers that no gateway holds any more."""
        self._db.execute(
            "INSERT INTO holes (site, gateway, stream, first_seq, last_seq, project, noted_ms) VALUES (?,?,?,?,?,?,?)",
            (*key.row, first_seq, last_seq, project, now_ms),
        )

    def refuse(self, topic: str, reason: str, digest: str, data: bytes, now_ms: int) -> None:
        """Put a message that proves nothing into the bin, at most its first MiB."""
        self._db.execute(
            "INSERT INTO refused (topic, reason, received_ms, size_bytes, digest, bytes) VALUES (?,?,?,?,?,?)"
            " ON CONFLICT DO UPDATE SET times = times + 1",
            (topic, reason, now_ms, len(data), digest, data[:MAX_RECORD_BYTES]),
        )

    def count_refused(self, site: str, gateway: str) -> None:
        """Count a refused message; the count outlives the bin."""
        self._db.execute(
            "INSERT INTO refused_counts VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET refused = refused + 1",
            (site, gateway),
        )

    def trim_refused(self, limit_bytes: int = REFUSED_LIMIT_BYTES, limit_rows: int = REFUSED_LIMIT_ROWS) -> None:
        """Empty the bin from its oldest end down to its limits."""
        self._db.execute(
            "DELETE FROM refused WHERE id IN (SELECT id FROM (SELECT id,"
            " SUM(MIN(size_bytes, ?1)) OVER newest AS bytes, ROW_NUMBER() OVER newest AS place"
            " FROM refused WINDOW newest AS (ORDER BY id DESC)) WHERE bytes > ?2 OR place > ?3)",
            (MAX_RECORD_BYTES, limit_bytes, limit_rows),
        )

    def _meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (key, value)
        )
