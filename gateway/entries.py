"""What polling produces and the outbox commits: one slot of one group, or slots that were missed and why."""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from metering.quality import Quality
from metering.record import GroupPart


@dataclass(frozen=True, slots=True)
class SlotReading:
    """One poll group read at one slot."""

    group: str
    slot_ms: int
    """The wall-clock instant the readings belong to [ms since the Unix epoch]."""
    sent_ms: int
    """When the first request went out [ms after the slot]."""
    received_ms: int
    """When the last answer was in [ms after the slot]."""
    values: tuple[int | None, ...]
    """One value a point, in quanta; None = not obtained."""
    quality: tuple[tuple[int, Quality], ...]
    """(index of the point, why); every None has one, a good value has none."""
    raw: bytes
    """The big-endian words of all blocks in birth order; empty when none answered."""


@dataclass(frozen=True, slots=True)
class MissedSlots:
    """Slots of one group that were due and not read."""

    group: str
    from_ms: int
    """[ms since the Unix epoch]"""
    to_ms: int
    """Half-open [ms since the Unix epoch]."""
    reason: Quality


Entry = SlotReading | MissedSlots


@dataclass(frozen=True, slots=True)
class BirthBody:
    """What a birth says, apart from its place in a stream."""

    project: str
    mode: Literal["live", "test"]
    agent: str
    time_factor: float
    config_digest: str
    device_maps: dict[str, str]
    """Full texts by their SHA-256."""
    groups: tuple[GroupPart, ...]


_BIRTH: TypeAdapter[BirthBody] = TypeAdapter(BirthBody)


def birth_to_json(body: BirthBody) -> str:
    """Write a birth body; equal bodies give equal texts."""
    return _BIRTH.dump_json(body, by_alias=True).decode()


def birth_from_json(text: str) -> BirthBody:
    """Read what `birth_to_json` wrote."""
    return _BIRTH.validate_json(text)


def entry_to_json(entry: Entry) -> str:
    """Write an entry as the outbox keeps it until it is sealed."""
    if isinstance(entry, MissedSlots):
        return json.dumps([entry.group, entry.from_ms, entry.to_ms, entry.reason])
    return json.dumps([
        entry.group, entry.slot_ms, entry.sent_ms, entry.received_ms, entry.values,
        [(index, int(code)) for index, code in entry.quality], b64encode(entry.raw).decode(),
    ])  # fmt: skip


def entry_from_json(text: str) -> Entry:
    """Read what `entry_to_json` wrote."""
    parts = json.loads(text)
    if len(parts) == 4:
        return MissedSlots(parts[0], parts[1], parts[2], Quality(parts[3]))
    group, slot_ms, sent_ms, received_ms, values, quality, raw = parts
    marks = tuple((index, Quality(code)) for index, code in quality)
    return SlotReading(group, slot_ms, sent_ms, received_ms, tuple(values), marks, b64decode(raw))
