"""Read good readings back from InfluxDB, by InfluxQL, which 1.x, 2.x and 3 understand.

In goes a point and an interval, out come numpy arrays of one measurand each: times in milliseconds and floats.
"""

import csv
import io
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from ingest.config import InfluxSettings
from ingest.errors import InfluxError
from ingest.store.influx import Door, check
from metering.measurands import MEASURANDS

Found = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Times [ms since the Unix epoch], and values in the unit that the measurand's name ends with."""


class InfluxReader:
    """Asks one InfluxDB."""

    def __init__(self, settings: InfluxSettings) -> None:
        """Keep where it is; the first call connects."""
        self._door = Door(settings)
        self._bucket = settings.bucket

    def readings(self, site: str, point: str, start_ms: int, end_ms: int) -> Mapping[str, Found]:
        """Read everything of a point, by measurand.

        Args:
            site: the site.
            point: the metering point.
            start_ms: the interval's start [ms since the Unix epoch].
            end_ms: its end, exclusive [ms since the Unix epoch].

        Raises:
            InfluxError: when it does not answer, or does not understand InfluxQL.
        """
        text = (
            f"SELECT * FROM reading WHERE site = '{site}' AND point = '{point}'"  # noqa: S608 - names are plain words
            f" AND time >= {start_ms}ms AND time < {end_ms}ms"
        )
        query = urlencode({"db": self._bucket, "epoch": "ms", "q": text})
        answer = self._door.ask("GET", f"/query?{query}", accept="application/csv")
        if answer.status == HTTPStatus.NOT_FOUND and b"database not found" in answer.data:
            return {}  # nothing was ever written
        check(answer.status, answer.data.decode(errors="replace"), None, self._door.url)
        if "csv" not in answer.headers.get("Content-Type", ""):
            raise InfluxError(
                f"{self._door.url} does not answer InfluxQL with CSV; only InfluxDB 1.x, 2.x and 3 can be read back"
            )
        return columns_of(answer.data.decode())


def columns_of(text: str) -> dict[str, Found]:
    """Read InfluxDB's CSV.

    Raises:
        InfluxError: when it tells of an error instead.
    """
    if "error" in text.partition("\n")[0]:
        raise InfluxError(f"InfluxDB could not answer: {text.strip()[:300]}")
    rows = csv.reader(io.StringIO(text))
    head = next(rows, [])
    table = [row for row in rows if row]
    if not table:
        return {}
    times = np.array([row[head.index("time")] for row in table], np.int64)
    found: dict[str, Found] = {}
    for at, name in enumerate(head):
        if name in MEASURANDS:
            there = np.array([row[at] != "" for row in table])
            values = np.array([float(row[at]) for row in table if row[at]])
            if len(values):
                found[name] = (times[there], values)
    return found
