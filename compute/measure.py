"""One monitored parameter at one point: evidence in; its amount per vintage, findings and report row out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

import numpy as np

from compute import codes
from compute.calibration import calibrated
from compute.errors import ProjectError
from compute.frozen import widen_frozen
from compute.intervals import Ints, Pairs, counter_pairs, rate_of, state_pairs
from compute.methodologies import Monitored
from compute.pairs import Pair, total
from compute.project import PointSettings, ProjectSettings
from compute.result import Blocked, MonitoredValue, VintageValue
from compute.rulesets import Ruleset
from compute.sources import (
    EVERYTHING,
    Believed,
    Samples,
    counter_readings,
    energised_samples,
    poll_interval_ms,
    presence,
    running_samples,
    source_findings,
    words_text,
)
from compute.vintages import Timeline, Vintage, VintageAmount, confirmations, position, split
from ingest.store.readings import Evidence
from ingest.store.series import Series
from metering.devicemap import Tier
from metering.findings import Finding, Severity
from metering.interval import Interval

_SHOWN_PAIRS = 10  # of each kind in a finding's evidence; the count says how many there are


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be measured, and by which rules."""

    project: ProjectSettings
    evidence: Evidence
    period: str
    vintages: tuple[Vintage, ...]
    rules: Ruleset
    fraction: Fraction
    """For energised time: the share of the nominal voltage that counts as energised."""

    @property
    def span(self) -> Interval:
        """The whole period."""
        return Interval(self.vintages[0].interval.start_ms, self.vintages[-1].interval.end_ms)

    @property
    def tolerance_ms(self) -> int:
        """How far from its slot an answer may be and still stand at the slot [ms]."""
        return floor(self.rules.boundary_tolerance_ms * self.evidence.time_factor)


@dataclass(frozen=True, slots=True)
class Measured:
    """A monitored parameter at a point."""

    spec: Monitored
    point: str
    amounts: tuple[Pair, ...]
    """One per vintage [the parameter's unit]."""
    row: MonitoredValue
    findings: tuple[Finding, ...]
    blocked: tuple[Blocked, ...]


@dataclass(frozen=True, slots=True)
class _Track:
    # A timeline with what the report needs: all due slots, which of them count, and the readings that pairs point at.
    timeline: Timeline
    time_ms: Ints
    usable: np.typing.NDArray[np.bool_]
    interval_ms: int
    values: Ints


def measure(task: Task, spec: Monitored, point: PointSettings) -> Measured:
    """Measure one parameter at one point.

    Raises:
        ProjectError: when the point lacks a rating.
        AmountOverflowError: when int64 cannot hold an amount.
    """
    series = tuple(task.evidence.series(point.id, name) for name in spec.measurands)
    is_counter = spec.kind == "counter"
    believed = EVERYTHING if is_counter else _believed(task, spec, point)
    track = _counter_track(task, series[0], point) if is_counter else _state_track(task, spec, series, point)
    splits = split(track.timeline, task.vintages)
    seals = calibrated(task.project, spec, point.id, task.vintages)
    per_unit = Fraction(1, spec.quanta_per_unit)
    amounts = tuple(
        part.amount.scaled(per_unit).widened(share) for part, share in zip(splits, seals.widening, strict=True)
    )
    findings = [
        *(
            finding
            for one in series
            for finding in source_findings(task.project, one, task.span, believed, shows_spans=task.rules.shows_words)
        ),
        *_pair_findings(task, spec, series[0], track),
        *(_doubt_finding(point.id, spec, part, doubt.code, doubt.interval) for part in splits for doubt in part.doubts),
        *seals.findings,
    ]
    blocked = (*seals.blocked, *_map_blocks(task, series))
    row = _row(task, spec, point.id, track, splits, amounts)
    return Measured(spec, point.id, amounts, row, tuple(findings), blocked)


def _counter_track(task: Task, series: Series, point: PointSettings) -> _Track:
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
    return _Track(timeline, series.time_ms, usable, poll_interval_ms(series), readings.value[usable])


def _state_track(task: Task, spec: Monitored, series: tuple[Series, ...], point: PointSettings) -> _Track:
    samples = _samples(task, spec, series, point)
    known = samples.state >= 0
    pairs = state_pairs(samples.time_ms, samples.state, samples.interval_ms)
    stands_ms = np.where(known, position(samples.time_ms, samples.answer_ms, task.tolerance_ms), samples.time_ms)
    everything = np.ones(len(stands_ms), np.uint8)  # a state needs no later reading to confirm it
    timeline = Timeline(stands_ms, everything, pairs, lambda span_ms: span_ms)
    return _Track(timeline, samples.time_ms, known, samples.interval_ms, samples.state)


def _samples(task: Task, spec: Monitored, series: tuple[Series, ...], point: PointSettings) -> Samples:
    if spec.kind == "running":
        return running_samples(task.project, series[0], _believed(task, spec, point))
    threshold_mv = floor(_nominal_mv(point) * task.fraction)
    return energised_samples(task.project, series, threshold_mv, _believed(task, spec, point))


