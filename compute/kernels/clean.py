"""The fast path over blocks of a counter's rows in which nothing can be wrong, compiled.

`is_clean` may only say yes: it compares bounds of the whole block with the rule's. What it does not call clean goes
through the rule row by row, so it decides how long the work takes and never what comes out.
"""

import numpy as np

from compute import codes
from compute import layout as at
from compute.arrays import Columns, Ints, Out, Tables
from compute.kernels.jit import compiled
from compute.kernels.readings import reading_at, step_of
from compute.kernels.rule import most_in, pair
from compute.kernels.still import end_run, extend_run
from compute.kernels.tables import add_amount, add_usable, copy, emit

BLOCK_ROWS = 1024
FEWEST_ROWS = 8
_FLAG_ROWS = 128
_MAX = 2**63 - 1


@compiled
def _may_be_clean(columns: Columns, tables: Tables, law: Ints, edges: Ints, work: Ints, start: int, end: int) -> bool:
    # What can be said without looking at every row; the row before the block is the last reading that counts.
    time_ms, value, _, sent_ms, received_ms, _, binding, _ = columns
    bound, _, keys, breaks = tables
    before = start - 1
    if start == 0 or work[at.S_HAS] == 0 or work[at.S_SKIPPED] != 0 or end - start < FEWEST_ROWS:
        return False
    if work[at.S_PAIRS] > 0 and codes.RESET <= work[at.S_TAIL + at.CODE] <= codes.LAST_IMPOSSIBLE:
        return False
    stretch, place = work[at.S_STRETCH], binding[before]
    if keys[stretch, place] != work[at.S_KEY] or bound[place, 0] == at.STEP_IN_COLUMN:
        return False
    if stretch < len(breaks) and time_ms[end - 1] >= breaks[stretch]:
        return False
    stands = work[at.S_LAST + at.POSITION] == time_ms[before] and sent_ms[before] <= received_ms[before]
    apart_ms = time_ms[start] - time_ms[before]
    follows = 0 < apart_ms <= at.DAY_MS and not 0 < law[at.INTERVAL_MS] < apart_ms
    if not stands or not follows or received_ms[start] <= received_ms[before] or value[before] < 0:
        return False
    for index in range(len(edges)):  # noqa: SIM110 - numba has no generators
        if time_ms[before] <= edges[index] <= time_ms[end - 1]:
            return False
    return True


@compiled
def rows_that_count(columns: Columns, start: int, end: int) -> int:
    """Find the first row of a block that does not count or was read with something else than the row before the block.

    Returns:
        The row, or the block's end.
    """
    quality, synced, binding = columns[2], columns[5], columns[6]
    bound, row = binding[start - 1], start
    while row < end:
        last = min(row + _FLAG_ROWS, end)
        here, sealed, read = quality[row:last], synced[row:last], binding[row:last]
        wrong, unsynced, other = np.uint8(0), np.uint8(0), np.int32(0)
        for place in range(last - row):
            wrong |= here[place]
        for place in range(last - row):
            unsynced |= sealed[place] ^ np.uint8(1)
        for place in range(last - row):
            other |= read[place] ^ bound
        if wrong != 0 or unsynced != 0 or other != 0:
            while quality[row] == 0 and synced[row] == 1 and binding[row] == bound:
                row += 1
            return int(row)
        row = last
    return int(end)


@compiled
def _spans(columns: Columns, start: int, end: int, tolerance_ms: int) -> tuple[int, int]:
    # The shortest and the longest time from a request to the next answer; (0, 0) when a slot or an answer is not
    # where it should be.
    size = end - start
    before_ms, here_ms = columns[0][start - 1 : end - 1], columns[0][start:end]
    asked_ms, sent_ms, received_ms = columns[3][start - 1 : end - 1], columns[3][start:end], columns[4][start:end]
    apart_ms = here_ms[0] - before_ms[0]
    latest_ms = min(tolerance_ms, apart_ms - 1)
    uneven, wrong = np.int64(0), np.int64(0)
    for row in range(size):
        uneven |= (here_ms[row] - before_ms[row]) ^ apart_ms
    for row in range(size):
        late_ms = received_ms[row] - here_ms[row]
        wrong |= late_ms | (latest_ms - late_ms) | (received_ms[row] - sent_ms[row])
    if uneven != 0 or wrong < 0:
        return 0, 0
    shortest = longest = received_ms[0] - asked_ms[0]
    for row in range(size):
        span_ms = received_ms[row] - asked_ms[row]
        shortest = min(shortest, span_ms)
        longest = max(longest, span_ms)
    return shortest, longest


