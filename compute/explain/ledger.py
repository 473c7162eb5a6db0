"""What an amount is made of, as the engine counted it: hours, pairs across a boundary, and time that nothing proves.

In: what a parameter was measured with. Out: for each vintage the entries that add up to its amount, and the pairs of
one hour with what became of each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compute.pairs import Pair
from compute.track import Track
from compute.vintages import Timeline, Vintage, closing_of, counted_pairs, edges_of
from metering.interval import HOUR_MS, Interval

_BOUNDARY = "vintage-boundary-unproved"


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
    def _timeline(self) -> Timeline:
        return self.track.timeline

    @property
    def _span(self) -> Interval:
        return Interval(self.vintages[0].interval.start_ms, self.vintages[-1].interval.end_ms)

    def entries(self, index: int) -> Entries:
        """What adds up to the amount of a vintage."""
        here = self.vintages[index].interval
        sums: dict[int, Pair] = {}
        doubts = []
        pairs = self._timeline.pairs
        for at in np.flatnonzero(self._counted):
            starts_ms, ends_ms = self._ends(int(at))
            amount = Pair(int(pairs.low[at]), int(pairs.high[at]))
            if here.start_ms <= starts_ms and ends_ms <= here.end_ms:
                hour_ms = self._hour_ms(ends_ms)
                sums[hour_ms] = sums.get(hour_ms, Pair(0, 0)) + amount
            elif starts_ms < here.end_ms and ends_ms > here.start_ms:
                span = Interval(max(starts_ms, here.start_ms), min(ends_ms, here.end_ms))
                doubts.append(DoubtEntry(_BOUNDARY, span, amount.from_zero()))
        for doubt in edges_of(self._timeline, self._span, closing_of(self._timeline, self._span)):
            start_ms = max(doubt.interval.start_ms, here.start_ms)
            end_ms = min(doubt.interval.end_ms, here.end_ms)
            if start_ms < end_ms:
                amount = Pair(0, self._timeline.possible(end_ms - start_ms))
                doubts.append(DoubtEntry(doubt.code, Interval(start_ms, end_ms), amount))
        return Entries(tuple(HourEntry(*entry) for entry in sorted(sums.items())), tuple(doubts))

    def links(self, hour: Interval) -> Iterator[Link]:
        """The pairs that touch an hour, in order."""
        pairs, track = self._timeline.pairs, self.track
        counted = self._counted
        slots = track.time_ms if len(track.values) == len(track.time_ms) else track.time_ms[track.usable]
        for at in range(len(pairs.low)):
            starts_ms, ends_ms = self._ends(at)
            counts_in_ms = self._hour_ms(ends_ms)
            # By positions a later reading may stand before an earlier one.
            if counts_in_ms != hour.start_ms and not (starts_ms < hour.end_ms and ends_ms > hour.start_ms):
                continue
            inside = any(one.interval.start_ms <= starts_ms and ends_ms <= one.interval.end_ms for one in self.vintages)
            first, second = int(pairs.first[at]), int(pairs.second[at])
            yield Link(
                int(slots[first]),
                int(slots[second]),
                int(track.values[first]),
                int(track.values[second]),
                Pair(int(pairs.low[at]), int(pairs.high[at])),
                int(pairs.limit[at]),
                int(pairs.code[at]),
                counts_in_ms if inside and counted[at] else None,
            )

    @property
    def _counted(self) -> np.typing.NDArray[np.bool_]:
        return counted_pairs(self._timeline, closing_of(self._timeline, self._span))

    def _ends(self, at: int) -> tuple[int, int]:
        stands_ms, pairs = self._timeline.position_ms, self._timeline.pairs
        return int(stands_ms[pairs.first[at]]), int(stands_ms[pairs.second[at]])

    def _hour_ms(self, ends_ms: int) -> int:
        # A pair belongs to the hour (H, H + 1] of its later reading; hours are counted from a local midnight.
        start_ms = self._span.start_ms
        return start_ms + (ends_ms - start_ms - 1) // HOUR_MS * HOUR_MS
