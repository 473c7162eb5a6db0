"""What was read and what was not since the start, by device: counted as it is committed, shown as metrics. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.entries import Entry, MissedSlots
from gateway.outbox import OutboxQueue
from metering.quality import Quality


@dataclass(slots=True)
class DeviceTally:
    """One device."""

    slots: int = 0
    """Slots that were read, with or without success."""
    errors: Counter[Quality] = field(default_factory=Counter)
    """Slots in which a point had no good value, by the reason; a slot with two reasons counts for both."""
    missed: Counter[Quality] = field(default_factory=Counter)
    """Slots that were due and not read, by the reason."""
    last_success_ms: int | None = None
    """The last slot with a value [ms since the Unix epoch]."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What the gateway knows of itself at one moment."""

    now_ms: int
    """[ms since the Unix epoch]"""
    queue: OutboxQueue
    devices: Mapping[str, DeviceTally]
    """By name; only what was read since the start is there."""
    round_trips: Mapping[str, tuple[int, float]]
    """Requests answered, and the time over all of them [s], by device."""
    faults: Mapping[str, str]
    """A sentence for each code."""
    dropped_messages: int
    """Messages from the broker beyond the limit of the inbox."""


class Tally:
    """All devices of a gateway."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.devices: dict[str, DeviceTally] = {}

    def note(self, device: str, interval_ms: int, entries: Sequence[Entry]) -> None:
        """Count what was committed.

        Args:
            device: whose entries these are.
            interval_ms: the distance of their slots [ms].
            entries: of one poll group.
        """
        counts = self.devices.setdefault(device, DeviceTally())
        for entry in entries:
            if isinstance(entry, MissedSlots):
                # Slots are multiples of the interval; those in the half-open span are counted.
                counts.missed[entry.reason] += -(-entry.to_ms // interval_ms) - -(-entry.from_ms // interval_ms)
                continue
            counts.slots += 1
            counts.errors.update({reason for _, reason in entry.quality})
            if any(value is not None for value in entry.values):
                counts.last_success_ms = entry.slot_ms

    def keep(self, devices: Iterable[str]) -> None:
        """Forget the devices that are not among these."""
        wanted = set(devices)
        self.devices = {name: counts for name, counts in self.devices.items() if name in wanted}
