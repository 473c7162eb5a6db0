"""Stretches of one counter that can be computed apart and joined: the same bits however the readings are cut.

A segment knows its first and last usable reading, its amount, and the state of the rule that looks at neighbours: an
impossible step widens the step before and the step after it, which may lie in another segment.
"""

from dataclasses import dataclass, replace

import numpy as np

from compute import codes
from compute.intervals import CounterReadings, Pairs, Rate, counter_pairs, exact_sum
from compute.pairs import ZERO, Pair


@dataclass(frozen=True, slots=True)
class Reading:
    """One usable reading of a counter."""

    time_ms: int
    request_ms: int
    answer_ms: int
    value: int
    step: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Edge:
    """The outermost pair of a segment, which a neighbour may still widen."""

    amount: Pair
    limit: int
    """The most that was possible [quanta]."""
    code: int

    @property
    def impossible(self) -> bool:
        """Whether it casts doubt on its neighbours."""
        return codes.RESET <= self.code <= codes.LAST_IMPOSSIBLE

    def beside(self, other: "Edge | None") -> "Edge":
        """The same pair, widened when the pair beside it is impossible."""
        if other is None or not other.impossible or self.code > codes.LAST_POSSIBLE:
            return self
        return Edge(Pair(0, self.limit), self.limit, codes.BESIDE_IMPOSSIBLE)


@dataclass(frozen=True, slots=True)
class Segment:
    """What a stretch of readings amounts to."""

    first: Reading | None
    last: Reading | None
    count: int
    """The number of pairs."""
    amount: Pair
    """The sum of the pairs [quanta]."""
    head: Edge | None
    """The first pair; the same as `tail` when there is one pair only."""
    tail: Edge | None


EMPTY = Segment(None, None, 0, ZERO, None, None)


def segment_of(readings: CounterReadings, rate: Rate) -> Segment:
    """Compute one stretch."""
    usable = np.flatnonzero(readings.usable)
    if len(usable) == 0:
        return EMPTY
    pairs = counter_pairs(readings, rate)
    count = len(pairs.low)
    amount = Pair(exact_sum(pairs.low), exact_sum(pairs.high))
    first, last = _reading(readings, int(usable[0])), _reading(readings, int(usable[-1]))
    if count == 0:
        return Segment(first, last, 0, amount, None, None)
    return Segment(first, last, count, amount, _edge(pairs, 0), _edge(pairs, count - 1))


def join(left: Segment, right: Segment, rate: Rate, counter: CounterReadings) -> Segment:
    """Put two stretches together; associative, with `EMPTY` as the neutral element.

    Args:
        left: the earlier stretch.
        right: the later one.
        rate: the fastest the counter can run.
        counter: any stretch of the same counter, for what holds of all of it: modulus, whether it can be reset, what it
            loses with its supply.
    """
    if left.last is None:
        return right
    if right.first is None:
        return left
    bridge = _bridge(left.last, right.first, rate, counter)
    middle = bridge.beside(left.tail).beside(right.head)
    tail = left.tail.beside(bridge) if left.tail else None
    head = right.head.beside(bridge) if right.head else None
    return Segment(
        left.first,
        right.last,
        left.count + right.count + 1,
        _exchanged(left, tail) + middle.amount + _exchanged(right, head, at_head=True),
        middle if tail is None else (tail if left.count == 1 else left.head),
        middle if head is None else (head if right.count == 1 else right.tail),
    )


def _exchanged(segment: Segment, edge: Edge | None, *, at_head: bool = False) -> Pair:
    before = segment.head if at_head else segment.tail
    if edge is None or before is None:
        return segment.amount
    return Pair(
        segment.amount.low - before.amount.low + edge.amount.low,
        segment.amount.high - before.amount.high + edge.amount.high,
    )


def _bridge(earlier: Reading, later: Reading, rate: Rate, counter: CounterReadings) -> Edge:
    columns = [np.array(column, np.int64) for column in zip(_row(earlier), _row(later), strict=True)]
    time_ms, request_ms, answer_ms, value, step, epoch = columns
    both = np.ones(2, np.uint8)
    two = replace(
        counter,
        time_ms=time_ms,
        request_ms=request_ms,
        answer_ms=answer_ms,
        value=value,
        step=step,
        epoch=epoch,
        usable=both,
    )
    return _edge(counter_pairs(two, rate), 0)


def _row(reading: Reading) -> tuple[int, int, int, int, int, int]:
    return reading.time_ms, reading.request_ms, reading.answer_ms, reading.value, reading.step, reading.epoch


def _reading(readings: CounterReadings, index: int) -> Reading:
    return Reading(
        int(readings.time_ms[index]),
        int(readings.request_ms[index]),
        int(readings.answer_ms[index]),
        int(readings.value[index]),
        int(readings.step[index]),
        int(readings.epoch[index]),
    )


def _edge(pairs: Pairs, index: int) -> Edge:
    code = int(pairs.code[index])
    # BRIDGED only says that readings are missing, which depends on where the stretch was cut.
    edge = Edge(Pair(int(pairs.low[index]), int(pairs.high[index])), int(pairs.limit[index]), code)
    return replace(edge, code=codes.EXACT) if code == codes.BRIDGED else edge
