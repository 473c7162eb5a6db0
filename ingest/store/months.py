"""The file of a closed month: an index of its records, and their bytes compressed; written once, then only read.

In go records in order of stream and number, out comes one SQLite file that needs nothing but SQLite and zlib to be
read, today or in thirty years. The same records give the same bytes. Who closes a month, and when, is in `closing`.
"""

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from ingest.errors import MonthError
from metering.record import digest_of

APPLICATION_ID: Final = 0x53414B4D  # "SAKM": a file that says it is a month of a Sakugen journal
COLUMNS: Final = (
    "id, site, gateway, stream, seq, kind, status, reason, received_ms, first_slot_ms, last_slot_ms, project, through,"
    " replaces, digest"
)
"""What a record has beside its bytes, here as in the journal."""
_CHUNK_BYTES: Final = 131_072
"""So much of one gateway is compressed at a time [bytes]: larger is hardly smaller, and slower for a single record."""
_FILE_STEP_BYTES: Final = 1 << 20

# The table is ordered by stream, because that is how most read it: a project's interval, stream by stream.
_TABLES: Final = f"""
PRAGMA page_size = 4096;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = 1;
BEGIN;
CREATE TABLE records (
    id INTEGER NOT NULL,
    site TEXT NOT NULL, gateway TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    kind TEXT NOT NULL, status TEXT NOT NULL, reason TEXT, received_ms INTEGER NOT NULL,
    first_slot_ms INTEGER, last_slot_ms INTEGER, project TEXT, through INTEGER, replaces TEXT, digest TEXT NOT NULL,
    chunk INTEGER NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (site, gateway, stream, seq, id)
) WITHOUT ROWID;
CREATE TABLE chunks (chunk INTEGER PRIMARY KEY, zlib BLOB NOT NULL);
"""
_INDEXES: Final = """
CREATE UNIQUE INDEX records_by_id ON records (id);
CREATE INDEX records_by_slot ON records (project, last_slot_ms);
CREATE INDEX records_replacing ON records (site, gateway, stream, through) WHERE through IS NOT NULL;
"""
"""`executescript` ends the transaction of the rows before it begins."""

Row = tuple[Any, ...]
"""A record: `COLUMNS`, then its bytes."""
_SITE, _STREAM, _SEQ, _KIND, _FIRST_SLOT, _LAST_SLOT, _THROUGH, _DIGEST = 1, 3, 4, 5, 9, 10, 12, 14


@dataclass(frozen=True, slots=True)
class ListedMonth:
    """A closed month, as the journal lists it."""

    name: str
    """The file in the folder `months`, for example 2026-10.sqlite."""
    first_id: int
    last_id: int
    """It holds what arrived from `first_id` to `last_id`, but for records that were held."""
    records: int
    first_slot_ms: int | None
    last_slot_ms: int | None
    """The span of slots it speaks of [ms since the Unix epoch]."""
    size_bytes: int
    sha256: str
    """Of the whole file."""

    def overlaps(self, first_ms: int, last_ms: int) -> bool:
        """Whether it speaks of slots from the first to the last [ms since the Unix epoch]."""
        if self.first_slot_ms is None or self.last_slot_ms is None:
            return False
        return self.first_slot_ms <= last_ms and self.last_slot_ms >= first_ms


@dataclass(frozen=True, slots=True)
class Verified:
    """A month's file that was read back."""

    month: ListedMonth
    streams: Mapping[tuple[str, str, str], tuple[int, int]]
    """The first and last number of each stream in it: site, gateway, stream. Births and horizons do not count."""


def folder_of(journal: Path) -> Path:
    """Where a journal's months are."""
    return journal.with_name("months")


def write(path: Path, rows: Iterable[Row]) -> str:
    """Write a month to a file that does not exist, and flush it to disk.

    Args:
        path: the file.
        rows: its records, ordered by site, gateway, stream, seq, id.

    Returns:
        SHA-256 over the digests of its records, in that order, for `verify`.
    """
    seen = hashlib.sha256()
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.executescript(_TABLES)
        for chunk, held in enumerate(_chunks(rows)):
            start, cut = 0, []
            for row in held:
                cut.append((*row[:-1], chunk, start, len(row[-1])))
                start += len(row[-1])
                seen.update(row[_DIGEST].encode())
            marks = ",".join("?" * len(cut[0]))
            file.executemany(f"INSERT INTO records VALUES ({marks})", cut)  # noqa: S608 - question marks
            compressed = zlib.compress(b"".join(row[-1] for row in held), 6)
            file.execute("INSERT INTO chunks VALUES (?, ?)", (chunk, compressed))
        file.executescript(_INDEXES)
    sync(path)
    return seen.hexdigest()


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    held: list[Row] = []
    size = 0
    for row in rows:
        if held and (size >= _CHUNK_BYTES or held[-1][_SITE:_STREAM] != row[_SITE:_STREAM]):
            yield held
            held, size = [], 0
        held.append(row)
        size += len(row[-1])
    if held:
        yield held


