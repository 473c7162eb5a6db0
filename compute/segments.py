"""What comes out of the kernels for a stretch of one parameter: small, and joined to its neighbours without a loss.

A segment holds amounts one row an hour, and every pair of readings that is not simply exact as a *mark*. Exact
pairs telescope and are nowhere kept one by one, so a month is kilobytes. What stands behind the kernels (vintages,
completeness, calibration, findings, hourly results) works on segments alone.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compute.pairs import Pair
from metering.interval import Interval

Ints = NDArray[np.int64]

NOWHERE = -(2**63)
"""In the place of an instant: there is none."""


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


HOUR_COLUMNS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """Amounts an hour: one row for each hour that has something, in order; an hour that an edge divides has two.

    A pair belongs to the hour (H, H + 1] that its second reading's position lies in.
    """

    table: Ints = field(default_factory=lambda: np.empty((0, HOUR_COLUMNS), np.int64))
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


MARK_COLUMNS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Every pair that is not simply exact, that touches an edge, or whose readings are more than 24 h apart; in order.

    A pair over missing slots is never exact, so every gap is a mark. A stretch in which a counter was frozen is one
    mark, from the reading where it began to the one that ends it.
    """

    table: Ints = field(default_factory=lambda: np.empty((0, MARK_COLUMNS), np.int64))
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

    first: Reading | None = None
    """The first reading that counts; of a state the first sample, known or not."""
    last: Reading | None = None
    usable: int = 0
    """How many readings count."""
    step: int = 0
    """The largest register step [quanta]."""
    hours: Hours = field(default_factory=Hours)
    marks: Marks = field(default_factory=Marks)


def touching(segment: Segment, span: Interval) -> Pair:
    """The sum of every pair that touches a span of time; whole hours, so never less than what the span holds [quanta].

    Args:
        segment: of one parameter.
        span: the time.
    """
    raise NotImplementedError  # filled with the kernels
