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
from metering import record
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
    body = from_json(record.split(birth).text)
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
    body = from_json(record.split(data).text)
    return [_span(body["site"], part, plan) for part in body["groups"] if part["slots"]]


def _span(site: str, part: dict[str, Any], plan: Plan) -> Span:
    slots, rows = part["slots"], part["values"]
    longest_ms = plan.longest_skew_ms
    skews = (part["sent"], part["received"])
    if any(max(skew) > longest_ms or min(skew) < -longest_ms for skew in skews):
        absurd = [any(abs(skew[at]) > longest_ms for skew in skews) for at in range(len(slots))]
        rows = [[None if bad else value for bad, value in zip(absurd, row, strict=True)] for row in rows]
    names = plan.points[part["group"]]
    return Span(site, slots, [Row(*name, row) for name, row in zip(names, rows, strict=True)])


def lines_of(span: Span) -> list[bytes]:
    """Write a span, one line a point and slot; names need no escaping (`metering.topics`)."""
    by_point: dict[str, list[Row]] = {}
    for row in span.rows:
        by_point.setdefault(row.point, []).append(row)
    lines: list[bytes] = []
    for point, rows in by_point.items():
        head = f"reading,point={point},site={span.site} "
        if any(None in row.values for row in rows):
            lines += _with_holes(head, span.slots, rows)
        else:
            lines += _whole(head, span.slots, rows)
    return lines


def _whole(head: str, slots: list[int], rows: list[Row]) -> list[bytes]:
    """Every row has a value in every slot: columns of texts are laid side by side and joined at once."""
    width = 2 * len(rows) + 1
    parts: list[bytes] = [b""] * (width * len(slots))
    for at, row in enumerate(rows):
        parts[2 * at :: width] = [f"{',' if at else head}{row.measurand}=".encode()] * len(slots)
        quanta = MEASURANDS[row.measurand].quanta_per_unit
        parts[2 * at + 1 :: width] = _texts([value / quanta for value in row.values if value is not None])
    parts[width - 1 :: width] = [b" " + slot + b"\n" for slot in _texts(slots)]
    return b"".join(parts).splitlines()


def _with_holes(head: str, slots: list[int], rows: list[Row]) -> list[bytes]:
    lines = []
    for at, slot_ms in enumerate(slots):
        fields = [
            f"{row.measurand}={MEASURANDS[row.measurand].to_unit(value)!r}"
            for row in rows
            if (value := row.values[at]) is not None
        ]
        if fields:
            lines.append(f"{head}{','.join(fields)} {slot_ms}".encode())
    return lines


def _texts(numbers: Sequence[float]) -> list[bytes]:
    """The shortest text of each number that reads back as the same float."""
    return to_json(numbers)[1:-1].split(b",")
