"""The gateway's own memory: slots go in one commit at a time, signed and chained records come out.

A slot is durable when `commit` returns. Slots wait as pending rows until they are sealed into a record, in the
transaction that reaches a limit, when the agent says so, or at the next start under the birth they were read with.
The sending side of the same file is `Outbox.shelf`.

References:
    contracts.md section 2: records, sealing, crash table.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from sqlite3 import Connection, DatabaseError
from types import TracebackType
from typing import Self

from gateway.bounds import KEPT_FREE_BYTES, Bounds
from gateway.entries import (
    BirthBody,
    Entry,
    MissedSlots,
    SlotReading,
    birth_from_json,
    birth_to_json,
    entry_from_json,
    entry_to_json,
)
from gateway.errors import OutboxBrokenError, OutboxError, OutboxFullError
from gateway.sealing import (
    Place,
    RecordMaker,
    Stamp,
    birth_maker,
    columns_maker,
    gap_maker,
    horizon_record,
    record_makers,
)
from gateway.shelf import SqliteShelf
from gateway.store import Store
from gateway.surrender import Surrender
from metering.clock import Clock, ClockState
from metering.note import Signer
from metering.quality import Quality
from metering.record import GroupReadings, RecordRef, build, digest_of
from metering.topics import GatewayId
from metering.ulid import new_ulid

SEAL_READINGS = 1000
SEAL_BYTES = 256 * 1024
_PRUNE_EVERY_SEALS = 64
_COPIES_AT_ONCE = 1024
"""How many copies go when space is needed."""


@dataclass(frozen=True, slots=True)
class OutboxState:
    """How full the outbox is, for the status."""

    stream: str
    pending_slots: int
    """Committed, not sealed yet."""
    unacknowledged_records: int
    oldest_unacknowledged_ms: int | None
    """When the oldest of them was sealed [ms since the Unix epoch]."""
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Freed:
    """What went to make space, in records."""

    copies: int
    """Acknowledged; a journal restored from an old backup will miss them."""
    given_up: int
    """Not acknowledged: one record stands for them now."""


@dataclass(frozen=True, slots=True)
class OutboxQueue:
    """What waits for an ack, for the metrics."""

    records: int
    size_bytes: int
    oldest_ms: int | None
    """When the oldest of them was sealed [ms since the Unix epoch]."""
    sealed_records: int
    """Of the stream that began last."""


class Outbox:
    """Commits, seals and keeps; one instance owns the file. Use it as a context manager."""

    def __init__(
        self,
        path: Path,
        gateway: GatewayId,
        signer: Signer,
        clock: Clock,
        keep_days: int = 35,
        bounds: Bounds | None = None,
    ) -> None:
        """Remember what it is about; nothing is opened yet.

        Args:
            path: the SQLite file.
            gateway: whose records these are.
            signer: the gateway's key.
            clock: stamps records.
            keep_days: how long acknowledged records stay as copies [d].
            bounds: how much it may hold, and what goes first.
        """
        self._store = Store(path)
        self._gateway = gateway
        self._signer = signer
        self._clock = clock
        self._keep_days = keep_days
        self._bounds = bounds or Bounds()
        self._surrender = Surrender(self._bounds, signer)
        self._stream = ""
        self._birth = ""
        self._seals = 0
        self.shelf = SqliteShelf(self._store, self._horizon)

    def __enter__(self) -> Self:
        """Open the file; one that is no outbox any more is set aside."""
        self._store.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._store.__exit__(kind, error, trace)

    @property
    def set_aside(self) -> Path | None:
        """Where the damaged outbox that was found last is kept, until somebody takes it away."""
        return self._store.set_aside

    def find_damage(self) -> str | None:
        """Look through the whole file, from any thread; see `Store.find_damage`."""
        return self._store.find_damage()

    def stop_looking(self) -> None:
        """Interrupt `find_damage`, from another thread; to be called until it has returned."""
        self._store.stop_looking()

    def damaged(self, what: str) -> OutboxBrokenError:
        """Set the file aside; gives what to end the process with."""
        return self._store.damaged(what)

    def broken(self, error: DatabaseError) -> OutboxBrokenError:
        """Say what an error of the file means; gives what to end the process with."""
        return self._store.broken(error)

    def accounted_ms(self) -> dict[str, int]:
        """Up to which instant each poll group's slots are read or explained [ms since the Unix epoch]."""
        return dict(self._store.db.execute("SELECT poll_group, slot_ms FROM progress"))

    def begin_stream(self, birth: BirthBody, start_ms: int, *, clock_was_ahead: bool = False) -> bytes:
        """Begin a stream: its birth, what an earlier run left unsealed, and gaps for the time since then.

        Args:
            birth: what the following slots are about.
            start_ms: slots before this instant were missed [ms since the Unix epoch].
            clock_was_ahead: what is committed so far lies in the future, so slots begin anew without a gap.

        Returns:
            The exact bytes of the birth's record.

        Raises:
            OutboxFullError: no space is left; nothing has begun.
        """
        before = self._stream, self._birth
        try:
            return self._begin_stream(birth, start_ms, clock_was_ahead=clock_was_ahead)
        except OutboxFullError:
            self._stream, self._birth = before
            raise

    def _begin_stream(self, birth: BirthBody, start_ms: int, *, clock_was_ahead: bool) -> bytes:
        if clock_was_ahead and self.state().pending_slots:
            self._seal_apart(birth, start_ms)
        text = birth_to_json(birth)
        digest = hashlib.sha256(text.encode()).hexdigest()
        stamp = self._stamp()
        with self._store.transaction() as db:
            after = _last_record(db)
            self._stream = new_ulid(self._clock.now_ms(), above=_last_stream(db))
            self._birth = digest
            db.execute("INSERT INTO stream (id, last_seq) VALUES (?, 0)", (self._stream,))
            left_by = db.execute("SELECT birth FROM pending LIMIT 1").fetchone()
            if left_by is not None and left_by[0] != digest:
                (old,) = db.execute("SELECT body FROM birth WHERE digest = ?", left_by).fetchone()
                self._append(db, stamp, birth_maker(birth_from_json(old), after))
                self._seal(db)
                after = None  # the predecessor is named once, by the stream's first record
            data = self._append(db, stamp, birth_maker(birth, after))
            self._seal(db)
            if clock_was_ahead:
                db.execute("DELETE FROM progress")
            for gap in _agent_down(_progress(db), birth, start_ms):
                self._append(db, stamp, gap_maker(gap))
                _advance(db, gap.group, gap.to_ms - 1)
            db.execute("DELETE FROM birth")
            db.execute("INSERT INTO birth VALUES (?, ?)", (digest, text))
        return data

    def renew_birth(self, birth: BirthBody) -> bytes:
        """Say anew what slots are about, within the stream; what is pending is sealed first, under the birth before.

        Args:
            birth: what the following slots are about.

        Returns:
            The exact bytes of the birth's record.

        Raises:
            OutboxFullError: no space is left; the birth before still counts.
        """
        text = birth_to_json(birth)
        digest = hashlib.sha256(text.encode()).hexdigest()
        with self._store.transaction() as db:
            self._seal(db)
            data = self._append(db, self._stamp(), birth_maker(birth, None))
            db.execute("DELETE FROM birth")
            db.execute("INSERT INTO birth VALUES (?, ?)", (digest, text))
        self._birth = digest
        return data

    def commit(self, entries: Sequence[Entry]) -> bool:
        """Make entries durable, all or none, and seal what reaches a limit.

        Args:
            entries: slots and missed slots; slots of one group strictly increase.

        Returns:
            Whether a record was sealed.

        Raises:
            OutboxFullError: no space is left, or it holds as much as it may; nothing was committed.
            OutboxError: a slot is not later than the group's last one.
        """
        stamp = self._stamp()
        with self._store.transaction() as db:
            if entries:
                self._refuse_when_full()
            sealed = [self._admit(db, entry, stamp) for entry in entries]
        return any(sealed)

    def append(self, groups: Sequence[GroupReadings]) -> None:
        """Commit a whole record of readings at once, for readings that do not come slot by slot.

        Args:
            groups: each group once, its slots after all that it has; nothing is pending.

        Raises:
            OutboxFullError: no space is left, or it holds as much as it may; nothing was committed.
            OutboxError: a group's slots do not increase, or slots are pending.
        """
        stamp = self._stamp()
        with self._store.transaction() as db:
            self._refuse_when_full()
            if db.execute("SELECT 1 FROM pending").fetchone():
                raise OutboxError("slots are pending: seal them before a whole record is appended")
            progress = _progress(db)
            for group in groups:
                times = (progress.get(group.group, -1), *group.slots)
                if any(later <= earlier for earlier, later in pairwise(times)):
                    raise OutboxError(f"group {group.group}: slots must increase, and lie after {times[0]}")
                _advance(db, group.group, group.slots[-1])
            self._append(db, stamp, columns_maker(groups))

    def seal(self) -> bool:
        """Seal what is pending; tells whether there was anything."""
        with self._store.transaction() as db:
            sealed = self._seal(db)
        self._seals += sealed
        if sealed and self._seals % _PRUNE_EVERY_SEALS == 0:
            self.shelf.prune_older_than(self._keep_days, self._clock.now_ms())
        return sealed

    def make_space(self) -> Freed:
        """Delete the oldest copies; where there are none, give up records that are not acknowledged, if that may be.

        Raises:
            OutboxFullError: the disk has no space left even for that.
        """
        copies = self._release_oldest_copies()
        if copies:
            return Freed(copies, 0)
        with self._store.transaction() as db:
            return Freed(0, self._surrender.give_up(db))

    def _release_oldest_copies(self) -> int:
        newest = self._store.db.execute(
            "SELECT sealed_ms FROM record WHERE acked = 1 AND alone = 0 ORDER BY stream, seq LIMIT 1 OFFSET ?",
            (_COPIES_AT_ONCE - 1,),
        ).fetchone()
        return (newest and self.shelf.prune(newest[0] + 1)) or self.release_copies()

    def _refuse_when_full(self) -> None:
        # Only what is new is held off: seals, births and acks go on, or a full outbox could not empty itself.
        if self._used_bytes() > self._bounds.max_bytes:
            raise OutboxFullError(
                f"outbox {self._store.path} holds the {self._bounds.max_bytes} bytes that it may and nothing is left "
                f"to give up (policy {self._bounds.policy}): connect broker and ingest, reading goes on by itself"
            )
        if self._store.free_bytes() < KEPT_FREE_BYTES:
            raise OutboxFullError(
                f"outbox {self._store.path}: its disk has less than the {KEPT_FREE_BYTES} bytes left that are kept for "
                "acks; free some, or connect broker and ingest, reading goes on by itself"
            )

    def _used_bytes(self) -> int:
        (used,) = self._store.db.execute(
            "SELECT (page_count - freelist_count) * page_size "
            "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        ).fetchone()
        return int(used)

    def release_copies(self) -> int:
        """Delete every copy that is acknowledged, to make space; tells how many records went."""
        return self.shelf.prune(self._clock.now_ms() + 1)

    def state(self) -> OutboxState:
        """Measure how full the outbox is."""
        db = self._store.db
        (pending,) = db.execute("SELECT COUNT(*) FROM pending").fetchone()
        waiting, oldest = db.execute("SELECT COUNT(*), MIN(sealed_ms) FROM record WHERE acked = 0").fetchone()
        pages, page_bytes = db.execute(
            "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size"
        ).fetchone()
        return OutboxState(self._stream, pending, waiting, oldest, pages * page_bytes)

    def queue(self) -> OutboxQueue:
        """Measure what waits for an ack."""
        records, size_bytes, oldest_ms = self._store.db.execute(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(data)), 0), MIN(sealed_ms) FROM record WHERE acked = 0"
        ).fetchone()
        last = self._store.db.execute("SELECT last_seq FROM stream WHERE id = ?", (self._stream,)).fetchone()
        return OutboxQueue(records, size_bytes, oldest_ms, 0 if last is None else last[0])

    def _seal_apart(self, birth: BirthBody, start_ms: int) -> None:
        """Slots increase within a stream, so those that lie ahead must not begin the one that follows."""
        if self._stream:
            self.seal()
        else:  # left by an earlier run
            self.begin_stream(birth, start_ms)

    def _admit(self, db: Connection, entry: Entry, stamp: Stamp) -> bool:
        readings = len(entry.values) if isinstance(entry, SlotReading) else 0
        body = entry_to_json(entry)
        count, size, state = db.execute(
            "SELECT COALESCE(SUM(readings), 0), COALESCE(SUM(LENGTH(body)), 0), MIN(clock) FROM pending"
        ).fetchone()
        full = count + readings > SEAL_READINGS or size + len(body) > SEAL_BYTES
        # One record speaks of one state of the clock.
        sealed = (full or state not in {None, stamp.state}) and self._seal(db)
        if isinstance(entry, SlotReading):
            last = db.execute("SELECT slot_ms FROM progress WHERE poll_group = ?", (entry.group,)).fetchone()
            if last is not None and entry.slot_ms <= last[0]:
                raise OutboxError(
                    f"group {entry.group}: slot {entry.slot_ms} is not after the last one: slots must increase"
                )
            _advance(db, entry.group, entry.slot_ms)
        else:
            _advance(db, entry.group, entry.to_ms - 1)
        db.execute(
            "INSERT INTO pending (birth, clock, offset_ms, mono_ms, readings, body) VALUES (?, ?, ?, ?, ?, ?)",
            (self._birth, stamp.state, stamp.offset_ms, stamp.mono_ms, readings, body),
        )
        return (not sealed and count + readings == SEAL_READINGS and self._seal(db)) or sealed

    def _seal(self, db: Connection) -> bool:
        rows = db.execute("SELECT clock, offset_ms, mono_ms, body FROM pending ORDER BY id").fetchall()
        if not rows:
            return False
        state, offset_ms, mono_ms, _ = rows[-1]
        stamp = Stamp(ClockState(state), offset_ms, mono_ms)
        for maker in record_makers([entry_from_json(row[3]) for row in rows]):
            self._append(db, stamp, maker)
        db.execute("DELETE FROM pending")
        return True

    def _append(self, db: Connection, stamp: Stamp, maker: RecordMaker) -> bytes:
        last_seq, last_digest = db.execute(
            "SELECT last_seq, last_digest FROM stream WHERE id = ?", (self._stream,)
        ).fetchone()
        seq = last_seq + 1
        made = maker(Place(self._gateway, self._stream, seq, last_digest, stamp))
        data = build(made, self._signer)
        digest = digest_of(data)
        db.execute(
            "INSERT INTO record (stream, seq, through, kind, prev, chain, sealed_ms, data) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self._stream, seq, seq, made.kind, last_digest, digest, self._clock.now_ms(), data),
        )
        db.execute("UPDATE stream SET last_seq = ?, last_digest = ? WHERE id = ?", (seq, digest, self._stream))
        return data

    def _horizon(self, stream: str, oldest_seq: int, digest_before: str | None) -> bytes:
        place = Place(self._gateway, stream, 0, None, self._stamp())
        return build(horizon_record(place, oldest_seq, digest_before), self._signer)

    def _stamp(self) -> Stamp:
        status = self._clock.status()
        return Stamp(status.state, status.offset_ms, self._clock.mono_ms())


