"""Open the journal's file for writing: its lock, its tables, a look for damage.

In go a path and the time, out come a lock that no second process can get, and a connection that is ready.
"""

import fcntl
import logging
import os
import shutil
import sqlite3
from pathlib import Path
from typing import IO, Final

from ingest.errors import JournalError, JournalInUseError
from ingest.store.schema import ADDED, APPLICATION_ID, SCHEMA, SCHEMA_VERSION
from metering.ulid import new_ulid

log = logging.getLogger(__name__)

_CHECK_WHOLE_BYTES: Final = 2_000_000_000
"""Up to this size a journal is checked as a whole at its start, in some seconds [bytes]."""
_NO_ROOM_BYTES: Final = 65_536
RESTORE: Final = "restore a backup of it (docs/backup.md)"
_WAIT_FOR_READERS_MS: Final = 1000
"""No read transaction is longer [ms]."""


def is_full(path: Path, error: sqlite3.Error) -> bool:
    """Whether there was no space: SQLite says so, or calls it an I/O error when its shared memory or a sync met it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code == sqlite3.SQLITE_FULL or (
        code == sqlite3.SQLITE_IOERR and shutil.disk_usage(path.parent).free < _NO_ROOM_BYTES
    )


def locked(path: Path) -> IO[str]:
    """Take the lock of a journal.

    Raises:
        JournalInUseError: when another process has it; the message names it.
    """
    lock = path.with_name(path.name + ".lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise JournalInUseError(f"{path} is open for writing in process {owner}; stop that one first") from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def prepare(connection: sqlite3.Connection, path: Path, now_ms: int) -> None:
    """Make a new journal, or check an old one and add what earlier software did not know.

    Raises:
        JournalError: when the file is damaged, no journal, or of a newer version.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise JournalError(f"{path} is a SQLite file, but no Sakugen journal; choose another data_dir")
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path} is a journal of version {version}; this software writes {SCHEMA_VERSION}: update it"
        )
    if tables:
        _check(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if not tables:
        connection.executescript(f"BEGIN IMMEDIATE;{SCHEMA};COMMIT;")
    connection.executescript(f"BEGIN IMMEDIATE;{ADDED};COMMIT;")
    # A kill between the two statements leaves tables without a name: the next start gives it.
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('journal', ?)", (new_ulid(now_ms),))
    connection.execute(f"PRAGMA busy_timeout = {_WAIT_FOR_READERS_MS}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Look for damage before anything is added to it; the records of a large journal are left to `ingest backup`."""
    whole = path.stat().st_size <= _CHECK_WHOLE_BYTES
    if whole:
        with path.open("rb") as file:  # in order: page by page, as SQLite reads it, takes a cold disk 40 times as long
            while file.read(1 << 20):
                pass
    else:
        log.info("%s is large: at a start only what is beside its records is checked", path)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in names if not whole else [None]:
        if name != "records":
            check = "PRAGMA quick_check" + ("" if name is None else f"({name})")
            found = [row[0] for row in connection.execute(check)]
            if found != ["ok"]:
                raise JournalError(f"{path} is damaged ({found[0]}); {RESTORE}")
