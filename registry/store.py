"""Statement bytes in, the same bytes out for ever: an append-only SQLite file that refuses UPDATE and DELETE.

A statement is never changed; what happens to it (drawn up, submitted, withdrawn …) is a row in `event`, and its state
is the end of its last event. What a bundle needs besides journal records (project.toml, methodology, keys, the list of
record digests) is kept beside it as attachments, exact bytes, so that the bundle of an old statement stays the same
bundle.

One process writes, under a file lock; all others read through `StatementReader`, which opens the file `mode=ro`.
"""

import fcntl
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

from registry.canonical import digest_of
from registry.errors import IllegalTransitionError, StoreBusyError, UnknownStatementError
from registry.states import ALLOWED, State, may_move

_TABLES = """
CREATE TABLE IF NOT EXISTS statement (
    n INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL UNIQUE, project TEXT NOT NULL, period TEXT NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS attachment (
    digest TEXT NOT NULL REFERENCES statement (digest), name TEXT NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (digest, name)
) STRICT;
CREATE TABLE IF NOT EXISTS signature (
    n INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL REFERENCES statement (digest), role TEXT NOT NULL,
    jws TEXT NOT NULL,
    UNIQUE (digest, role)
) STRICT;
CREATE TABLE IF NOT EXISTS event (
    n INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL REFERENCES statement (digest),
    from_state TEXT, to_state TEXT NOT NULL,
    role TEXT NOT NULL, actor TEXT NOT NULL, at_ms INTEGER NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS event_of ON event (digest, n);
"""
_GUARD = """
CREATE TRIGGER IF NOT EXISTS {table}_is_never_{verb}d BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only: {verb} is forbidden'); END;
"""
_GUARDED = ("statement", "attachment", "signature", "event")
_STATE = "(SELECT to_state FROM event WHERE event.digest = statement.digest ORDER BY event.n DESC LIMIT 1)"
_ROW = f"SELECT n, digest, project, period, {_STATE}, length(bytes) FROM statement"  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class StatementRow:
    """What a list of statements shows of each."""

    n: int
    """The place in the order of drawing up: what a cursor points at."""
    digest: str
    project: str
    period: str
    state: State
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StatementEvent:
    """One step in the life of a statement."""

    from_state: State | None
    """None for the first event."""
    to_state: State
    role: str
    actor: str
    """The name of the key that spoke."""
    at_ms: int
    """When it was recorded [ms since the Unix epoch]."""
    reason: str


@dataclass(frozen=True, slots=True)
class Who:
    """Who makes a move, when and why."""

    role: str
    """"operator" or "tpe"."""
    actor: str
    """The name of the key that speaks."""
    at_ms: int
    """When [ms since the Unix epoch]."""
    reason: str = ""


class StatementReader:
    """Reads a statement store; opens and closes the file on every call, so that it never holds a lock."""

    def __init__(self, path: Path) -> None:
        """Remember where the store is; nothing is opened."""
        self._path = path

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            yield connection

    def row(self, digest: str) -> StatementRow:
        """Find one statement's row.

        Raises:
            UnknownStatementError: when the store does not hold it.
        """
        with self._connection() as connection:
            found = connection.execute(f"{_ROW} WHERE digest = ?", (digest,)).fetchone()
        if found is None:
            raise UnknownStatementError(digest)
        return _as_row(found)

    def rows(
        self, *, project: str | None = None, state: State | None = None, after: int = 0, limit: int = 50
    ) -> list[StatementRow]:
        """List statements in the order in which they were drawn up.

        Args:
            project: only those of this project.
            state: only those in this state now.
            after: only those behind this place in the order.
            limit: at most so many.
        """
        query = f"{_ROW} WHERE n > ? AND (? IS NULL OR project = ?) AND (? IS NULL OR {_STATE} = ?) ORDER BY n LIMIT ?"
        with self._connection() as connection:
            found = connection.execute(query, (after, project, project, state, state, limit)).fetchall()
        return [_as_row(row) for row in found]

    def statement(self, digest: str) -> bytes:
        """Give the exact bytes of a statement.

        Raises:
            UnknownStatementError: when the store does not hold it.
        """
        with self._connection() as connection:
            found = connection.execute("SELECT bytes FROM statement WHERE digest = ?", (digest,)).fetchone()
        if found is None:
            raise UnknownStatementError(digest)
        return bytes(found[0])

    def attachments(self, digest: str) -> dict[str, bytes]:
        """Give what was kept beside a statement, by name."""
        with self._connection() as connection:
            rows = connection.execute("SELECT name, bytes FROM attachment WHERE digest = ? ORDER BY name", (digest,))
            return {name: bytes(data) for name, data in rows}

    def signatures(self, digest: str) -> dict[str, str]:
        """Give the detached signatures over a statement, by role."""
        with self._connection() as connection:
            return dict(connection.execute("SELECT role, jws FROM signature WHERE digest = ? ORDER BY n", (digest,)))

    def events(self, digest: str) -> list[StatementEvent]:
        """Give the life of a statement, oldest event first."""
        query = "SELECT from_state, to_state, role, actor, at_ms, reason FROM event WHERE digest = ? ORDER BY n"
        with self._connection() as connection:
            rows = connection.execute(query, (digest,)).fetchall()
        return [StatementEvent(State(a) if a else None, State(b), *rest) for a, b, *rest in rows]


