"""Rows of the columns as readings: where one stands, and how fine its register was, compiled."""

import math

from compute import codes
from compute import layout as at
from compute.arrays import Columns, Ints, Tables
from compute.kernels.jit import compiled


@compiled
def step_of(value: int, step: int, one: float, digits: int) -> int:
    """Say what one register step is.

    Args:
        value: what the register shows [quanta].
        step: the step of its binding, or `STEP_OF_FLOAT`.
        one: of a float register, what its 1 is [quanta].
        digits: of a float register, the binary digits of its mantissa.

    Returns:
        The step; of a float one unit in the last place at that value, rounded up [quanta].
    """
    if step != at.STEP_OF_FLOAT:
        return step
    # float64 is exact enough for a power of two.
    _, exponent = math.frexp(abs(float(value)) / one)
    return int(math.ceil(one * math.ldexp(1.0, int(exponent - digits))))  # noqa: RUF046 - compiled, it is a float


@compiled
def reading_at(columns: Columns, tables: Tables, row: int, tolerance_ms: int, work: Ints, to: int) -> int:
    """Copy a row into a reading.

    Args:
        columns: of the series, see `compute.kernels.counter.counter_segment`.
        tables: what its bindings say.
        row: which row.
        tolerance_ms: how far from its slot an answer may be and still stand at the slot [ms].
        work: out.
        to: where in it the reading goes.

    Returns:
        `DONE`.
    """
    time_ms, value, _, sent_ms, received_ms, _, binding, steps = columns
    bound, ones, _, _ = tables
    slot_ms, answer_ms, place = time_ms[row], received_ms[row], binding[row]
    work[to + at.SLOT], work[to + at.ANSWER] = slot_ms, answer_ms
    work[to + at.POSITION] = slot_ms if -tolerance_ms <= answer_ms - slot_ms <= tolerance_ms else answer_ms
    work[to + at.REQUEST] = min(sent_ms[row], answer_ms)
    work[to + at.VALUE] = value[row]
    if bound[place, 0] == at.STEP_IN_COLUMN:
        work[to + at.STEP] = steps[row]
    else:
        work[to + at.STEP] = step_of(value[row], bound[place, 0], ones[place], bound[place, 1])
    return codes.DONE
