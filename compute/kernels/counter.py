"""A counter's rows in, its hours, marks and still stretches out: one pass over the columns, compiled.

Most rows lie in clean blocks, for which `compute.kernels.clean` only ever says yes; every other row goes through the
rule one by one. `compute.plain` says the same in plain Python, and a test holds the two bit-equal.
"""

import numpy as np

from compute import codes
from compute import layout as at
from compute.arrays import Answer, Columns, Ints, Out, Tables
from compute.kernels.clean import BLOCK_ROWS, FEWEST_ROWS, absorb, is_clean, rows_that_count
from compute.kernels.jit import allocating, compiled
from compute.kernels.readings import reading_at
from compute.kernels.rule import pair, widen_beside
from compute.kernels.still import end_run, extend_run
from compute.kernels.tables import add_usable, copy, emit, with_room

_LEAST_ROWS, _MOST_ROWS = 4, 64  # by the rule, before the next block is asked for


@compiled
def _follow(law: Ints, edges: Ints, work: Ints, out: Out) -> int:
    # Take a pair in; the one before it is settled by it.
    hours, marks, runs = out
    row = at.S_ROW
    if law[at.STILL_MS] > 0:
        says = work[row + at.CODE] <= codes.LAST_POSSIBLE
        if says and work[row + at.EARLIER_VALUE] == work[row + at.LATER_VALUE]:
            if work[at.S_STILL] == 0:
                extend_run(work, at.S_LAST)
            extend_run(work, at.S_NOW)
        elif work[at.S_STILL] != 0 or work[at.S_PAIRS] == 0:
            if work[at.S_PAIRS] == 0:  # what lies before the first reading may have shown the same
                extend_run(work, at.S_LAST)
            end_run(work, at.S_NOW, says, law[at.STILL_MS], runs)
    if work[at.S_PAIRS] > 0:
        widen_beside(work, at.S_TAIL, row)
        widen_beside(work, row, at.S_TAIL)
        if work[at.S_PAIRS] == 1:
            copy(work, at.S_TAIL, work, at.S_HEAD, at.MARK_COLUMNS)
        if emit(work, at.S_TAIL, hours, marks, law[at.ORIGIN_MS], edges) < 0:
            return codes.OVERFLOW
    copy(work, row, work, at.S_TAIL, at.MARK_COLUMNS)
    work[at.S_PAIRS] += 1
    return codes.DONE


@compiled
def _take(columns: Columns, tables: Tables, law: Ints, edges: Ints, work: Ints, out: Out, index: int) -> int:
    # Take one row in, by the rule.
    quality, synced, binding, hours = columns[2], columns[5], columns[6], out[0]
    key = tables[2][work[at.S_STRETCH], binding[index]]
    if work[at.S_ROWS] == 0:
        work[at.S_OPEN_KEY] = key
    elif key != work[at.S_KEY]:
        work[at.S_CHANGED] = 1
    work[at.S_KEY] = key
    work[at.S_ROWS] += 1
    if quality[index] != 0 or synced[index] == 0 or key < 0:
        work[at.S_SKIPPED] = 1
        return codes.DONE
    reading_at(columns, tables, index, law[at.TOLERANCE_MS], work, at.S_NOW)
    add_usable(hours, work, work[at.S_NOW + at.SLOT], 1, law[at.ORIGIN_MS], edges)
    work[at.S_USABLE] += 1
    work[at.S_STEP] = max(work[at.S_STEP], work[at.S_NOW + at.STEP])
    if work[at.S_HAS] == 0:
        work[at.S_HAS] = 1
        copy(work, at.S_NOW, work, at.S_FIRST, at.READING_COLUMNS)
        work[at.S_HEAD_CHANGED], work[at.S_HEAD_SKIPPED] = work[at.S_CHANGED], work[at.S_SKIPPED]
    else:
        work[at.S_ROW + at.PREVIOUS_MS] = work[at.S_PREVIOUS_MS]
        work[at.S_ROW + at.PREVIOUS_VALUE] = work[at.S_PREVIOUS_VALUE]
        changed, skipped = work[at.S_CHANGED] != 0, work[at.S_SKIPPED] != 0
        if pair(work, at.S_LAST, at.S_NOW, changed, skipped, law, at.S_ROW) < 0:
            return codes.OVERFLOW
        if _follow(law, edges, work, out) < 0:
            return codes.OVERFLOW
        work[at.S_PREVIOUS_MS] = work[at.S_LAST + at.POSITION]
        work[at.S_PREVIOUS_VALUE] = work[at.S_LAST + at.VALUE]
    copy(work, at.S_NOW, work, at.S_LAST, at.READING_COLUMNS)
    work[at.S_CHANGED] = work[at.S_SKIPPED] = 0
    return codes.DONE


