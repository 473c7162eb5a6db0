"""results.sqlite: what compute last made of each project, for consoles. Provisional, and made anew at any time.

`ResultsWriter` is the one read-write connection; `read_results` opens the file read-only and closes it again.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from compute.errors import ResultsError
from compute.result import Result, decimal_text

_BUSY_TIMEOUT_S = 5.0

_SCHEMA = """
BEGIN;
CREATE TABLE IF NOT EXISTS vintage (
    project TEXT NOT NULL,
    period TEXT NOT NULL,
    year INTEGER NOT NULL,
    reference_tco2e TEXT NOT NULL,
    project_tco2e TEXT NOT NULL,
    leakage_tco2e TEXT NOT NULL,
    reduction_tco2e TEXT NOT NULL,
    reduction_high_tco2e TEXT NOT NULL,
    integer INTEGER NOT NULL,
    provisional INTEGER NOT NULL,
    input_digest TEXT NOT NULL,
    computed_ms INTEGER NOT NULL,
    PRIMARY KEY (project, period, year)
) STRICT;
CREATE TABLE IF NOT EXISTS state (
    project TEXT NOT NULL PRIMARY KEY,
    period TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    creditable INTEGER NOT NULL,
    blocked_by TEXT NOT NULL,
    trouble TEXT NOT NULL
) STRICT;
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class VintageRow:
    """One vintage as a console shows it; at the corner that credits least, so reference - project = reduction."""

    year: int
    reference_tco2e: str
    """Decimal with 9 places [tCO2e]."""
    project_tco2e: str
    leakage_tco2e: str
    reduction_tco2e: str
    reduction_high_tco2e: str
    """The other end: what the reduction could be at most [tCO2e]."""
    integer: int
    """Whole tonnes, rounded down [tCO2e]."""
    provisional: bool
    """Whether the period is still open."""
    input_digest: str
    computed_ms: int
    """[ms since the Unix epoch]"""


@dataclass(frozen=True, slots=True)
class ProjectResults:
    """What compute said last about one project."""

    project: str
    period: str
    until_ms: int
    """Up to where the readings were counted [ms since the Unix epoch]."""
    creditable: bool
    blocked_by: tuple[str, ...]
    """One sentence a reason."""
    trouble: str
    """Why the last attempt gave nothing; "" when it gave something."""
    vintages: tuple[VintageRow, ...]


class ResultsWriter:
    """Writes results; use with `with`."""

    def __init__(self, path: Path) -> None:
        """Keep the path; `__enter__` opens it."""
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Open the file, made when it is missing.

        Raises:
            ResultsError: when it cannot be opened.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Results are computed in a worker thread, one at a time.
            connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ResultsError(f"{self._path}: cannot be used for results: {error}") from None
        self._connection = connection
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def put(self, result: Result, *, provisional: bool, computed_ms: int) -> None:
        """Replace what is said about a project's period."""
        key = (result.project, result.period)
        blocked = json.dumps([why.what for why in result.blocked_by], ensure_ascii=False)
        state = (*key, result.interval.end_ms, result.creditable, blocked, "")
        rows = [(*key, *_columns(result, index, provisional, computed_ms)) for index in range(len(result.vintages))]
        with self._open() as connection:
            connection.execute("DELETE FROM vintage WHERE project = ? AND period = ?", key)
            connection.executemany("INSERT INTO vintage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?, ?)", state)

    def trouble(self, project: str, what: str) -> None:
        """Say why nothing could be computed; earlier results stay."""
        with self._open() as connection:
            connection.execute(
                "INSERT INTO state VALUES (?, '', 0, 0, '[]', ?)"
                " ON CONFLICT (project) DO UPDATE SET trouble = excluded.trouble",
                (project, what),
            )

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ResultsError(f"{self._path}: is not open")
        return self._connection


def _columns(result: Result, index: int, provisional: bool, computed_ms: int) -> tuple[str | int, ...]:
    vintage = result.vintages[index]
    credited = vintage.credited
    return (
        vintage.year,
        decimal_text(credited.reference),
        decimal_text(credited.project),
        decimal_text(credited.leakage),
        decimal_text(credited.reduction),
        decimal_text(vintage.reduction.high),
        vintage.integer,
        provisional,
        result.input_digest,
        computed_ms,
    )


def read_results(path: Path) -> tuple[ProjectResults, ...]:
    """Read everything, by project; nothing when the file does not exist yet.

    Raises:
        ResultsError: when the file cannot be read.
    """
    if not path.exists():
        return ()
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT_S)) as file:
            file.execute("BEGIN")  # both tables as of one instant
            if not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchall():
                return ()  # its writer is just making it
            states = file.execute("SELECT * FROM state ORDER BY project").fetchall()
            vintages = file.execute("SELECT * FROM vintage ORDER BY project, period, year").fetchall()
    except sqlite3.Error as error:
        raise ResultsError(f"{path}: cannot be read as results: {error}") from None
    return tuple(_project_results(state, vintages) for state in states)


def _project_results(state: tuple[Any, ...], vintages: list[tuple[Any, ...]]) -> ProjectResults:
    project, period, until_ms, creditable, blocked_by, trouble = state
    rows = tuple(VintageRow(*(*row[2:9], bool(row[9]), *row[10:])) for row in vintages if row[:2] == (project, period))
    return ProjectResults(project, period, until_ms, bool(creditable), tuple(json.loads(blocked_by)), trouble, rows)
