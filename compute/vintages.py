"""Monitoring periods cut into vintages at local midnight, and amounts with them.

In: the pairs of one series. Out: its amount in each vintage, and why it is wide where it is. A vintage boundary needs a
reading that was answered at local midnight; a period's closing value needs a later reading that confirms it
(contracts 6).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from compute import codes
from compute.intervals import Codes, Ints, Pairs, exact_sum
from compute.pairs import Pair
from metering.interval import DAY_MS, Interval

CONFIRM_WITHIN_MS = DAY_MS


@dataclass(frozen=True, slots=True)
class Vintage:
    """One calendar year of a period, in the project's civil time zone."""

    year: int
    interval: Interval


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stretch whose amount is not proved for this vintage."""

    code: str
    """A finding's code."""
    interval: Interval


@dataclass(frozen=True, slots=True)
class VintageAmount:
    """What one series amounts to in one vintage."""

    vintage: Vintage
    amount: Pair
    """[quanta]"""
    doubts: tuple[Doubt, ...]
    """Boundary, opening and closing doubts; what the pairs say themselves is not repeated here."""
    doubtful_ms: int
    """The time in which low < high [ms]."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """One series as vintages see it."""

    position_ms: Ints
    """Where each usable reading stands [ms]: its slot when it was answered near enough to it, else its answer."""
    confirmed: Codes
    """1 where a later reading confirms this one."""
    pairs: Pairs
    """Between usable readings that follow each other; `first` and `second` index `position_ms`."""
    possible: Callable[[int], int]
    """The most that can happen in a span [ms → quanta]."""


def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """The instant at which a local day begins [ms since the Unix epoch]."""
    return int(datetime.combine(day, time(), zone).timestamp()) * 1000


def vintages_of(start: date, end: date, zone: ZoneInfo) -> tuple[Vintage, ...]:
    """Cut a period of local dates, `end` not included, at each New Year."""
    edges = sorted({start, *(date(year, 1, 1) for year in range(start.year + 1, end.year + 1)), end})
    return tuple(
        Vintage(earlier.year, Interval(midnight_ms(earlier, zone), midnight_ms(later, zone)))
        for earlier, later in pairwise(edges)
    )


def position(time_ms: Ints, answer_ms: Ints, tolerance_ms: int) -> Ints:
    """Say where readings stand: at the slot when answered within the tolerance of it, else at the answer [ms]."""
    near = np.abs(answer_ms - time_ms) <= tolerance_ms
    return np.where(near, time_ms, answer_ms)


def confirmations(position_ms: Ints, pairs: Pairs) -> Codes:
    """Mark the readings that the next one confirms: within 24 h, not lower, and possible."""
    confirmed = np.zeros(len(position_ms), np.uint8)
    near = position_ms[pairs.second] - position_ms[pairs.first] <= CONFIRM_WITHIN_MS
    confirmed[pairs.first] = near & (pairs.code <= codes.LAST_POSSIBLE)
    return confirmed


def split(timeline: Timeline, vintages: tuple[Vintage, ...]) -> tuple[VintageAmount, ...]:
    """Give the amount of one series in each vintage of a period."""
    period = Interval(vintages[0].interval.start_ms, vintages[-1].interval.end_ms)
    closing = closing_of(timeline, period)
    return tuple(_amount_in(timeline, vintage, period, closing) for vintage in vintages)


def closing_of(timeline: Timeline, period: Interval) -> int:
    """Find the last confirmed reading of the period; -1 when there is none."""
    inside = timeline.position_ms <= period.end_ms
    found = np.flatnonzero(inside & (timeline.confirmed == 1))
    return int(found[-1]) if len(found) else -1


def _amount_in(timeline: Timeline, vintage: Vintage, period: Interval, closing: int) -> VintageAmount:
    here = vintage.interval
    pairs = timeline.pairs
    counted = counted_pairs(timeline, closing)
    starts, ends = timeline.position_ms[pairs.first], timeline.position_ms[pairs.second]
    inside = counted & (starts >= here.start_ms) & (ends <= here.end_ms)
    across = counted & ~inside & (starts < here.end_ms) & (ends > here.start_ms)
    amount = Pair(exact_sum(pairs.low[inside]), exact_sum(pairs.high[inside]))
    wide = inside & (pairs.low < pairs.high)
    doubtful_ms = int(np.sum((ends - starts)[wide]))
    doubts = []
    for index in np.flatnonzero(across):
        # Proved for neither side of the boundary: each takes [0, high].
        amount += Pair(int(pairs.low[index]), int(pairs.high[index])).from_zero()
        doubts.append(Doubt("vintage-boundary-unproved", _cut(int(starts[index]), int(ends[index]), here)))
    for doubt in edges_of(timeline, period, closing):
        shared = _cut(doubt.interval.start_ms, doubt.interval.end_ms, here)
        if shared.length_ms > 0:
            amount += Pair(0, timeline.possible(shared.length_ms))
            doubts.append(Doubt(doubt.code, shared))
    return VintageAmount(
        vintage, amount, tuple(doubts), doubtful_ms + sum(doubt.interval.length_ms for doubt in doubts)
    )


def counted_pairs(timeline: Timeline, closing: int) -> np.typing.NDArray[np.bool_]:
    """Mark the pairs up to the closing reading, and the one across the period's end when its later one is confirmed."""
    pairs = timeline.pairs
    counted = pairs.second <= closing
    if _goes_on(timeline, closing):
        counted |= pairs.first == closing
    return counted


def _goes_on(timeline: Timeline, closing: int) -> bool:
    # Whether the next reading is confirmed too; it lies beyond the period, else it would be the closing one itself.
    beyond = closing + 1
    return beyond < len(timeline.confirmed) and bool(timeline.confirmed[beyond] == 1)


def edges_of(timeline: Timeline, period: Interval, closing: int) -> Iterator[Doubt]:
    """Tell what no pair covers: from the period's start to the first reading, and from the closing one to its end."""
    if closing < 0:
        yield Doubt("no-confirmed-reading", period)
        return
    first_ms = int(timeline.position_ms[0])
    if first_ms > period.start_ms:
        yield Doubt("period-opening-unproved", Interval(period.start_ms, first_ms))
    last_ms = int(timeline.position_ms[closing])
    if not _goes_on(timeline, closing):
        yield Doubt("period-closing-unproved", Interval(max(last_ms, period.start_ms), period.end_ms))


def _cut(start_ms: int, end_ms: int, to: Interval) -> Interval:
    start = max(start_ms, to.start_ms)
    return Interval(start, max(start, min(end_ms, to.end_ms)))
