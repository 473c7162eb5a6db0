"""The rule for two readings of a counter that follow each other (contracts 6), compiled.

Every number is an int64 count of quanta; an intermediate that would overflow ends a kernel with `OVERFLOW` instead of
wrapping around.
"""

from compute import codes
from compute import layout as at
from compute.arrays import Ints
from compute.kernels.jit import compiled

_MAX = 2**63 - 1


@compiled
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
        return codes.OVERFLOW
    if step > _MAX // 4:
        return codes.OVERFLOW
    return whole * span_ms + part * (span_ms // rate_den) + part * (span_ms % rate_den) // rate_den + step


@compiled
def difference(earlier: int, later: int) -> int:
    """Give the gain of a counter, or -1 where int64 cannot hold it [quanta]."""
    # Values of either sign may come from a signed register; a difference beyond int64 is as impossible as a negative
    # one.
    if (earlier < 0 <= later) and later > _MAX + earlier:
        return -1
    if (later < 0 < earlier) and earlier > _MAX + later:
        return -1
    return later - earlier


@compiled
def judge(earlier: int, later: int, most: int, modulus: int, resettable: bool, not_saved: int) -> tuple[int, int, int]:
    """Say what two values of one counter prove: low end, high end [quanta] and code."""
    # contracts 6: D stands when 0 <= D <= R, R is below the modulus, and a reset would have shown.
    gain = difference(earlier, later)
    if gain < 0:
        if 0 < difference(later, earlier) <= not_saved:
            return 0, most, codes.STEPPED_BACK
        if later >= earlier or modulus <= 0 or most >= modulus or later < 0 or earlier >= modulus:
            return 0, most, codes.RESET
        gain = later + (modulus - earlier)
        if gain > most:
            return 0, most, codes.RESET
        # A register that went down does not tell a reset from a rollover, unless it cannot be reset.
        return (0, most, codes.ROLLOVER_UNPROVED) if resettable else (gain, gain, codes.ROLLOVER)
    if gain > most:
        return 0, most, codes.SPIKE
    if (modulus > 0 and most >= modulus) or (resettable and earlier <= most):
        return gain, most, codes.RESET_NOT_EXCLUDED
    return gain, gain, codes.EXACT


@compiled
def most_in(span_ms: int, step: int, law: Ints) -> int:
    """As `possible_amount`, with one division where nothing can overflow [quanta]."""
    if 0 <= span_ms <= law[at.SAFE_MS] and step <= _MAX // 4:
        return int(law[at.RATE_NUM] * span_ms // law[at.RATE_DEN] + step)
    return possible_amount(span_ms, law[at.RATE_NUM], law[at.RATE_DEN], step)


@compiled
def pair(work: Ints, earlier: int, later: int, changed: bool, skipped: bool, law: Ints, row: int) -> int:
    """Judge two readings of a counter that follow each other, but for what the pairs beside it say.

    Args:
        work: in and out.
        earlier: where in it the earlier reading is.
        later: where the later one is.
        changed: whether the meter or the register changed between them.
        skipped: whether there are rows between them that do not count.
        law: what holds of the whole counter.
        row: where the pair goes, as a mark; what was read before it is not filled in.

    Returns:
        `DONE` or `OVERFLOW`.
    """
    slot_ms, later_slot_ms = work[earlier + at.SLOT], work[later + at.SLOT]
    value, later_value = work[earlier + at.VALUE], work[later + at.VALUE]
    coarser = max(work[earlier + at.STEP], work[later + at.STEP])
    ordered = work[later + at.ANSWER] > work[earlier + at.ANSWER]
    # A value is taken between request and answer, so this is the longest that can lie between the two.
    span_ms = work[later + at.ANSWER] - work[earlier + at.REQUEST] if ordered else later_slot_ms - slot_ms
    most = most_in(span_ms, coarser, law)
    has_gap = 0 < law[at.INTERVAL_MS] < later_slot_ms - slot_ms
    can_lose, not_saved = has_gap and law[at.NONVOLATILE_MS] > 0, 0
    if law[at.NONVOLATILE_MS] > 0 and later_value < value:
        not_saved = most_in(law[at.NONVOLATILE_MS], coarser, law)
    if codes.OVERFLOW in (most, not_saved):
        return codes.OVERFLOW
    if changed:
        low, high, code = 0, most, codes.METER_CHANGED
    elif not ordered:
        low, high, code = 0, most, codes.CLOCK_ORDER
    else:
        low, high, code = judge(value, later_value, most, law[at.MODULUS], law[at.RESETTABLE] != 0, not_saved)
        if can_lose and code == codes.EXACT:
            # The supply may have failed more than once while nobody read, and taken something each time.
            high, code = most, codes.NOT_SAVED
        elif can_lose and code == codes.ROLLOVER:
            low, high, code = 0, most, codes.ROLLOVER_UNPROVED
        elif code == codes.EXACT and (skipped or has_gap):
            code = codes.BRIDGED
    work[row + at.EARLIER_MS], work[row + at.LATER_MS] = work[earlier + at.POSITION], work[later + at.POSITION]
    work[row + at.EARLIER_SLOT], work[row + at.LATER_SLOT] = slot_ms, later_slot_ms
    work[row + at.EARLIER_VALUE], work[row + at.LATER_VALUE] = value, later_value
    work[row + at.LOW], work[row + at.HIGH], work[row + at.LIMIT], work[row + at.CODE] = low, high, most, code
    return codes.DONE


@compiled
def widen_beside(work: Ints, row: int, other: int) -> int:
    """Widen a pair to [0, R] when the one beside it is impossible.

    An impossible step shows that one of its two readings is wrong, not which one; so the step before it and the step
    after it prove nothing either.

    Args:
        work: in and out.
        row: where in it the pair is.
        other: where the pair beside it is.

    Returns:
        `DONE`.
    """
    if codes.RESET <= work[other + at.CODE] <= codes.LAST_IMPOSSIBLE and work[row + at.CODE] <= codes.LAST_POSSIBLE:
        work[row + at.LOW], work[row + at.HIGH] = 0, work[row + at.LIMIT]
        work[row + at.CODE] = codes.BESIDE_IMPOSSIBLE
    return codes.DONE
