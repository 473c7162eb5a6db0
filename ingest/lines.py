"""Records → InfluxDB line protocol, many readings at a time. Pure.

In go the exact bytes of records that ingest has checked and found usable, and of the births that govern them; out come
spans, the good readings of one poll group, and lines: measurement `reading`, tags `point` and `site`, one float field a
measurand, milliseconds. Nothing is checked again here, which makes it five times as fast as `metering.record`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from ingest.store.readings import longest_skew_ms
from metering.measurands import MEASURANDS

Values = Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a birth says that its readings do not."""

    live: bool
    """Whether its readings count; those of a test do not."""
    longest_skew_ms: int
    """A reading further from its slot is none [ms]."""
    points: dict[str, tuple[tuple[str, str], ...]]
    """For each poll group its (point, measurand), in the order of its values."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measurand of one point over the slots of a span."""

    point: str
    measurand: str
    values: Values
    """In quanta; None where there is no good reading."""


@dataclass(frozen=True, slots=True)
class Span:
    """The good readings of one poll group in one record."""

    site: str
    slots: list[int]
    """[ms since the Unix epoch], strictly increasing."""
    rows: list[Row]


def plan_of(birth: bytes) -> Plan:
    """Read what is needed of a birth.

    Args:
        birth: its exact bytes.
    """
    body = _body(birth)
    groups = {
        group["group"]: tuple((point["point"], point["measurand"]) for point in group["points"])
        for group in body["groups"]
    }
    return Plan(body["mode"] == "live", longest_skew_ms(body["time_factor"]), groups)


def spans_of(data: bytes, plan: Plan) -> list[Span]:
    """Read the good readings of a record.

    Args:
        data: the exact bytes of a `readings` or `thinned` record.
        plan: of the birth that governs it.
    """
    body = _body(data)
    return [_span(body["site"], part, plan) for part in body["groups"] if part["slots"]]


def _body(data: bytes) -> dict[str, Any]:
    """A record is one line of JSON, an empty line and a signature."""
    body: dict[str, Any] = from_json(data[: data.index(b"\n")], cache_strings="keys")
    return body


def _span(site: str, part: dict[str, Any], plan: Plan) -> Span:
    slots, rows = part["slots"], part["values"]
    longest_ms = plan.longest_skew_ms
    skews = (part["sent"], part["received"])
    if any(max(skew) > longest_ms or min(skew) < -longest_ms for skew in skews):
        absurd = [any(abs(skew[at]) > longest_ms for skew in skews) for at in range(len(slots))]
        rows = [[None if bad else value for bad, value in zip(absurd, row, strict=True)] for row in rows]
    names = plan.points[part["group"]]
    return Span(site, slots, [Row(*name, row) for name, row in zip(names, rows, strict=True)])


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines as one text."""

    text: bytes
    """Each line ends with a line feed."""
    count: int


def lines_of(span: Span) -> Lines:
    """Write a span, one line a point and slot; names need no escaping (`metering.topics`)."""
    by_point: dict[str, list[Row]] = {}
    for row in span.rows:
        by_point.setdefault(row.point, []).append(row)
    times = [b" " + slot + b"\n" for slot in _texts(span.slots)]
    alike: dict[int, list[list[Row]]] = {}
    found: list[bytes] = []
    for rows in by_point.values():
        if any(None in row.values for row in rows):
            found += _with_holes(span.site, times, rows)
        else:
            alike.setdefault(len(rows), []).append(rows)
    count = len(found) + len(times) * sum(map(len, alike.values()))
    return Lines(b"".join(found) + b"".join(_whole(span.site, times, points) for points in alike.values()), count)


def _whole(site: str, times: list[bytes], points: list[list[Row]]) -> bytes:
    """Points with as many measurands each, and a value in every slot.

    Columns of texts are laid side by side and joined at once.
    """
    columns, count = len(points[0]), len(times)
    width = 2 * columns + 1
    parts = [b""] * (width * count * len(points))
    for at in range(columns):
        rows = [point[at] for point in points]
        heads: list[bytes] = []
        numbers: list[float] = []
        for row in rows:
            heads += [(f",{row.measurand}=" if at else _head(site, row)).encode()] * count
            quanta = MEASURANDS[row.measurand].quanta_per_unit
            numbers += [value / quanta for value in row.values if value is not None]
        parts[2 * at :: width] = heads
        parts[2 * at + 1 :: width] = _texts(numbers)
    parts[width - 1 :: width] = times * len(points)
    return b"".join(parts)


def _with_holes(site: str, times: list[bytes], rows: list[Row]) -> list[bytes]:
    lines = []
    for at, time in enumerate(times):
        there = [(row, value) for row in rows if (value := row.values[at]) is not None]
        fields = [
            f"{f',{row.measurand}=' if place else _head(site, row)}{MEASURANDS[row.measurand].to_unit(value)!r}"
            for place, (row, value) in enumerate(there)
        ]
        if fields:
            lines.append("".join(fields).encode() + time)
    return lines


def _head(site: str, row: Row) -> str:
    return f"reading,point={row.point},site={site} {row.measurand}="


def _texts(numbers: Sequence[float]) -> list[bytes]:
    """The shortest text of each number that reads back as the same float."""
    return to_json(numbers)[1:-1].split(b",")
