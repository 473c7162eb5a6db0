"""Which record to send now, and what an ack lets go: acks and instants in, records out. Decisions only, no I/O.

Everything that is kept (records, what is acknowledged, which ack counted last) is behind `Shelf`, so a restart loses
nothing and a test needs no disk. All waits are in real time.

References:
    contracts.md section 2, "Sending" and "Ack".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from metering.ack import Ack
from metering.measurands import INT64_MAX

WINDOW = 32
"""Most records in flight without an ack."""
PATIENCE_S = 10.0
"""Wait without progress before sending again [s]; doubles up to `PATIENCE_MAX_S`."""
PATIENCE_MAX_S = 300.0
STALE_PAUSE_S = 1.0
"""Shortest time between two answers to acks that stay behind [s]: each repeated record provokes another such ack."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a record stands in the order of sending: streams by age, then sequence number."""

    stream: str
    seq: int
    """0 is the stream's horizon record, which goes before what is still held."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to publish."""

    position: Position
    through: int
    """The last sequence number it stands for; its own but for `dropped`, `thinned` and `horizon`."""
    data: bytes


@dataclass(frozen=True, slots=True)
class AckMark:
    """The ack that counted last."""

    journal: str
    run: str
    n: int


class Refusal(StrEnum):
    """Why an ack changes nothing."""

    OLDER = "older"
    """Not newer than the last one; ignored silently."""
    UNKNOWN_JOURNAL = "unknown-journal"
    """Another journal, and it does not say that it succeeds ours: somebody must run `sakugen ingest adopt`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an ack means for this outbox."""

    refusal: Refusal | None = None
    mark: AckMark | None = None
    """To remember together with the changes below, in one transaction."""
    let_go: Mapping[str, int] = field(default_factory=dict)
    """Per stream: acknowledged up to and including this sequence number."""
    again: Mapping[str, int] = field(default_factory=dict)
    """Per stream: the journal was restored; everything after this sequence number is wanted again."""
    conflicts: tuple[str, ...] = ()
    """Streams whose digest at `through` differs from ours: somebody else writes under our name."""
    vain: Mapping[str, int] = field(default_factory=dict)
    """Per stream: ingest has other or more records than ours, so ours up to this sequence number will never count."""


class Shelf(Protocol):
    """What the sender needs from the outbox."""

    def mark(self) -> AckMark | None:
        """The ack that counted last; None before the first."""

    def next_unacked(self, after: Position | None) -> Outgoing | None:
        """The oldest record behind a position that is not acknowledged yet; None when there is none."""

    def acked_through(self, stream: str) -> int | None:
        """How far a stream is acknowledged; None when this outbox never knew the stream."""

    def digest_at(self, stream: str, through: int) -> str | None:
        """The chain's digest after a sequence number; None when it can no longer be told."""

    def apply(self, verdict: Verdict) -> None:
        """Carry out a verdict in one transaction."""


def judge(ack: Ack, shelf: Shelf) -> Verdict:
    """Decide what a genuine ack (its signature is already checked) means.

    Args:
        ack: what ingest has durably.
        shelf: what this gateway holds.

    Returns:
        What to let go, what to send again, and which streams are in conflict.
    """
    known = shelf.mark()
    if known is not None:
        if ack.journal != known.journal:
            if ack.succeeds != known.journal:
                return Verdict(refusal=Refusal.UNKNOWN_JOURNAL)
        elif (ack.run, ack.n) <= (known.run, known.n):
            return Verdict(refusal=Refusal.OLDER)
    let_go: dict[str, int] = {}
    again: dict[str, int] = {}
    conflicts: list[str] = []
    vain: dict[str, int] = {}
    for stream, theirs in ack.streams.items():
        acked = shelf.acked_through(stream)
        if acked is None:
            continue  # of an outbox before this one: nothing to compare, nothing to delete
        ours = shelf.digest_at(stream, theirs.through) if theirs.through else None
        if ours is not None and ours != theirs.digest:
            conflicts.append(stream)
            vain[stream] = INT64_MAX
        elif theirs.through < acked:
            again[stream] = theirs.through
        elif ours is not None and theirs.through > acked:
            let_go[stream] = theirs.through
        elif theirs.through > acked:
            vain[stream] = theirs.through
    mark = AckMark(ack.journal, ack.run, ack.n)
    return Verdict(mark=mark, let_go=let_go, again=again, conflicts=tuple(conflicts), vain=vain)


