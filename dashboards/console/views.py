"""In: values as the journal and compute give them. Out: the words and numbers that the page shows.

Nothing is calculated here but the conversion from quanta to the unit people read, how long ago something was, and the
sum of a day's hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from metering.measurands import MEASURANDS

_UNIT_SIGNS = {"1": "", "degC": "°C", "m3": "m³", "m3/h": "m³/h", "W/m2": "W/m²"}


@dataclass(frozen=True, slots=True)
class ReadingView:
    """One line of the table of readings."""

    point: str
    measurand: str
    value: str
    unit: str
    slot: str
    age: str
    quality: str
    deviates: bool
    """It has no value, a doubtful one, or is old: the only lines that get colour."""


@dataclass(frozen=True, slots=True)
class StreamView:
    """One stream of a gateway: how far it is in the journal."""

    stream: str
    head: int
    heard: str
    """How long ago a record of it was stored."""


@dataclass(frozen=True, slots=True)
class GatewayView:
    """What ingest knows of one gateway."""

    name: str
    streams: tuple[StreamView, ...]
    """The newest first."""
    held: int
    """Records stored that cannot be used yet."""
    refused: int
    """Deliveries that were not accepted at all."""
    incidents: tuple[str, ...]
    """What only a person can judge."""


@dataclass(frozen=True, slots=True)
class VintageView:
    """The tonnes of one calendar year of one monitoring period."""

    period: str
    year: int
    tonnes: str
    """The floored integer [tCO2e]."""
    low: str
    """The lower end of the reduction [tCO2e]."""
    high: str
    """The upper end of the reduction [tCO2e]."""
    provisional: bool


@dataclass(frozen=True, slots=True)
class TonnesView:
    """What compute said last about one project."""

    vintages: tuple[VintageView, ...]
    creditable: bool
    blocked_by: tuple[str, ...]
    """Why the number is shown and is not creditable."""
    lately: str
    """What the last hours gave; empty before the first."""


@dataclass(frozen=True, slots=True)
class ProjectView:
    """One column of the page."""

    id: str
    title: str
    place: str
    gateway: GatewayView
    readings: tuple[ReadingView, ...]
    tonnes: TonnesView
    trouble: str
    """Why nothing could be read; empty when all is well."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole page at one moment."""

    now: str
    factor: float
    """Seconds of plant time in one real second."""
    projects: tuple[ProjectView, ...]


def lately_text(reductions: Sequence[str]) -> str:
    """Write what the last hours gave, at the end that is credited.

    Args:
        reductions: decimals, oldest first [tCO2e].
    """
    if not reductions:
        return ""
    total = sum(map(Decimal, reductions), Decimal(0))
    return f"{Decimal(reductions[-1]):,.3f} tCO₂e in the last hour, {total:,.3f} tCO₂e in the last {len(reductions)} h"


def value_text(measurand: str, quanta: int | None) -> str:
    """Write a value in the unit people read.

    Args:
        measurand: a name of the vocabulary.
        quanta: the value [quanta of the measurand]; None = not obtained.
    """
    if quanta is None:
        return "–"
    known = MEASURANDS[measurand]
    value = known.to_unit(quanta)
    if known.quanta_per_unit == 1 or abs(value) >= 100_000:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:,.3f}".rstrip("0").rstrip(".")


def unit_text(measurand: str) -> str:
    """Write a measurand's unit as people do; a state has none."""
    unit = MEASURANDS[measurand].unit
    return _UNIT_SIGNS.get(unit, unit)


def age_text(age_ms: int) -> str:
    """Write how long ago something was [ms] with at most two units; the future counts as now."""
    seconds = max(0, age_ms) // 1000
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if seconds < 60:
        return f"{seconds} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{days} d {hours % 24} h"


def civil_text(wall_ms: int, zone: str) -> str:
    """Write an instant [ms since the Unix epoch] in a civil time zone, to the minute."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")
