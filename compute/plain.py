"""The kernels again, in plain Python with unbounded integers: written from the rules and easy to read.

Same names, same arguments, same answers as `compute.kernels`; a test holds the two bit-equal. Nothing runs on it.
"""

from collections.abc import MutableSequence, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from math import floor

from compute import codes

_INT64_MAX = 2**63 - 1


def possible_amount(span_ms: int, rate_num: int, rate_den: int, step: int) -> int:
    """As `kernels.possible_amount`; the limit of a quarter of int64 keeps every later sum and difference in range."""
    whole, part = divmod(rate_num, rate_den)
    quarter = _INT64_MAX // 4
    if span_ms > 0 and (whole > quarter // span_ms or part > quarter // (span_ms // rate_den + 1)):
        return codes.OVERFLOW
    if step > quarter:
        return codes.OVERFLOW
    return floor(Fraction(rate_num * span_ms, rate_den)) + step


def _judge(earlier: int, later: int, most: int, modulus: int, resettable: bool, not_saved: int) -> tuple[int, int, int]:
    gain = later - earlier
    if 0 < -gain <= not_saved:
        return 0, most, codes.STEPPED_BACK
    if gain < 0 and modulus > 0 and most < modulus and later >= 0 and earlier < modulus:
        rolled = gain + modulus
        if rolled <= most:
            return (0, most, codes.ROLLOVER_UNPROVED) if resettable else (rolled, rolled, codes.ROLLOVER)
    if gain < 0 or gain > _INT64_MAX:
        return 0, most, codes.RESET
    if gain > most:
        return 0, most, codes.SPIKE
    below_modulus = modulus <= 0 or most < modulus
    reset_would_show = not resettable or earlier > most
    if below_modulus and reset_would_show:
        return gain, gain, codes.EXACT
    return gain, most, codes.RESET_NOT_EXCLUDED


def counter_pairs(  # noqa: PLR0913, PLR0917 - as in kernels
    time_ms: Sequence[int],
    request_ms: Sequence[int],
    answer_ms: Sequence[int],
    value: Sequence[int],
    step: Sequence[int],
    epoch: Sequence[int],
    usable: Sequence[int],
    rate_num: int,
    rate_den: int,
    modulus: int,
    resettable: bool,
    nonvolatile_ms: int,
    interval_ms: int,
    first: MutableSequence[int],
    second: MutableSequence[int],
    low: MutableSequence[int],
    high: MutableSequence[int],
    limit: MutableSequence[int],
    code: MutableSequence[int],
) -> int:
    """As `kernels.counter_pairs`."""
    kept = [index for index in range(len(time_ms)) if usable[index]]
    rows: list[tuple[int, int, int, int, int, int]] = []
    for i, j in pairwise(kept):
        answered_apart_ms = int(answer_ms[j]) - int(answer_ms[i])
        longest_apart_ms = int(answer_ms[j]) - int(request_ms[i])
        span_ms = longest_apart_ms if answered_apart_ms > 0 else int(time_ms[j]) - int(time_ms[i])
        coarser = max(int(step[i]), int(step[j]))
        most = possible_amount(span_ms, rate_num, rate_den, coarser)
        has_gap = 0 < interval_ms < int(time_ms[j]) - int(time_ms[i])
        is_asked = nonvolatile_ms > 0 and (has_gap or value[j] < value[i])
        not_saved = possible_amount(nonvolatile_ms, rate_num, rate_den, coarser) if is_asked else 0
        if codes.OVERFLOW in {most, not_saved}:
            return codes.OVERFLOW
        if epoch[i] != epoch[j]:
            verdict = 0, most, codes.METER_CHANGED
        elif answered_apart_ms <= 0:
            verdict = 0, most, codes.CLOCK_ORDER
        else:
            verdict = _judge(int(value[i]), int(value[j]), most, modulus, resettable, not_saved)
            if not_saved > 0 and has_gap and verdict[2] in {codes.EXACT, codes.ROLLOVER}:
                verdict = verdict[0], min(most, verdict[0] + not_saved), codes.NOT_SAVED
            elif verdict[2] == codes.EXACT and j > i + 1:
                verdict = verdict[0], verdict[1], codes.BRIDGED
        rows.append((i, j, verdict[0], verdict[1], most, verdict[2]))
    for k, (i, j, lowest, highest, most, why) in enumerate(rows):
        first[k], second[k], low[k], high[k], limit[k], code[k] = i, j, lowest, highest, most, why
    widen_beside(len(rows), low, high, limit, code)
    return len(rows)


def widen_beside(
    count: int,
    low: MutableSequence[int],
    high: MutableSequence[int],
    limit: Sequence[int],
    code: MutableSequence[int],
) -> int:
    """As `kernels.widen_beside`."""
    impossible = {codes.RESET, codes.STEPPED_BACK, codes.SPIKE, codes.ROLLOVER_UNPROVED}
    touched = {codes.EXACT, codes.ROLLOVER, codes.BRIDGED, codes.RESET_NOT_EXCLUDED, codes.NOT_SAVED}
    before = [code[k] in impossible for k in range(count)]
    for k in range(count):
        neighbours = before[max(k - 1, 0) : k] + before[k + 1 : k + 2]
        if code[k] in touched and any(neighbours):
            low[k], high[k], code[k] = 0, limit[k], codes.BESIDE_IMPOSSIBLE
    return codes.DONE


def widen_frozen(  # noqa: PLR0913, PLR0917 - as in kernels
    still: Sequence[int],
    span_ms: Sequence[int],
    expected: Sequence[int],
    step: Sequence[int],
    least_ms: int,
    low: MutableSequence[int],
    high: MutableSequence[int],
    limit: Sequence[int],
    code: MutableSequence[int],
) -> int:
    """As `kernels.widen_frozen`."""
    possible = {codes.EXACT, codes.ROLLOVER, codes.BRIDGED, codes.RESET_NOT_EXCLUDED, codes.NOT_SAVED}
    for stood, group in groupby(range(len(still)), key=lambda k: bool(still[k])):
        places = list(group)
        long_enough = sum(int(span_ms[k]) for k in places) >= least_ms
        missing = sum(int(expected[k]) for k in places) >= 2 * max(int(step[k]) for k in places)
        if stood and long_enough and missing:
            for k in [*places, places[-1] + 1]:
                if k < len(still) and code[k] in possible:
                    low[k], high[k], code[k] = 0, limit[k], codes.FROZEN
    return codes.DONE


def state_pairs(
    time_ms: Sequence[int],
    state: Sequence[int],
    longest_ms: int,
    low: MutableSequence[int],
    high: MutableSequence[int],
    code: MutableSequence[int],
) -> int:
    """As `kernels.state_pairs`."""
    for k in range(len(time_ms) - 1):
        span_ms = int(time_ms[k + 1]) - int(time_ms[k])
        ends = (state[k], state[k + 1])
        follows = longest_ms <= 0 or span_ms <= longest_ms
        if not follows or -1 in ends:
            low[k], high[k], code[k] = 0, span_ms, codes.STATE_GAP
        elif ends == (1, 1):
            low[k], high[k], code[k] = span_ms, span_ms, codes.EXACT
        elif ends == (0, 0):
            low[k], high[k], code[k] = 0, 0, codes.EXACT
        else:
            low[k], high[k], code[k] = 0, span_ms, codes.STATE_CHANGED
    return max(len(time_ms) - 1, 0)


def hour_sums(
    second_ms: Sequence[int],
    low: Sequence[int],
    high: Sequence[int],
    origin_ms: int,
    hour: MutableSequence[int],
    low_sum: MutableSequence[int],
    high_sum: MutableSequence[int],
) -> int:
    """As `kernels.hour_sums`."""
    sums: dict[int, tuple[int, int]] = {}
    for instant, lowest, highest in zip(second_ms, low, high, strict=True):
        number = (int(instant) - origin_ms - 1) // 3_600_000
        so_far = sums.get(number, (0, 0))
        sums[number] = so_far[0] + int(lowest), so_far[1] + int(highest)
        if sums[number][1] > _INT64_MAX:
            return codes.OVERFLOW
    for k, (number, (lowest, highest)) in enumerate(sums.items()):
        hour[k], low_sum[k], high_sum[k] = number, lowest, highest
    return len(sums)
