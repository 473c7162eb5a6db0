"""What a track says to the rules that judge it: calibration, completeness, plausibility.

In: the track of one parameter at one point. Out: the sums, gaps and loads that those rules ask for, as plain values.
"""

from fractions import Fraction

import numpy as np

from compute import codes
from compute.completeness import Record
from compute.intervals import QUANTA_DIVISORS, exact_sum
from compute.pairs import Pair
from compute.plausibility import Load
from compute.project import PointSettings
from compute.track import Track
from compute.vintages import Vintage, VintageAmount
from metering.interval import Interval
from metering.measurands import measurand


def affected(track: Track, late: Interval, vintage: Vintage) -> Pair:
    """Sum up the measured values of a vintage that touch a span of time [quanta].

    A value across the vintage's boundary is proved for neither year, so it counts from 0 here too.
    """
    here = vintage.interval
    starts, ends = _ends(track)
    touches = (starts < late.end_ms) & (ends > late.start_ms) & (starts < here.end_ms) & (ends > here.start_ms)
    inside = touches & (starts >= here.start_ms) & (ends <= here.end_ms)
    pairs = track.timeline.pairs
    return Pair(exact_sum(pairs.low[inside]), exact_sum(pairs.high[touches]))


def seen_width(track: Track, vintage: Vintage) -> int:
    """How much of a vintage's doubt comes from changes of a state that was seen before and after [quanta]."""
    starts, ends = _ends(track)
    pairs = track.timeline.pairs
    here = vintage.interval
    seen = (pairs.code == codes.STATE_CHANGED) & (starts < here.end_ms) & (ends > here.start_ms)
    return exact_sum(pairs.high[seen]) - exact_sum(pairs.low[seen])


def record_of(track: Track, splits: tuple[VintageAmount, ...], span: Interval) -> Record:
    """Say what was read of a parameter in a period, and where its amount is in doubt."""
    slots = track.time_ms[track.usable]
    inside = slots[(slots >= span.start_ms) & (slots < span.end_ms)]
    edges = np.concatenate([[span.start_ms], inside, [span.end_ms]])
    gaps = np.flatnonzero(np.diff(edges) > track.interval_ms)
    starts, ends = _ends(track)
    pairs = track.timeline.pairs
    wide = np.flatnonzero((pairs.low < pairs.high) & (starts < span.end_ms) & (ends > span.start_ms))
    return Record(
        inside,
        np.ones(len(inside), np.int64),
        tuple(Interval(int(edges[place]), int(edges[place + 1])) for place in gaps),
        (
            *(Interval(int(starts[place]), int(ends[place])) for place in wide),
            *(doubt.interval for part in splits for doubt in part.doubts),
        ),
        track.interval_ms,
    )


def load_of(track: Track, splits: tuple[VintageAmount, ...], point: PointSettings, name: str, span: Interval) -> Load:
    """Say what a counter did in a period, beside what its rated power could have done."""
    rated_power_w = Fraction(point.rated_power_w or 0)
    per_ms = rated_power_w * 1000 / QUANTA_DIVISORS[measurand(name).quantum]
    stands_ms = track.timeline.position_ms
    one_meter = not np.any(track.timeline.pairs.code == codes.METER_CHANGED)
    rise = int(track.values[-1]) - int(track.values[0]) - track.step if one_meter and len(stands_ms) > 1 else -1
    return Load(
        point.id,
        name,
        span,
        rated_power_w,
        per_ms * span.length_ms,
        sum((Fraction(part.amount.high) for part in splits), Fraction(0)),
        Fraction(rise) if rise > 0 else None,
        per_ms * (int(stands_ms[-1]) - int(stands_ms[0])) if len(stands_ms) else Fraction(0),
    )


def _ends(track: Track) -> tuple[np.typing.NDArray[np.int64], np.typing.NDArray[np.int64]]:
    stands_ms, pairs = track.timeline.position_ms, track.timeline.pairs
    return stands_ms[pairs.first], stands_ms[pairs.second]
