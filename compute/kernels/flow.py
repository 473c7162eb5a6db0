"""What a measured power says that a counter should have gained meanwhile, compiled.

Between two samples that follow each other the lower of the two counts, and only samples within the stretch do; so no
more is expected of a counter than was certainly there, and stretches can be put together.
"""

import numpy as np

from compute import codes
from compute import layout as at
from compute.arrays import Columns, Flags, Ints, Tables
from compute.kernels.jit import compiled


@compiled
def row_at(time_ms: Ints, instant_ms: int) -> int:
    """Find the first row whose slot is not before an instant."""
    low, high = 0, len(time_ms)
    while low < high:
        middle = (low + high) // 2
        if time_ms[middle] < instant_ms:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def between(earlier_ms: int, earlier_mw: int, later_ms: int, later_mw: int, power: Ints) -> int:
    """Give the energy from one sample of a power to the next [quanta]; 0 when they do not follow each other."""
    span_ms = later_ms - earlier_ms
    if span_ms > power[at.POWER_INTERVAL_MS]:
        return 0
    least_mw = min(earlier_mw, later_mw)
    whole, part = least_mw // power[at.POWER_DIVISOR], least_mw % power[at.POWER_DIVISOR]
    return int(whole * span_ms + part * span_ms // power[at.POWER_DIVISOR])


@compiled
def _flowing(columns: Columns, tables: Tables, power: Ints, row: int, stretch: int) -> int:
    # Power in the counter's direction [mW]; 0 where it is unknown, too little, or goes the other way.
    value, quality, synced, binding = columns[1], columns[2], columns[5], columns[6]
    signs, keys = tables[0], tables[2]
    if quality[row] != 0 or synced[row] == 0 or keys[stretch, binding[row]] < 0:
        return 0
    # The counter's rating bounds it before it is turned round: the least int64 has no positive twin.
    power_mw = min(max(value[row], -power[at.POWER_MOST_MW]), power[at.POWER_MOST_MW]) * signs[binding[row], 0]
    return power_mw if power_mw >= power[at.POWER_LEAST_MW] else 0


@compiled
def _is_idle(value: Ints, first: int, end: int, least_mw: int) -> bool:
    # Whether no value is large enough to flow, whatever its sign.
    here = value[first:end]
    wrong = np.int64(0)
    for row in range(end - first):
        wrong |= (least_mw - 1 - here[row]) | (least_mw - 1 + here[row])
    return bool(wrong >= 0)


@compiled
def flow(columns: Columns, tables: Tables, power: Ints, from_ms: int, to_ms: int, out: Ints) -> int:
    """Add up what flowed from one instant to another, both included.

    Args:
        columns: of the power, see `compute.kernels.counter.counter_segment`.
        tables: what its bindings say; in the first, for each binding, 1, -1 or 0: the sign of what moves the counter.
        power: what holds of the whole power.
        from_ms: the first instant [ms].
        to_ms: the last one [ms].
        out: out, the flow.

    Returns:
        `DONE`.
    """
    time_ms, breaks = columns[0], tables[3]
    first, end = row_at(time_ms, from_ms), row_at(time_ms, to_ms + 1)
    for column in range(at.FLOW_COLUMNS):
        out[column] = 0
    if first >= end:
        return codes.DONE
    stretch = row_at(breaks, time_ms[first] + 1)
    idle = _is_idle(columns[1], first, end, power[at.POWER_LEAST_MW])
    for row in range(first, end):
        if idle and first < row < end - 1:
            continue
        while stretch < len(breaks) and time_ms[row] >= breaks[stretch]:
            stretch += 1
        power_mw = 0 if idle else _flowing(columns, tables, power, row, stretch)
        if out[at.FLOW_HAS] == 0:
            out[at.FLOW_HAS], out[at.FLOW_FROM_MS], out[at.FLOW_FROM_MW] = 1, time_ms[row], power_mw
        elif not idle:
            before_ms, before_mw = out[at.FLOW_TO_MS], out[at.FLOW_TO_MW]
            out[at.FLOW_ENERGY] += between(before_ms, before_mw, time_ms[row], power_mw, power)
        out[at.FLOW_TO_MS], out[at.FLOW_TO_MW] = time_ms[row], power_mw
    return codes.DONE


@compiled
def frozen_runs(columns: Columns, tables: Tables, power: Ints, runs: Ints, out: Ints, frozen: Flags) -> int:
    """Say which still stretches should have moved: by two register steps at least.

    Args:
        columns: of the power.
        tables: what its bindings say.
        power: what holds of the whole power.
        runs: still stretches of the counter.
        out: room for a flow.
        frozen: out, 1 for each stretch that is frozen.

    Returns:
        `DONE`.
    """
    for index in range(len(runs)):
        from_ms, to_ms = runs[index, at.RUN_FROM + at.SLOT], runs[index, at.RUN_TO + at.SLOT]
        flow(columns, tables, power, from_ms, to_ms, out)
        frozen[index] = 1 if out[at.FLOW_ENERGY] >= 2 * runs[index, at.RUN_STEP] else 0
    return codes.DONE
