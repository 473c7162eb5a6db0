"""Read good readings back from InfluxDB, by InfluxQL, which 1.x, 2.x and 3 understand.

In goes a point and an interval, out come numpy arrays of one measurand each: times in milliseconds and floats.
"""

import json
from collections.abc import Mapping
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
import pyarrow.compute as arrow_compute
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from ingest.errors import InfluxEmptyError, InfluxError
from ingest.store.influx import Door, check
from ingest.store.influx_settings import InfluxServer
from metering.interval import Interval
from metering.measurands import MEASURANDS

Found = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Times [ms since the Unix epoch], and values in the unit that the measurand's name ends with."""
_COLUMNS = {"time": pa.int64()} | dict.fromkeys(MEASURANDS, pa.float64())


class InfluxReader:
    """Asks one InfluxDB."""

    def __init__(self, settings: InfluxServer) -> None:
        """Keep where it is; the first call connects."""
        self._door = Door(settings)
        self._bucket = settings.bucket

    def readings(self, site: str, point: str, span: Interval, measurand: str | None = None) -> Mapping[str, Found]:
        """Read what there is of a point, by measurand.

        Args:
            site: the site.
            point: the metering point.
            span: from when to when.
            measurand: this one alone; None = every measurand that we know.

        Raises:
            InfluxEmptyError: when the database does not exist.
            InfluxError: when it does not answer, does not understand InfluxQL, or gives fewer readings than it counts.
        """
        wanted = "*" if measurand is None else _name(measurand)
        where = (
            f"FROM reading WHERE site = {_text(site)} AND point = {_text(point)}"
            f" AND time >= {span.start_ms}ms AND time < {span.end_ms}ms"
        )
        # Counted first: what is written meanwhile makes more, never less.
        counted = self._counted(f"SELECT COUNT({wanted}) {where}", measurand)
        found = self._columns(f"SELECT {wanted} {where}")
        for name, count in counted.items():
            given = len(found[name][0]) if name in found else 0
            # As CSV, an error or an answer that was cut short looks like fewer readings, or none.
            if given < count:
                raise InfluxError(
                    f"InfluxDB at {self._door.url} gave {given} of {count} readings of {point} {name}:"
                    " look at its limits (max-row-limit, query-timeout)"
                )
        return found

    def _counted(self, query: str, measurand: str | None) -> dict[str, int]:
        data = self._ask(query, "application/json")
        try:
            (result,) = json.loads(data)["results"]
            if "error" in result:
                raise InfluxError(f"InfluxDB at {self._door.url} cannot answer: {result['error']}")
            (series,) = result.get("series", [{"columns": ["time"], "values": [[0]]}])
            pairs = dict(zip(series["columns"], series["values"][0], strict=True))
            del pairs["time"]  # who does not count by time did not understand
            counts = {measurand or name.removeprefix("count_"): count for name, count in pairs.items()}
        except (ValueError, KeyError, TypeError, IndexError):
            raise InfluxError(
                f"{self._door.url} does not answer InfluxQL (only InfluxDB 1.x, 2.x and 3 can be read back):"
                f" {data[:200]!r}"
            ) from None
        return {name: count or 0 for name, count in counts.items() if name in MEASURANDS}

    def _columns(self, query: str) -> dict[str, Found]:
        data = self._ask(query, "application/csv")
        try:
            return columns_of(data)
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            told = data[:200].decode(errors="replace")
            raise InfluxError(f"InfluxDB at {self._door.url} answered no readings: {error}: {told!r}") from None

    def _ask(self, query: str, accept: str) -> bytes:
        path = "/query?" + urlencode({"db": self._bucket, "epoch": "ms", "q": query})
        answer = self._door.ask("GET", path, accept=accept)
        told = answer.data.decode(errors="replace")
        if "database not found" in told[:300]:
            raise InfluxEmptyError(f"InfluxDB at {self._door.url}: database not found: {self._bucket}")
        check(answer.status, told, answer.headers.get("Retry-After"), self._door.url)
        return answer.data


def columns_of(data: bytes) -> dict[str, Found]:
    """Read InfluxDB's CSV; columns that are no measurand are left out.

    Raises:
        pyarrow.ArrowInvalid: when it is none, or holds text where numbers belong.
        pyarrow.ArrowKeyError: when it has no times.
    """
    if not data.strip():
        return {}
    table = arrow_csv.read_csv(pa.BufferReader(data), convert_options=arrow_csv.ConvertOptions(column_types=_COLUMNS))
    found: dict[str, Found] = {}
    for name in table.column_names:
        if name in MEASURANDS:
            there = table.filter(arrow_compute.is_valid(table[name]))
            if len(there):
                found[name] = (there["time"].to_numpy(), there[name].to_numpy())
    return found


def _name(identifier: str) -> str:
    return '"' + identifier.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
