"""From committed entries to the records of a stream: pure, so that what is signed can be tested without a disk."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict

from gateway.entries import BirthBody, Entry, MissedSlots, SlotReading
from metering.clock import ClockState
from metering.quality import Quality
from metering.record import (
    Birth,
    ClockPart,
    Gap,
    GroupReadings,
    Horizon,
    Readings,
    Record,
    RecordRef,
)
from metering.topics import GatewayId


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the gateway knew about time."""

    state: ClockState
    offset_ms: int
    """Estimated offset of the wall clock [ms]."""
    mono_ms: int
    """Real time that never steps [ms]."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record goes, and when it was sealed."""

    gateway: GatewayId
    stream: str
    seq: int
    prev: str | None
    """Digest of the record before."""
    stamp: Stamp

    def head(self) -> "_Head":
        """What every record says of its gateway and its time, whatever its place in the stream."""
        return {
            "site": self.gateway.site,
            "gateway": self.gateway.gateway,
            "stream": self.stream,
            "clock": ClockPart(state=self.stamp.state, offset_ms=self.stamp.offset_ms),
            "mono_ms": self.stamp.mono_ms,
        }


class _Head(TypedDict):
    site: str
    gateway: str
    stream: str
    clock: ClockPart
    mono_ms: int


RecordMaker = Callable[[Place], Record]
"""Makes a record once its place in the stream is known."""


def birth_maker(body: BirthBody, after: RecordRef | None) -> RecordMaker:
    """Make a birth; `after` names the last record this outbox knew when the stream began."""
    return lambda place: Birth(
        **place.head(),
        seq=place.seq,
        prev=place.prev,
        project=body.project,
        mode=body.mode,
        agent=body.agent,
        time_factor=body.time_factor,
        config_digest=body.config_digest,
        after=after,
        device_maps=body.device_maps,
        groups=body.groups,
    )


def gap_maker(missed: MissedSlots) -> RecordMaker:
    """Make a gap record."""
    return lambda place: Gap(
        **place.head(),
        seq=place.seq,
        prev=place.prev,
        from_ms=missed.from_ms,
        to_ms=missed.to_ms,
        group=missed.group,
        reason=missed.reason.label,
    )


def readings_maker(slots: Sequence[SlotReading]) -> RecordMaker:
    """Make a record of readings; slots of one group must increase."""
    by_group: dict[str, list[SlotReading]] = {}
    for slot in slots:
        by_group.setdefault(slot.group, []).append(slot)
    return columns_maker([_group_readings(name, rows) for name, rows in by_group.items()])


def columns_maker(groups: Sequence[GroupReadings]) -> RecordMaker:
    """Make a record of readings that are columns already."""
    return lambda place: Readings(
        **place.head(),
        seq=place.seq,
        prev=place.prev,
        groups=tuple(groups),
    )


def horizon_record(place: Place, oldest_seq: int, digest_before: str | None) -> Horizon:
    """Make a horizon record; it stands outside the chain."""
    return Horizon(**place.head(), seq=0, prev=None, oldest_seq=oldest_seq, digest_before=digest_before)


def record_makers(entries: Sequence[Entry]) -> list[RecordMaker]:
    """Turn committed entries into records.

    Args:
        entries: in the order they were committed.

    Returns:
        One record of all readings, then the gaps, neighbouring ones of one group and reason merged.
    """
    slots = [entry for entry in entries if isinstance(entry, SlotReading)]
    missed = [entry for entry in entries if isinstance(entry, MissedSlots)]
    return ([readings_maker(slots)] if slots else []) + [gap_maker(gap) for gap in merged(missed)]


def merged(missed: Sequence[MissedSlots]) -> list[MissedSlots]:
    """Join gaps of one group and reason that touch."""
    joined: dict[tuple[str, Quality], list[MissedSlots]] = {}
    for gap in missed:
        row = joined.setdefault((gap.group, gap.reason), [])
        if row and row[-1].to_ms == gap.from_ms:
            row[-1] = MissedSlots(gap.group, row[-1].from_ms, gap.to_ms, gap.reason)
        else:
            row.append(gap)
    return [gap for row in joined.values() for gap in row]


def _group_readings(group: str, slots: Sequence[SlotReading]) -> GroupReadings:
    return GroupReadings(
        group=group,
        slots=tuple(slot.slot_ms for slot in slots),
        sent=tuple(slot.sent_ms for slot in slots),
        received=tuple(slot.received_ms for slot in slots),
        values=tuple(zip(*(slot.values for slot in slots), strict=True)),
        raw=tuple(b64encode(slot.raw).decode() for slot in slots),
        quality=tuple((point, at, int(code)) for at, slot in enumerate(slots) for point, code in slot.quality),
    )
