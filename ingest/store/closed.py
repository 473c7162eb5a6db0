"""Which months of a journal are closed, and what is looked up in them: for the journal's writer and for its readers.

In goes the journal's own connection, out come the months that it lists. A record of a closed month is in the month's
file alone; births, horizons and all that was ever held stay in the journal too, because any later record may need them.
"""

import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, Final

from ingest.errors import MonthError
from ingest.store.months import ListedMonth, Month, Verified

log = logging.getLogger(__name__)

CLOSABLE: Final = "(status = 'appended' AND id NOT IN (SELECT record FROM replays))"
"""Which records go into a month's file; one that is held now, or was, never does."""
_STAYS: Final = "(kind IN ('birth', 'horizon') OR status = 'held' OR id IN (SELECT record FROM replays))"
"""Which records stay in the journal when their month is closed."""
OPEN: Final = f"(id > (SELECT COALESCE(MAX(last_id), 0) FROM months) OR {_STAYS})"  # noqa: S608
"""Which rows of the journal are to be read: others are in a month's file, and may not have been swept yet."""
ELSEWHERE: Final = "kind NOT IN ('birth', 'horizon')"
"""Which rows of a month's file are to be read: others are in the journal too."""

_COLUMNS: Final = ", ".join(field.name for field in fields(ListedMonth))


def listed(db: sqlite3.Connection) -> list[ListedMonth]:
    """The closed months, oldest first; none in a journal that a writer of this version has not opened yet."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'months'").fetchone():
        return []
    return [ListedMonth(*row) for row in db.execute(f"SELECT {_COLUMNS} FROM months ORDER BY last_id")]  # noqa: S608


def listed_of(db: sqlite3.Connection, home: tuple[str, str, str], first: int, last: int) -> list[ListedMonth]:
    """The closed months that hold some of a span of numbers of a stream (site, gateway, stream), oldest first."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'month_streams'").fetchone():
        return []
    sql = (
        f"SELECT {_COLUMNS} FROM months JOIN month_streams USING (last_id) WHERE site = ? AND gateway = ?"  # noqa: S608
        " AND stream = ? AND first_seq <= ? AND last_seq >= ? ORDER BY last_id"
    )
    return [ListedMonth(*row) for row in db.execute(sql, (*home, last, first))]


class ClosedMonths:
    """The closed months, as the journal's one writer uses them."""

    def __init__(self, db: sqlite3.Connection, folder: Path) -> None:
        """Keep the journal's connection and the folder of its months."""
        self._db = db
        self._folder = folder
        self._missed: set[str] = set()

    def add(self, verified: Verified, now_ms: int) -> None:
        """List a month whose file is written and verified; inside a transaction."""
        month = verified.month
        values = (*astuple(month), now_ms, month.first_id - 1)
        marks = ",".join("?" * len(values))
        self._db.execute(f"INSERT INTO months ({_COLUMNS}, closed_ms, swept_id) VALUES ({marks})", values)  # noqa: S608
        self._db.executemany(
            "INSERT INTO month_streams (site, gateway, stream, last_id, first_seq, last_seq) VALUES (?,?,?,?,?,?)",
            ((*home, month.last_id, *span) for home, span in verified.streams.items()),
        )

    def to_sweep(self) -> bool:
        """Whether the journal still has rows that are in a month's file."""
        return self._db.execute("SELECT 1 FROM months WHERE swept_id < last_id").fetchone() is not None

    def sweep(self, limit: int) -> None:
        """Take the next rows out of the journal that are in a month's file; inside a transaction.

        Args:
            limit: how many rows are looked at.
        """
        (last_id, swept_id) = self._db.execute(
            "SELECT last_id, swept_id FROM months WHERE swept_id < last_id ORDER BY last_id LIMIT 1"
        ).fetchone()
        (end,) = self._db.execute(
            "SELECT MAX(id) FROM (SELECT id FROM records WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)",
            (swept_id, last_id, limit),
        ).fetchone()
        end = last_id if end is None else end
        self._db.execute(f"DELETE FROM records WHERE id > ? AND id <= ? AND NOT {_STAYS}", (swept_id, end))  # noqa: S608
        self._db.execute("UPDATE months SET swept_id = ? WHERE last_id = ?", (end, last_id))

    def holds(self, key: tuple[str, str, str], seq: int, digest: str) -> bool:
        """Whether a record is in a closed month.

        A month that cannot be read counts as holding it: the stream's head says that it was stored, and a second copy
        would stand in the journal for ever.
        """
        where = "site = ? AND gateway = ? AND stream = ? AND seq = ? AND digest = ?"
        return any(found != [] for found in self._search("1", where, key, seq, digest))

    def digest_at(self, key: tuple[str, str, str], seq: int) -> str | None:
        """The digest known for a sequence number of a stream; None when it is in no closed month that can be read."""
        where = (
            "site = ?1 AND gateway = ?2 AND stream = ?3 AND (seq = ?4 AND through IS NULL"
            " OR through = ?4 AND replaces IS NOT NULL) ORDER BY through IS NOT NULL LIMIT 1"
        )
        for found in self._search("COALESCE(replaces, digest)", where, key, seq):
            if found:
                return str(found[0][0])
        return None

    def _search(
        self, columns: str, where: str, key: tuple[str, str, str], seq: int, *values: str
    ) -> Iterator[list[Any] | None]:
        """What each month holds that has this number of the stream, newest first; None for one that cannot be read."""
        for entry in reversed(listed_of(self._db, key, seq, seq)):
            try:
                with Month(self._folder, entry) as month:
                    found = month.rows(columns, where, (*key, seq, *values))
            except MonthError as error:
                if entry.name not in self._missed:
                    self._missed.add(entry.name)
                    log.error("%s; until then its records cannot be told from copies", error)  # noqa: TRY400
                yield None
            else:
                yield found
