"""Records that ingest has judged → what `collect` takes of them, without judging them a second time.

In go the exact bytes of a record that intake appended, out comes what `metering.record.parse` makes of them, but that
numbers come as arrays: as objects that wait for their turn they take five times the memory, and time. It is the same
parser, pydantic's; what is left out are the rules, which these bytes have passed once and for all. Bytes that do not
even have the form, because a disk changed them, go to `record.parse`, which says what is wrong with them.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json

from metering import record
from metering.clock import ClockState


class Group(NamedTuple):
    """The readings of one group, like `record.GroupReadings`; 0 where there is no value."""

    group: str
    slots: "array[int]"
    sent: "array[int]"
    received: "array[int]"
    values: "list[array[int]]"
    raw: Sequence[str]
    quality: Sequence[Sequence[int]]


def read(data: bytes) -> record.Record:
    """Read a record that was judged when it was stored; the groups of readings are `Group`.

    Raises:
        RecordError: when the bytes are no record any more.
    """
    try:
        found = from_json(data[: data.index(b"\n")])
        if found["kind"] == "readings":
            return _readings(found)
    except (ValueError, KeyError, TypeError, OverflowError):
        pass
    return record.parse(data)


def _readings(found: dict[str, Any]) -> record.Readings:
    clock = found["clock"]
    clock = record.ClockPart.model_construct(state=ClockState(clock["state"]), offset_ms=clock["offset_ms"])
    groups = tuple(_group(**group) for group in found["groups"])
    return record.Readings.model_construct(**(found | {"clock": clock, "groups": groups}))


def group_of(part: record.GroupReadings) -> Group:
    """The same of a record that was parsed with all rules."""
    return _group(part.group, part.slots, part.sent, part.received, part.values, part.raw, part.quality)


def _group(
    group: str,
    slots: Sequence[int],
    sent: Sequence[int],
    received: Sequence[int],
    values: Sequence[Sequence[int | None]],
    raw: Sequence[str],
    quality: Sequence[Sequence[int]],
) -> Group:
    rows = [_values(row) for row in values]
    times = array("q", slots), array("q", sent), array("q", received)
    if len(set(map(len, (raw, *times, *rows)))) != 1:
        raise ValueError("values must have one column a slot")
    return Group(group, *times, rows, raw, quality)


def _values(row: Sequence[int | None]) -> "array[int]":
    try:
        return array("q", row)  # type: ignore[arg-type] # a null is found by trying: few rows have one
    except TypeError:
        return array("q", [0 if value is None else value for value in row])


def fitting(birth: record.Birth) -> Callable[[record.Readings | record.Dropped], str | None]:
    """Make what says why readings cannot be read with a birth; their raw words were compared when they were stored."""
    points = {group.group: len(group.points) for group in birth.groups}

    def misfit(readings: record.Readings | record.Dropped) -> str | None:
        for part in readings.groups:
            if len(part.values) != points.get(part.group):
                return f"group {part.group!r} is not in the birth, or has another number of points"
        return None

    return misfit
