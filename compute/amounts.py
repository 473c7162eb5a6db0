"""The amount of one parameter in each vintage of a period, and why it is wide where it is.

In: a segment. A vintage boundary needs a reading that was answered at local midnight; the closing value of a counter
needs a later reading that confirms it (contracts 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compute import codes
from compute import layout as at
from compute.arrays import Ints
from compute.law import Cuts, Law, hour_of
from compute.pairs import Pair, total
from compute.segments import NOWHERE, Hours, Segment, exact_sum, merged
from compute.vintages import Vintage
from metering.interval import DAY_MS, Interval

BoolArray = NDArray[np.bool_]

CONFIRM_WITHIN_MS = DAY_MS
_NOTHING_TAKEN = NOWHERE, 0


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


def cuts_of(vintages: Sequence[Vintage], tolerance_ms: int) -> Cuts:
    """Say where the amounts of these vintages must be divisible.

    Args:
        vintages: of a period, in order.
        tolerance_ms: how far from its slot an answer may be and still stand at the slot [ms].
    """
    start_ms = vintages[0].interval.start_ms
    return Cuts(start_ms, (start_ms, *(vintage.interval.end_ms for vintage in vintages)), tolerance_ms)


def split(segment: Segment, law: Law, vintages: Sequence[Vintage]) -> tuple[VintageAmount, ...]:
    """Give the amount of one parameter in each vintage of a period.

    Args:
        segment: settled, of all readings that there are.
        law: by which it was measured, with `cuts_of` these vintages.
        vintages: of the period, in order.
    """
    period = Interval(vintages[0].interval.start_ms, vintages[-1].interval.end_ms)
    closing = closing_of(segment, law, period)
    return tuple(_amount_in(segment, law, place, vintage, closing) for place, vintage in enumerate(vintages))


@dataclass(frozen=True, slots=True)
class Closing:
    """What of a segment counts up to the reading that closes the period, and what no pair covers."""

    counted: BoolArray
    """The marks that count; one that does not lies behind the closing reading."""
    doubts: tuple[Doubt, ...]
    """Before the first reading and behind the closing one; a stretch may have no length."""
    taken_ms: int = NOWHERE
    """Where the later reading of an exact pair stands that does not count either; `NOWHERE` = there is none."""
    taken: int = 0
    """What that pair says [quanta]."""


def closing_of(segment: Segment, law: Law, period: Interval) -> Closing:
    """Find the reading that closes a period, and what follows from it."""
    first, last = segment.first, segment.last
    nothing = Closing(np.zeros(len(segment.marks), np.bool_), (Doubt("no-confirmed-reading", period),))
    if first is None or last is None:
        return nothing
    counted, closed_ms, taken = np.ones(len(segment.marks), np.bool_), last.position_ms, _NOTHING_TAKEN
    if law.is_counter:
        closed_ms, taken = _confirmed(segment, period.end_ms, counted)
    elif first.position_ms > period.end_ms:
        closed_ms = NOWHERE
    if closed_ms == NOWHERE:
        return nothing
    opening = Doubt("period-opening-unproved", _cut(period.start_ms, first.position_ms, period))
    behind = Doubt("period-closing-unproved", _cut(closed_ms, period.end_ms, period))
    return Closing(counted, (opening, behind), *taken)


def _confirmed(segment: Segment, end_ms: int, counted: BoolArray) -> tuple[int, tuple[int, int]]:
    # Up to where pairs count: to the last reading of the period that a later one confirms, or over the pair across the
    # end when that one is confirmed too; and the exact pair that does not count. `counted` loses the marks that do not.
    marks = segment.marks
    begun = np.flatnonzero(marks.earlier_ms <= end_ms)
    place = int(begun[-1]) if len(begun) else -1
    pair, is_mark = marks.table[place] if place >= 0 else None, True
    tail = segment.tail.table
    if segment.last is not None and segment.last.position_ms <= end_ms and len(tail):
        is_mark = pair is not None and pair[at.LATER_SLOT] >= tail[0, at.LATER_SLOT]
        pair = pair if is_mark else tail[0]
    while pair is not None:
        if pair[at.CODE] == codes.FROZEN:  # nothing of it is believed, so nothing of it needs to be confirmed
            return int(pair[at.LATER_MS]), _NOTHING_TAKEN
        # The reading that ended a frozen stretch needs no confirmation either: nothing of the stretch is believed.
        behind = is_mark and place > 0 and marks.later_slot_ms[place - 1] == pair[at.EARLIER_SLOT]
        if _confirms(pair) or (behind and marks.code[place - 1] == codes.FROZEN):
            goes_on = bool(pair[at.LATER_MS] > end_ms) and _next_confirms(segment, pair, place)
            if is_mark:
                counted[place] = goes_on
                return int(pair[at.LATER_MS if goes_on else at.EARLIER_MS]), _NOTHING_TAKEN
            return int(pair[at.EARLIER_MS]), (int(pair[at.LATER_MS]), int(pair[at.HIGH]))
        if is_mark:
            counted[place] = False
            place -= 1
        if place >= 0 and marks.later_slot_ms[place] == pair[at.EARLIER_SLOT]:
            pair, is_mark = marks.table[place], True
        elif pair[at.PREVIOUS_MS] == NOWHERE:
            pair = None
        else:  # the pair before is exact
            gained = int(pair[at.EARLIER_VALUE] - pair[at.PREVIOUS_VALUE])
            return int(pair[at.PREVIOUS_MS]), (int(pair[at.EARLIER_MS]), gained)
    return NOWHERE, _NOTHING_TAKEN


def _confirms(pair: Ints) -> bool:
    # Whether the later reading of a pair confirms the earlier one.
    near = pair[at.LATER_MS] - pair[at.EARLIER_MS] <= CONFIRM_WITHIN_MS
    return bool(near and (pair[at.CODE] <= codes.LAST_POSSIBLE or pair[at.CODE] == codes.FROZEN))


def _next_confirms(segment: Segment, pair: Ints, place: int) -> bool:
    marks = segment.marks
    if place + 1 < len(marks) and marks.earlier_slot_ms[place + 1] == pair[at.LATER_SLOT]:
        return _confirms(marks.table[place + 1])
    return segment.last is not None and segment.last.slot_ms > pair[at.LATER_SLOT]


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """What counts in one vintage: hours, and time of which nothing is proved."""

    hours: Hours
    """Without the pairs across its boundaries, and without what lies behind the closing reading."""
    doubts: tuple[tuple[Doubt, Pair], ...]
    """Each with what it counts as, from 0 on [quanta]."""
    wide_ms: int
    """The time of the pairs inside whose ends differ [ms]."""


def inside_of(segment: Segment, law: Law, place: int, here: Interval, closing: Closing) -> Inside:
    """Say what counts in one vintage.

    Args:
        segment: settled.
        law: by which it was measured.
        place: which vintage.
        here: its time.
        closing: of the whole period.
    """
    marks, hours = segment.marks, segment.hours
    from_ms, to_ms = np.minimum(marks.earlier_ms, marks.later_ms), np.maximum(marks.earlier_ms, marks.later_ms)
    part = np.searchsorted(law.edges(), marks.later_ms, side="left")
    inside = closing.counted & (part == place + 1) & (from_ms >= here.start_ms) & (to_ms <= here.end_ms)
    across = closing.counted & ~inside & (from_ms < here.end_ms) & (to_ms > here.start_ms)
    apart = marks.table[(part == place + 1) & ~inside]
    less = [hour_of(int(row[at.LATER_MS]), -int(row[at.LOW]), -int(row[at.HIGH]), law) for row in apart]
    if here.start_ms < closing.taken_ms <= here.end_ms:
        less.append(hour_of(closing.taken_ms, -closing.taken, -closing.taken, law))
    doubts = []
    for row in marks.table[across]:
        # Proved for neither side of the boundary: each takes [0, high].
        span = _cut(int(min(row[at.EARLIER_MS], row[at.LATER_MS])), int(max(row[: at.EARLIER_SLOT])), here)
        doubts.append((Doubt("vintage-boundary-unproved", span), Pair(int(row[at.LOW]), int(row[at.HIGH])).from_zero()))
    for doubt in closing.doubts:
        shared = _cut(doubt.interval.start_ms, doubt.interval.end_ms, here)
        if shared.length_ms > 0:
            doubts.append((Doubt(doubt.code, shared), Pair(0, law.possible(shared.length_ms, segment.step))))
    rows = hours.table[hours.part == place + 1]
    wide_ms = int(np.sum((to_ms - from_ms)[inside & (marks.low < marks.high)]))
    return Inside(merged([rows, *less]) if less else Hours(rows), tuple(doubts), wide_ms)


def _amount_in(segment: Segment, law: Law, place: int, vintage: Vintage, closing: Closing) -> VintageAmount:
    inside = inside_of(segment, law, place, vintage.interval, closing)
    amount = Pair(exact_sum(inside.hours.low), exact_sum(inside.hours.high))
    amount += total(pair for _, pair in inside.doubts)
    doubts = tuple(doubt for doubt, _ in inside.doubts)
    return VintageAmount(vintage, amount, doubts, inside.wide_ms + sum(doubt.interval.length_ms for doubt in doubts))


def _cut(start_ms: int, end_ms: int, to: Interval) -> Interval:
    start = max(start_ms, to.start_ms)
    return Interval(start, max(start, min(end_ms, to.end_ms)))
