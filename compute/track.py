"""One monitored parameter at one point: its readings in; what the kernels say about them out.

What becomes of it (amounts a vintage, findings, the report's row) is `compute.measure`'s.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

import numpy as np

from compute.errors import ProjectError
from compute.frozen import widen_frozen
from compute.intervals import Ints, Pairs, counter_pairs, rate_of, state_pairs
from compute.methodologies import Monitored
from compute.project import PointSettings
from compute.sources import (
    EVERYTHING,
    Believed,
    Samples,
    counter_readings,
    energised_samples,
    poll_interval_ms,
    running_samples,
)
from compute.task import Task
from compute.vintages import Timeline, confirmations, position
from ingest.store.series import Series


@dataclass(frozen=True, slots=True)
class Track:
    """A timeline with what the report needs: all due slots, which of them count, and the readings pairs point at."""

    timeline: Timeline
    time_ms: Ints
    usable: np.typing.NDArray[np.bool_]
    interval_ms: int
    values: Ints
    step: int = 0
    """The largest step of a counter's register [quanta]."""


def track_of(task: Task, spec: Monitored, series: tuple[Series, ...], point: PointSettings) -> Track:
    """Turn the readings of a parameter into pairs.

    Raises:
        ProjectError: when the point lacks a rating.
        AmountOverflowError: when int64 cannot hold an amount.
    """
    if spec.kind == "counter":
        return _counter_track(task, series[0], point)
    return _state_track(task, spec, series, point)


def _counter_track(task: Task, series: Series, point: PointSettings) -> Track:
    if point.rated_power_w is None:
        raise ProjectError(f"point {point.id!r} has no rated_power_w, so its amounts have no upper bound")
    rate = rate_of(series.measurand, Fraction(point.rated_power_w), task.rules.rated_margin)
    readings = counter_readings(task.project, series, supply_loss=task.rules.supply_loss)
    pairs = counter_pairs(readings, rate)
    usable = readings.usable == 1
    # Pairs point at rows of the series; vintages see usable readings only.
    rank = np.cumsum(usable, dtype=np.int64) - 1
    dense = Pairs(rank[pairs.first], rank[pairs.second], pairs.low, pairs.high, pairs.limit, pairs.code)
    stands_ms = position(readings.time_ms[usable], readings.answer_ms[usable], task.tolerance_ms)
    step = int(np.max(readings.step[usable], initial=0))
    confirmed = confirmations(stands_ms, dense)
    wider = widen_frozen(readings, pairs, task.project, task.evidence, (point, series.measurand), task.rules)
    dense = replace(dense, low=wider.low, high=wider.high, code=wider.code)
    timeline = Timeline(stands_ms, confirmed, dense, lambda span_ms: rate.possible(span_ms, step))
    return Track(timeline, series.time_ms, usable, poll_interval_ms(series), readings.value[usable], step)


def _state_track(task: Task, spec: Monitored, series: tuple[Series, ...], point: PointSettings) -> Track:
    samples = _samples(task, spec, series, point)
    known = samples.state >= 0
    pairs = state_pairs(samples.time_ms, samples.state, samples.interval_ms)
    stands_ms = np.where(known, position(samples.time_ms, samples.answer_ms, task.tolerance_ms), samples.time_ms)
    everything = np.ones(len(stands_ms), np.uint8)  # a state needs no later reading to confirm it
    timeline = Timeline(stands_ms, everything, pairs, lambda span_ms: span_ms)
    return Track(timeline, samples.time_ms, known, samples.interval_ms, samples.state)


def _samples(task: Task, spec: Monitored, series: tuple[Series, ...], point: PointSettings) -> Samples:
    if spec.kind == "running":
        return running_samples(task.project, series[0], believed_of(task, spec, point))
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
    if rules.most_voltage is None:
        return Believed(frozen=rules.frozen_voltage)
    return Believed(0, floor(_nominal_mv(point) * rules.most_voltage), rules.frozen_voltage)


def _nominal_mv(point: PointSettings) -> Fraction:
    if point.nominal_voltage_v is None:
        raise ProjectError(f"point {point.id!r} has no nominal_voltage_v, so nothing says when it is energised")
    return Fraction(point.nominal_voltage_v) * 1000
