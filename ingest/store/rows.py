"""The journal's rows for its readers, wherever they are: in its own file or in closed months.

In go conditions, out come rows. Every question opens the file read-only, asks in one short transaction and closes
again: a read transaction that stays open would keep the writer from truncating its WAL file.
"""

import heapq
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final, TypeVar

from ingest.errors import JournalError
from ingest.store.closed import ELSEWHERE, OPEN, listed, listed_of
from ingest.store.months import COLUMNS, ListedMonth, Month, Row, folder_of

PAGE_ROWS: Final = 256
_BUSY_TIMEOUT_S: Final = 5.0
_ID, _SEQ = 0, 4

Answer = TypeVar("Answer")
Home = tuple[str, str, str]
"""Site, gateway, stream."""


class _ClosedMeanwhileError(Exception):
    """A month was closed since the last page was read: what comes next may have moved there."""


class Rows:
    """The rows of one journal; holds no connection, so it may be shared by threads."""

    def __init__(self, path: Path) -> None:
        """Keep the path of the journal's SQLite file."""
        self.path = path
        self._folder = folder_of(path)

    def query(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Ask the journal's own file.

        Raises:
            JournalError: when it cannot be read.
        """
        return self._ask(lambda db: db.execute(sql, values).fetchall())

    def months(self) -> list[ListedMonth]:
        """The closed months, oldest first."""
        return self._ask(listed)

    def kept(self, where: str, values: tuple[Any, ...], limit: int = -1) -> list[Row]:
        """Records of the journal's own file: for those that never leave it (births, horizons, what is or was held)."""
        return self.query(f"SELECT {COLUMNS}, bytes FROM records WHERE {where} LIMIT {limit}", values)  # noqa: S608

    def after(self, cursor: int, limit: int, most_bytes: int | None) -> list[Row]:
        """The next records by order of arrival; with `most_bytes`, up to the one that goes beyond it.

        Raises:
            MonthError: when some are in a month whose file is missing or was changed.
        """

        def here(db: sqlite3.Connection) -> tuple[list[ListedMonth], list[Row]]:
            months = [month for month in listed(db) if month.last_id > cursor]
            sql = f"SELECT {COLUMNS}, bytes FROM records WHERE id > ? AND {OPEN if months else 1} ORDER BY id LIMIT ?"  # noqa: S608
            return months, _up_to(db.execute(sql, (cursor, limit)), most_bytes)

        months, found = self._ask(here)
        for month in months:
            if len(found) < limit or month.first_id <= found[-1][_ID]:
                with Month(self._folder, month) as file:
                    rows = file.records(f"id > ? AND {ELSEWHERE} ORDER BY id LIMIT ?", (cursor, limit))
                    found = sorted([*found, *_up_to(rows, most_bytes)])[:limit]
        return _up_to(found, most_bytes)

    def everywhere(self, where: str, values: tuple[Any, ...], span_ms: tuple[int, int]) -> list[Row]:
        """All records of a condition that speak of a span of slots, by order of arrival.

        Args:
            where: the condition.
            values: its values.
            span_ms: the first and the last slot; months that speak of none between are not opened [ms].
        """
        found = self._spread(f"{COLUMNS}, bytes", where, "", values, span_ms, Month.records)
        return sorted(found)

    def spans(self, where: str, values: tuple[Any, ...], span_ms: tuple[int, int]) -> dict[Home, tuple[int, int]]:
        """The first and last number, in each stream, of the records of a condition that speak of a span of slots."""
        columns, grouped = "site, gateway, stream, MIN(seq), MAX(seq)", "GROUP BY site, gateway, stream"

        def ask(file: Month, condition: str, asked: tuple[Any, ...]) -> Iterable[Row]:
            return file.rows(columns, condition, asked)

        spans: dict[Home, tuple[int, int]] = {}
        for site, gateway, stream, first, last in self._spread(columns, where, grouped, values, span_ms, ask):
            old = spans.setdefault((site, gateway, stream), (first, last))
            spans[site, gateway, stream] = (min(first, old[0]), max(last, old[1]))
        return spans

    def newest_closed(self, where: str, values: tuple[Any, ...], limit: int) -> list[Row]:
        """Some records of a condition from the newest closed month that has any."""
        for month in reversed(self.months()):
            with Month(self._folder, month) as file:
                if found := list(file.records(f"{where} LIMIT {limit}", values)):
                    return found
        return []

    def _spread(
        self, columns: str, where: str, grouped: str, values: tuple[Any, ...], span_ms: tuple[int, int],
        ask: Callable[[Month, str, tuple[Any, ...]], Iterable[Row]],
    ) -> list[Row]:  # fmt: skip
        def here(db: sqlite3.Connection) -> tuple[list[ListedMonth], list[Row]]:
            months = listed(db)
            sql = f"SELECT {columns} FROM records WHERE {where} AND {OPEN if months else 1} {grouped}"  # noqa: S608
            return months, db.execute(sql, values).fetchall()

        months, found = self._ask(here)
        for month in months:
            if month.overlaps(*span_ms):
                with Month(self._folder, month) as file:
                    found += ask(file, f"{where} AND {ELSEWHERE} {grouped}", values)
        return found

    def stream(self, home: Home, project: str, first: int, last: int) -> Iterator[Row]:
        """The usable records of one stream by number: all births and horizons, and the others of a span of numbers.

        Raises:
            MonthError: when some are in a month whose file is missing or was changed.
        """
        after = (-1, -1)
        while True:
            try:
                for row in self._stream_from(home, project, (first, last), after):
                    yield row
                    after = (row[_SEQ], row[_ID])
            except _ClosedMeanwhileError:
                continue  # go on from here, where the rest is now
            return

    def _stream_from(self, home: Home, project: str, span: tuple[int, int], after: tuple[int, int]) -> Iterator[Row]:
        months = self._ask(lambda db: listed_of(db, home, *span))
        where = (
            "site = ? AND gateway = ? AND stream = ? AND project = ? AND status = 'appended' AND {}"
            " AND (seq, id) > (?, ?)"
        )
        there = where.format(f"seq BETWEEN ? AND ? AND {ELSEWHERE}") + " ORDER BY seq, id"
        values = (*home, project, *span)
        with ExitStack() as opened:
            files = [opened.enter_context(Month(self._folder, month)) for month in months]
            parts = [file.records(there, (*values, *after)) for file in files]
            here = where.format("(kind IN ('birth', 'horizon') OR seq BETWEEN ? AND ?)")
            pages = self._pages(here, values, after, lambda db: listed_of(db, home, *span) == months)
            yield from heapq.merge(pages, *parts, key=lambda row: (row[_SEQ], row[_ID]))

    def _pages(
        self, where: str, values: tuple[Any, ...], after: tuple[int, int],
        still: Callable[[sqlite3.Connection], bool],
    ) -> Iterator[Row]:  # fmt: skip
        """What the journal's own file has of a stream, as long as the same months are closed."""

        def page(db: sqlite3.Connection) -> list[Row]:
            if not still(db):
                raise _ClosedMeanwhileError
            condition = f"{where} AND {OPEN if listed(db) else 1} ORDER BY seq, id LIMIT {PAGE_ROWS}"
            return db.execute(f"SELECT {COLUMNS}, bytes FROM records WHERE {condition}", (*values, *after)).fetchall()  # noqa: S608

        while rows := self._ask(page):
            yield from rows
            if len(rows) < PAGE_ROWS:
                return
            after = (rows[-1][_SEQ], rows[-1][_ID])

    def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Ask in one transaction, so that rows and the list of months belong together."""
        try:
            with closing(_connect(self.path)) as db:
                db.execute("BEGIN")
                return question(db)
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: cannot be read as a journal: {error}") from None


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)


def _up_to(rows: Iterable[Row], most_bytes: int | None) -> list[Row]:
    """The rows up to the one whose bytes go beyond a limit."""
    found: list[Row] = []
    for row in rows:
        found.append(row)
        if most_bytes is not None:
            most_bytes -= len(row[-1])
            if most_bytes <= 0:
                break
    return found