@compiled
def _take_block(columns: Columns, tables: Tables, law: Ints, edges: Ints, work: Ints, out: Out, row: int) -> int:
    # Take the next rows in: as many as are clean together, else a few by the rule. Gives the row behind them.
    time_ms, breaks = columns[0], tables[3]
    while work[at.S_STRETCH] < len(breaks) and time_ms[row] >= breaks[work[at.S_STRETCH]]:
        work[at.S_STRETCH] += 1
    end = min(row + BLOCK_ROWS, len(time_ms))
    end = rows_that_count(columns, row, end) if row > 0 else row
    while end - row >= FEWEST_ROWS:
        if is_clean(columns, tables, law, edges, work, row, end):
            work[at.S_SLOW] = _LEAST_ROWS
            return end if absorb(columns, tables, law, edges, work, out, row, end) >= 0 else -1
        end = row + (end - row) // 2
    # The longer nothing is clean, the more rows are taken before it is asked again.
    end = min(row + work[at.S_SLOW], len(time_ms))
    work[at.S_SLOW] = min(2 * work[at.S_SLOW], _MOST_ROWS)
    for index in range(row, end):
        while work[at.S_STRETCH] < len(breaks) and time_ms[index] >= breaks[work[at.S_STRETCH]]:
            work[at.S_STRETCH] += 1
        if _take(columns, tables, law, edges, work, out, index) < 0:
            return -1
    return int(end)


@allocating
def counter_segment(columns: Columns, tables: Tables, law: Ints, edges: Ints) -> Answer:
    """Turn the rows of a counter into hours, marks and still stretches.

    Args:
        columns: time_ms, value, quality, sent_ms, received_ms, synced (uint8), binding, and the register step of each
            row where its words tell it (else without rows).
        tables: for each binding, its register's step and binary digits; what a float register's 1 is [quanta]; for
            each stretch of time between two changes of declared meters, the key of each binding's readings (below 0:
            not of a declared meter); and the instants of those changes [ms].
        law: what holds of the whole counter, see `compute.layout`.
        edges: the instants at which amounts must be divisible [ms], in order.

    Returns:
        `DONE` or `OVERFLOW`; the state behind the last row, see `compute.layout`; hours, marks, and the still stretches
        that neither begin with the first reading nor end with the last.
    """
    work = np.zeros(at.WORK_COLUMNS, np.int64)
    work[at.S_PREVIOUS_MS] = work[at.S_HEAD + at.PREVIOUS_MS] = at.NOWHERE
    work[at.S_AMOUNT_TO] = work[at.S_USABLE_TO] = at.NOWHERE
    work[at.S_SLOW] = _LEAST_ROWS
    hours, marks = np.empty((1024, at.HOUR_COLUMNS), np.int64), np.empty((64, at.MARK_COLUMNS), np.int64)
    runs = np.empty((BLOCK_ROWS, at.RUN_COLUMNS), np.int64)
    row = int(work[at.S_ROWS])  # 0, which numba would compile everything once more for
    while 0 <= row < len(columns[0]):
        hours = with_room(hours, work[at.S_HOURS], 2 * BLOCK_ROWS + 2)
        marks = with_room(marks, work[at.S_MARKS], _MOST_ROWS + 1)
        runs = with_room(runs, work[at.S_RUNS], BLOCK_ROWS)
        row = _take_block(columns, tables, law, edges, work, (hours, marks, runs), row)
    status = codes.DONE if row >= 0 else codes.OVERFLOW
    if status == codes.DONE and work[at.S_PAIRS] > 0:
        if work[at.S_PAIRS] == 1:
            copy(work, at.S_TAIL, work, at.S_HEAD, at.MARK_COLUMNS)
        marks = with_room(marks, work[at.S_MARKS], 1)
        status = emit(work, at.S_TAIL, hours, marks, law[at.ORIGIN_MS], edges)
    if work[at.S_STILL] != 0 and work[at.S_TAIL_RUN + at.RUN_FROM + at.SLOT] == work[at.S_FIRST + at.SLOT]:
        copy(work, at.S_TAIL_RUN, work, at.S_HEAD_RUN, at.RUN_COLUMNS)
    state = work[: at.STATE_COLUMNS]
    return status, state, hours[: work[at.S_HOURS]], marks[: work[at.S_MARKS]], runs[: work[at.S_RUNS]]
