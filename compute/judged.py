"""What a track says to the rules that judge it: calibration, completeness, plausibility.

In: the track of one parameter at one point. Out: the sums, gaps and loads that those rules ask for, as plain values.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from compute import codes
from compute.amounts import VintageAmount
from compute.completeness import Record, edges
from compute.intervals import QUANTA_DIVISORS, Ints
from compute.pairs import Pair
from compute.plausibility import Load
from compute.project import PointSettings
from compute.segments import Segment, exact_sum, touching_hours
from compute.track import Track
from compute.vintages import Vintage
from metering.interval import HOUR_MS, Interval
from metering.measurands import measurand


@dataclass(frozen=True, slots=True)
class Presence:
    """How complete a parameter is in an interval."""

    due: int
    """Slots that the poll interval asks for."""
    usable: int
    """Slots with a reading that may count."""
    longest_gap_ms: int
    """The longest stretch without such a reading [ms]; 0 when no slot is missing."""

    @property
    def coverage(self) -> Fraction:
        """Usable among due, at most 1."""
        return min(Fraction(self.usable, self.due), Fraction(1)) if self.due else Fraction(0)


def presence(track: Track, span: Interval) -> Presence:
    """Say how complete a parameter is in its period, whose end counts as a slot of the next.

    Args:
        track: what was measured.
        span: the period: from the first edge of the track's law to the last.
    """
    interval_ms, hours = track.law.interval_ms, track.read.hours
    due = -(-span.length_ms // interval_ms) if interval_ms else 0
    inside = (hours.part > 0) & (hours.part < len(track.law.cuts.edges))
    longest_ms = int(np.max(np.diff(gaps_of(track, span)), initial=0))
    return Presence(due, int(np.sum(hours.usable[inside])), longest_ms)


def gaps_of(track: Track, span: Interval) -> Ints:
    """The stretches of a period longer than the poll interval without a reading that counts, also at its ends.

    Returns:
        Rows of start and end [ms].
    """
    cut = np.clip(_silences(track.read, span, is_counter=track.law.is_counter), span.start_ms, span.end_ms)
    return np.asarray(cut[cut[:, 1] - cut[:, 0] > track.law.interval_ms], np.int64)


def _silences(segment: Segment, span: Interval, *, is_counter: bool) -> Ints:
    # From each reading that counts to the next one over a mark; beyond the period where there is none.
    first, last = segment.first, segment.last
    if first is None or last is None or segment.usable == 0:
        return np.array([(span.start_ms, span.end_ms)], np.int64)
    marks = segment.marks
    goes_on = np.isin(marks.code, _OF_SAMPLES) & (marks.later_value < 0)
    ended = np.flatnonzero(~goes_on)
    since_ms = np.append(marks.earlier_slot_ms, last.slot_ms)[np.append(0, ended + 1)]
    until_ms = np.append(marks.later_slot_ms[ended], max(span.end_ms, last.slot_ms))
    found, opened_ms = np.stack([since_ms, until_ms], axis=1), min(span.start_ms, first.slot_ms)
    if is_counter or first.value >= 0:
        return np.concatenate([np.array([(opened_ms, first.slot_ms)], np.int64), found])
    found[0, 0] = opened_ms
    return found


_OF_SAMPLES = (codes.STATE_GAP, codes.VALUE_GAP)


def affected(track: Track, late: Interval, vintage: Vintage) -> Pair:
    """Sum up the measured values of a vintage that touch a span of time [quanta]; whole hours, so rather more.

    A value across the vintage's boundary is proved for neither year, so it counts from 0 here too.
    """
    here, marks, hours = vintage.interval, track.segment.marks, track.segment.hours
    law, place = track.law, track.law.cuts.edges.index(here.start_ms) + 1
    rows = touching_hours(track.segment, late) & (hours.part == place) & late.overlaps(here)
    starts, ends = marks.earlier_ms, marks.later_ms
    inside = (starts >= here.start_ms) & (ends <= here.end_ms)
    touches = (starts < late.end_ms) & (ends > late.start_ms)
    across = ~inside & touches & (starts < here.end_ms) & (ends > here.start_ms)
    # What lies across the boundary is in the hour of its later reading, from which it is taken out again.
    begins = ends - 1 - (ends - 1 - law.cuts.origin_ms) % HOUR_MS
    part = np.searchsorted(law.edges(), ends, side="left")
    apart = ~inside & (part == place) & np.isin(begins, hours.start_ms[rows])
    low = exact_sum(hours.low[rows]) - exact_sum(marks.low[apart])
    high = exact_sum(hours.high[rows]) - exact_sum(marks.high[apart]) + exact_sum(marks.high[across])
    return Pair(low, high)


def seen_width(track: Track, vintage: Vintage) -> int:
    """How much of a vintage's doubt comes from changes of a state that was seen before and after [quanta]."""
    marks, here = track.segment.marks, vintage.interval
    seen = (marks.code == codes.STATE_CHANGED) & (marks.earlier_ms < here.end_ms) & (marks.later_ms > here.start_ms)
    return exact_sum(marks.high[seen]) - exact_sum(marks.low[seen])


def record_of(track: Track, splits: tuple[VintageAmount, ...], span: Interval) -> Record:
    """Say what was read of a parameter in a period, and where its amount is in doubt."""
    hours, marks = track.read.hours, track.segment.marks
    read = (hours.part > 0) & (hours.part < len(track.law.cuts.edges)) & (hours.usable > 0)
    starts, ends = marks.earlier_ms, marks.later_ms
    wide = (marks.low < marks.high) & (starts < span.end_ms) & (ends > span.start_ms)
    unproved = (doubt.interval for part in splits for doubt in part.doubts)
    return Record(
        np.maximum(hours.start_ms[read], span.start_ms),
        hours.usable[read],
        gaps_of(track, span),
        np.concatenate((np.sort(np.stack([starts[wide], ends[wide]], axis=1)), edges(unproved))),
        track.law.interval_ms,
    )


def load_of(track: Track, splits: tuple[VintageAmount, ...], point: PointSettings, name: str, span: Interval) -> Load:
    """Say what a counter did in a period, beside what its rated power could have done."""
    rated_power_w = Fraction(point.rated_power_w or 0)
    per_ms = rated_power_w * 1000 / QUANTA_DIVISORS[measurand(name).quantum]
    first, last = track.segment.first, track.segment.last
    one_meter = not np.any(track.read.marks.code == codes.METER_CHANGED)
    rise = -1
    if first is not None and last is not None and one_meter:
        rise = last.value - first.value - track.segment.step
    return Load(
        point.id,
        name,
        span,
        rated_power_w,
        per_ms * span.length_ms,
        sum((Fraction(part.amount.high) for part in splits), Fraction(0)),
        Fraction(rise) if rise > 0 else None,
        per_ms * (last.position_ms - first.position_ms) if first is not None and last is not None else Fraction(0),
    )
