"""The sending side of the outbox: sealed records, how far they are acknowledged, and copies kept after that.

Acknowledged records stay as copies for `keep_days`, so that a journal restored from a backup can be filled again; a
`horizon` record says where the copies begin when it asks for more.
"""

import sqlite3
from collections.abc import Callable

from gateway.sender import AckMark, Outgoing, Position, Verdict
from gateway.store import Store, check_bytes
from metering.interval import DAY_MS

HorizonBuilder = Callable[[str, int, str | None], bytes]
"""Signs a horizon record of (stream, oldest sequence number held, digest before it)."""


class SqliteShelf:
    """`sender.Shelf` over the outbox file."""

    def __init__(self, store: Store, horizon: HorizonBuilder) -> None:
        """Work on an open store.

        Args:
            store: the outbox file.
            horizon: signs horizon records.
        """
        self._store = store
        self._horizon = horizon

    def mark(self) -> AckMark | None:
        """The ack that counted last; None before the first."""
        row = self._store.db.execute("SELECT journal, run, n FROM mark").fetchone()
        return AckMark(*row) if row else None

    def next_unacked(self, after: Position | None) -> Outgoing | None:
        """The oldest record behind a position that is not acknowledged yet; None when there is none."""
        at = after or Position("", -1)
        row = self._store.db.execute(
            "SELECT kind, stream, seq, chain, data, through FROM record WHERE acked = 0 AND (stream, seq) > (?, ?) "
            "ORDER BY stream, seq LIMIT 1",
            (at.stream, at.seq),
        ).fetchone()
        if row is None:
            return None
        check_bytes(*row[:5])  # ingest would refuse it for ever, and all that follows would wait
        return Outgoing(Position(row[1], row[2]), row[5], row[4])

    def acked_through(self, stream: str) -> int | None:
        """How far a stream is acknowledged; None when this outbox never knew the stream."""
        row = self._store.db.execute("SELECT acked FROM stream WHERE id = ?", (stream,)).fetchone()
        return int(row[0]) if row else None

    def digest_at(self, stream: str, through: int) -> str | None:
        """The chain's digest after a sequence number; None when it can no longer be told."""
        db = self._store.db
        # The record with the largest number up to there ends there, or it is not held any more.
        found = db.execute(
            "SELECT through, chain FROM record WHERE stream = ? AND seq <= ? ORDER BY seq DESC LIMIT 1",
            (stream, through),
        ).fetchone()
        if found is not None and found[0] == through:
            return None if found[1] is None else str(found[1])
        row = db.execute(
            "SELECT prev FROM record WHERE stream = :stream AND seq = :at + 1 "
            "UNION ALL SELECT last_digest FROM stream WHERE id = :stream AND last_seq = :at LIMIT 1",
            {"stream": stream, "at": through},
        ).fetchone()
        return row[0] if row else None

    def apply(self, verdict: Verdict) -> None:
        """Carry out a verdict in one transaction; a power cut may undo it, and the next ack says the same again."""
        with self._store.transaction(durable=False) as db:
            for stream, through in verdict.let_go.items():
                db.execute(
                    "UPDATE record SET acked = 1 WHERE acked = 0 AND stream = ? AND through <= ?", (stream, through)
                )
                db.execute("UPDATE stream SET acked = ? WHERE id = ?", (through, stream))
            for stream, after in verdict.again.items():
                self._want_again(db, stream, after)
            if verdict.mark is not None:
                mark = verdict.mark
                db.execute("INSERT OR REPLACE INTO mark VALUES (1, ?, ?, ?)", (mark.journal, mark.run, mark.n))

    def prune(self, before_ms: int) -> int:
        """Delete copies of acknowledged records.

        Args:
            before_ms: only what was sealed before this instant [ms since the Unix epoch].

        Returns:
            How many records went. Only a stream's oldest go, so that what is left stays one piece of chain.
        """
        with self._store.transaction() as db:
            return sum(
                _prune_stream(db, stream, before_ms) for (stream,) in db.execute("SELECT id FROM stream").fetchall()
            )

    def prune_older_than(self, keep_days: int, now_ms: int) -> int:
        """Delete copies that are older than `keep_days` at an instant [ms since the Unix epoch]; tells how many."""
        return self.prune(now_ms - keep_days * DAY_MS)

    def _want_again(self, db: sqlite3.Connection, stream: str, after: int) -> None:
        db.execute("UPDATE record SET acked = 0 WHERE stream = ? AND through > ?", (stream, after))
        db.execute("UPDATE stream SET acked = ? WHERE id = ?", (after, stream))
        db.execute("DELETE FROM record WHERE stream = ? AND seq = 0", (stream,))
        held = db.execute(
            "SELECT seq, prev FROM record WHERE stream = ? AND through > ? AND alone = 0 ORDER BY seq LIMIT 1",
            (stream, after),
        ).fetchone()
        if held is None:
            last_seq, last_digest = db.execute(
                "SELECT last_seq, last_digest FROM stream WHERE id = ?", (stream,)
            ).fetchone()
            held = (last_seq + 1, last_digest)
        oldest_seq, before = held
        if oldest_seq <= after + 1:
            return  # nothing is missing in between
        db.execute(
            "INSERT INTO record (stream, seq, through, kind, alone, chain, sealed_ms, data) "
            "VALUES (?, 0, ?, 'horizon', 1, ?, 0, ?)",
            (stream, oldest_seq - 1, before, self._horizon(stream, oldest_seq, before)),
        )


def _prune_stream(db: sqlite3.Connection, stream: str, before_ms: int) -> int:
    oldest = db.execute(
        "SELECT MIN(seq) FROM record WHERE stream = ? AND alone = 0 AND (acked = 0 OR sealed_ms >= ?)",
        (stream, before_ms),
    ).fetchone()[0]
    newest, last_seq = db.execute("SELECT id, last_seq FROM stream ORDER BY id DESC LIMIT 1").fetchone()
    if oldest is None and stream != newest:
        return db.execute("DELETE FROM record WHERE stream = ?", (stream,)).rowcount
    # The birth that governs what is left or still to come stays, or a journal that lost it could not read the rest.
    kept = last_seq + 1 if oldest is None else oldest
    birth = db.execute(
        "SELECT MAX(seq) FROM record WHERE stream = ? AND seq < ? AND kind = 'birth'", (stream, kept)
    ).fetchone()[0]
    db.execute("UPDATE record SET alone = 1 WHERE stream = ? AND seq = ?", (stream, birth))
    return db.execute(
        "DELETE FROM record WHERE stream = ? AND seq < ? AND seq IS NOT ?", (stream, kept, birth)
    ).rowcount
