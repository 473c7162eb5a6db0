"""One monitored parameter at one point: its readings in; what the kernels say about them out.

What becomes of it (amounts a vintage, findings, the report's row) is `compute.measure`'s.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

import numpy as np

from compute.amounts import cuts_of
from compute.errors import ProjectError
from compute.frozen import POWERS
from compute.intervals import Ints, Rate
from compute.joining import join, settled
from compute.law import Cuts, Law, counter_law, rated_w
from compute.measured import counter_segment, sample_segment
from compute.methodologies import Monitored
from compute.project import PointSettings
from compute.segments import Marks, Segment
from compute.sources import (
    EVERYTHING,
    Believed,
    Samples,
    energised_samples,
    poll_interval_ms,
    power_samples,
    running_samples,
)
from compute.task import Stretch, Task
from ingest.store.series import Series, empty_series
from ingest.store.sources import rows_of
from metering.interval import Interval


@dataclass(frozen=True, slots=True)
class Track:
    """What was measured, and by which law."""

    segment: Segment
    """All of it, with the stretches in which a counter was frozen."""
    read: Segment
    """The same without them: what was read, whatever it proves."""
    law: Law


def track_of(task: Task, spec: Monitored, series: tuple[Series, ...], point: PointSettings) -> Track:
    """Measure the readings of a parameter.

    Raises:
        ProjectError: when the point lacks a rating.
        AmountOverflowError: when int64 cannot hold an amount.
    """
    law = law_of(task, spec, series, point, cuts_of(task.vintages, task.tolerance_ms))
    segment = segment_of(task, spec, series, point, law)
    before = None if task.stretch is None else task.stretch.before.get((spec.parameter, point.id))
    if before is not None:
        segment = join(before, segment, law)
    return Track(settled(segment, law), segment, law)


def pairs_in(task: Task, spec: Monitored, series: tuple[Series, ...], point: PointSettings, span: Interval) -> Marks:
    """Give every pair that touches a short span of time, exact ones too.

    The readings are measured again with an edge at each of them, for at an edge every pair is kept.

    Raises:
        ProjectError: when the point lacks a rating.
        AmountOverflowError: when int64 cannot hold an amount.
    """
    stands = np.concatenate([column for one in series for column in (one.time_ms, one.received_ms)])
    inside = stands[(stands >= span.start_ms) & (stands <= span.end_ms)]
    cuts = cuts_of(task.vintages, task.tolerance_ms)
    cuts = replace(cuts, edges=tuple(sorted({*cuts.edges, span.start_ms, span.end_ms, *inside.tolist()})))
    law = law_of(task, spec, series, point, cuts)
    marks = settled(segment_of(task, spec, series, point, law), law).marks
    return Marks(marks.table[(marks.earlier_ms < span.end_ms) & (marks.later_ms > span.start_ms)])


def law_of(task: Task, spec: Monitored, series: tuple[Series, ...], point: PointSettings, cuts: Cuts) -> Law:
    """Say what holds of all readings of a parameter; only what they were read with is looked at.

    Raises:
        ProjectError: when the point lacks a rating.
    """
    if spec.kind == "counter":
        power = _power(task, series[0])
        return counter_law(task.project, point, series[0], power if power.bindings else None, task.rules, cuts)
    law = Law(cuts, interval_ms=max(poll_interval_ms(one) for one in series))
    if spec.kind == "integral":
        most = 1000 * rated_w(point) * task.rules.rated_margin
        law = replace(law, rate=Rate(most.numerator, most.denominator))
    return law


def segment_of(task: Task, spec: Monitored, series: tuple[Series, ...], point: PointSettings, law: Law) -> Segment:
    """Measure the task's stretch of a parameter.

    Raises:
        ProjectError: when the point lacks a rating.
        AmountOverflowError: when int64 cannot hold an amount.
    """
    if spec.kind == "counter":
        power = _inside(_power(task, series[0]), task.stretch)
        return counter_segment(_inside(series[0], task.stretch), law, power if len(power) else None)
    samples = _samples(task, spec, series, point)
    rows = _rows(samples.time_ms, task.stretch)
    return sample_segment(samples.time_ms[rows], samples.answer_ms[rows], samples.state[rows], law)


def _power(task: Task, series: Series) -> Series:
    name = POWERS.get(series.measurand)
    return empty_series(series.point, series.measurand) if name is None else task.evidence.series(series.point, name[0])


def _inside(series: Series, stretch: Stretch | None) -> Series:
    rows = _rows(series.time_ms, stretch)
    if rows.stop == rows.start:
        return empty_series(series.point, series.measurand)
    return series if stretch is None else rows_of(series, rows)


def _rows(time_ms: Ints, stretch: Stretch | None) -> slice:
    if stretch is None:
        return slice(0, len(time_ms))
    first, end = (int(row) for row in np.searchsorted(time_ms, (stretch.slots.start_ms, stretch.slots.end_ms)))
    return slice(first, end)


def _samples(task: Task, spec: Monitored, series: tuple[Series, ...], point: PointSettings) -> Samples:
    if spec.kind == "running":
        return running_samples(task.project, series[0], believed_of(task, spec, point))
    if spec.kind == "integral":
        return power_samples(task.project, series[0], believed_of(task, spec, point))
    threshold_mv = floor(_nominal_mv(point) * task.fraction)
    return energised_samples(task.project, series, threshold_mv, believed_of(task, spec, point))


def believed_of(task: Task, spec: Monitored, point: PointSettings) -> Believed:
    """Say which readings of a parameter are believed.

    Raises:
        ProjectError: when the point lacks a rating.
    """
    rules = task.rules
    if spec.kind == "counter":
        return EVERYTHING
    if spec.kind == "running":
        return Believed(0, 1) if rules.only_known_states else EVERYTHING
    if spec.kind == "integral":
        return Believed(0, floor(1000 * rated_w(point) * rules.rated_margin))
    if rules.most_voltage is None:
        return Believed(frozen=rules.frozen_voltage)
    return Believed(0, floor(_nominal_mv(point) * rules.most_voltage), rules.frozen_voltage)


def _nominal_mv(point: PointSettings) -> Fraction:
    if point.nominal_voltage_v is None:
        raise ProjectError(f"point {point.id!r} has no nominal_voltage_v, so nothing says when it is energised")
    return Fraction(point.nominal_voltage_v) * 1000
