"""What an amount is made of, as the engine counted it: hours, pairs across a boundary, and time that nothing proves.

In: what a parameter was measured with. Out: for each vintage the entries that add up to its amount, and the pairs of
one hour with what became of each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from compute.amounts import closing_of, inside_of
from compute.law import hour_of
from compute.pairs import Pair
from compute.segments import Marks
from compute.track import Track
from compute.vintages import Vintage
from metering.interval import Interval


@dataclass(frozen=True, slots=True)
class HourEntry:
    """The pairs of one hour that lie inside the vintage."""

    start_ms: int
    amount: Pair
    """[quanta]"""


@dataclass(frozen=True, slots=True)
class DoubtEntry:
    """What no hour proves for this vintage."""

    code: str
    interval: Interval
    amount: Pair
    """[quanta]"""


@dataclass(frozen=True, slots=True)
class Entries:
    """All that adds up to the amount of a vintage."""

    hours: tuple[HourEntry, ...]
    doubts: tuple[DoubtEntry, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """Two readings that follow each other, and what is counted of the time between them."""

    earlier_slot_ms: int
    later_slot_ms: int
    earlier_value: int
    later_value: int
    amount: Pair
    """[quanta]"""
    limit: int
    """The most that was possible [quanta]."""
    code: int
    counts_in_ms: int | None
    """The start of the hour that it is counted in; None when it is counted in no hour [ms]."""


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """One parameter at one point over a period."""

    track: Track
    vintages: tuple[Vintage, ...]

    @property
    def _span(self) -> Interval:
        return Interval(self.vintages[0].interval.start_ms, self.vintages[-1].interval.end_ms)

    def entries(self, index: int) -> Entries:
        """What adds up to the amount of a vintage."""
        segment, law = self.track.segment, self.track.law
        closing = closing_of(segment, law, self._span)
        inside = inside_of(segment, law, index, self.vintages[index].interval, closing)
        hours = inside.hours
        rows = zip(hours.start_ms.tolist(), hours.low.tolist(), hours.high.tolist(), strict=True)
        return Entries(
            tuple(HourEntry(start_ms, Pair(low, high)) for start_ms, low, high in rows),
            tuple(DoubtEntry(doubt.code, doubt.interval, pair) for doubt, pair in inside.doubts),
        )

    def links(self, pairs: Marks) -> Iterator[Link]:
        """Say what became of pairs.

        Args:
            pairs: in order, exact ones too.
        """
        segment, law = self.track.segment, self.track.law
        closing = closing_of(segment, law, self._span)
        counted = dict(zip(segment.marks.later_slot_ms.tolist(), closing.counted.tolist(), strict=True))
        for row in range(len(pairs)):
            starts_ms, ends_ms = int(pairs.earlier_ms[row]), int(pairs.later_ms[row])
            slot_ms = int(pairs.later_slot_ms[row])
            inside = any(one.interval.start_ms <= starts_ms and ends_ms <= one.interval.end_ms for one in self.vintages)
            counts = inside and counted.get(slot_ms, ends_ms != closing.taken_ms)
            yield Link(
                int(pairs.earlier_slot_ms[row]),
                slot_ms,
                int(pairs.earlier_value[row]),
                int(pairs.later_value[row]),
                Pair(int(pairs.low[row]), int(pairs.high[row])),
                int(pairs.limit[row]),
                int(pairs.code[row]),
                int(hour_of(ends_ms, 0, 0, law)[0, 0]) if counts else None,
            )