class Sender:
    """Sends strictly in order, older streams first, and goes back when ingest stays behind."""

    def __init__(self, shelf: Shelf, jitter: Callable[[], float]) -> None:
        """Start disconnected, with nothing in flight.

        Args:
            shelf: the outbox.
            jitter: draws a factor near 1 for each wait, so that a fleet does not send again in step.
        """
        self._shelf = shelf
        self._jitter = jitter
        self._connected = False
        self._flight: list[tuple[Position, int]] = []
        self._cursor: Position | None = None
        self._vain: dict[str, int] = {}
        self._patience_s = PATIENCE_S
        self._deadline_s = 0.0
        self._went_back_s = 0.0

    @property
    def in_flight(self) -> int:
        """How many records are sent and not acknowledged."""
        return len(self._flight)

    def on_connected(self, now_s: float) -> None:
        """A new connection: what was in flight may be lost, so start again behind the last ack."""
        self._connected = True
        self._vain = {}
        self._patience_s = PATIENCE_S
        self._go_back(now_s)

    def on_disconnected(self) -> None:
        """No connection: nothing is due until the next one."""
        self._connected = False

    def on_ingest_online(self, now_s: float) -> None:
        """Ingest is back: send again at once."""
        self._vain = {}
        self._patience_s = PATIENCE_S
        self._go_back(now_s)

    def on_ack(self, ack: Ack, now_s: float) -> Verdict:
        """Take a genuine ack into account.

        Args:
            ack: parsed, its signature checked.
            now_s: real time that never steps [s].

        Returns:
            The verdict, already applied to the shelf.
        """
        verdict = judge(ack, self._shelf)
        if verdict.mark is None:
            return verdict
        self._shelf.apply(verdict)
        for stream in ack.streams:
            self._vain.pop(stream, None)
        self._vain.update(verdict.vain)
        self._flight = [
            (at, through)
            for at, through in self._flight
            if through > max(verdict.let_go.get(at.stream, 0), self._vain.get(at.stream, 0))
        ]
        if verdict.again:
            self._patience_s = PATIENCE_S
            self._go_back(now_s)
        elif verdict.let_go:
            self._patience_s = PATIENCE_S
            self._wait(now_s)
        elif self._stays_behind(ack) and now_s - self._went_back_s >= STALE_PAUSE_S:
            self._go_back(now_s)
        return verdict

    def due(self, now_s: float) -> list[Outgoing]:
        """Take what should be published now.

        Args:
            now_s: real time that never steps [s].

        Returns:
            Records in the order of sending; they count as in flight from now on.
        """
        if not self._connected:
            return []
        if self._flight and now_s >= self._deadline_s:
            self._patience_s = min(2 * self._patience_s, PATIENCE_MAX_S)
            self._go_back(now_s)
        if not self._flight:
            self._wait(now_s)
        records: list[Outgoing] = []
        while len(self._flight) < WINDOW and (record := self._shelf.next_unacked(self._cursor)) is not None:
            at, vain = record.position, self._vain.get(record.position.stream, 0)
            if record.through <= vain:
                # They stay on the disk, but a stream that can get no ack must not keep those behind it for ever.
                # Not beyond a record that stands for others: it begins below `vain` and may end above it.
                self._cursor = Position(at.stream, vain) if vain == INT64_MAX else at
                continue
            records.append(record)
            self._flight.append((at, record.through))
            self._cursor = at
        return records

    def wake_in_s(self, now_s: float) -> float | None:
        """How long until `due` may have something without anything else happening [s]; None: never."""
        return max(0.0, self._deadline_s - now_s) if self._connected and self._flight else None

    def _go_back(self, now_s: float) -> None:
        self._flight = []
        self._cursor = None
        self._went_back_s = now_s
        self._wait(now_s)

    def _wait(self, now_s: float) -> None:
        self._deadline_s = now_s + self._patience_s * self._jitter()

    def _stays_behind(self, ack: Ack) -> bool:
        """Tell whether the ack speaks of the stream whose records are in flight, without having moved."""
        return bool(self._flight) and self._flight[0][0].stream in ack.streams
