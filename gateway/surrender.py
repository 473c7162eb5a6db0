"""Records that a full outbox gives up: which range of a stream goes, and the one record that then stands for it.

In go the outbox's tables, out comes one replacement, within the caller's transaction. A range holds neither a birth,
without which nothing behind it could be read, nor a gap, which is small and says what nobody could find out later.

References:
    contracts.md section 2, `dropped` and `thinned`; decision 010.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import cast

from gateway.bounds import Bounds, Policy
from gateway.sender import Position
from gateway.store import check_bytes
from gateway.thinning import Thinner
from metering.interval import HOUR_MS
from metering.note import Signer
from metering.record import Birth, ClockPart, Dropped, GroupReadings, Readings, build, parse
from metering.topics import GatewayId

REASON = "outbox full"
_MOST_RECORDS = 512
_MOST_READINGS = 1000
"""A thinned record holds about as much as a record of readings; then the next one begins."""
_LOOK_BACK = 128


@dataclass(frozen=True, slots=True)
class _Row:
    """What is to be remembered of a record that goes; its readings are too many to hold those of a whole range."""

    seq: int
    through: int
    prev: str | None
    chain: str
    sealed_ms: int
    size: int
    gateway: GatewayId
    clock: ClockPart
    mono_ms: int
    from_ms: int
    to_ms: int


def _stand_in(stream: str, rows: Sequence[_Row], thinner: Thinner | None) -> Dropped:
    """Make the record that stands for others; its clock is that of the last of them, so also of what is kept."""
    first, last = rows[0], rows[-1]
    return Dropped(
        kind="dropped" if thinner is None else "thinned",
        site=last.gateway.site,
        gateway=last.gateway.gateway,
        stream=stream,
        seq=first.seq,
        prev=first.prev,
        clock=last.clock,
        mono_ms=last.mono_ms,
        through=last.through,
        replaces=last.chain,
        from_ms=min(row.from_ms for row in rows),
        to_ms=max(row.to_ms for row in rows),
        reason=REASON,
        groups=() if thinner is None else thinner.groups(),
    )


class Surrender:
    """Finds the oldest records that can be given up and puts one in their place."""

    def __init__(self, bounds: Bounds, signer: Signer) -> None:
        """Remember the rules.

        Args:
            bounds: how much goes at once, and by which policy.
            signer: the gateway's key.
        """
        self._bounds = bounds
        self._signer = signer
        self._drops = bounds.policy is Policy.DROP_OLDEST
        self._passed = Position("", 0)
        """What lies before it does not become smaller; not looked at again before the next start."""

    def give_up(self, db: Connection) -> int:
        """Replace the oldest range whose replacement is smaller.

        Args:
            db: within a transaction.

        Returns:
            How many records went; 0 when there is nothing to give up.
        """
        if self._bounds.policy is Policy.STOP:
            return 0
        while (oldest := self._oldest(db)) is not None:
            rows, thinner = self._range(db, oldest)
            made = _stand_in(oldest.stream, rows, thinner)
            data = build(made, self._signer)
            if len(data) < sum(row.size for row in rows):
                return _replace(db, made, rows[-1], data)
            end = Position(oldest.stream, rows[-1].seq)
            if not _goes_on(db, end):
                return 0  # the newest range: together with what comes it may become smaller
            self._passed = end
        return 0

    def _oldest(self, db: Connection) -> Position | None:
        also = "thinned" if self._drops else "readings"
        row = db.execute(
            "SELECT stream, seq FROM record WHERE acked = 0 AND kind IN ('readings', ?) AND (stream, seq) > (?, ?) "
            "ORDER BY stream, seq LIMIT 1",
            (also, self._passed.stream, self._passed.seq),
        ).fetchone()
        return Position(*row) if row else None

    def _range(self, db: Connection, oldest: Position) -> tuple[list[_Row], Thinner | None]:
        """Join what begins at a record, and what stands for those just before it, as long as they fit together."""
        ((first, _),) = _rows(db, oldest, self._kinds, 1)
        begin = self._begin(db, oldest, first)
        thinner = None if self._drops else _thinner(db, oldest.stream, begin, first)
        taken: list[_Row] = []
        for row, groups in _rows(db, Position(oldest.stream, begin), self._kinds, _MOST_RECORDS):
            if row.seq > oldest.seq and self._complete(thinner, taken, row):
                break
            if thinner is not None:
                thinner.add(groups)
            taken.append(row)
        return taken, thinner

    @property
    def _kinds(self) -> tuple[str, ...]:
        return ("readings", "thinned", "dropped") if self._drops else ("readings", "thinned")

    def _complete(self, thinner: Thinner | None, taken: Sequence[_Row], following: _Row) -> bool:
        """Tell whether a range is large enough, or what follows was read with another state of the clock."""
        if sum(row.size for row in taken) + following.size > self._bounds.range_bytes:
            return True
        if thinner is None:
            return False
        return thinner.readings >= _MOST_READINGS or following.clock.state is not taken[-1].clock.state

    def _begin(self, db: Connection, oldest: Position, first: _Row) -> int:
        """Where the range begins: with the record that stands for those just before, while that one may grow."""
        before = db.execute(
            "SELECT seq FROM record WHERE stream = ? AND seq BETWEEN 1 AND ? ORDER BY seq DESC LIMIT 1",
            (oldest.stream, oldest.seq - 1),
        ).fetchone()
        kinds = tuple(kind for kind in self._kinds if kind != "readings")
        rows = () if before is None else _rows(db, Position(oldest.stream, before[0]), kinds, 1)
        for row, groups in rows:
            readings = sum(len(part.slots) * len(part.values) for part in groups)
            alike = row.clock.state is first.clock.state and readings < _MOST_READINGS
            if row.through == first.seq - 1 and (self._drops or alike):
                return row.seq
        return oldest.seq


def _goes_on(db: Connection, end: Position) -> bool:
    behind = "SELECT EXISTS (SELECT 1 FROM record WHERE (stream, seq) > (?, ?))"
    return bool(db.execute(behind, (end.stream, end.seq)).fetchone()[0])


def _thinner(db: Connection, stream: str, begin: int, first: _Row) -> Thinner:
    """Begin with what was kept of the same hour before."""
    (birth,) = db.execute(
        "SELECT data FROM record WHERE stream = ? AND seq < ? AND kind = 'birth' ORDER BY seq DESC LIMIT 1",
        (stream, begin),
    ).fetchone()
    thinner = Thinner(cast("Birth", parse(bytes(birth))))
    hour_ms = first.from_ms // HOUR_MS * HOUR_MS
    earlier = db.execute(
        "SELECT kind, data FROM record WHERE stream = ? AND seq BETWEEN 1 AND ? ORDER BY seq DESC LIMIT ?",
        (stream, begin - 1, _LOOK_BACK),
    )
    for kind, data in earlier:
        if kind == "gap":
            continue
        body = parse(bytes(data))
        if not isinstance(body, Dropped) or body.to_ms <= hour_ms or body.clock.state is not first.clock.state:
            break
        thinner.know(body.groups)
    return thinner


def _rows(
    db: Connection, begin: Position, kinds: Sequence[str], limit: int
) -> Iterator[tuple[_Row, tuple[GroupReadings, ...]]]:
    """Read records of some kinds from one on, as long as they are not acknowledged and follow each other."""
    following = begin.seq
    found = db.execute(
        "SELECT seq, through, kind, acked, prev, chain, sealed_ms, data FROM record WHERE stream = ? AND seq >= ? "
        "ORDER BY seq LIMIT ?",
        (begin.stream, begin.seq, limit),
    )
    for seq, through, kind, acked, prev, chain, sealed_ms, data in found:
        if acked or kind not in kinds or seq != following:
            return
        check_bytes(kind, begin.stream, seq, chain, data)
        body = cast("Readings | Dropped", parse(bytes(data)))
        at = body.gateway_id, body.clock, body.mono_ms
        yield _Row(seq, through, prev, chain, sealed_ms, len(data), *at, *_span(body)), body.groups
        following = through + 1


def _span(body: Readings | Dropped) -> tuple[int, int]:
    """From the first slot to behind the last one [ms since the Unix epoch]."""
    if isinstance(body, Dropped):
        return body.from_ms, body.to_ms
    slots = [slot for part in body.groups for slot in part.slots]
    return min(slots), max(slots) + 1


def _replace(db: Connection, made: Dropped, last: _Row, data: bytes) -> int:
    gone = db.execute(
        "DELETE FROM record WHERE stream = ? AND seq BETWEEN ? AND ?", (made.stream, made.seq, last.seq)
    ).rowcount
    # The chain goes on as it was written: the next record, if there is one, names the last one that went.
    db.execute(
        "INSERT INTO record (stream, seq, through, kind, prev, chain, sealed_ms, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (made.stream, made.seq, made.through, made.kind, made.prev, made.replaces, last.sealed_ms, data),
    )
    return gone
