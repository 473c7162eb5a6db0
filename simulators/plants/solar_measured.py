"""In: the package `pvanalytics`, if installed. Out: measured one-minute AC power, as shares of its peak.

The package (MIT licence) ships `serf_east_1min_ac_power.csv`: 2,607 minutes of AC power of the SERF East array at
NREL in Golden, Colorado, on 18 and 19 March 2022, from 04:33 on the first day. They are replayed in turn, each minute
of the day in the same minute of the plant's own mean solar time zone, so the season is that of March whatever the
calendar says. Power below zero (the inverter's own use at night) counts as no output.
"""

import csv
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from simulators.errors import MeasuredDataError
from simulators.plants.plant import MINUTE_MS

_FILE = "data/serf_east_1min_ac_power.csv"
_MINUTES_PER_DAY = 1_440
_PLANT_OFFSET_MINUTES = 7 * 60 + 8  # 106.9° E, so that the measured noon falls on the plant's noon
_SITE_OFFSET_MINUTES = -7 * 60 - 1  # 105.2° W against the file's own UTC-07:00: one minute


def measured_output() -> Callable[[int], float]:
    """Read the measured days.

    Returns:
        The share of the peak in the minute that starts at an instant [ms since the Unix epoch].

    Raises:
        MeasuredDataError: the package is not installed or its file is not as expected.
    """
    days = _read_days(_find_file())

    def output(at_ms: int) -> float:
        day, minute = divmod(at_ms // MINUTE_MS + _PLANT_OFFSET_MINUTES, _MINUTES_PER_DAY)
        return days[day % len(days)][minute]

    return output


def _find_file() -> Path:
    # The package is found but not imported: importing it would load pandas and scipy to read one CSV file.
    spec = find_spec("pvanalytics")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / _FILE).is_file():
            return path
    raise MeasuredDataError(
        f"measured solar power needs pvanalytics/{_FILE}: pip install 'sakugen[simulators-data]', "
        'or set power = "synthetic" in the [[plants]] table'
    )


def _read_days(path: Path) -> tuple[tuple[float, ...], ...]:
    days: dict[int, list[float]] = {}
    with path.open(newline="", encoding="ascii") as lines:
        rows = csv.reader(lines)
        next(rows)
        for when, power in rows:
            moment = datetime.fromisoformat(when)
            offset = moment.utcoffset()
            if offset is None:
                raise MeasuredDataError(f"{path}: {when!r} has no offset from UTC")
            utc_minute = int(moment.timestamp()) // 60
            day, minute = divmod(utc_minute + _SITE_OFFSET_MINUTES, _MINUTES_PER_DAY)
            days.setdefault(day, [0.0] * _MINUTES_PER_DAY)[minute] = max(0.0, float(power))
    peak = max(max(day) for day in days.values())
    # A day with a handful of minutes is the file's edge, not a day.
    whole = [minutes for minutes in days.values() if sum(1 for power in minutes if power > 0) > 300]
    return tuple(tuple(power / peak for power in minutes) for minutes in whole)
