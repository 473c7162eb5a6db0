"""Monitoring periods cut into vintages at local midnight."""

from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import pairwise
from zoneinfo import ZoneInfo

from metering.interval import Interval


@dataclass(frozen=True, slots=True)
class Vintage:
    """One calendar year of a period, in the project's civil time zone."""

    year: int
    interval: Interval


def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """The instant at which a local day begins [ms since the Unix epoch]."""
    return int(datetime.combine(day, time(), zone).timestamp()) * 1000


def vintages_of(start: date, end: date, zone: ZoneInfo) -> tuple[Vintage, ...]:
    """Cut a period of local dates, `end` not included, at each New Year."""
    edges = sorted({start, *(date(year, 1, 1) for year in range(start.year + 1, end.year + 1)), end})
    return tuple(
        Vintage(earlier.year, Interval(midnight_ms(earlier, zone), midnight_ms(later, zone)))
        for earlier, later in pairwise(edges)
    )
