"""Readings of many records in, the few that a full outbox keeps out: one slot of each counter an hour. Pure.

A counter's differences telescope: whatever lies between two kept slots, the amount between them is exact. An instant
value stands for its own slot only, so those are what goes first.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from metering.interval import HOUR_MS
from metering.measurands import MEASURANDS, Kind
from metering.quality import Quality
from metering.record import Birth, GroupReadings

_NOTHING, _LATE, _GOOD = range(3)


@dataclass(frozen=True, slots=True)
class _Slot:
    slot_ms: int
    sent_ms: int
    received_ms: int
    values: tuple[int | None, ...]
    codes: tuple[tuple[int, int], ...]
    """(index of the point, quality)."""
    raw: str


class Thinner:
    """Takes readings in the order they were read and keeps of each counter and hour the first good slot."""

    def __init__(self, birth: Birth) -> None:
        """Begin with nothing.

        Args:
            birth: governs all readings that will come.
        """
        self._counters = {
            group.group: tuple(
                index for index, point in enumerate(group.points) if MEASURANDS[point.measurand].kind is Kind.COUNTER
            )
            for group in birth.groups
        }
        self._kept: dict[str, list[_Slot]] = {}
        self._best: dict[tuple[str, int, int], int] = {}
        """How good the best slot of (group, point, hour) is so far."""
        self.readings = 0
        """How many readings the kept slots hold."""

    def know(self, groups: Iterable[GroupReadings]) -> None:
        """Take what another record keeps into account, so that its hours are not kept once more."""
        for part in groups:
            for slot in _slots(part):
                self._improves(part.group, slot)

    def add(self, groups: Iterable[GroupReadings]) -> None:
        """Take the readings of the next record."""
        for part in groups:
            for slot in _slots(part):
                if self._improves(part.group, slot):
                    self._kept.setdefault(part.group, []).append(self._counters_only(part.group, slot))
                    self.readings += len(slot.values)

    def groups(self) -> tuple[GroupReadings, ...]:
        """Write what is kept."""
        return tuple(_part(group, slots) for group, slots in self._kept.items())

    def _improves(self, group: str, slot: _Slot) -> bool:
        codes, better = dict(slot.codes), False
        for point in self._counters[group]:
            code = codes.get(point, Quality.OK)
            worth = _GOOD if code == Quality.OK else _LATE if slot.values[point] is not None else _NOTHING
            hour = (group, point, slot.slot_ms // HOUR_MS)
            if worth > self._best.get(hour, _NOTHING):
                self._best[hour] = worth
                better = True
        return better

    def _counters_only(self, group: str, slot: _Slot) -> _Slot:
        counters = self._counters[group]
        lost = [i for i, value in enumerate(slot.values) if value is not None and i not in counters]
        values = tuple(None if index in lost else value for index, value in enumerate(slot.values))
        codes = [(point, code) for point, code in slot.codes if point not in lost]
        codes += [(point, int(Quality.THINNED)) for point in lost]
        return _Slot(slot.slot_ms, slot.sent_ms, slot.received_ms, values, tuple(sorted(codes)), slot.raw)


def _slots(part: GroupReadings) -> Iterable[_Slot]:
    codes: dict[int, list[tuple[int, int]]] = {}
    for point, at, code in part.quality:
        codes.setdefault(at, []).append((point, code))
    for at, slot_ms in enumerate(part.slots):
        values = tuple(row[at] for row in part.values)
        yield _Slot(slot_ms, part.sent[at], part.received[at], values, tuple(codes.get(at, ())), part.raw[at])


def _part(group: str, slots: list[_Slot]) -> GroupReadings:
    return GroupReadings(
        group=group,
        slots=tuple(slot.slot_ms for slot in slots),
        sent=tuple(slot.sent_ms for slot in slots),
        received=tuple(slot.received_ms for slot in slots),
        values=tuple(zip(*(slot.values for slot in slots), strict=True)),
        raw=tuple(slot.raw for slot in slots),
        quality=tuple((point, at, code) for at, slot in enumerate(slots) for point, code in slot.codes),
    )
