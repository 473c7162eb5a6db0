"""What holds of all readings of one parameter at one point, whichever stretch of them is looked at.

In: the project, the rules and what a series was read with. Out: a `Law`, and the arrays in which the kernels want it.
Two stretches may only be joined under the law that both were measured by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from compute import layout as at
from compute.arrays import Columns, Ints, Tables
from compute.errors import ProjectError
from compute.frozen import PowerLaw, power_law, sign_of
from compute.intervals import Rate, rate_of
from compute.project import MeterSettings, PointSettings, ProjectSettings
from compute.rulesets import Ruleset
from compute.sources import counter_modulus, installed_ms, is_meter, poll_interval_ms
from ingest.store.scale_words import scale_steps
from ingest.store.series import Binding, Series
from metering.devicemap import Register
from metering.measurands import measurand

_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where amounts must be divisible, and where readings stand."""

    origin_ms: int
    """A local midnight, from which hours are counted [ms]."""
    edges: tuple[int, ...] = ()
    """Vintage boundaries and the ends of the period, in order [ms]."""
    tolerance_ms: int = 0
    """How far from its slot an answer may be and still stand at the slot [ms]."""


@dataclass(frozen=True, slots=True)
class Law:
    """What holds of one parameter at one point."""

    cuts: Cuts
    rate: Rate | None = None
    """The fastest a counter can run or the most a power can be; None for a state."""
    interval_ms: int = 0
    """Readings whose slots are further apart have others missing between them [ms]; 0 = never."""
    is_counter: bool = False
    modulus: int = 0
    """Where a counter wraps [quanta]; 0 = unknown."""
    resettable: bool = False
    nonvolatile_ms: int = 0
    """How much time a counter may lose with its supply [ms]; 0 = none, or no rule asks."""
    registers: tuple[Register, ...] = ()
    meters: tuple[MeterSettings, ...] = ()
    still_ms: int = 0
    """How long a counter has to stand still to be frozen [ms]; 0 = no rule asks, or no power can tell."""
    power: PowerLaw | None = None

    def possible(self, span_ms: int, step: int) -> int:
        """The most that can happen in a span [ms], with one register step [quanta] on top [quanta].

        Raises:
            AmountOverflowError: when int64 cannot hold it.
        """
        return span_ms if self.rate is None else self.rate.possible(span_ms, step)

    def numbers(self) -> Ints:
        """As the kernels want it."""
        law = np.zeros(at.LAW_COLUMNS, np.int64)
        if self.rate is not None:
            law[at.RATE_NUM], law[at.RATE_DEN] = self.rate.num, self.rate.den
            law[at.SAFE_MS] = 2**61 // max(self.rate.num, 1)
        law[at.MODULUS], law[at.RESETTABLE] = self.modulus, self.resettable
        law[at.NONVOLATILE_MS], law[at.INTERVAL_MS] = self.nonvolatile_ms, self.interval_ms
        law[at.TOLERANCE_MS], law[at.ORIGIN_MS] = self.cuts.tolerance_ms, self.cuts.origin_ms
        law[at.STILL_MS] = self.still_ms
        return law

    def edges(self) -> Ints:
        """As the kernels want them."""
        return np.array(self.cuts.edges, np.int64)


def hour_of(later_ms: int, low: int, high: int, law: Law) -> Ints:
    """The row of hours for an amount whose later reading stands at an instant [ms]."""
    start_ms = later_ms - 1 - (later_ms - 1 - law.cuts.origin_ms) % at.HOUR_MS
    part = sum(edge < later_ms for edge in law.cuts.edges)
    return np.array([[start_ms, part, low, high, 0]], np.int64)


def rated_w(point: PointSettings) -> Fraction:
    """The rated power of a point [W].

    Raises:
        ProjectError: when it has none.
    """
    if point.rated_power_w is None:
        raise ProjectError(f"point {point.id!r} has no rated_power_w, so its amounts have no upper bound")
    return Fraction(point.rated_power_w)


