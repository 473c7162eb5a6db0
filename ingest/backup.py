"""Copy a journal and its closed months while ingest runs, and check every record on the way.

In go settings and a folder, out come `journal.sqlite` and `months` in it, of one moment. Nothing is read in one long
transaction, which would let the writer's WAL file grow: records only ever come to the end, so they are copied page by
page, and one short transaction at the end takes the last of them together with everything else.
"""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.config import IngestSettings
from ingest.errors import BackupError, MonthError
from ingest.store.closed import listed
from ingest.store.months import COLUMNS, Month, Row, folder_of, sync
from ingest.store.schema import ADDED, SCHEMA, SCHEMA_VERSION
from metering.record import digest_of

_PAGE_ROWS: Final = 256
_INSERT: Final = f"INSERT INTO records ({COLUMNS}, bytes) VALUES ({','.join('?' * 16)})"  # noqa: S608
_DIGEST: Final = 14


@dataclass(frozen=True, slots=True)
class Backup:
    """What was copied."""

    journal: str
    """The ULID of the journal."""
    records: int
    """Records in the journal's own file."""
    months: int
    """Closed months, each compared with its SHA-256."""
    new_months: int
    """How many of them were not in the folder yet."""


def back_up(settings: IngestSettings, folder: Path) -> Backup:
    """Copy the journal and its months into a folder; ingest may be running.

    Args:
        settings: whose journal it is.
        folder: where to; months that it holds already are checked and not copied again.

    Raises:
        BackupError: when a record's bytes do not have its digest, or there is no journal to copy.
        MonthError: when a month is missing or was changed.
        OSError: when the folder cannot be written.
    """
    (folder / "months").mkdir(parents=True, exist_ok=True)
    target = folder / "journal.sqlite"
    temporary = target.with_name("journal.sqlite.new")
    temporary.unlink(missing_ok=True)
    try:
        with closing(_source(settings.journal_path)) as source, closing(_new(temporary)) as copy:
            _copy(source, copy)
            (journal,) = copy.execute("SELECT value FROM meta WHERE key = 'journal'").fetchone()
            (records,) = copy.execute("SELECT COUNT(*) FROM records").fetchone()
            months = listed(copy)
    except sqlite3.Error as error:
        raise BackupError(f"{settings.journal_path}: cannot be copied to {folder}: {error}") from None
    sync(temporary)
    new = 0
    for month in months:
        new += _copy_month(folder_of(settings.journal_path) / month.name, folder / "months" / month.name)
        with Month(folder / "months", month) as file:
            file.check()
    # Only now: until then the folder holds the backup before this one.
    temporary.replace(target)
    sync(folder)
    return Backup(journal, records, len(months), new)


def _source(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _new(path: Path) -> sqlite3.Connection:
    copy = sqlite3.connect(path, isolation_level=None)
    copy.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;{SCHEMA}{ADDED}COMMIT;")
    return copy


def _copy(source: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    (version,) = source.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise BackupError(f"this is a journal of version {version}: start this software's ingest on it first")
    sql = f"SELECT {COLUMNS}, bytes FROM records WHERE id > ? ORDER BY id LIMIT {_PAGE_ROWS}"  # noqa: S608 - constants
    last_id = 0
    while page := source.execute(sql, (last_id,)).fetchall():
        last_id = _add(copy, page)
    source.execute("BEGIN")  # the rest is of one moment
    while page := source.execute(sql, (last_id,)).fetchall():
        last_id = _add(copy, page)
    copy.execute("BEGIN")
    # What was held when its page was copied may have become usable since.
    names = [name.strip() for name in COLUMNS.split(",")]
    for row in source.execute(f"SELECT {COLUMNS} FROM records WHERE id IN (SELECT record FROM replays)"):  # noqa: S608
        copy.execute(f"UPDATE records SET ({COLUMNS}) = ({','.join('?' * len(names))}) WHERE id = ?", (*row, row[0]))  # noqa: S608
    for (table,) in copy.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'records'"
    ).fetchall():
        rows = source.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - our own names
        if rows:
            copy.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)  # noqa: S608
    # Rows of closed months that were copied before they were swept are swept where the backup is used.
    copy.execute("UPDATE months SET swept_id = first_id - 1")
    copy.execute("COMMIT")
    source.execute("COMMIT")


def _add(copy: sqlite3.Connection, page: list[Row]) -> int:
    """Copy some records; gives the last one's `id`."""
    for row in page:
        if digest_of(row[-1]) != row[_DIGEST]:
            raise BackupError(
                f"record {row[0]} of the journal has other bytes than its digest says: its disk is failing;"
                " keep the last good backup, and restore it (docs/backup.md)"
            )
    copy.execute("BEGIN")
    copy.executemany(_INSERT, page)
    copy.execute("COMMIT")
    return int(page[-1][0])


def _copy_month(source: Path, target: Path) -> bool:
    """Copy the file of a month unless it is there; whether it was copied."""
    if target.exists():
        return False
    temporary = target.with_suffix(".new")
    try:
        shutil.copyfile(source, temporary)
    except FileNotFoundError:
        raise MonthError(f"{source}: a closed month is missing; restore it from an earlier backup") from None
    sync(temporary)
    temporary.replace(target)
    sync(target.parent)
    return True
