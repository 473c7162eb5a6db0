"""partials.sqlite: what was measured in each local month of a project, so that only changed months are read again.

In: segments, with a name of everything that decided them. Out: the same segments, or nothing. The file may be deleted
at any time: everything in it is measured anew. Nothing in it is ever executed: it holds integers and text only.
"""

import io
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from compute.errors import ResultsError
from compute.segments import Hours, Marks, Segment

_VERSION = 2
_BUSY_TIMEOUT_S = 5.0
_SCHEMA = f"""
BEGIN;
DROP TABLE IF EXISTS seen;
DROP TABLE IF EXISTS month;
DROP TABLE IF EXISTS segment;
CREATE TABLE seen (
    only INTEGER PRIMARY KEY CHECK (only = 1), journal TEXT NOT NULL, id INTEGER NOT NULL, digest TEXT NOT NULL,
    replay INTEGER NOT NULL
) STRICT;
CREATE TABLE month (
    project TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, inputs TEXT NOT NULL,
    series TEXT NOT NULL,
    PRIMARY KEY (project, start_ms, end_ms)
) STRICT;
CREATE TABLE segment (
    project TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, parameter TEXT NOT NULL,
    point TEXT NOT NULL, law TEXT NOT NULL, arrays BLOB NOT NULL,
    PRIMARY KEY (project, start_ms, end_ms, parameter, point)
) STRICT;
PRAGMA user_version = {_VERSION};
COMMIT;
"""

Job = tuple[str, str]
"""(parameter, point)."""
Key = tuple[str, str]
"""(point, measurand)."""


@dataclass(frozen=True, slots=True)
class SeriesPart:
    """What a month knows of one series beside its amounts."""

    bindings: tuple[str, ...]
    """What it was read with, by digest, in order of use."""
    first_ms: int
    """Its first slot that something speaks of [ms]."""
    last_ms: int
    undecided: bool
    """Whether readings beyond what was read with it may still show that some of its own were frozen."""


@dataclass(frozen=True, slots=True)
class Month:
    """One stretch of a project: a local month, or what of it a period's evidence begins with."""

    inputs: str
    """SHA-256 of the records it was measured from."""
    series: Mapping[Key, SeriesPart]


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a journal was looked at."""

    journal: str
    id: int
    digest: str
    replay: int


class Partials:
    """Keeps segments; use with `with`. One process at a time has a use for it."""

    def __init__(self, path: Path) -> None:
        """Keep the path; `__enter__` opens it."""
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Open the file, made when it is missing or of another version.

        Raises:
            ResultsError: when it cannot be opened.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            if connection.execute("PRAGMA user_version").fetchone() != (_VERSION,):
                connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ResultsError(f"{self._path}: cannot be used for what was measured: {error}; delete it") from None
        self._connection = connection
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def seen(self) -> Seen | None:
        """How far the journal was looked at; None before the first time."""
        row = self._open().execute("SELECT journal, id, digest, replay FROM seen").fetchone()
        return None if row is None else Seen(*row)

    def look(self, seen: Seen, touched: Mapping[str, list[tuple[int, int]]], *, anew: bool) -> None:
        """Forget the months that new records speak of, and note how far was looked, at once.

        Args:
            seen: how far.
            touched: for each project, spans of slots [ms].
            anew: whether nothing that is known holds any more.
        """
        with self._open() as connection:
            spans = [(project, *span) for project, parts in touched.items() for span in parts]
            for table in ("segment", "month"):
                if anew:
                    connection.execute(f"DELETE FROM {table}")  # noqa: S608 - fixed text
                where = "project = ?1 AND start_ms <= ?3 AND end_ms > ?2"
                connection.executemany(f"DELETE FROM {table} WHERE {where}", spans)  # noqa: S608 - fixed text
            row = (seen.journal, seen.id, seen.digest, seen.replay)
            connection.execute("INSERT OR REPLACE INTO seen VALUES (1, ?, ?, ?, ?)", row)

    def month(self, project: str, start_ms: int, end_ms: int) -> Month | None:
        """What is known of a stretch; None when it must be read."""
        sql = "SELECT inputs, series FROM month WHERE project = ? AND start_ms = ? AND end_ms = ?"
        row = self._open().execute(sql, (project, start_ms, end_ms)).fetchone()
        if row is None:
            return None
        series = {(point, name): SeriesPart(tuple(found), *ends) for point, name, found, *ends in json.loads(row[1])}
        return Month(row[0], series)

    def segment(self, project: str, start_ms: int, end_ms: int, job: Job, law: str) -> Segment | None:
        """What a parameter amounts to in a stretch, when it was measured by this law."""
        sql = (
            "SELECT arrays FROM segment WHERE project = ? AND start_ms = ? AND end_ms = ?"
            " AND parameter = ? AND point = ? AND law = ?"
        )
        row = self._open().execute(sql, (project, start_ms, end_ms, *job, law)).fetchone()
        return None if row is None else unpacked(row[0])

    def put(
        self, project: str, start_ms: int, end_ms: int, month: Month, segments: Mapping[Job, tuple[str, Segment]]
    ) -> None:
        """Keep a stretch: what was read, and what each parameter amounts to, with its law."""
        series = [
            [*key, part.bindings, part.first_ms, part.last_ms, part.undecided]
            for key, part in sorted(month.series.items())
        ]
        rows = [(project, start_ms, end_ms, *job, law, packed(found)) for job, (law, found) in segments.items()]
        with self._open() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO month VALUES (?, ?, ?, ?, ?)",
                (project, start_ms, end_ms, month.inputs, json.dumps(series)),
            )
            connection.executemany("INSERT OR REPLACE INTO segment VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ResultsError(f"{self._path}: is not open")
        return self._connection


def packed(segment: Segment) -> bytes:
    """Write a segment as five integer arrays."""
    file = io.BytesIO()
    np.savez(
        file, hours=segment.hours.table, marks=segment.marks.table, ends=segment.ends, frozen=segment.frozen,
        flows=segment.flows,
    )  # fmt: skip
    return file.getvalue()


def unpacked(data: bytes) -> Segment:
    """Read what `packed` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        return Segment(
            Hours(found["hours"]), Marks(found["marks"]), found["ends"], found["frozen"], found["flows"]
        )  # fmt: skip