@compiled
def _gains_stand(value: Ints, start: int, end: int, least: int) -> bool:
    # Whether every gain lies in [0, least] and no value is negative, so that no difference wraps around.
    before, here = value[start - 1 : end - 1], value[start:end]
    negative, wrong = np.int64(0), np.int64(0)
    for row in range(end - start):
        gain = here[row] - before[row]
        wrong |= gain | (least - gain)
        negative |= here[row]
    return bool(wrong >= 0 and negative >= 0)


@compiled
def is_clean(columns: Columns, tables: Tables, law: Ints, edges: Ints, work: Ints, start: int, end: int) -> bool:
    """Say whether every pair of a block is exact for certain.

    Args:
        columns: of the series, see `compute.kernels.counter.counter_segment`.
        tables: what its bindings say.
        law: what holds of the whole counter.
        edges: where amounts must be divisible [ms].
        work: what the kernel knows before the block.
        start: the block's first row.
        end: the row behind its last one; up to there every row counts, see `rows_that_count`.
    """
    if not _may_be_clean(columns, tables, law, edges, work, start, end):
        return False
    shortest_ms, longest_ms = _spans(columns, start, end, law[at.TOLERANCE_MS])
    if longest_ms <= 0:
        return False
    value, place = columns[1], columns[6][start]
    step, digits, one = tables[0][place, 0], tables[0][place, 1], tables[1][place]
    # A float register's step grows with its value, and in a clean block values do not fall.
    least = most_in(shortest_ms, step_of(value[start - 1], step, one, digits), law)
    if least == codes.OVERFLOW or not _gains_stand(value, start, end, least):
        return False
    most = most_in(longest_ms, step_of(value[end - 1], step, one, digits), law)
    if most == codes.OVERFLOW or 0 < law[at.MODULUS] <= most:
        return False
    return bool(law[at.RESETTABLE] == 0 or value[start - 1] > most)


