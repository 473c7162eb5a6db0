"""Close a month: its records move from the journal into one file, in steps that a power cut may end anywhere.

In goes a journal, out come a file in `months` and a journal that lists it. The file is written beside the running
ingest through a read-only connection; the journal's writer only lists it and then sweeps some rows at a time. A crash
before the listing leaves a file that the next attempt finds or writes again, a crash after it leaves rows that nobody
reads any more.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ingest.errors import MonthError
from ingest.store import months
from ingest.store.closed import CLOSABLE, listed
from metering.interval import DAY_MS

CLOSE_AFTER_MS: Final = 3 * DAY_MS
"""How long after a month's end it is closed: what gateways send again is then still compared within the journal."""
_PAGE_ROWS: Final = 256
_COUNT_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Closable:
    """What is to be closed next."""

    label: str
    """The month in which it arrived, for example "2026-10"."""
    first_id: int
    last_id: int


def next_month(journal: Path, now_ms: int) -> Closable | None:
    """Find the oldest month that can be closed: all that arrived before its end, and is in no month yet.

    Arrival numbers decide, so a clock that was set back moves a border and loses nothing. The newest record stays in
    the journal, because its number is where the next one counts on from.

    Args:
        journal: the journal's SQLite file.
        now_ms: the wall clock [ms since the Unix epoch].
    """
    with closing(_connect(journal)) as db:
        closed = listed(db)
        first_id = closed[-1].last_id + 1 if closed else 1
        between = "id BETWEEN ? AND (SELECT MAX(id) - 1 FROM records)"
        sql = f"SELECT received_ms FROM records WHERE {between} ORDER BY id LIMIT 1"  # noqa: S608 - constants
        oldest = db.execute(sql, (first_id,)).fetchone()
        if oldest is None:
            return None
        latest_end_ms = _month_of(now_ms - CLOSE_AFTER_MS)[1]
        label, _, end_ms = _month_of(min(oldest[0], latest_end_ms - 1))
        last_id = _last_before(db, first_id, end_ms)
    return None if last_id is None else Closable(label, first_id, last_id)


def _month_of(at_ms: int) -> tuple[str, int, int]:
    """The month of an instant: its name, its start and its end [ms since the Unix epoch]."""
    start = datetime.fromtimestamp(at_ms / 1000, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=32)).replace(day=1)
    return f"{start:%Y-%m}", int(start.timestamp()) * 1000, int(end.timestamp()) * 1000


def _last_before(db: sqlite3.Connection, first_id: int, end_ms: int) -> int | None:
    """Find by halves the last record of those that came before an instant; the newest of all is left out."""
    (low, high) = (first_id, db.execute("SELECT MAX(id) FROM records").fetchone()[0])
    while low < high:  # all below `low` came before the instant, `high` and beyond did not or are left out
        middle = (low + high) // 2
        found = db.execute(
            "SELECT id, received_ms FROM records WHERE id >= ? ORDER BY id LIMIT 1", (middle,)
        ).fetchone()
        if found[1] < end_ms and found[0] < high:
            low = found[0] + 1
        else:
            high = middle
    return low - 1 if low > first_id else None


def build(journal: Path, found: Closable, pause: Callable[[], None] = lambda: None) -> months.Verified:
    """Write the file of a month and read it back. The journal is only read, in short transactions.

    Args:
        journal: the journal's SQLite file.
        found: what `next_month` found.
        pause: called again and again; it may wait, or raise to give it up.

    Raises:
        MonthError: when the file does not hold what the journal does.
        OSError, sqlite3.Error: when the disk is full or broken.
    """
    folder = months.folder_of(journal)
    folder.mkdir(exist_ok=True)
    temporary = folder / f"{found.label}.new"
    temporary.unlink(missing_ok=True)
    with closing(_connect(journal)) as db:
        digests = months.write(temporary, _rows(db, found, pause))
        expected = _count(db, found)
    path = _free_name(folder, found.label, temporary)
    months.publish(temporary, path)
    verified = months.verify(path, found.first_id, found.last_id, digests, pause)
    if verified.month.records != expected:
        raise MonthError(f"{path}: holds {verified.month.records} records instead of {expected}; it is not listed")
    return verified


def _free_name(folder: Path, label: str, written: Path) -> Path:
    """A name that no other file has: a closed month is never written over, not even one that this journal forgot."""
    number, path = 1, folder / f"{label}.sqlite"
    while path.exists() and months.file_digest(path) != months.file_digest(written):
        number += 1
        path = folder / f"{label}-{number}.sqlite"
    return path


def _rows(db: sqlite3.Connection, found: Closable, pause: Callable[[], None]) -> Iterator[months.Row]:
    sql = (
        f"SELECT {months.COLUMNS}, bytes FROM records WHERE site = ? AND gateway = ? AND stream = ?"  # noqa: S608
        f" AND (seq, id) > (?, ?) AND id BETWEEN ? AND ? AND {CLOSABLE} ORDER BY seq, id LIMIT {_PAGE_ROWS}"
    )
    for stream in db.execute("SELECT site, gateway, stream FROM heads ORDER BY 1, 2, 3").fetchall():
        after = (-1, -1)
        while page := db.execute(sql, (*stream, *after, found.first_id, found.last_id)).fetchall():
            pause()
            yield from page
            after = (page[-1][4], page[-1][0])


def _count(db: sqlite3.Connection, found: Closable) -> int:
    sql = f"SELECT COUNT(*) FROM records WHERE id BETWEEN ? AND ? AND {CLOSABLE}"  # noqa: S608 - constants
    steps = range(found.first_id, found.last_id + 1, _COUNT_ROWS)
    return sum(db.execute(sql, (at, min(at + _COUNT_ROWS - 1, found.last_id))).fetchone()[0] for at in steps)


def _connect(journal: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
