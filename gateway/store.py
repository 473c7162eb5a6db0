"""The outbox file: one SQLite connection under a file lock, durable at every commit.

A file that SQLite calls damaged is set aside under another name, never deleted, and a new one is begun: reading
meters matters more than yesterday's file, and whoever looks after the box still has it. To look through a large file
takes a card minutes, so that is done while the gateway already reads.
"""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.bounds import LOG_BYTES
from gateway.errors import OutboxBrokenError, OutboxError, OutboxFullError, OutboxLockedError
from metering.record import digest_of

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
_UNREADABLE_CODES = {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ}
"""A page that the card no longer gives is damage too, and the rest of the card may be good."""
_NO_SPACE_CODES = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}


def check_bytes(kind: str, stream: str, seq: int, chain: str, data: bytes) -> None:
    """See that a record still has the digest it was sealed with: SQLite does not notice a bit that turned over.

    Args:
        kind: of the record; what stands for others carries their digest and is not looked at.
        stream: where it stands.
        seq: its number there.
        chain: the chain's digest after it.
        data: its exact bytes.

    Raises:
        sqlite3.DatabaseError: as SQLite does for damage that it notices.
    """
    if kind in {"birth", "readings", "gap"} and digest_of(data) != chain:
        error = sqlite3.DatabaseError(f"record {seq} of stream {stream} has other bytes than when it was sealed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


class Store:
    """The open file. Use it as a context manager; only one thread at a time may call it."""

    def __init__(self, path: Path) -> None:
        """Remember where the file is; nothing is opened yet.

        Args:
            path: the SQLite file; its lock is the file beside it that ends in `.lock`.
        """
        self.path = path
        self.set_aside: Path | None = None
        """Where the damaged file that was found last is kept, until somebody takes it away."""
        self._lock: int | None = None
        self._db: sqlite3.Connection | None = None
        self._looking: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Take the lock, open the file.

        Raises:
            OutboxLockedError: when another process has it.
            OutboxFullError: when no space is left even for the log beside it.
            OutboxError: when it cannot be opened, or a newer agent wrote it.
        """
        self._lock = _locked(self.path.with_suffix(".lock"))
        try:
            self._db = self._open()
        except BaseException:
            self._unlock()
            raise
        self.set_aside = max(_set_aside_before(self.path), default=(0, None))[1]
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
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode in _NO_SPACE_CODES:
                raise OutboxFullError(
                    f"outbox {self.path}: no space left; free some, reading goes on by itself"
                ) from error
            raise

    def free_bytes(self) -> int:
        """Measure the space for more: on the disk, within the file, and what the log has already [bytes]."""
        disk = os.statvfs(self.path.parent)
        (within,) = self.db.execute(
            "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size"
        ).fetchone()
        log = self.path.with_name(f"{self.path.name}-wal")
        has = log.stat().st_size if log.exists() else 0
        return disk.f_bavail * disk.f_frsize + int(within) + min(has, LOG_BYTES)

    def find_damage(self) -> str | None:
        """Look through the whole file; other threads may go on using it.

        Returns:
            What is wrong with it; None when nothing is, or when `stop_looking` came before the end.
        """
        with closing(
            sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        ) as db:
            self._looking = db
            try:
                (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            except sqlite3.DatabaseError as error:
                return None if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT else str(error)
            finally:
                self._looking = None
        return None if verdict == "ok" else str(verdict)

    def stop_looking(self) -> None:
        """Interrupt `find_damage`, from another thread; to be called until it has returned."""
        looking = self._looking
        if looking is not None:
            with suppress(sqlite3.ProgrammingError):  # it has ended just now
                looking.interrupt()

    def broken(self, error: sqlite3.DatabaseError) -> OutboxBrokenError:
        """Say what an error of the open file means; a damaged one is set aside, so that the next start begins anew.

        Args:
            error: what SQLite raised.
        """
        if _is_damage(error):
            return self.damaged(str(error))
        return OutboxBrokenError(
            f"outbox {self.path} cannot be used ({error}): see to its file system; what was committed is kept, and the "
            "first start that can write goes on from there"
        )

    def damaged(self, what: str) -> OutboxBrokenError:
        """Set the open file aside; it ends its life under its new name.

        Args:
            what: is wrong with it.
        """
        try:
            aside = _set_aside(self.path)
        except OSError as error:
            return OutboxBrokenError(
                f"outbox {self.path} is damaged ({what}) and cannot be set aside: {error.strerror}"
            )
        return OutboxBrokenError(
            f"outbox {self.path} is damaged ({what}); it is kept as {aside}, the next start begins a new one"
        )

    def _open(self) -> sqlite3.Connection:
        try:
            return self._opened()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode in _NO_SPACE_CODES:
                raise OutboxFullError(
                    f"outbox {self.path}: no space left, not even to open it; free some, the next start goes on"
                ) from error
            if not _is_damage(error):
                raise OutboxError(f"outbox {self.path} cannot be opened: {error}") from error
            _LOG.error(
                "outbox %s is damaged (%s); it is kept as %s, a new one begins",
                self.path, error, _set_aside(self.path),
            )  # fmt: skip
        return self._opened()

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA temp_store = MEMORY")  # a read-only root has nowhere else to put it
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OutboxError(f"{path} cannot be opened ({error.strerror}): see to its folder and file system") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OutboxLockedError(f"{path} is held by another process: is this gateway already running?") from None
    return descriptor


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)  # what Python raises by itself has none
    return code & 0xFF in _DAMAGED_CODES or code in _UNREADABLE_CODES


def _set_aside_before(path: Path) -> list[tuple[int, Path]]:
    numbered = ((found.name.rpartition("-")[2], found) for found in path.parent.glob(f"{path.name}.damaged-*"))
    return [(int(number), found) for number, found in numbered if number.isdigit()]


def _set_aside(path: Path) -> Path:
    last, _ = max(_set_aside_before(path), default=(0, None))
    target = path.with_name(f"{path.name}.damaged-{last + 1}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    return target
