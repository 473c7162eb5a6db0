"""The kernels again, in plain Python with unbounded integers: written from the rules and easy to read.

Same arguments, same answers as `compute.kernels`; a test holds the two bit-equal. Nothing runs on it.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil as ceiling
from math import floor, frexp, ldexp

import numpy as np

from compute import codes
from compute import layout as at
from compute.arrays import Answer, Columns, Ints, Tables

_INT64_MAX = 2**63 - 1
Reading = tuple[int, int, int, int, int, int]


class _TooMuchError(Exception):
    pass


def possible_amount(span_ms: int, rate_num: int, rate_den: int, step: int) -> int:
    """As `kernels.rule.possible_amount`; a quarter of int64 keeps every later sum and difference in range."""
    whole, part = divmod(rate_num, rate_den)
    if max(whole * span_ms, part * (span_ms // rate_den + 1), step) > _INT64_MAX // 4:
        return codes.OVERFLOW
    return floor(Fraction(rate_num * span_ms, rate_den)) + step


def _judge(earlier: int, later: int, most: int, modulus: int, resettable: bool, not_saved: int) -> tuple[int, int, int]:
    gain = later - earlier
    if 0 < -gain <= not_saved:
        return 0, most, codes.STEPPED_BACK
    rolled = gain + modulus
    if rolled <= most < modulus and later >= 0 and earlier < modulus:  # so it went down
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


def _most(span_ms: int, step: int, law: Sequence[int]) -> int:
    most = possible_amount(span_ms, law[at.RATE_NUM], law[at.RATE_DEN], step)
    if most == codes.OVERFLOW:
        raise _TooMuchError
    return most


def _pair(earlier: Reading, later: Reading, changed: bool, skipped: bool, law: Sequence[int]) -> list[int]:
    stands, slot, asked, answered, value, step = earlier
    later_stands, later_slot, _, later_answered, later_value, later_step = later
    ordered = later_answered > answered
    coarser, apart_ms = max(step, later_step), later_slot - slot
    most = _most(later_answered - asked if ordered else apart_ms, coarser, law)
    has_gap = 0 < law[at.INTERVAL_MS] < apart_ms
    can_lose = has_gap and law[at.NONVOLATILE_MS] > 0
    not_saved = _most(law[at.NONVOLATILE_MS], coarser, law) if law[at.NONVOLATILE_MS] > 0 and later_value < value else 0
    if changed:
        low, high, code = 0, most, codes.METER_CHANGED
    elif not ordered:
        low, high, code = 0, most, codes.CLOCK_ORDER
    else:
        low, high, code = _judge(value, later_value, most, law[at.MODULUS], bool(law[at.RESETTABLE]), not_saved)
        if can_lose and code == codes.ROLLOVER:
            low, high, code = 0, most, codes.ROLLOVER_UNPROVED
        elif can_lose and code == codes.EXACT:
            high, code = most, codes.NOT_SAVED
        elif code == codes.EXACT and (skipped or has_gap):
            code = codes.BRIDGED
    return [stands, later_stands, slot, later_slot, value, later_value, low, high, most, code, at.NOWHERE, 0]


def _readings(columns: Columns, tables: Tables, tolerance_ms: int) -> list[tuple[int, int, Reading | None]]:
    """For each row its key, its place, and its reading when it counts."""
    time_ms, value, quality, sent_ms, received_ms, synced, binding, steps = (column.tolist() for column in columns)
    bound, ones, keys, breaks = (table.tolist() for table in tables)
    rows: list[tuple[int, int, Reading | None]] = []
    for k, slot in enumerate(time_ms):
        key = keys[sum(edge <= slot for edge in breaks)][binding[k]]
        reading = None
        if quality[k] == 0 and synced[k] and key >= 0:
            step, digits = bound[binding[k]]
            if step == at.STEP_IN_COLUMN:
                step = steps[k]
            elif step == at.STEP_OF_FLOAT:
                one = ones[binding[k]]
                step = ceiling(one * ldexp(1.0, frexp(abs(float(value[k])) / one)[1] - digits))
            answered = received_ms[k]
            stands = slot if abs(answered - slot) <= tolerance_ms else answered
            reading = (stands, slot, min(sent_ms[k], answered), answered, value[k], step)
        rows.append((key, k, reading))
    return rows


class _Tables:
    """Hours and marks, filled pair by pair."""

    def __init__(self, law: Sequence[int], edges: Sequence[int]) -> None:
        self._origin_ms, self._edges = law[at.ORIGIN_MS], edges
        self._hours: dict[tuple[int, int], list[int]] = {}
        self._marks: list[list[int]] = []

    def _row(self, instant_ms: int, part: int) -> list[int]:
        start_ms = self._origin_ms + (instant_ms - self._origin_ms) // at.HOUR_MS * at.HOUR_MS
        return self._hours.setdefault((start_ms, part), [0, 0, 0])

    def count(self, slot_ms: int) -> None:
        self._row(slot_ms, sum(edge <= slot_ms for edge in self._edges))[2] += 1

    def keep(self, row: list[int]) -> None:
        earlier_ms, later_ms = row[:2]
        sums = self._row(later_ms - 1, sum(edge < later_ms for edge in self._edges))
        sums[0] += row[at.LOW]
        sums[1] += row[at.HIGH]
        if sums[1] > _INT64_MAX:
            raise _TooMuchError
        from_ms, to_ms = sorted((earlier_ms, later_ms))
        at_edge = any(from_ms <= edge <= to_ms for edge in self._edges)
        if row[at.CODE] != codes.EXACT or at_edge or later_ms - earlier_ms > at.DAY_MS:
            self._marks.append(row)

    def tables(self) -> tuple[Ints, Ints]:
        hours = [[*key, *sums] for key, sums in sorted(self._hours.items())]
        return (
            np.array(hours, np.int64).reshape(-1, at.HOUR_COLUMNS),
            np.array(self._marks, np.int64).reshape(-1, at.MARK_COLUMNS),
        )


def _runs(readings: list[Reading], rows: list[list[int]]) -> list[list[int]]:
    """Every stretch of readings that show the same, as the kernels write it, be it of one reading."""
    runs, start = [], 0
    while start < len(rows):
        end = start
        while end < len(rows) and rows[end][at.CODE] <= codes.LAST_POSSIBLE and _same(rows[end]):
            end += 1
        ended = end < len(rows)
        ender = readings[end + 1] if ended else (0,) * at.READING_COLUMNS
        taken = ended and rows[end][at.CODE] <= codes.LAST_POSSIBLE
        coarsest = max(reading[at.STEP] for reading in readings[start : end + 1])
        runs.append([*readings[start], *readings[end], *ender, int(ended), int(taken), coarsest])
        start = max(end, start + 1)
    return runs


def _same(row: list[int]) -> bool:
    return row[at.EARLIER_VALUE] == row[at.LATER_VALUE]


def _widened_beside(rows: list[list[int]]) -> list[list[int]]:
    impossible = [codes.RESET <= row[at.CODE] <= codes.LAST_IMPOSSIBLE for row in rows]
    widened = [[*row] for row in rows]
    for k, row in enumerate(widened):
        beside = impossible[max(k - 1, 0) : k] + impossible[k + 1 : k + 2]
        if row[at.CODE] <= codes.LAST_POSSIBLE and any(beside):
            row[at.LOW], row[at.HIGH], row[at.CODE] = 0, row[at.LIMIT], codes.BESIDE_IMPOSSIBLE
    return widened


def counter_segment(columns: Columns, tables: Tables, law: Ints, edges: Ints) -> Answer:
    """As `kernels.counter.counter_segment`."""
    try:
        return _counter_segment(columns, tables, law.tolist(), edges.tolist())
    except _TooMuchError:
        none = np.empty((0, 0), np.int64)
        return codes.OVERFLOW, none, none, none, none


def _counter_segment(columns: Columns, tables: Tables, law: list[int], edges: list[int]) -> Answer:
    rows = _readings(columns, tables, law[at.TOLERANCE_MS])
    counting = [(k, reading) for _, k, reading in rows if reading is not None]
    keys = [key for key, _, _ in rows]
    readings = [reading for _, reading in counting]
    pairs = []
    for (i, earlier), (j, later) in pairwise(counting):
        changed = any(before != behind for before, behind in pairwise(keys[i : j + 1]))
        pairs.append(_pair(earlier, later, changed, j > i + 1, law))
    for before, row in pairwise(pairs):
        row[at.PREVIOUS_MS], row[at.PREVIOUS_VALUE] = before[at.EARLIER_MS], before[at.EARLIER_VALUE]
    runs = _runs(readings, pairs) if law[at.STILL_MS] > 0 else []
    pairs = _widened_beside(pairs)
    kept = _Tables(law, edges)
    for reading in readings:
        kept.count(reading[at.SLOT])
    for row in pairs:
        kept.keep(row)
    between = [
        run for run in runs
        if run[at.RUN_ENDED] and run[at.SLOT] != readings[0][at.SLOT]
        and run[at.RUN_TO + at.SLOT] - run[at.SLOT] >= law[at.STILL_MS]
    ]  # fmt: skip
    table = np.array(between, np.int64).reshape(-1, at.RUN_COLUMNS)
    return codes.DONE, _ends(keys, counting, pairs, runs), *kept.tables(), table


def _ends(keys: list[int], counting: list[tuple[int, Reading]], pairs: list[list[int]], runs: list[list[int]]) -> Ints:
    ends = np.zeros(at.STATE_COLUMNS, np.int64)
    ends[at.S_ROWS] = len(keys)
    if keys:
        ends[at.S_OPEN_KEY], ends[at.S_KEY] = keys[0], keys[-1]
    first, last = (counting[0][0], counting[-1][0]) if counting else (len(keys), 0)
    changes = [k for k in range(1, len(keys)) if keys[k] != keys[k - 1]]
    ends[at.S_CHANGED] = any(k > last for k in changes)
    ends[at.S_SKIPPED] = bool(keys) and (not counting or last < len(keys) - 1)
    ends[at.S_HEAD + at.PREVIOUS_MS] = at.NOWHERE
    if not counting:
        return ends
    ends[at.S_HAS], ends[at.S_USABLE], ends[at.S_PAIRS] = 1, len(counting), len(pairs)
    ends[at.S_HEAD_CHANGED], ends[at.S_HEAD_SKIPPED] = any(k <= first for k in changes), first > 0
    ends[at.S_STEP] = max(reading[at.STEP] for _, reading in counting)
    ends[at.S_FIRST : at.S_LAST], ends[at.S_LAST : at.S_HEAD] = counting[0][1], counting[-1][1]
    if pairs:
        ends[at.S_HEAD : at.S_TAIL], ends[at.S_TAIL : at.S_HEAD_RUN] = pairs[0], pairs[-1]
    for run in runs:
        if run[at.SLOT] == counting[0][1][at.SLOT]:
            ends[at.S_HEAD_RUN : at.S_TAIL_RUN] = run
        if not run[at.RUN_ENDED]:
            ends[at.S_TAIL_RUN :] = run
    return ends