class StatementStore(StatementReader):
    """The one writer of a statement store; use it in a `with` statement."""

    def __init__(self, path: Path) -> None:
        """Remember where the store is; `with` opens it."""
        super().__init__(path)
        self._writer: sqlite3.Connection | None = None
        self._lock: TextIO | None = None

    def __enter__(self) -> Self:
        """Take the file lock and open the store, creating it when it is new.

        Raises:
            StoreBusyError: when another process writes to it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = self._path.with_name(f"{self._path.name}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise StoreBusyError(f"another process writes to {self._path}; try again when it is done") from None
        self._lock = lock
        self._writer = sqlite3.connect(self._path, isolation_level=None)
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("PRAGMA synchronous = FULL")
        self._writer.execute("PRAGMA foreign_keys = ON")
        guards = "".join(_GUARD.format(table=table, verb=verb) for table in _GUARDED for verb in ("UPDATE", "DELETE"))
        self._writer.executescript(_TABLES + guards)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store and give the lock back."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._writer is None:
            raise RuntimeError("open the statement store with `with` before writing to it")
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield self._writer
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")

    def add_draft(
        self,
        data: bytes,
        *,
        project: str,
        period: str,
        signature: str,
        attachments: Mapping[str, bytes],
        who: Who,
    ) -> str:
        """Keep a new statement as a draft, with its signature and what its bundle needs, in one transaction.

        Drawing the same statement up twice changes nothing: it has the same name.

        Args:
            data: the canonical bytes of the statement.
            project: whose it is.
            period: the monitoring period it is about.
            signature: the operator's detached JWS over `data`.
            attachments: exact bytes by name.
            who: who drew it up, when.

        Returns:
            The digest that names the statement.
        """
        digest = digest_of(data)
        with self._transaction() as connection:
            if connection.execute("SELECT 1 FROM statement WHERE digest = ?", (digest,)).fetchone():
                return digest
            connection.execute(
                "INSERT INTO statement (digest, project, period, bytes) VALUES (?, ?, ?, ?)",
                (digest, project, period, data),
            )
            connection.executemany(
                "INSERT INTO attachment VALUES (?, ?, ?)", [(digest, *item) for item in sorted(attachments.items())]
            )
            connection.execute(
                "INSERT INTO signature (digest, role, jws) VALUES (?, ?, ?)", (digest, who.role, signature)
            )
            _add_event(connection, digest, None, State.DRAFT, who)
        return digest

    def move(self, digest: str, end: State, who: Who) -> None:
        """Record a step in the life of a statement.

        Args:
            digest: which statement.
            end: where it goes.
            who: who says so, when and why.

        Raises:
            UnknownStatementError: when the store does not hold it.
            IllegalTransitionError: when the table of states does not allow the move to this role.
        """
        with self._transaction() as connection:
            found = connection.execute(f"{_ROW} WHERE digest = ?", (digest,)).fetchone()
            if found is None:
                raise UnknownStatementError(digest)
            start = _as_row(found).state
            if not may_move(start, end, who.role):
                raise IllegalTransitionError(digest, start, f"{end} by {who.role}", ALLOWED[start])
            _add_event(connection, digest, start, end, who)


def _add_event(connection: sqlite3.Connection, digest: str, start: State | None, end: State, who: Who) -> None:
    connection.execute(
        "INSERT INTO event (digest, from_state, to_state, role, actor, at_ms, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (digest, start, end, who.role, who.actor, who.at_ms, who.reason),
    )


def _as_row(found: tuple[int, str, str, str, str, int]) -> StatementRow:
    n, digest, project, period, state, size_bytes = found
    return StatementRow(n, digest, project, period, State(state), size_bytes)