def publish(temporary: Path, path: Path) -> None:
    """Give a written file its name, for good."""
    temporary.rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file, or a folder's names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def verify(path: Path, first_id: int, last_id: int, digests: str, pause: Callable[[], None]) -> Verified:
    """Read a month back, every byte of it, and describe it for the journal.

    Args:
        path: the file.
        first_id: the first arrival that belongs to it.
        last_id: the last one.
        digests: what `write` gave.
        pause: called again and again; it may wait, or raise.

    Raises:
        MonthError: when it does not hold exactly what was written.
    """
    seen, count = hashlib.sha256(), 0
    slots: list[int] = []
    streams: dict[tuple[str, str, str], tuple[int, int]] = {}
    with _opened(path) as file:
        for row in _rows_with_bytes(file, path, "1 ORDER BY site, gateway, stream, seq, id", ()):
            pause()
            seen.update(row[_DIGEST].encode())
            count += 1
            slots += [slot for slot in (row[_FIRST_SLOT], row[_LAST_SLOT]) if slot is not None]
            slots = [min(slots), max(slots)] if slots else []
            if row[_KIND] not in ("birth", "horizon"):
                home, seq = row[_SITE : _STREAM + 1], row[_SEQ]
                first, last = streams.get(home, (seq, seq))
                streams[home] = (first, max(last, row[_THROUGH] or seq))
            if not first_id <= row[0] <= last_id:
                raise MonthError(f"{path}: record {row[0]} does not belong into it; close the month again")
    if seen.hexdigest() != digests:
        raise MonthError(f"{path}: what was read back is not what was written; close the month again")
    first_ms, last_ms = (slots[0], slots[-1]) if slots else (None, None)
    size, sha256 = path.stat().st_size, file_digest(path)
    return Verified(ListedMonth(path.name, first_id, last_id, count, first_ms, last_ms, size, sha256), streams)


def file_digest(path: Path, pause: Callable[[], None] = lambda: None) -> str:
    """SHA-256 of a file; `pause` is called again and again, and may wait or raise."""
    seen = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_FILE_STEP_BYTES):
            pause()
            seen.update(part)
    return seen.hexdigest()


class Month:
    """A closed month, open for reading. Use `with`."""

    def __init__(self, folder: Path, listed: ListedMonth) -> None:
        """Keep which; nothing is opened.

        Args:
            folder: the folder of the months.
            listed: what the journal says about it.
        """
        self.listed = listed
        self._path = folder / listed.name
        self._file: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Give the month; the file is opened when something of it is asked for."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def check(self, pause: Callable[[], None] = lambda: None) -> None:
        """Compare size and digest of the file with what the journal lists.

        Args:
            pause: called after each MiB; it may wait, or raise.

        Raises:
            MonthError: when it is missing or was changed.
        """
        self._check_size()
        try:
            sha256 = file_digest(self._path, pause)
        except OSError as error:
            raise MonthError(f"{self._path}: a closed month cannot be read: {error}; {_RESTORE}") from None
        if sha256 != self.listed.sha256:
            raise MonthError(f"{self._path}: this file of a closed month was changed; {_RESTORE}")

    def _check_size(self) -> None:
        try:
            size = self._path.stat().st_size
        except OSError as error:
            raise MonthError(f"{self._path}: a closed month is missing ({error.strerror}); {_RESTORE}") from None
        if size != self.listed.size_bytes:
            raise MonthError(
                f"{self._path}: this file of a closed month was changed: {size} bytes instead of"
                f" {self.listed.size_bytes}; {_RESTORE}"
            )

    def rows(self, columns: str, where: str, values: Sequence[Any] = ()) -> list[Any]:
        """Give some columns of the records that a condition names.

        Raises:
            MonthError: when the file is missing or was changed.
        """
        try:
            return self._opened().execute(f"SELECT {columns} FROM records WHERE {where}", values).fetchall()  # noqa: S608 - constants
        except sqlite3.Error as error:
            raise MonthError(f"{self._path}: cannot be read as a closed month: {error}; {_RESTORE}") from None

    def records(self, where: str, values: Sequence[Any] = ()) -> Iterator[Row]:
        """Give the records that a condition names, with their exact bytes.

        Raises:
            MonthError: when the file is missing or was changed; bytes are compared with their digest.
        """
        try:
            yield from _rows_with_bytes(self._opened(), self._path, where, values)
        except sqlite3.Error as error:
            raise MonthError(f"{self._path}: cannot be read as a closed month: {error}; {_RESTORE}") from None

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            self._check_size()
            self._file = _connect(self._path)
        return self._file


_RESTORE: Final = "restore it from a backup (docs/backup.md)"
_CHUNKS_KEPT: Final = 64


def _connect(path: Path) -> sqlite3.Connection:
    # Immutable: SQLite takes no lock and looks for no WAL file.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def _opened(path: Path) -> closing[sqlite3.Connection]:
    return closing(_connect(path))


def _rows_with_bytes(file: sqlite3.Connection, path: Path, where: str, values: Sequence[Any]) -> Iterator[Row]:
    unpacked: dict[int, bytes] = {}
    found = file.execute(f"SELECT {COLUMNS}, chunk, start, size FROM records WHERE {where}", values)  # noqa: S608 - constants
    for *row, chunk, start, size in found:
        if chunk not in unpacked:
            if len(unpacked) >= _CHUNKS_KEPT:
                del unpacked[next(iter(unpacked))]
            unpacked[chunk] = _chunk(file, path, chunk)
        data = unpacked[chunk][start : start + size]
        if digest_of(data) != row[_DIGEST]:
            raise MonthError(f"{path}: the bytes of record {row[0]} were changed; {_RESTORE}")
        yield (*row, data)


def _chunk(file: sqlite3.Connection, path: Path, chunk: int) -> bytes:
    row = file.execute("SELECT zlib FROM chunks WHERE chunk = ?", (chunk,)).fetchone()
    try:
        return zlib.decompress(row[0])
    except (TypeError, zlib.error) as error:
        raise MonthError(f"{path}: part {chunk} of this closed month was changed ({error}); {_RESTORE}") from None