@compiled
def _add_hours(columns: Columns, law: Ints, edges: Ints, hours: Ints, work: Ints, start: int, end: int) -> int:
    # The pairs that end in the rows up to the last but one, and all rows as readings, an hour at a time.
    time_ms, value = columns[0], columns[1]
    apart_ms = time_ms[start] - time_ms[start - 1]
    row, before = start, value[start - 1]
    while row < end - 1:
        add_amount(hours, work, time_ms[row], 0, 0, law[at.ORIGIN_MS], edges)
        last = min(end - 2, row + (work[at.S_AMOUNT_TO] - time_ms[row]) // apart_ms)
        gain, place = value[last] - before, work[at.S_AMOUNT_ROW]
        if hours[place, at.HOUR_HIGH] > _MAX - gain:
            return codes.OVERFLOW
        hours[place, at.HOUR_LOW] += gain
        hours[place, at.HOUR_HIGH] += gain
        before, row = value[last], last + 1
    row = start
    while row < end:
        add_usable(hours, work, time_ms[row], 0, law[at.ORIGIN_MS], edges)
        last = min(end - 1, row + (work[at.S_USABLE_TO] - 1 - time_ms[row]) // apart_ms)
        hours[work[at.S_USABLE_ROW], at.HOUR_USABLE] += last - row + 1
        row = last + 1
    return codes.DONE


@compiled
def _all_gain(value: Ints, start: int, end: int) -> bool:
    before, here = value[start - 1 : end - 1], value[start:end]
    wrong = np.int64(0)
    for row in range(end - start):
        wrong |= here[row] - before[row] - 1
    return bool(wrong >= 0)


@compiled
def _extend_to(columns: Columns, tables: Tables, law: Ints, work: Ints, began: int, last: int) -> int:
    # Let the still stretch go on from one row to another.
    if work[at.S_STILL] == 0:
        reading_at(columns, tables, began, law[at.TOLERANCE_MS], work, at.S_NOW)
        extend_run(work, at.S_NOW)
    reading_at(columns, tables, last, law[at.TOLERANCE_MS], work, at.S_NOW)
    extend_run(work, at.S_NOW)
    return codes.DONE


@compiled
def _still(columns: Columns, tables: Tables, law: Ints, work: Ints, runs: Ints, start: int, end: int) -> int:
    # Stretches in which the values of the block stay the same; a short one inside it concerns nobody.
    time_ms, value = columns[0], columns[1]
    began, row = start - 1, start
    if value[end - 1] == value[start - 1]:
        row = end
    elif work[at.S_PAIRS] > 0 and _all_gain(value, start, end):
        if work[at.S_STILL] != 0:
            reading_at(columns, tables, start, law[at.TOLERANCE_MS], work, at.S_NOW)
            end_run(work, at.S_NOW, True, law[at.STILL_MS], runs)
        return codes.DONE
    while row < end:
        if value[row] == value[row - 1]:
            row += 1
            continue
        last, has_run = row - 1, work[at.S_STILL] != 0
        asked = has_run or time_ms[began] == work[at.S_FIRST + at.SLOT]
        if asked or time_ms[last] - time_ms[began] >= law[at.STILL_MS]:
            if last > began or not has_run:
                _extend_to(columns, tables, law, work, began, last)
            reading_at(columns, tables, row, law[at.TOLERANCE_MS], work, at.S_NOW)
            end_run(work, at.S_NOW, True, law[at.STILL_MS], runs)
        began = row
        row += 1
    if began < end - 1:
        _extend_to(columns, tables, law, work, began, end - 1)
    return codes.DONE


@compiled
def absorb(columns: Columns, tables: Tables, law: Ints, edges: Ints, work: Ints, out: Out, start: int, end: int) -> int:
    """Take a clean block in.

    Args:
        columns: of the series.
        tables: what its bindings say.
        law: what holds of the whole counter.
        edges: where amounts must be divisible [ms].
        work: in and out, what the kernel knows.
        out: in and out; hours with room for two rows more a row of the block, marks for one, runs for one a row.
        start: the block's first row.
        end: the row behind its last one.

    Returns:
        `DONE` or `OVERFLOW`.
    """
    hours, marks, runs = out
    tolerance_ms = law[at.TOLERANCE_MS]
    if work[at.S_PAIRS] == 0:
        reading_at(columns, tables, start, tolerance_ms, work, at.S_NOW)
        pair(work, at.S_LAST, at.S_NOW, False, False, law, at.S_HEAD)
    elif work[at.S_PAIRS] == 1:
        copy(work, at.S_TAIL, work, at.S_HEAD, at.MARK_COLUMNS)
    if work[at.S_PAIRS] > 0 and emit(work, at.S_TAIL, hours, marks, law[at.ORIGIN_MS], edges) < 0:
        return codes.OVERFLOW
    if law[at.STILL_MS] > 0:
        _still(columns, tables, law, work, runs, start, end)
    if _add_hours(columns, law, edges, hours, work, start, end) < 0:
        return codes.OVERFLOW
    reading_at(columns, tables, end - 2, tolerance_ms, work, at.S_BEFORE)
    reading_at(columns, tables, end - 1, tolerance_ms, work, at.S_LAST)
    pair(work, at.S_BEFORE, at.S_LAST, False, False, law, at.S_TAIL)
    work[at.S_TAIL + at.PREVIOUS_MS], work[at.S_TAIL + at.PREVIOUS_VALUE] = columns[0][end - 3], columns[1][end - 3]
    work[at.S_PREVIOUS_MS] = work[at.S_BEFORE + at.POSITION]
    work[at.S_PREVIOUS_VALUE] = work[at.S_BEFORE + at.VALUE]
    work[at.S_STEP] = max(work[at.S_STEP], work[at.S_LAST + at.STEP])
    work[at.S_PAIRS] += end - start
    work[at.S_USABLE] += end - start
    work[at.S_ROWS] += end - start
    return codes.DONE
