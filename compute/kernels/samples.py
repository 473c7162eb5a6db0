"""Samples of a state or of a power in, hours and marks out: one pass, compiled."""

import numpy as np

from compute import codes
from compute import layout as at
from compute.arrays import Answer, Ints
from compute.kernels.jit import allocating, compiled
from compute.kernels.rule import most_in
from compute.kernels.tables import add_usable, copy, emit, with_room

_MAX = 2**63 - 1
Samples = tuple[Ints, Ints, Ints]


@compiled
def _state(earlier: int, later: int, span_ms: int, follows: bool) -> tuple[int, int, int]:
    if not follows or earlier < 0 or later < 0:
        return 0, span_ms, codes.STATE_GAP
    if earlier != later:
        return 0, span_ms, codes.STATE_CHANGED
    return (span_ms if earlier == 1 else 0), (span_ms if earlier == 1 else 0), codes.EXACT


@compiled
def _trapezoid(earlier: int, later: int, span_ms: int, follows: bool, most: int) -> tuple[int, int, int]:
    # mW × ms is µJ; of an odd sum the half µJ lies between two whole ones.
    if not follows or earlier < 0 or later < 0:
        return 0, most, codes.VALUE_GAP
    if span_ms > 0 and earlier + later > _MAX // 2 // span_ms:
        return 0, 0, codes.OVERFLOW
    twice = (earlier + later) * span_ms
    return twice // 2, twice // 2 + twice % 2, codes.EXACT


@compiled
def sample_pair(work: Ints, earlier: int, later: int, law: Ints, row: int) -> int:
    """Say what lies between two samples that come one after the other.

    Args:
        work: in and out.
        earlier: where in it the earlier sample is; a value below 0 is not known.
        later: where the later one is.
        law: what holds of all samples; without a rate they are of a state.
        row: where the pair goes, as a mark; what was read before it is not filled in.

    Returns:
        `DONE` or `OVERFLOW`.
    """
    span_ms = work[later + at.SLOT] - work[earlier + at.SLOT]
    follows = law[at.INTERVAL_MS] <= 0 or span_ms <= law[at.INTERVAL_MS]
    value, later_value = work[earlier + at.VALUE], work[later + at.VALUE]
    most = span_ms
    if law[at.RATE_DEN] == 0:
        low, high, code = _state(value, later_value, span_ms, follows)
    else:
        most = most_in(span_ms, 0, law)
        low, high, code = _trapezoid(value, later_value, span_ms, follows, most)
    if codes.OVERFLOW in (most, code):
        return codes.OVERFLOW
    work[row + at.EARLIER_MS], work[row + at.LATER_MS] = work[earlier + at.POSITION], work[later + at.POSITION]
    work[row + at.EARLIER_SLOT], work[row + at.LATER_SLOT] = work[earlier + at.SLOT], work[later + at.SLOT]
    work[row + at.EARLIER_VALUE], work[row + at.LATER_VALUE] = value, later_value
    work[row + at.LOW], work[row + at.HIGH], work[row + at.LIMIT], work[row + at.CODE] = low, high, most, code
    return codes.DONE


@compiled
def _take(samples: Samples, law: Ints, edges: Ints, work: Ints, hours: Ints, marks: Ints, row: int) -> int:
    time_ms, answer_ms, value = samples
    slot_ms, known = time_ms[row], value[row] >= 0
    near = -law[at.TOLERANCE_MS] <= answer_ms[row] - slot_ms <= law[at.TOLERANCE_MS]
    now = at.S_NOW
    work[now + at.SLOT], work[now + at.ANSWER], work[now + at.VALUE] = slot_ms, answer_ms[row], value[row]
    work[now + at.POSITION] = slot_ms if near or not known else answer_ms[row]
    work[now + at.REQUEST], work[now + at.STEP] = answer_ms[row], 0
    work[at.S_ROWS] += 1
    if known:
        add_usable(hours, work, slot_ms, 1, law[at.ORIGIN_MS], edges)
        work[at.S_USABLE] += 1
    if work[at.S_HAS] == 0:
        work[at.S_HAS] = 1
        copy(work, now, work, at.S_FIRST, at.READING_COLUMNS)
    else:
        pair = at.S_TAIL
        work[pair + at.PREVIOUS_MS], work[pair + at.PREVIOUS_VALUE] = work[at.S_PREVIOUS_MS], work[at.S_PREVIOUS_VALUE]
        if sample_pair(work, at.S_LAST, now, law, pair) < 0:
            return codes.OVERFLOW
        if work[at.S_PAIRS] == 0:
            copy(work, pair, work, at.S_HEAD, at.MARK_COLUMNS)
        if emit(work, pair, hours, marks, law[at.ORIGIN_MS], edges) < 0:
            return codes.OVERFLOW
        work[at.S_PAIRS] += 1
        work[at.S_PREVIOUS_MS] = work[at.S_LAST + at.POSITION]
        work[at.S_PREVIOUS_VALUE] = work[at.S_LAST + at.VALUE]
    copy(work, now, work, at.S_LAST, at.READING_COLUMNS)
    return codes.DONE


@allocating
def sample_segment(time_ms: Ints, answer_ms: Ints, value: Ints, law: Ints, edges: Ints) -> Answer:
    """Turn samples into hours and marks.

    Args:
        time_ms: the slots, strictly increasing [ms].
        answer_ms: when each answer was in [ms].
        value: of a state 1 or 0, of a power [mW]; below 0 where it is not known.
        law: what holds of all samples, see `compute.layout`; without a rate they are of a state.
        edges: the instants at which amounts must be divisible [ms], in order.

    Returns:
        As `compute.kernels.counter.counter_segment`; there are no still stretches.
    """
    work = np.zeros(at.WORK_COLUMNS, np.int64)
    work[at.S_PREVIOUS_MS] = work[at.S_AMOUNT_TO] = work[at.S_USABLE_TO] = at.NOWHERE
    hours, marks = np.empty((1024, at.HOUR_COLUMNS), np.int64), np.empty((64, at.MARK_COLUMNS), np.int64)
    status, runs = codes.DONE, np.empty((0, at.RUN_COLUMNS), np.int64)
    for row in range(len(time_ms)):
        hours, marks = with_room(hours, work[at.S_HOURS], 2), with_room(marks, work[at.S_MARKS], 1)
        if _take((time_ms, answer_ms, value), law, edges, work, hours, marks, row) < 0:
            status = codes.OVERFLOW
            break
    return status, work[: at.STATE_COLUMNS], hours[: work[at.S_HOURS]], marks[: work[at.S_MARKS]], runs