def counter_law(
    project: ProjectSettings,
    point: PointSettings,
    series: Series,
    power: Series | None,
    rules: Ruleset,
    cuts: Cuts,
) -> Law:
    """Say what holds of a counter.

    Args:
        project: whose meters count.
        point: with its rated power.
        series: of the counter; only what it was read with is looked at.
        power: of what moves the counter, when it is read; only what it was read with is looked at.
        rules: the ruleset.
        cuts: where amounts must be divisible.

    Raises:
        ProjectError: when there is no rating, or it does not bound what is measured.
    """
    rated, meters = rated_w(point), tuple(project.meters_of(point.id))
    registers = tuple(dict.fromkeys(bound.register for bound in series.bindings))
    lost_s = max((register.nonvolatile_s or 0 for register in registers), default=0) if rules.supply_loss else 0
    moved_by = None if power is None else power_law(series.measurand, power, rated, meters, rules)
    return Law(
        cuts,
        rate_of(series.measurand, rated, rules.rated_margin),
        poll_interval_ms(series),
        is_counter=True,
        modulus=counter_modulus(registers),
        resettable=any(register.reset_source is None for register in registers),
        nonvolatile_ms=1000 * lost_s,
        registers=registers,
        meters=meters,
        still_ms=0 if moved_by is None or rules.frozen is None else rules.frozen.least_ms,
        power=moved_by,
    )


def counter_tables(law: Law, series: Series) -> Tables:
    """Say what the bindings of a stretch of a counter mean to the kernel."""
    per_unit = measurand(series.measurand).quanta_per_unit
    bound, ones = np.zeros((len(series.bindings), 2), np.int64), np.ones(len(series.bindings), np.float64)
    for place, each in enumerate(series.bindings):
        register = each.register
        if register.scale_register is not None:
            bound[place, 0] = at.STEP_IN_COLUMN
        elif register.type.is_float:
            bound[place] = at.STEP_OF_FLOAT, 24 if register.type.words == 2 else 53
            ones[place] = float(register.scale * per_unit)
        else:
            bound[place, 0] = ceil(register.scale * per_unit)
    return bound, ones, *_keys(law.meters, law.registers, series.bindings)


def power_tables(law: PowerLaw, series: Series) -> Tables:
    """Say what the bindings of a stretch of a power mean to the kernel."""
    signs = np.zeros((len(series.bindings), 2), np.int64)
    for place, each in enumerate(series.bindings):
        signs[place, 0] = sign_of(each.register.orientation, law.direction)
    registers = tuple(dict.fromkeys(bound.register for bound in series.bindings))
    return signs, np.ones(len(series.bindings), np.float64), *_keys(law.meters, registers, series.bindings)


def _keys(
    meters: Sequence[MeterSettings], registers: Sequence[Register], bindings: Sequence[Binding]
) -> tuple[Ints, Ints]:
    # For each stretch between two changes of declared meters and each binding, one number for meter and register; below
    # 0 when the meter is not declared then.
    spans = [installed_ms(meter) for meter in meters]
    breaks = sorted({edge for span in spans for edge in span if edge is not None})
    keys = np.empty((len(breaks) + 1, len(bindings)), np.int64)
    for stretch in range(len(breaks) + 1):
        for place, bound in enumerate(bindings):
            register = registers.index(bound.register)
            keys[stretch, place] = -1 - register
            for index, (meter, (start_ms, end_ms)) in enumerate(zip(meters, spans, strict=True)):
                began = stretch > 0 and start_ms <= breaks[stretch - 1]
                ended = end_ms is not None and stretch > 0 and end_ms <= breaks[stretch - 1]
                if began and not ended and is_meter(bound, meter):
                    keys[stretch, place] = index * len(registers) + register
    return keys, np.array(breaks, np.int64)


def columns_of(series: Series, *, has_steps: bool) -> Columns:
    """The columns of a series as the kernels take them: views, which nobody may write to.

    Args:
        series: the series.
        has_steps: whether the register step is asked where the words of each reading tell it.
    """
    steps = scale_steps(series) if has_steps else None
    return (
        fixed(series.time_ms, np.int64),
        fixed(series.value, np.int64),
        fixed(series.quality, np.uint8),
        fixed(series.sent_ms, np.int64),
        fixed(series.received_ms, np.int64),
        fixed(series.synced.view(np.uint8), np.uint8),
        fixed(series.binding, np.int32),
        fixed(np.empty(0, np.int64) if steps is None else steps, np.int64),
    )


def fixed(column: NDArray[_Kind], kind: type[_Kind]) -> NDArray[_Kind]:
    """A column in one piece that nobody may write to, so that a kernel is compiled for one kind of array only."""
    view = np.ascontiguousarray(column, kind).view()
    view.flags.writeable = False
    return view
