"""Stretches in which a counter shows the same, which another measurand may call frozen, compiled."""

from compute import codes
from compute import layout as at
from compute.arrays import Ints
from compute.kernels.jit import compiled
from compute.kernels.tables import copy


@compiled
def extend_run(work: Ints, reading: int) -> int:
    """Let a stretch begin with a reading, or go on to it.

    Args:
        work: in and out, the stretch.
        reading: where in it the reading is: it shows the same as the one before, or is the first.

    Returns:
        `DONE`.
    """
    run = at.S_TAIL_RUN
    if work[at.S_STILL] == 0:
        copy(work, reading, work, run + at.RUN_FROM, at.READING_COLUMNS)
        work[run + at.RUN_STEP] = 0
        work[at.S_STILL] = 1
    copy(work, reading, work, run + at.RUN_TO, at.READING_COLUMNS)
    work[run + at.RUN_STEP] = max(work[run + at.RUN_STEP], work[reading + at.STEP])
    return codes.DONE


@compiled
def end_run(work: Ints, ender: int, is_taken: bool, still_ms: int, runs: Ints) -> int:
    """End a stretch, and keep it where somebody may still ask for it.

    Args:
        work: in and out, the stretch.
        ender: where in it the reading is that shows something else.
        is_taken: whether the pair that it ends says something; if so it goes with the stretch.
        still_ms: a shorter stretch concerns nobody, unless it began with the first reading [ms].
        runs: out, with room for one more.

    Returns:
        `DONE`.
    """
    run = at.S_TAIL_RUN
    copy(work, ender, work, run + at.RUN_ENDER, at.READING_COLUMNS)
    work[run + at.RUN_ENDED], work[run + at.RUN_TAKEN] = 1, 1 if is_taken else 0
    work[at.S_STILL] = 0
    if work[run + at.RUN_FROM + at.SLOT] == work[at.S_FIRST + at.SLOT]:
        copy(work, run, work, at.S_HEAD_RUN, at.RUN_COLUMNS)
    elif work[run + at.RUN_TO + at.SLOT] - work[run + at.RUN_FROM + at.SLOT] >= still_ms:
        for column in range(at.RUN_COLUMNS):
            runs[work[at.S_RUNS], column] = work[run + column]
        work[at.S_RUNS] += 1
    for column in range(at.RUN_COLUMNS):
        work[run + column] = 0
    return codes.DONE
