"""Every pair of readings of a counter, as the compiled kernel sees it: at an edge each is kept, and all are edges."""

from dataclasses import dataclass

import numpy as np

from compute import layout as at
from compute import plain
from compute.errors import AmountOverflowError
from compute.intervals import CounterReadings, Rate
from compute.kernels.counter import counter_segment
from compute.law import Cuts, Law, fixed
from compute.segments import Hours, Ints, Marks, Segment


@dataclass(frozen=True)
class Pairs:
    """What happened between readings that follow each other. Arrays of one length, in time order."""

    first: Ints
    second: Ints
    low: Ints
    high: Ints
    limit: Ints
    code: Ints


def law_of(readings: CounterReadings, rate: Rate, cuts: Cuts) -> Law:
    return Law(
        cuts,
        rate,
        readings.interval_ms,
        is_counter=True,
        modulus=readings.modulus,
        resettable=readings.resettable,
        nonvolatile_ms=readings.nonvolatile_ms,
    )


def segment_of(readings: CounterReadings, law: Law) -> Segment:
    """Measure columns that no series has to stand behind, by both kernels: what is tested of one is tested of both."""
    size = len(readings.time_ms)
    same_step = len(set(readings.step.tolist())) == 1
    epochs, binding = np.unique(readings.epoch, return_inverse=True)
    columns = (
        fixed(readings.time_ms, np.int64),
        fixed(readings.value, np.int64),
        fixed(1 - readings.usable, np.uint8),
        fixed(readings.request_ms, np.int64),
        fixed(readings.answer_ms, np.int64),
        fixed(np.ones(size, np.uint8), np.uint8),
        fixed(binding, np.int32),
        fixed(readings.step, np.int64),
    )
    bound = np.zeros((len(epochs), 2), np.int64)
    bound[:, 0] = int(readings.step[0]) if same_step else at.STEP_IN_COLUMN
    tables = bound, np.ones(len(epochs)), np.arange(len(epochs), dtype=np.int64)[None], np.empty(0, np.int64)
    given = columns, tables, law.numbers(), law.edges()
    status, ends, hours, marks, _ = answer = counter_segment(*given)
    twin = plain.counter_segment(*given)
    assert status == twin[0], "the compiled kernel and its plain twin"
    assert status < 0 or [part.tolist() for part in answer[1:]] == [part.tolist() for part in twin[1:]]
    if status < 0:
        raise AmountOverflowError("check rated_power_w")
    return Segment(Hours(hours), Marks(marks), ends)


def counter_pairs(readings: CounterReadings, rate: Rate) -> Pairs:
    """Every pair, in order."""
    stands = np.concatenate([readings.time_ms, readings.answer_ms])
    cuts = Cuts(0, tuple(sorted(set(stands.tolist()))), tolerance_ms=0)
    marks = segment_of(readings, law_of(readings, rate, cuts)).marks
    first, second = (np.searchsorted(readings.time_ms, slots) for slots in (marks.earlier_slot_ms, marks.later_slot_ms))
    return Pairs(first, second, marks.low, marks.high, marks.limit, marks.code)
