"""results.sqlite: what compute last made of each project, for consoles. Provisional, and made anew at any time.

`ResultsWriter` is the one read-write connection; `read_results` opens the file read-only and closes it again.
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from compute.errors import ResultsError
from compute.hours import HourResult
from compute.result import DECIMAL_PLACES, Result, decimal_text

_BUSY_TIMEOUT_S = 5.0

_VERSION = 2
_CLEAN = """
BEGIN;
DROP TABLE IF EXISTS vintage;
DROP TABLE IF EXISTS state;
DROP TABLE IF EXISTS hour;
COMMIT;
"""
_LAST_DAY = (
    "SELECT hour, reference_tco2e, project_tco2e, reduction_tco2e FROM hour WHERE project = ?"
    " ORDER BY hour DESC LIMIT 24"
)
_SCHEMA = f"""
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
    beside_hours_tco2e TEXT NOT NULL,
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
CREATE TABLE IF NOT EXISTS hour (
    project TEXT NOT NULL,
    hour INTEGER NOT NULL,
    reference_tco2e TEXT NOT NULL,
    project_tco2e TEXT NOT NULL,
    reduction_tco2e TEXT NOT NULL,
    provisional INTEGER NOT NULL,
    input_digest TEXT NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (project, hour)
) STRICT;
CREATE INDEX IF NOT EXISTS hour_changed ON hour (changed);
PRAGMA user_version = {_VERSION};
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
    beside_hours_tco2e: str
    """What of `reduction_tco2e` belongs to no single hour (compute/hours.py): with it the hours add up to the digit
    [tCO2e]."""
    integer: int
    """Whole tonnes, rounded down [tCO2e]."""
    provisional: bool
    """Whether the period is still open."""
    input_digest: str
    computed_ms: int
    """[ms since the Unix epoch]"""


@dataclass(frozen=True, slots=True)
class HourRow:
    """One hour as a console shows it; at the corner of its vintage."""

    start_ms: int
    """When it begins [ms since the Unix epoch]."""
    reference_tco2e: str
    """Decimal with 9 places [tCO2e]."""
    project_tco2e: str
    reduction_tco2e: str


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
    hours: tuple[HourRow, ...]
    """The last 24 hours that were counted, oldest first."""


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
            if connection.execute("PRAGMA user_version").fetchone() != (_VERSION,):
                connection.executescript(_CLEAN)  # of an older version; everything in it is computed anew
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

    def put(self, result: Result, hours: Sequence[HourResult] = (), *, provisional: bool, computed_ms: int) -> None:
        """Replace what is said about a project's period.

        Args:
            result: what was computed.
            hours: every hour of it; one that is as it was stays as it is.
            provisional: whether the period is still open.
            computed_ms: when it was computed [ms since the Unix epoch].
        """
        key = (result.project, result.period)
        blocked = json.dumps([why.what for why in result.blocked_by], ensure_ascii=False)
        state = (*key, result.interval.end_ms, result.creditable, blocked, "")
        new = [(hour.start_ms, *_hour_columns(hour, provisional)) for hour in hours]
        rows = [
            (*key, *_columns(result, index, new, provisional, computed_ms)) for index in range(len(result.vintages))
        ]
        with self._open() as connection:
            connection.execute("DELETE FROM vintage WHERE project = ? AND period = ?", key)
            connection.executemany("INSERT INTO vintage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?, ?)", state)
            _put_hours(connection, result, new, computed_ms)

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


HourColumns = tuple[int, str, str, str, bool, str]


def _hour_columns(hour: HourResult, provisional: bool) -> tuple[str, str, str, bool, str]:
    amounts = (decimal_text(hour.reference), decimal_text(hour.project), decimal_text(hour.reduction))
    return *amounts, provisional, hour.input_digest


def _put_hours(connection: sqlite3.Connection, result: Result, hours: Sequence[HourColumns], computed_ms: int) -> None:
    # `changed` counts up, also when the clock does not and when the file was made anew: whoever remembers the highest
    # one that he saw has all that is above it still to read.
    span = (result.project, result.interval.start_ms, result.interval.end_ms)
    asked = "FROM hour WHERE project = ? AND hour >= ? AND hour < ?"
    # Without the digest: the inputs of a period change by the minute, and most hours are none the wiser.
    columns = "hour, reference_tco2e, project_tco2e, reduction_tco2e, provisional"
    known = {row[0]: row for row in connection.execute(f"SELECT {columns} {asked}", span)}
    (last,) = connection.execute("SELECT COALESCE(MAX(changed), 0) FROM hour").fetchone()
    changed = max(last + 1, computed_ms)
    gone = known.keys() - {row[0] for row in hours}
    connection.executemany("DELETE FROM hour WHERE project = ? AND hour = ?", [(result.project, hour) for hour in gone])
    connection.executemany(
        "INSERT OR REPLACE INTO hour VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(result.project, *row, changed) for row in hours if known.get(row[0]) != row[:-1]],
    )


def _columns(
    result: Result, index: int, hours: Sequence[HourColumns], provisional: bool, computed_ms: int
) -> tuple[str | int, ...]:
    vintage = result.vintages[index]
    credited = vintage.credited
    reduction = decimal_text(credited.reduction)
    inside = sum((Decimal(row[3]) for row in hours if row[0] in vintage.interval), Decimal(0))
    return (
        vintage.year,
        decimal_text(credited.reference),
        decimal_text(credited.project),
        decimal_text(credited.leakage),
        reduction,
        decimal_text(vintage.reduction.high),
        f"{Decimal(reduction) - inside:.{DECIMAL_PLACES}f}",
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
            file.execute("BEGIN")  # all tables as of one instant
            if file.execute("PRAGMA user_version").fetchone() != (_VERSION,):
                return ()  # its writer is just making it
            states = file.execute("SELECT * FROM state ORDER BY project").fetchall()
            vintages = file.execute("SELECT * FROM vintage ORDER BY project, period, year").fetchall()
            hours = {state[0]: file.execute(_LAST_DAY, (state[0],)).fetchall() for state in states}
    except sqlite3.Error as error:
        raise ResultsError(f"{path}: cannot be read as results: {error}") from None
    return tuple(_project_results(state, vintages, hours[state[0]]) for state in states)


def _project_results(
    state: tuple[Any, ...], vintages: list[tuple[Any, ...]], hours: list[tuple[Any, ...]]
) -> ProjectResults:
    project, period, until_ms, creditable, blocked_by, trouble = state
    rows = tuple(
        VintageRow(*(*row[2:10], bool(row[10]), *row[11:])) for row in vintages if row[:2] == (project, period)
    )
    last_day = tuple(HourRow(*hour) for hour in reversed(hours))
    blocked = tuple(json.loads(blocked_by))
    return ProjectResults(project, period, until_ms, bool(creditable), blocked, trouble, rows, last_day)