def _believed(task: Task, spec: Monitored, point: PointSettings) -> Believed:
    rules = task.rules
    if spec.kind == "running":
        return Believed(0, 1) if rules.only_known_states else EVERYTHING
    if rules.most_voltage is None:
        return Believed(frozen=rules.frozen_voltage)
    return Believed(0, floor(_nominal_mv(point) * rules.most_voltage), rules.frozen_voltage)


def _nominal_mv(point: PointSettings) -> Fraction:
    if point.nominal_voltage_v is None:
        raise ProjectError(f"point {point.id!r} has no nominal_voltage_v, so nothing says when it is energised")
    return Fraction(point.nominal_voltage_v) * 1000


def _map_blocks(task: Task, series: tuple[Series, ...]) -> Iterator[Blocked]:
    digests = dict.fromkeys(bound.map_digest for one in series for bound in one.bindings)
    for digest in digests:
        device = task.evidence.maps[digest]
        if device.tier is Tier.UNVERIFIED:
            what = f"the device map of {device.make} {device.model} is unverified and has no signed on-site check"
            yield Blocked("device-map-unverified", what, f"{device.make} {device.model} {digest}")
    if not digests:
        yield Blocked("no-readings", f"no readings of {series[0].measurand}", series[0].point)


def _pair_findings(task: Task, spec: Monitored, series: Series, track: _Track) -> Iterator[Finding]:
    # The words of a counter only: a state may be that of several registers, which its samples name.
    rows = np.flatnonzero(track.usable) if task.rules.shows_words and spec.kind == "counter" else None
    pairs = track.timeline.pairs
    stands_ms = track.timeline.position_ms
    starts, ends = stands_ms[pairs.first], stands_ms[pairs.second]
    inside = (starts < task.span.end_ms) & (ends > task.span.start_ms)
    for code, (name, text) in codes.TEXTS.items():
        found = np.flatnonzero(inside & (pairs.code == code))
        if len(found) == 0:
            continue
        evidence = {"pairs": str(len(found))}
        for index in found[:_SHOWN_PAIRS]:
            ends_of = [int(pairs.first[index]), int(pairs.second[index])]
            words = ["", ""] if rows is None else [words_text(series, int(rows[row])) for row in ends_of]
            shown = " → ".join(f"{int(track.values[row])}{text}" for row, text in zip(ends_of, words, strict=True))
            evidence[f"{int(starts[index])}..{int(ends[index])} ms"] = (
                f"{shown}, counted as [{int(pairs.low[index])}, {int(pairs.high[index])}]"
            )
        yield Finding(
            code=name,
            clause="contracts 6",
            severity=Severity.INFO if code in codes.INFORMATIVE else Severity.WARNING,
            what=f"{len(found)} times: {text}",
            point=series.point,
            measurand=series.measurand,
            interval=Interval(int(starts[found[0]]), int(ends[found[-1]])),
            evidence=evidence,
        )


def _doubt_finding(point: str, spec: Monitored, part: VintageAmount, code: str, span: Interval) -> Finding:
    return Finding(
        code=code,
        clause="contracts 6",
        severity=Severity.WARNING,
        what=f"what happened in this time is not proved for {part.vintage.year}; it counts from 0 to the most possible",
        point=point,
        measurand=spec.measurands[0],
        interval=span,
        evidence={"year": str(part.vintage.year)},
    )


def _row(
    task: Task,
    spec: Monitored,
    point: str,
    track: _Track,
    splits: tuple[VintageAmount, ...],
    amounts: tuple[Pair, ...],
) -> MonitoredValue:
    whole = total(amounts)
    present = presence(track.time_ms, track.usable, track.interval_ms, task.span)
    doubtful_ms = min(sum(part.doubtful_ms for part in splits), task.span.length_ms)
    meters = task.project.meters_of(point)
    return MonitoredValue(
        monitoring_period=task.period,
        point=point,
        parameter=spec.parameter,
        description=spec.description,
        low=Fraction(whole.low),
        high=Fraction(whole.high),
        unit=spec.unit,
        option=spec.option,
        source_of_data=spec.source_of_data,
        procedure=spec.procedure,
        frequency=spec.frequency,
        comments="" if whole.exact else "given as a pair; each vintage is credited at the end that credits least",
        by_vintage=tuple(
            VintageValue(part.vintage.year, Fraction(amount.low), Fraction(amount.high))
            for part, amount in zip(splits, amounts, strict=True)
        ),
        coverage=present.coverage,
        longest_gap_ms=present.longest_gap_ms,
        substituted_share=Fraction(doubtful_ms, task.span.length_ms),
        meters=tuple(meter.name for meter in meters),
        accuracy_classes=tuple(meter.accuracy_class for meter in meters),
        calibrations=tuple(_certificate(task, index, point) for index in range(len(meters))),
    )


def _certificate(task: Task, index: int, point: str) -> str:
    calibration = task.project.meters_of(point)[index].calibration
    if calibration is None:
        return "none"
    return f"{calibration.certificate}, {calibration.date} to {calibration.valid_until} ({calibration.source})"
