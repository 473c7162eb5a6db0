"""What comes out of the kernels for a stretch of one parameter: small, and joined to its neighbours without a loss.

A segment holds amounts one row an hour, and every pair of readings that is not simply exact as a *mark*. Exact
pairs telescope and are nowhere kept one by one, so a month is kilobytes. What stands behind the kernels (vintages,
completeness, calibration, findings, hourly results) works on segments alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compute import layout as at
from compute.arrays import Ints
from compute.errors import AmountOverflowError
from metering.interval import Interval

NOWHERE = at.NOWHERE
"""In the place of an instant: there is none."""
_MOST = float(2**63)


def has_run(ends: Ints, place: int) -> bool:
    """Say whether a counter stood still at an end of its stretch: `S_HEAD_RUN` or `S_TAIL_RUN`."""
    return bool(ends[place + at.RUN_FROM + at.SLOT] != ends[place + at.RUN_TO + at.SLOT])


def exact_sum(amounts: Ints) -> int:
    """Add int64 amounts up without ever overflowing: the halves are summed apart [the unit of the amounts]."""
    return (int(np.sum(amounts >> 32)) << 32) + int(np.sum(amounts & 0xFFFFFFFF))


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading that counts."""

    position_ms: int
    """Where it stands: its slot when it was answered near enough to it, else its answer [ms]."""
    slot_ms: int
    request_ms: int
    """When the request went out, not after its answer [ms]."""
    answer_ms: int
    value: int
    """[quanta]; of a state 1, 0, or -1 where it is unknown."""
    step: int
    """One register step [quanta]."""


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """Amounts an hour: one row for each hour that has something, in order; an hour that an edge divides has two.

    A pair belongs to the hour (H, H + 1] that its second reading's position lies in.
    """

    table: Ints = field(default_factory=lambda: np.empty((0, at.HOUR_COLUMNS), np.int64))
    """Rows × the columns below."""

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.table)

    @property
    def start_ms(self) -> Ints:
        """When the hour begins [ms since the Unix epoch]."""
        return self.table[:, 0]

    @property
    def part(self) -> Ints:
        """Between which edges the row lies: 0 before the first edge, 1 between the first and the second, and so on."""
        return self.table[:, 1]

    @property
    def low(self) -> Ints:
        """The low ends of the hour's pairs, summed [quanta]."""
        return self.table[:, 2]

    @property
    def high(self) -> Ints:
        """The high ends of the hour's pairs, summed [quanta]."""
        return self.table[:, 3]

    @property
    def usable(self) -> Ints:
        """How many readings count whose slot lies in [H, H + 1)."""
        return self.table[:, 4]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Every pair that is not simply exact, that touches an edge, or whose readings are more than 24 h apart; in order.

    A pair over missing slots is never exact, so every gap is a mark. A stretch in which a counter was frozen is one
    mark, from the reading where it began to the one that ends it.
    """

    table: Ints = field(default_factory=lambda: np.empty((0, at.MARK_COLUMNS), np.int64))
    """Rows × the columns below."""

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.table)

    @property
    def earlier_ms(self) -> Ints:
        """Position of the earlier reading [ms]."""
        return self.table[:, 0]

    @property
    def later_ms(self) -> Ints:
        """Position of the later reading [ms]."""
        return self.table[:, 1]

    @property
    def earlier_slot_ms(self) -> Ints:
        """Slot of the earlier reading [ms]; with the series, its row."""
        return self.table[:, 2]

    @property
    def later_slot_ms(self) -> Ints:
        """Slot of the later reading [ms]."""
        return self.table[:, 3]

    @property
    def earlier_value(self) -> Ints:
        """[quanta]; of a state 1, 0, or -1 where it is unknown."""
        return self.table[:, 4]

    @property
    def later_value(self) -> Ints:
        """As `earlier_value`."""
        return self.table[:, 5]

    @property
    def low(self) -> Ints:
        """The least that happened between the two [quanta]."""
        return self.table[:, 6]

    @property
    def high(self) -> Ints:
        """The most that happened [quanta]."""
        return self.table[:, 7]

    @property
    def limit(self) -> Ints:
        """The most that was possible, whatever was read [quanta]."""
        return self.table[:, 8]

    @property
    def code(self) -> Ints:
        """One of `compute.codes`."""
        return self.table[:, 9]

    @property
    def previous_ms(self) -> Ints:
        """Position of the reading before the earlier one [ms]; `NOWHERE` when there is none."""
        return self.table[:, 10]

    @property
    def previous_value(self) -> Ints:
        """Value of that reading [quanta]."""
        return self.table[:, 11]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """What a stretch of readings amounts to."""

    hours: Hours = field(default_factory=Hours)
    marks: Marks = field(default_factory=Marks)
    ends: Ints = field(default_factory=lambda: np.zeros(at.STATE_COLUMNS, np.int64))
    """What a neighbour may still change, and what it needs to know; see `compute.layout`."""
    frozen: Ints = field(default_factory=lambda: np.empty((0, at.RUN_COLUMNS), np.int64))
    """Stretches in which a counter stood still and should not have; `settled` lets them count."""
    flows: Ints = field(default_factory=lambda: np.zeros((4, at.FLOW_COLUMNS), np.int64))
    """What the power says of the time before the first reading, of the still stretch that begins there, of the one
    that ends with the last reading, and of the time behind it."""

    @property
    def first(self) -> Reading | None:
        """The first reading that counts; of a state the first sample, known or not."""
        return self._reading(at.S_FIRST)

    @property
    def last(self) -> Reading | None:
        """The last reading that counts; of a state the last sample, known or not."""
        return self._reading(at.S_LAST)

    @property
    def usable(self) -> int:
        """How many readings count."""
        return int(self.ends[at.S_USABLE])

    @property
    def step(self) -> int:
        """The largest register step [quanta]."""
        return int(self.ends[at.S_STEP])

    @property
    def tail(self) -> Marks:
        """The last pair, whether it is a mark or not; no row when there is none."""
        return Marks(self.ends[None, at.S_TAIL : at.S_TAIL + at.MARK_COLUMNS][: min(1, int(self.ends[at.S_PAIRS]))])

    def _reading(self, place: int) -> Reading | None:
        if not self.ends[at.S_HAS]:
            return None
        return Reading(*self.ends[place : place + at.READING_COLUMNS].tolist())


EMPTY = Segment()
"""No readings at all: joined to a segment it changes nothing."""


def touching_hours(segment: Segment, span: Interval) -> NDArray[np.bool_]:
    """The rows of hours that hold every pair that touches a span of time.

    Args:
        segment: of one parameter.
        span: the time.
    """
    hours, marks = segment.hours, segment.marks
    # A pair lies in the hour of its later reading: of a mark, which may be long, or of the first reading behind.
    last_ms = np.max(marks.later_ms[marks.earlier_ms < span.end_ms], initial=span.end_ms)
    rows = (hours.start_ms < last_ms) & (hours.start_ms + at.HOUR_MS > span.start_ms)
    behind = hours.start_ms[hours.start_ms >= span.end_ms]
    return rows | np.isin(hours.start_ms, behind[:1])


def merged(tables: Sequence[Ints]) -> Hours:
    """Add hours up, row by row.

    Args:
        tables: rows of hours, in any order; a row may also take something away.

    Raises:
        AmountOverflowError: when int64 cannot hold an hour.
    """
    rows = np.concatenate(tables)
    order = np.lexsort((rows[:, at.PART], rows[:, at.START_MS]))
    rows = rows[order]
    new = np.any(np.diff(rows[:, : at.HOUR_LOW], axis=0, prepend=rows[:1, : at.HOUR_LOW] - 1) != 0, axis=1)
    starts = np.flatnonzero(new)
    if np.any(np.add.reduceat(rows[:, at.HOUR_HIGH].astype(np.float64), starts) >= _MOST):
        raise AmountOverflowError("the amount of an hour is more than int64 holds; check rated_power_w")
    table = rows[starts]
    table[:, at.HOUR_LOW :] = np.add.reduceat(rows[:, at.HOUR_LOW :], starts)
    return Hours(table)
