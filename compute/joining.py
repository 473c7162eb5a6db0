"""Stretches of one parameter put together: the same bits however the readings were cut, and in whichever order.

Only what lies at a cut is looked at again: the pair across it, the pair on either side (an impossible step casts doubt
on its neighbours), and the stretch in which a counter stood still across it.
"""

from dataclasses import replace

import numpy as np

from compute import codes
from compute import layout as at
from compute.arrays import Ints
from compute.errors import AmountOverflowError
from compute.kernels import flow, rule, samples, tables
from compute.law import Law, hour_of
from compute.segments import Marks, Segment, has_run, merged


def join(left: Segment, right: Segment, law: Law) -> Segment:
    """Put two stretches together; associative, with `EMPTY` as the neutral element.

    Args:
        left: the earlier stretch.
        right: the later one.
        law: by which both were measured.

    Raises:
        AmountOverflowError: when int64 cannot hold an amount.
    """
    if not left.ends[at.S_ROWS]:
        return _with_flows(right, [_flow(left.flows[0], right.flows[0], law), *right.flows[1:]])
    if not right.ends[at.S_ROWS]:
        if not left.ends[at.S_HAS]:
            return _with_flows(left, [_flow(left.flows[0], right.flows[0], law), *left.flows[1:]])
        return _with_flows(left, [*left.flows[:3], _flow(left.flows[3], right.flows[0], law)])
    if not left.ends[at.S_HAS] or not right.ends[at.S_HAS]:
        return _beside_nothing(left, right, law)
    return _Cut(left, right, law).joined()


def joined(segments: list[Segment], law: Law) -> Segment:
    """Put any number of stretches together, from the earliest on."""
    whole = Segment()
    for segment in segments:
        whole = join(whole, segment, law)
    return whole


def _beside_nothing(left: Segment, right: Segment, law: Law) -> Segment:
    # Of the rows of one of the two none counts, or of both.
    crossing = int(left.ends[at.S_KEY] != right.ends[at.S_OPEN_KEY])
    if left.ends[at.S_HAS]:
        ends = left.ends.copy()
        ends[at.S_CHANGED] |= crossing | right.ends[at.S_CHANGED]
        flows = [*left.flows[:3], _flow(left.flows[3], right.flows[0], law)]
    else:
        ends = right.ends.copy()
        place = at.S_HEAD_CHANGED if right.ends[at.S_HAS] else at.S_CHANGED
        ends[place] |= crossing | left.ends[at.S_CHANGED]
        ends[at.S_HEAD_SKIPPED] = right.ends[at.S_HAS]
        ends[at.S_OPEN_KEY] = left.ends[at.S_OPEN_KEY]
        flows = [_flow(left.flows[0], right.flows[0], law), *right.flows[1:]]
    ends[at.S_KEY] = right.ends[at.S_KEY]
    if not right.ends[at.S_HAS]:
        ends[at.S_SKIPPED] = 1
    ends[at.S_ROWS] = left.ends[at.S_ROWS] + right.ends[at.S_ROWS]
    known = left if left.ends[at.S_HAS] else right
    return replace(known, ends=ends, flows=np.stack(flows))


def _with_flows(segment: Segment, flows: list[Ints]) -> Segment:
    return replace(segment, flows=np.stack(flows))


def _flow(earlier: Ints, later: Ints, law: Law) -> Ints:
    # What two neighbouring stretches of the power say together.
    if not earlier[at.FLOW_HAS] or law.power is None:
        return later
    if not later[at.FLOW_HAS]:
        return earlier
    both = earlier.copy()
    both[at.FLOW_TO_MS : at.FLOW_ENERGY] = later[at.FLOW_TO_MS : at.FLOW_ENERGY]
    both[at.FLOW_ENERGY] += later[at.FLOW_ENERGY] + flow.between(
        int(earlier[at.FLOW_TO_MS]), int(earlier[at.FLOW_TO_MW]),
        int(later[at.FLOW_FROM_MS]), int(later[at.FLOW_FROM_MW]), law.power.numbers(),
    )  # fmt: skip
    return both


