"""The outbox file: one SQLite connection under a file lock, durable at every commit.

A file that SQLite calls damaged is set aside under another name, never deleted, and a new one is begun: reading
meters matters more than yesterday's file, and whoever looks after the box still has it.
"""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.errors import OutboxError, OutboxFullError, OutboxLockedError

_LOG = logging.getLogger("gateway.outbox")

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE stream (
    id TEXT PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    last_digest TEXT,
    acked INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE record (
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    through INTEGER NOT NULL,
    kind TEXT NOT NULL,
    alone INTEGER NOT NULL DEFAULT 0,
    prev TEXT,
    chain TEXT,
    sealed_ms INTEGER NOT NULL,
    acked INTEGER NOT NULL DEFAULT 0,
    data BLOB NOT NULL,
    PRIMARY KEY (stream, seq)
) STRICT;
CREATE INDEX record_unacked ON record (stream, seq) WHERE acked = 0;
CREATE TABLE birth (digest TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE pending (
    id INTEGER PRIMARY KEY,
    birth TEXT NOT NULL,
    clock TEXT NOT NULL,
    offset_ms INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE progress (poll_group TEXT PRIMARY KEY, slot_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE mark (only INTEGER PRIMARY KEY CHECK (only = 1), journal TEXT, run TEXT, n INTEGER) STRICT;
"""

_DAMAGED_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class _Damaged(sqlite3.DatabaseError):
    """The quick check found damage."""


class Store:
    """The open file. Use it as a context manager; only one thread at a time may call it."""

    def __init__(self, path: Path) -> None:
        """Remember where the file is; nothing is opened yet.

        Args:
            path: the SQLite file; its lock is the file beside it that ends in `.lock`.
        """
        self.path = path
        self.set_aside: Path | None = None
        """Where a damaged file was moved to, if there was one."""
        self._lock: int | None = None
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Take the lock, check the file, open it.

        Raises:
            OutboxLockedError: when another process has it.
            OutboxError: when it cannot be opened, or a newer agent wrote it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.path.with_suffix(".lock"))
        try:
            self._db = self._open()
        except BaseException:
            self._unlock()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file and give the lock back."""
        if self._db is not None:
            self._db.close()
            self._db = None
        self._unlock()

    @property
    def db(self) -> sqlite3.Connection:
        """The connection."""
        if self._db is None:
            raise OutboxError(f"outbox {self.path} is not open")
        return self._db

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """All of the block or nothing of it, durable when the block ends.

        Args:
            durable: False saves a flush where nothing is lost without it: it becomes durable with the next one that is,
                and a power cut before that undoes it.

        Raises:
            OutboxFullError: when no space is left; nothing was changed.
        """
        db = self.db
        try:
            # SQLite takes it outside of transactions only. With NORMAL the log is written, and flushed later.
            db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except BaseException as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise OutboxFullError(
                    f"outbox {self.path}: no space left; free some, reading goes on by itself"
                ) from error
            raise

    def _open(self) -> sqlite3.Connection:
        try:
            return self._checked()
        except sqlite3.DatabaseError as error:
            if not isinstance(error, _Damaged) and error.sqlite_errorcode not in _DAMAGED_CODES:
                raise OutboxError(f"outbox {self.path} cannot be opened: {error}") from error
            self.set_aside = _set_aside(self.path)
            _LOG.error(
                "outbox %s is damaged (%s); it is kept as %s, a new one begins", self.path, error, self.set_aside
            )
        return self._checked()

    def _checked(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA temp_store = MEMORY")  # a read-only root has nowhere else to put it
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise _Damaged(verdict)  # noqa: TRY301 - the same way out as for what SQLite itself finds
            self._migrate(db)
        except BaseException:
            db.close()
            raise
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise OutboxError(
                f"outbox {self.path} has schema {version}; this agent knows {SCHEMA_VERSION}: install a newer one"
            )

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OutboxLockedError(f"{path} is held by another process: is this gateway already running?") from None
    return descriptor


def _set_aside(path: Path) -> Path:
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    return target
