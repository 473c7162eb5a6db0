"""The tables that kernels fill: hours and marks, which grow as they are needed, compiled."""

import numpy as np

from compute import codes
from compute import layout as at
from compute.arrays import Ints
from compute.kernels.jit import allocating, compiled

_MAX = 2**63 - 1


@allocating
def with_room(table: Ints, used: int, more: int) -> Ints:
    """Give a table that has room for more rows: the same one, or a larger copy."""
    if used + more <= len(table):
        return table
    larger = np.empty((2 * len(table) + more, table.shape[1]), np.int64)
    for row in range(used):
        for column in range(table.shape[1]):
            larger[row, column] = table[row, column]
    return larger


@compiled
def copy(source: Ints, from_: int, target: Ints, to: int, count: int) -> int:
    """Copy some numbers; an assignment of slices takes several times as long."""
    for index in range(count):
        target[to + index] = source[from_ + index]
    return codes.DONE


@compiled
def hour_row(hours: Ints, work: Ints, start_ms: int, part: int) -> int:
    """Find the row of an hour, or make it; rows stay in order.

    Args:
        hours: in and out, with room for one more row.
        work: in and out, how many rows there are.
        start_ms: when the hour begins [ms].
        part: between which edges.

    Returns:
        The row.
    """
    count = work[at.S_HOURS]
    place = count
    while place > 0:
        before, piece = hours[place - 1, at.START_MS], hours[place - 1, at.PART]
        if before == start_ms and piece == part:
            return int(place - 1)
        if before < start_ms or (before == start_ms and piece < part):
            break
        place -= 1
    for index in range(count, place, -1):
        for column in range(at.HOUR_COLUMNS):
            hours[index, column] = hours[index - 1, column]
    if place < count:  # rows moved: the ones last written to are elsewhere now
        work[at.S_AMOUNT_TO] = work[at.S_USABLE_TO] = at.NOWHERE
    hours[place, at.START_MS], hours[place, at.PART] = start_ms, part
    hours[place, at.HOUR_LOW] = hours[place, at.HOUR_HIGH] = hours[place, at.HOUR_USABLE] = 0
    work[at.S_HOURS] = count + 1
    return int(place)


@compiled
def add_usable(hours: Ints, work: Ints, slot_ms: int, readings: int, origin_ms: int, edges: Ints) -> int:
    """Count readings in the hour [H, H + 1) of their slot.

    Args:
        hours: in and out, with room for one more row.
        work: in and out.
        slot_ms: the slot of the first of them [ms].
        readings: how many there are.
        origin_ms: an instant at which an hour begins [ms].
        edges: the instants at which amounts must be divisible [ms].

    Returns:
        `DONE`.
    """
    if not (work[at.S_USABLE_FROM] <= slot_ms < work[at.S_USABLE_TO]):
        start_ms = slot_ms - (slot_ms - origin_ms) % at.HOUR_MS
        from_ms, to_ms, part = start_ms, start_ms + at.HOUR_MS, 0
        for index in range(len(edges)):
            if edges[index] <= slot_ms:
                part, from_ms = part + 1, max(from_ms, edges[index])
            else:
                to_ms = min(to_ms, edges[index])
        place = hour_row(hours, work, start_ms, part)
        work[at.S_USABLE_ROW], work[at.S_USABLE_FROM], work[at.S_USABLE_TO] = place, from_ms, to_ms
    hours[work[at.S_USABLE_ROW], at.HOUR_USABLE] += readings
    return codes.DONE


@compiled
def add_amount(hours: Ints, work: Ints, later_ms: int, low: int, high: int, origin_ms: int, edges: Ints) -> int:
    """Add an amount to the hour (H, H + 1] of its later end.

    Args:
        hours: in and out, with room for one more row.
        work: in and out.
        later_ms: where the later reading stands [ms].
        low: the least of it [quanta].
        high: the most of it [quanta].
        origin_ms: an instant at which an hour begins [ms].
        edges: the instants at which amounts must be divisible [ms].

    Returns:
        `DONE` or `OVERFLOW`.
    """
    if not (work[at.S_AMOUNT_FROM] < later_ms <= work[at.S_AMOUNT_TO]):
        start_ms = later_ms - 1 - (later_ms - 1 - origin_ms) % at.HOUR_MS
        from_ms, to_ms, part = start_ms, start_ms + at.HOUR_MS, 0
        for index in range(len(edges)):
            if edges[index] < later_ms:
                part, from_ms = part + 1, max(from_ms, edges[index])
            else:
                to_ms = min(to_ms, edges[index])
        place = hour_row(hours, work, start_ms, part)
        work[at.S_AMOUNT_ROW], work[at.S_AMOUNT_FROM], work[at.S_AMOUNT_TO] = place, from_ms, to_ms
    place = work[at.S_AMOUNT_ROW]
    if hours[place, at.HOUR_HIGH] > _MAX - high:
        return codes.OVERFLOW
    hours[place, at.HOUR_LOW] += low
    hours[place, at.HOUR_HIGH] += high
    return codes.DONE


@compiled
def is_mark(work: Ints, row: int, edges: Ints) -> bool:
    """Say whether a pair is kept one by one: not simply exact, at an edge, or over more than 24 h."""
    earlier_ms, later_ms = work[row + at.EARLIER_MS], work[row + at.LATER_MS]
    if work[row + at.CODE] != codes.EXACT or later_ms - earlier_ms > at.DAY_MS:
        return True
    for index in range(len(edges)):  # noqa: SIM110 - numba has no generators
        if min(earlier_ms, later_ms) <= edges[index] <= max(earlier_ms, later_ms):
            return True
    return False


@compiled
def emit(work: Ints, row: int, hours: Ints, marks: Ints, origin_ms: int, edges: Ints) -> int:
    """Keep a pair: its amount in the hour of its later reading, and itself where it is a mark.

    Args:
        work: in and out.
        row: where in it the pair is.
        hours: with room for one more row.
        marks: with room for one more row.
        origin_ms: an instant at which an hour begins [ms].
        edges: the instants at which amounts must be divisible [ms].

    Returns:
        `DONE` or `OVERFLOW`.
    """
    if add_amount(hours, work, work[row + at.LATER_MS], work[row + at.LOW], work[row + at.HIGH], origin_ms, edges) < 0:
        return codes.OVERFLOW
    if is_mark(work, row, edges):
        for column in range(at.MARK_COLUMNS):
            marks[work[at.S_MARKS], column] = work[row + column]
        work[at.S_MARKS] += 1
    return codes.DONE
