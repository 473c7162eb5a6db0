"""Readings in, one segment out: the shell around the kernels."""

import numpy as np

from compute import codes
from compute import layout as at
from compute.arrays import Columns, Ints, Tables
from compute.errors import AmountOverflowError
from compute.frozen import PowerLaw
from compute.kernels import counter, flow, samples
from compute.law import Law, columns_of, counter_tables, fixed, power_tables
from compute.segments import Hours, Marks, Segment, has_run
from ingest.store.series import Series

_TOO_MUCH = "an amount between two readings is more than int64 holds; check rated_power_w"


def counter_segment(series: Series, law: Law, power: Series | None = None) -> Segment:
    """Measure a stretch of a counter.

    Args:
        series: its rows.
        law: what holds of the whole counter.
        power: what moves it, in the same stretch of time; None when nothing is read.

    Raises:
        AmountOverflowError: when int64 cannot hold an amount.
    """
    columns, tables = columns_of(series, has_steps=True), counter_tables(law, series)
    status, ends, hours, marks, runs = counter.counter_segment(columns, tables, law.numbers(), law.edges())
    if status == codes.OVERFLOW:
        raise AmountOverflowError(_TOO_MUCH)
    frozen, flows = runs[:0], np.zeros((4, at.FLOW_COLUMNS), np.int64)
    if law.power is not None and power is not None:
        flowing = _Power(law.power, power)
        frozen, flows = flowing.frozen(runs), flowing.around(ends)
    return Segment(Hours(hours.copy()), Marks(marks.copy()), ends.copy(), frozen, flows)


def sample_segment(time_ms: Ints, answer_ms: Ints, value: Ints, law: Law) -> Segment:
    """Measure a stretch of samples.

    Args:
        time_ms: the slots, strictly increasing [ms].
        answer_ms: when each answer was in [ms].
        value: of a state 1 or 0, of a power [mW]; below 0 where it is not known.
        law: what holds of all samples; without a rate they are of a state.

    Raises:
        AmountOverflowError: when int64 cannot hold an amount.
    """
    columns = fixed(time_ms, np.int64), fixed(answer_ms, np.int64), fixed(value, np.int64)
    status, ends, hours, marks, _ = samples.sample_segment(*columns, law.numbers(), law.edges())
    if status == codes.OVERFLOW:
        raise AmountOverflowError(_TOO_MUCH)
    return Segment(Hours(hours.copy()), Marks(marks.copy()), ends.copy())


class _Power:
    # The power that should move a counter, as the kernels take it.
    def __init__(self, law: PowerLaw, series: Series) -> None:
        self._columns: Columns = columns_of(series, has_steps=False)
        self._tables: Tables = power_tables(law, series)
        self._law = law.numbers()

    def frozen(self, runs: Ints) -> Ints:
        marked = np.zeros(len(runs), np.uint8)
        flow.frozen_runs(
            self._columns, self._tables, self._law, runs, np.zeros(at.FLOW_COLUMNS, np.int64), marked
        )  # fmt: skip
        return np.asarray(runs[marked == 1], np.int64)

    def around(self, ends: Ints) -> Ints:
        # Before the first reading, while it stood still from there on, up to the last one, and behind it.
        flows = np.zeros((4, at.FLOW_COLUMNS), np.int64)
        if len(self._columns[0]) == 0:
            return flows
        from_ms, to_ms = int(self._columns[0][0]), int(self._columns[0][-1])
        if not ends[at.S_HAS]:
            self._flow(from_ms, to_ms, flows[0])
            return flows
        first_ms, last_ms = int(ends[at.S_FIRST + at.SLOT]), int(ends[at.S_LAST + at.SLOT])
        stood_ms, stands_ms = first_ms, last_ms
        if has_run(ends, at.S_HEAD_RUN):
            stood_ms = int(ends[at.S_HEAD_RUN + at.RUN_TO + at.SLOT])
        if has_run(ends, at.S_TAIL_RUN):
            stands_ms = int(ends[at.S_TAIL_RUN + at.SLOT])
        self._flow(from_ms, first_ms - 1, flows[0])
        self._flow(first_ms, stood_ms, flows[1])
        self._flow(stands_ms, last_ms, flows[2])
        self._flow(last_ms + 1, to_ms, flows[3])
        return flows

    def _flow(self, from_ms: int, to_ms: int, out: Ints) -> None:
        flow.flow(self._columns, self._tables, self._law, from_ms, to_ms, out)
