"""Copy compute's provisional results into InfluxDB, for curves: measurement `reduction`, one point an hour and project.

In goes `results.sqlite`, read-only, out goes line protocol. A result is what the monitoring period amounts to up to
that hour; when compute computes the hour again, the new result replaces the old one. No statement is made of this.

References:
    compute/results.py writes the tables; ingest reads them by name because it may not import compute.
"""

import logging
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Final

from ingest.errors import InfluxRejectedError, ResultsError
from ingest.store.influx import Writer
from metering.interval import HOUR_MS

log = logging.getLogger(__name__)

_AMOUNTS: Final = ("reference_tco2e", "project_tco2e", "reduction_tco2e")
_SQL: Final = (
    "SELECT project, until_ms, reference_tco2e, project_tco2e, reduction_tco2e, provisional"
    " FROM state JOIN vintage USING (project, period) ORDER BY project, year"
)
_BUSY_TIMEOUT_S: Final = 5.0


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
        self._sent = b""
        self._said = ""

    def step(self) -> None:
        """Look, and send what is new; what cannot be read or is not taken is said once and keeps nothing else waiting.

        Raises:
            InfluxError: when InfluxDB takes nothing now.
        """
        try:
            text = lines_of_results(self._path)
            if text != self._sent:
                self._writer.write(text)
                self._sent = text
        except (ResultsError, InfluxRejectedError) as error:
            if str(error) != self._said:
                self._said = str(error)
                log.warning("results are not forwarded: %s", error)


def lines_of_results(path: Path) -> bytes:
    """Write the result of each project's hour, one line a project; none when nothing was computed yet.

    Args:
        path: compute's `results.sqlite`.

    Raises:
        ResultsError: when the file is no such thing.
    """
    if not path.exists():
        return b""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT_S)) as file:
            if not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone():
                return b""  # its writer is just making it
            rows = file.execute(_SQL).fetchall()
    except sqlite3.Error as error:
        raise ResultsError(f"{path}: cannot be read as compute's results: {error}") from None
    sums: dict[tuple[str, int], list[Decimal]] = {}
    provisional: dict[tuple[str, int], bool] = {}
    for project, until_ms, *amounts, still_open in rows:
        key = (project, until_ms // HOUR_MS * HOUR_MS)
        sums[key] = [a + Decimal(b) for a, b in zip(sums.get(key, [Decimal(0)] * 3), amounts, strict=True)]
        provisional[key] = provisional.get(key, False) or bool(still_open)
    return b"".join(_line(*key, sums[key], provisional=provisional[key]) for key in sums)


def _line(project: str, hour_ms: int, amounts: list[Decimal], *, provisional: bool) -> bytes:
    fields = [f"{name}={float(amount)!r}" for name, amount in zip(_AMOUNTS, amounts, strict=True)]
    return f"reduction,project={project} {','.join(fields)},provisional={str(provisional).lower()} {hour_ms}\n".encode()
