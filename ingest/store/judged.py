"""Records that ingest has judged → the same objects again, without judging them a second time.

In go the exact bytes of a record that intake appended, out comes what `metering.record.parse` makes of them. It is the
same parser, pydantic's; what is left out are the rules, which these bytes have passed once and for all. Bytes that do
not even have the form, because a disk changed them, go to `record.parse`, which says what is wrong with them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from metering import record
from metering.clock import ClockState


def read(data: bytes) -> record.Record:
    """Read a record that was judged when it was stored.

    Raises:
        RecordError: when the bytes are no record any more.
    """
    try:
        found = from_json(data[: data.index(b"\n")])
        if found["kind"] == "readings":
            return _readings(found)
    except (ValueError, KeyError, TypeError):
        pass
    return record.parse(data)


def _readings(found: dict[str, Any]) -> record.Readings:
    clock = found["clock"]
    for group in found["groups"]:
        # An array at once: numbers that wait for their turn as objects take five times the memory, and time.
        group["values"] = values_of(group["values"])
    groups = tuple(record.GroupReadings.model_construct(**group) for group in found["groups"])
    clock = record.ClockPart.model_construct(state=ClockState(clock["state"]), offset_ms=clock["offset_ms"])
    return record.Readings.model_construct(**(found | {"clock": clock, "groups": groups}))


def values_of(rows: Sequence[Sequence[int | None]]) -> NDArray[np.int64]:
    """The values of a group as an array, points × slots; 0 where there is none."""
    try:
        found = np.array(rows, np.int64)
    except TypeError:  # a null
        found = np.array([[0 if value is None else value for value in row] for row in rows], np.int64)
    return found.reshape(len(rows), -1)


def misfit(readings: record.Readings | record.Dropped, birth: record.Birth) -> str | None:
    """Say why readings cannot be read with their birth; their raw words were compared with it when they were stored."""
    points = {group.group: len(group.points) for group in birth.groups}
    for part in readings.groups:
        if len(part.values) != points.get(part.group):
            return f"group {part.group!r} is not in the birth, or has another number of points"
    return None