def _progress(db: Connection) -> dict[str, int]:
    return dict(db.execute("SELECT poll_group, slot_ms FROM progress"))


def _advance(db: Connection, group: str, slot_ms: int) -> None:
    db.execute(
        "INSERT INTO progress VALUES (?, ?) "
        "ON CONFLICT (poll_group) DO UPDATE SET slot_ms = MAX(slot_ms, excluded.slot_ms)",
        (group, slot_ms),
    )


def _last_stream(db: Connection) -> str | None:
    (stream,) = db.execute("SELECT MAX(id) FROM stream").fetchone()
    return None if stream is None else str(stream)


def _last_record(db: Connection) -> RecordRef | None:
    row = db.execute(
        "SELECT id, last_seq, last_digest FROM stream WHERE last_seq > 0 ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return RecordRef(stream=row[0], seq=row[1], digest=row[2]) if row else None


def _agent_down(progress: Mapping[str, int], birth: BirthBody, start_ms: int) -> Iterator[MissedSlots]:
    """Name the slots between what each group accounted for and the start."""
    for group in birth.groups:
        accounted_ms = progress.get(group.group)
        if accounted_ms is None:
            continue
        first_ms = (accounted_ms // group.interval_ms + 1) * group.interval_ms
        if first_ms < start_ms:
            yield MissedSlots(group.group, first_ms, start_ms, Quality.AGENT_DOWN)