class _Cut:
    # Two stretches that both have readings, while they are put together.
    def __init__(self, left: Segment, right: Segment, law: Law) -> None:
        self._left, self._right, self._law = left, right, law
        self._work = np.zeros(at.WORK_COLUMNS, np.int64)
        self._edges = law.edges()
        self._ends = left.ends.copy()
        self._amounts = [left.hours.table, right.hours.table]
        self._frozen = [left.frozen, right.frozen]
        self._flows = [left.flows[0], left.flows[1], right.flows[2], right.flows[3]]

    def joined(self) -> Segment:
        bridge = self._bridge()
        said = bridge[at.CODE] <= codes.LAST_POSSIBLE and bridge[at.EARLIER_VALUE] == bridge[at.LATER_VALUE]
        if self._law.still_ms:
            self._stand_still(is_still=bool(said), says=bool(bridge[at.CODE] <= codes.LAST_POSSIBLE))
        tail, head = self._edge(self._left, at.S_TAIL), self._edge(self._right, at.S_HEAD)
        if tail is not None:
            bridge[at.PREVIOUS_MS], bridge[at.PREVIOUS_VALUE] = tail[at.EARLIER_MS], tail[at.EARLIER_VALUE]
        if head is not None:
            head[at.PREVIOUS_MS] = self._left.ends[at.S_LAST + at.POSITION]
            head[at.PREVIOUS_VALUE] = self._left.ends[at.S_LAST + at.VALUE]
        raw = bridge.copy()
        for other in (tail, head):
            if other is not None:
                self._beside(bridge, other)
                self._change(other, raw)
        self._amounts.append(self._hour(bridge, bridge[at.LOW], bridge[at.HIGH]))
        self._join_ends(bridge, tail, head)
        frozen = np.concatenate(self._frozen)
        return Segment(
            merged(self._amounts), self._marks(bridge, tail, head), self._ends,
            frozen[np.argsort(frozen[:, at.SLOT], kind="stable")], np.stack(self._flows),
        )  # fmt: skip

    def _bridge(self) -> Ints:
        # The pair across the cut, but for what its neighbours say.
        left, right, work, law = self._left.ends, self._right.ends, self._work, self._law.numbers()
        work[at.S_LAST : at.S_LAST + at.READING_COLUMNS] = left[at.S_LAST : at.S_LAST + at.READING_COLUMNS]
        work[at.S_NOW : at.S_NOW + at.READING_COLUMNS] = right[at.S_FIRST : at.S_FIRST + at.READING_COLUMNS]
        if self._law.is_counter:
            other = left[at.S_KEY] != right[at.S_OPEN_KEY]
            changed = bool(left[at.S_CHANGED] or other or right[at.S_HEAD_CHANGED])
            skipped = bool(left[at.S_SKIPPED] or right[at.S_HEAD_SKIPPED])
            status = rule.pair(work, at.S_LAST, at.S_NOW, changed, skipped, law, at.S_ROW)
        else:
            status = samples.sample_pair(work, at.S_LAST, at.S_NOW, law, at.S_ROW)
        if status == codes.OVERFLOW:
            raise AmountOverflowError("an amount between two readings is more than int64 holds; check rated_power_w")
        bridge = work[at.S_ROW : at.S_ROW + at.MARK_COLUMNS].copy()
        bridge[at.PREVIOUS_MS] = at.NOWHERE
        return bridge

    @staticmethod
    def _edge(segment: Segment, place: int) -> Ints | None:
        return segment.ends[place : place + at.MARK_COLUMNS].copy() if segment.ends[at.S_PAIRS] else None

    def _beside(self, row: Ints, other: Ints) -> None:
        work = self._work
        work[at.S_ROW : at.S_ROW + at.MARK_COLUMNS] = row
        work[at.S_TAIL : at.S_TAIL + at.MARK_COLUMNS] = other
        rule.widen_beside(work, at.S_ROW, at.S_TAIL)
        row[:] = work[at.S_ROW : at.S_ROW + at.MARK_COLUMNS]

    def _change(self, row: Ints, other: Ints) -> None:
        # Widen the pair beside the cut; its hour already has what it said before.
        low, high = int(row[at.LOW]), int(row[at.HIGH])
        self._beside(row, other)
        if (low, high) != (row[at.LOW], row[at.HIGH]):
            self._amounts.append(self._hour(row, row[at.LOW] - low, row[at.HIGH] - high))

    def _hour(self, row: Ints, low: int, high: int) -> Ints:
        return hour_of(int(row[at.LATER_MS]), int(low), int(high), self._law)

    def _is_mark(self, row: Ints) -> bool:
        self._work[at.S_ROW : at.S_ROW + at.MARK_COLUMNS] = row
        return bool(tables.is_mark(self._work, at.S_ROW, self._edges))

    def _marks(self, bridge: Ints, tail: Ints | None, head: Ints | None) -> Marks:
        before, behind = self._left.marks.table, self._right.marks.table
        if tail is not None and len(before) and before[-1, at.LATER_SLOT] == tail[at.LATER_SLOT]:
            before = before[:-1]
        if head is not None and len(behind) and behind[0, at.LATER_SLOT] == head[at.LATER_SLOT]:
            behind = behind[1:]
        rows = [row for row in (tail, bridge, head) if row is not None and self._is_mark(row)]
        return Marks(np.concatenate([before, *(row[None] for row in rows), behind]))

    def _join_ends(self, bridge: Ints, tail: Ints | None, head: Ints | None) -> None:
        ends, left, right = self._ends, self._left.ends, self._right.ends
        for place in (at.S_ROWS, at.S_USABLE, at.S_PAIRS):
            ends[place] = left[place] + right[place]
        ends[at.S_PAIRS] += 1
        ends[at.S_STEP] = max(left[at.S_STEP], right[at.S_STEP])
        for place in (at.S_KEY, at.S_CHANGED, at.S_SKIPPED):
            ends[place] = right[place]
        ends[at.S_LAST : at.S_LAST + at.READING_COLUMNS] = right[at.S_LAST : at.S_LAST + at.READING_COLUMNS]
        first = bridge if tail is None else tail
        if left[at.S_PAIRS] <= 1:
            ends[at.S_HEAD : at.S_HEAD + at.MARK_COLUMNS] = first
        last = right[at.S_TAIL : at.S_TAIL + at.MARK_COLUMNS]
        if right[at.S_PAIRS] <= 1:
            last = bridge if head is None else head
        ends[at.S_TAIL : at.S_TAIL + at.MARK_COLUMNS] = last

    def _stand_still(self, *, is_still: bool, says: bool) -> None:
        left, right = _run(self._left, at.S_TAIL_RUN, at.S_LAST), _run(self._right, at.S_HEAD_RUN, at.S_FIRST)
        left_is_whole = left[at.RUN_FROM + at.SLOT] == self._left.ends[at.S_FIRST + at.SLOT]
        right_is_whole = not right[at.RUN_ENDED]
        flows_left, flows_right = self._left.flows, self._right.flows
        self._ends[at.S_TAIL_RUN :] = self._right.ends[at.S_TAIL_RUN :]
        if not is_still:
            left[at.RUN_ENDER : at.RUN_ENDER + at.READING_COLUMNS] = right[: at.READING_COLUMNS]
            left[at.RUN_ENDED], left[at.RUN_TAKEN] = 1, int(says)
            self._keep(left, flows_left[2], is_head=left_is_whole, is_tail=False)
            self._keep(right, flows_right[1], is_head=False, is_tail=right_is_whole)
            return
        across = right.copy()
        across[: at.READING_COLUMNS] = left[: at.READING_COLUMNS]
        across[at.RUN_STEP] = max(left[at.RUN_STEP], right[at.RUN_STEP])
        flowed = flows_left[2]
        for part in (flows_left[3], flows_right[0], flows_right[1]):
            flowed = _flow(flowed, part, self._law)
        self._keep(across, flowed, is_head=left_is_whole, is_tail=right_is_whole)

    def _keep(self, run: Ints, flowed: Ints, *, is_head: bool, is_tail: bool) -> None:
        # A stretch at an end stays open; one that lies between is frozen or not.
        for is_there, place, flow_at in ((is_head, at.S_HEAD_RUN, 1), (is_tail, at.S_TAIL_RUN, 2)):
            if is_there:
                self._ends[place : place + at.RUN_COLUMNS] = run if _stood(run) or run[at.RUN_ENDED] else 0
                self._flows[flow_at] = flowed
        if not is_head and not is_tail and is_frozen(run, flowed, self._law):
            self._frozen.append(run[None])


