"""The compiled kernels: readings of one series in, one pair [low, high] for every two that follow each other out.

`compute.plain` says the same in plain Python, and a test holds the two bit-equal. Every number is an int64 count of
quanta; an intermediate that would overflow ends the kernel with `OVERFLOW` instead of wrapping around. The cache of
compiled code goes to NUMBA_CACHE_DIR, which `compute.cache` sets before this file is imported.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from compute.codes import (
    BESIDE_IMPOSSIBLE,
    BRIDGED,
    CLOCK_ORDER,
    DONE,
    EXACT,
    FROZEN,
    LAST_IMPOSSIBLE,
    LAST_POSSIBLE,
    METER_CHANGED,
    NOT_SAVED,
    OVERFLOW,
    RESET,
    RESET_NOT_EXCLUDED,
    ROLLOVER,
    ROLLOVER_UNPROVED,
    SPIKE,
    STATE_CHANGED,
    STATE_GAP,
    STEPPED_BACK,
)

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]

_MAX = 2**63 - 1


@njit(cache=True, nogil=True)
def possible_amount(span_ms: int, rate_num: int, rate_den: int, step: int) -> int:
    """How much the counter can gain in a span: rated × margin × time, rounded down, + one register step [quanta].

    rate_num × span_ms overflows int64 within a day at a few MW, so the quotient and the remainder are multiplied apart.

    Args:
        span_ms: the time, not negative [ms].
        rate_num: with `rate_den`, the fastest rate in lowest terms [quanta per ms].
        rate_den: at most 2^31, so that the product of two remainders fits.
        step: one register step [quanta].

    Returns:
        The amount [quanta], or `OVERFLOW`.
    """
    whole, part = rate_num // rate_den, rate_num % rate_den
    if span_ms > 0 and (whole > _MAX // 4 // span_ms or part > _MAX // 4 // (span_ms // rate_den + 1)):
        return OVERFLOW
    if step > _MAX // 4:
        return OVERFLOW
    return whole * span_ms + part * (span_ms // rate_den) + part * (span_ms % rate_den) // rate_den + step


@njit(cache=True, nogil=True)
def _difference(earlier: int, later: int) -> int:
    # Values of either sign may come from a signed register; a difference beyond int64 is as impossible as a negative
    # one.
    if (earlier < 0 <= later) and later > _MAX + earlier:
        return -1
    if (later < 0 < earlier) and earlier > _MAX + later:
        return -1
    return later - earlier


@njit(cache=True, nogil=True)
def _judge(earlier: int, later: int, most: int, modulus: int, resettable: bool, not_saved: int) -> tuple[int, int, int]:
    # contracts 6: D stands when 0 <= D <= R, R is below the modulus, and a reset would have shown.
    gain = _difference(earlier, later)
    if gain < 0:
        if 0 < _difference(later, earlier) <= not_saved:
            return 0, most, STEPPED_BACK
        if later >= earlier or modulus <= 0 or most >= modulus or later < 0 or earlier >= modulus:
            return 0, most, RESET
        gain = later + (modulus - earlier)
        if gain > most:
            return 0, most, RESET
        # A register that went down does not tell a reset from a rollover, unless it cannot be reset.
        return (0, most, ROLLOVER_UNPROVED) if resettable else (gain, gain, ROLLOVER)
    if gain > most:
        return 0, most, SPIKE
    if (modulus > 0 and most >= modulus) or (resettable and earlier <= most):
        return gain, most, RESET_NOT_EXCLUDED
    return gain, gain, EXACT


@njit(cache=True, nogil=True)
def counter_pairs(  # noqa: PLR0913, PLR0917 - compiled code takes columns, not objects
    time_ms: Ints,
    request_ms: Ints,
    answer_ms: Ints,
    value: Ints,
    step: Ints,
    epoch: Ints,
    usable: Codes,
    rate_num: int,
    rate_den: int,
    modulus: int,
    resettable: bool,
    nonvolatile_ms: int,
    interval_ms: int,
    first: Ints,
    second: Ints,
    low: Ints,
    high: Ints,
    limit: Ints,
    code: Codes,
) -> int:
    """Turn the readings of a counter into pairs, by the rule of contracts.md section 6.

    Readings that are not usable are skipped: the pair across them is only longer.

    Args:
        time_ms: the slots, strictly increasing [ms].
        request_ms: when each request went out, not after its answer [ms].
        answer_ms: when each answer was in [ms].
        value: what the register showed [quanta].
        step: one register step at each reading [quanta].
        epoch: readings of different meters or registers have different numbers.
        usable: 1 where the reading may count.
        rate_num: with `rate_den`, rated power × margin in lowest terms [quanta per ms].
        rate_den: its denominator.
        modulus: where the counter wraps to 0 [quanta]; 0 = unknown.
        resettable: whether somebody could set it to 0.
        nonvolatile_ms: how much time it may lose with its supply [ms]; 0 = none, or no rule asks.
        interval_ms: readings whose slots are further apart have others missing between them [ms]; 0 = never.
        first: out, the index of each pair's earlier reading.
        second: out, the index of its later reading.
        low: out, the low end [quanta].
        high: out, the high end [quanta].
        limit: out, R, the most that was possible [quanta].
        code: out, one of `compute.codes`.

    Returns:
        The number of pairs, or `OVERFLOW`.
    """
    count, last = 0, -1
    for index in range(len(time_ms)):
        if usable[index] == 0:
            continue
        if last >= 0:
            coarser = max(step[last], step[index])
            ordered = answer_ms[index] > answer_ms[last]
            # A value is taken between request and answer, so this is the longest that can lie between the two.
            span_ms = answer_ms[index] - request_ms[last] if ordered else time_ms[index] - time_ms[last]
            most = possible_amount(span_ms, rate_num, rate_den, coarser)
            has_gap = 0 < interval_ms < time_ms[index] - time_ms[last]
            not_saved = 0
            if nonvolatile_ms > 0 and (has_gap or value[index] < value[last]):
                not_saved = possible_amount(nonvolatile_ms, rate_num, rate_den, coarser)
            if OVERFLOW in (most, not_saved):
                return OVERFLOW
            first[count], second[count], limit[count] = last, index, most
            if epoch[index] != epoch[last]:
                low[count], high[count], code[count] = 0, most, METER_CHANGED
            elif not ordered:
                low[count], high[count], code[count] = 0, most, CLOCK_ORDER
            else:
                low[count], high[count], code[count] = _judge(
                    value[last], value[index], most, modulus, resettable, not_saved
                )
                if has_gap and not_saved > 0 and code[count] < RESET_NOT_EXCLUDED:
                    high[count], code[count] = low[count] + min(not_saved, most - low[count]), NOT_SAVED
                elif code[count] == EXACT and index > last + 1:
                    code[count] = BRIDGED
            count += 1
        last = index
    widen_beside(count, low[:count], high[:count], limit[:count], code[:count])
    return count


@njit(cache=True, nogil=True)
def widen_beside(count: int, low: Ints, high: Ints, limit: Ints, code: Codes) -> int:
    """Widen the pairs beside an impossible one to [0, R], in place.

    An impossible step shows that one of its two readings is wrong, not which one; so the step before it and the step
    after it prove nothing either.

    Args:
        count: how many pairs there are.
        low: in and out [quanta].
        high: in and out [quanta].
        limit: R of each pair [quanta].
        code: in and out.

    Returns:
        `DONE`.
    """
    for index in range(count):
        if RESET <= code[index] <= LAST_IMPOSSIBLE:
            for beside in (index - 1, index + 1):
                if 0 <= beside < count and code[beside] <= LAST_POSSIBLE:
                    low[beside], high[beside], code[beside] = 0, limit[beside], BESIDE_IMPOSSIBLE
    return DONE


@njit(cache=True, nogil=True)
def widen_frozen(  # noqa: PLR0913, PLR0917 - compiled code takes columns, not objects
    still: Codes,
    span_ms: Ints,
    expected: Ints,
    step: Ints,
    least_ms: int,
    low: Ints,
    high: Ints,
    limit: Ints,
    code: Codes,
) -> int:
    """Widen the pairs of each stretch in which a counter stood still but should not have, in place.

    The pair that ends the stretch goes with it: what the counter then gains was gained at a time that nobody knows.

    Args:
        still: 1 where the counter shows the same at both ends of a pair.
        span_ms: from slot to slot [ms].
        expected: what another measurand says that the counter should have gained [quanta].
        step: one register step [quanta]; two of them must be missing.
        least_ms: a shorter stretch is none [ms].
        low: in and out [quanta].
        high: in and out [quanta].
        limit: R of each pair [quanta].
        code: in and out.

    Returns:
        `DONE`.
    """
    count, start = len(still), 0
    while start < count:
        stood_ms, missing, coarsest, end = 0, 0, 0, start
        while end < count and still[end] == 1:
            stood_ms += span_ms[end]
            missing += expected[end]
            coarsest = max(coarsest, step[end])
            end += 1
        if end > start and stood_ms >= least_ms and missing >= 2 * coarsest:
            for index in range(start, min(end + 1, count)):
                if code[index] <= LAST_POSSIBLE:
                    low[index], high[index], code[index] = 0, limit[index], FROZEN
        start = max(end, start + 1)
    return DONE


@njit(cache=True, nogil=True)
def state_pairs(time_ms: Ints, state: Ints, longest_ms: int, low: Ints, high: Ints, code: Codes) -> int:
    """Turn samples of a state into time in that state, one pair for every two samples.

    Args:
        time_ms: the slots, strictly increasing [ms].
        state: 1 in it, 0 not in it, -1 unknown.
        longest_ms: two samples further apart do not follow each other [ms]; 0 = no such limit.
        low: out, the least time in the state [ms].
        high: out, the most time in it [ms].
        code: out, one of `compute.codes`.

    Returns:
        The number of pairs.
    """
    count = max(len(time_ms) - 1, 0)
    for index in range(count):
        span_ms = time_ms[index + 1] - time_ms[index]
        before, after = state[index], state[index + 1]
        if before < 0 or after < 0 or 0 < longest_ms < span_ms:
            low[index], high[index], code[index] = 0, span_ms, STATE_GAP
        elif before != after:
            low[index], high[index], code[index] = 0, span_ms, STATE_CHANGED
        else:
            low[index] = high[index] = span_ms if before == 1 else 0
            code[index] = EXACT
    return count


@njit(cache=True, nogil=True)
def hour_sums(second_ms: Ints, low: Ints, high: Ints, origin_ms: int, hour: Ints, low_sum: Ints, high_sum: Ints) -> int:
    """Add pairs up per hour; a pair belongs to the hour (H, H + 1] that its second reading lies in.

    Args:
        second_ms: the slot of each pair's second reading, increasing [ms].
        low: low ends [quanta].
        high: high ends [quanta].
        origin_ms: where hour 0 begins, a local midnight [ms].
        hour: out, the numbers of the hours that have pairs.
        low_sum: out [quanta].
        high_sum: out [quanta].

    Returns:
        The number of hours, or `OVERFLOW`.
    """
    count = 0
    for index in range(len(second_ms)):
        number = (second_ms[index] - origin_ms - 1) // 3_600_000
        if count == 0 or hour[count - 1] != number:
            hour[count], low_sum[count], high_sum[count] = number, 0, 0
            count += 1
        if high_sum[count - 1] > _MAX - high[index]:
            return OVERFLOW
        low_sum[count - 1] += low[index]
        high_sum[count - 1] += high[index]
    return count
