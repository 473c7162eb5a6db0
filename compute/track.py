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
from compute.intervals import Rate
from compute.joining import settled
from compute.law import Cuts, Law, counter_law
from compute.measured import counter_segment, sample_segment
from compute.methodologies import Monitored
from compute.project import PointSettings
from compute.segments import Marks, Segment
from compute.sources import (
    EVERYTHING,
    Believed,
    Samples,
    energised_samples,
    power_samples,
    running_samples,
)
from compute.task import Task
from ingest.store.series import Series
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
    return _measured(task, spec, series, point, cuts_of(task.vintages, task.tolerance_ms))


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
    marks = _measured(task, spec, series, point, cuts).segment.marks
    return Marks(marks.table[(marks.earlier_ms < span.end_ms) & (marks.later_ms > span.start_ms)])


def _measured(task: Task, spec: Monitored, series: tuple[Series, ...], point: PointSettings, cuts: Cuts) -> Track:
    if spec.kind == "counter":
        return _counter_track(task, series[0], point, cuts)
    samples = _samples(task, spec, series, point)
    law = Law(cuts, interval_ms=samples.interval_ms)
    if spec.kind == "integral":
        most = _rated_mw(point) * task.rules.rated_margin
        law = replace(law, rate=Rate(most.numerator, most.denominator))
    segment = sample_segment(samples.time_ms, samples.answer_ms, samples.state, law)
    return Track(segment, segment, law)


def _counter_track(task: Task, series: Series, point: PointSettings, cuts: Cuts) -> Track:
    if point.rated_power_w is None:
        raise ProjectError(f"point {point.id!r} has no rated_power_w, so its amounts have no upper bound")
    power = task.evidence.series(point.id, POWERS[series.measurand][0]) if series.measurand in POWERS else None
    if power is not None and len(power) < 2:
        power = None
    law = counter_law(task.project, point, series, power, task.rules, cuts)
    segment = counter_segment(series, law, power)
    return Track(settled(segment, law), segment, law)


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
        return Believed(0, floor(_rated_mw(point) * rules.rated_margin))
    if rules.most_voltage is None:
        return Believed(frozen=rules.frozen_voltage)
    return Believed(0, floor(_nominal_mv(point) * rules.most_voltage), rules.frozen_voltage)


def _rated_mw(point: PointSettings) -> Fraction:
    if point.rated_power_w is None:
        raise ProjectError(f"point {point.id!r} has no rated_power_w, so its amounts have no upper bound")
    return Fraction(point.rated_power_w) * 1000


def _nominal_mv(point: PointSettings) -> Fraction:
    if point.nominal_voltage_v is None:
        raise ProjectError(f"point {point.id!r} has no nominal_voltage_v, so nothing says when it is energised")
    return Fraction(point.nominal_voltage_v) * 1000