def _run(segment: Segment, place: int, reading: int) -> Ints:
    # The still stretch at an end; of one reading when it did not stand still there.
    run = segment.ends[place : place + at.RUN_COLUMNS].copy()
    if not _stood(run) and not run[at.RUN_ENDED]:
        run[:] = 0
        here = segment.ends[reading : reading + at.READING_COLUMNS]
        run[: at.READING_COLUMNS] = run[at.RUN_TO : at.RUN_TO + at.READING_COLUMNS] = here
        run[at.RUN_STEP] = here[at.STEP]
    return run


def _stood(run: Ints) -> bool:
    return bool(run[at.RUN_FROM + at.SLOT] != run[at.RUN_TO + at.SLOT])


def is_frozen(run: Ints, flowed: Ints, law: Law) -> bool:
    """Say whether a still stretch lasted long enough, and two steps at least are missing in it."""
    stood_ms = int(run[at.RUN_TO + at.SLOT] - run[at.RUN_FROM + at.SLOT])
    return bool(stood_ms >= law.still_ms and flowed[at.FLOW_ENERGY] >= 2 * run[at.RUN_STEP])


def settled(segment: Segment, law: Law) -> Segment:
    """Let the stretches count in which the counter was frozen; nothing is joined to it afterwards.

    Each becomes one mark, from the reading where it began to the one that ended it: [0, R over all of it].

    Raises:
        AmountOverflowError: when int64 cannot hold an amount.
    """
    runs = [*segment.frozen]
    head, tail = (segment.ends[place : place + at.RUN_COLUMNS] for place in (at.S_HEAD_RUN, at.S_TAIL_RUN))
    if has_run(segment.ends, at.S_HEAD_RUN) and is_frozen(head, segment.flows[1], law):
        runs.insert(0, head)
    if (
        has_run(segment.ends, at.S_TAIL_RUN)
        and not np.array_equal(head, tail)
        and is_frozen(tail, segment.flows[2], law)
    ):
        runs.append(tail)
    if not runs:
        return segment
    amounts, marks, added = [segment.hours.table], segment.marks.table, []
    kept = np.ones(len(marks), np.bool_)
    for run in runs:
        to = run[at.RUN_ENDER :] if run[at.RUN_TAKEN] else run[at.RUN_TO :]
        inside = (marks[:, at.EARLIER_SLOT] >= run[at.SLOT]) & (marks[:, at.LATER_SLOT] <= to[at.SLOT])
        kept &= ~inside
        amounts += [hour_of(int(row[at.LATER_MS]), -int(row[at.LOW]), -int(row[at.HIGH]), law) for row in marks[inside]]
        gained = int(to[at.VALUE] - run[at.VALUE])
        if run[at.RUN_TAKEN] and not np.any(marks[inside, at.LATER_SLOT] == to[at.SLOT]):
            amounts.append(hour_of(int(to[at.POSITION]), -gained, -gained, law))
        mark = _frozen_mark(run, to, law)
        amounts.append(hour_of(int(to[at.POSITION]), 0, int(mark[at.HIGH]), law))
        added.append(mark)
    table = np.concatenate([marks[kept], np.stack(added)])
    table = table[np.argsort(table[:, at.LATER_SLOT], kind="stable")]
    return replace(segment, hours=merged(amounts), marks=Marks(table))


def _frozen_mark(run: Ints, to: Ints, law: Law) -> Ints:
    most = law.possible(int(to[at.ANSWER] - run[at.REQUEST]), int(max(run[at.RUN_STEP], to[at.STEP])))
    both = (run[at.POSITION], to[at.POSITION], run[at.SLOT], to[at.SLOT], run[at.VALUE], to[at.VALUE])
    return np.array([*both, 0, most, most, codes.FROZEN, at.NOWHERE, 0], np.int64)
