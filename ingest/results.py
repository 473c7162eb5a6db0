"""Copy compute's provisional results into InfluxDB, for curves: measurement `reduction`, one point an hour and project.

In goes `results.sqlite`, read-only, out goes line protocol. A result is what its hour gave, provisional; when compute
computes the hour again, the new result replaces the old one. No statement is made of this.

References:
    compute/results.py writes the tables; ingest reads them by name because it may not import compute.
"""

import logging
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ingest.errors import InfluxRejectedError, ResultsError
from ingest.store.influx import Writer

log = logging.getLogger(__name__)

_AMOUNTS: Final = ("reference_tco2e", "project_tco2e", "reduction_tco2e")
_SQL: Final = (
    f"SELECT project, hour, {', '.join(_AMOUNTS)}, provisional, changed FROM hour WHERE changed > ? ORDER BY changed"  # noqa: S608 - fixed text
)
_BUSY_TIMEOUT_S: Final = 5.0
MOST_HOURS: Final = 5000
"""How many hours go into one request, at least; those that changed together stay together."""


Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """Hours that changed."""

    lines: bytes
    """Line protocol, a line an hour."""
    last: int
    """The highest `changed` among them."""


class Results:
    """Sends results when they have changed."""

    def __init__(self, path: Path, writer: Writer) -> None:
        """Keep the parts; nothing is opened.

        Args:
            path: compute's `results.sqlite`.
            writer: InfluxDB.
        """
        self._path = path
        self._writer = writer
        self._seen = 0
        self._said = ""

    def step(self) -> None:
        """Look, and send what is new; what cannot be read or is not taken is said once and keeps nothing else waiting.

        Raises:
            InfluxError: when InfluxDB takes nothing now.
        """
        try:
            found = changed_hours(self._path, self._seen)
            if found is not None:
                self._send(found)
        except ResultsError as error:
            self._say(error)

    def _send(self, found: Changed) -> None:
        try:
            self._writer.write(found.lines)
        except InfluxRejectedError as error:
            self._say(error)  # what it did take is there, and sending it again would change nothing
        self._seen = found.last

    def _say(self, error: Exception) -> None:
        if str(error) != self._said:
            self._said = str(error)
            log.warning("results are not forwarded: %s", error)


def changed_hours(path: Path, seen: int) -> Changed | None:
    """Write the hours that changed after those already seen, the earliest changes first; None when there are none.

    Args:
        path: compute's `results.sqlite`.
        seen: the highest `changed` that was seen; 0 = none.

    Raises:
        ResultsError: when the file is no such thing.
    """
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT_S)) as file:
            if not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'hour'").fetchone():
                return None  # its writer is just making it
            rows = _up_to(file.execute(_SQL, (seen,)))
    except sqlite3.Error as error:
        raise ResultsError(f"{path}: cannot be read as compute's results: {error}") from None
    return Changed(b"".join(_line(row) for row in rows), rows[-1][-1]) if rows else None


def _up_to(rows: Iterable[Row]) -> list[Row]:
    found: list[Row] = []
    for row in rows:
        if len(found) >= MOST_HOURS and row[-1] != found[-1][-1]:
            break
        found.append(row)
    return found


def _line(row: Row) -> bytes:
    project, hour_ms, *amounts, provisional, _ = row
    fields = [f"{name}={float(amount)!r}" for name, amount in zip(_AMOUNTS, amounts, strict=True)]
    told = str(bool(provisional)).lower()
    return f"reduction,project={project} {','.join(fields)},provisional={told} {hour_ms}\n".encode()
