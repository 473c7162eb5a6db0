"""One monitored parameter at one point: what was measured in; its amount per vintage, findings and report row out."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from compute import codes
from compute.amounts import VintageAmount, split
from compute.calibration import Late, calibrated, moved
from compute.calibration_by_vintage import calibrated_by_vintage
from compute.completeness import completeness_findings, gap_blocks, monthly
from compute.judged import affected, load_of, presence, record_of, seen_width
from compute.methodologies import Monitored
from compute.pairs import Pair, total
from compute.plausibility import load_judged
from compute.project import MeterSettings, PointSettings
from compute.result import Blocked, MonitoredValue, MonthValue, VintageValue
from compute.segments import Hours
from compute.sources import refuse_unsorted, source_findings, words_text
from compute.task import Task
from compute.track import Track, believed_of, track_of
from ingest.store.series import Series
from metering.devicemap import Tier
from metering.findings import Finding, Severity
from metering.interval import Interval

_SHOWN_PAIRS = 10  # of each kind in a finding's evidence; the count says how many there are


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
    uncorrected: tuple[Pair, ...]
    """As `amounts`, before a late calibration moves them [the parameter's unit]."""
    seen_widths: tuple[Fraction, ...]
    """For each vintage, what of the doubt comes from changes of a state that were seen [the parameter's unit]."""
    step: Fraction
    """The largest step of its register [the parameter's unit]."""
    hours: Hours
    """[quanta]"""
    late: tuple[Late, ...]
    """Spans without a valid calibration; each measured value that touches one is moved outwards."""
    calibrated: tuple[Pair, ...]
    """As `amounts`, before a check meter widens them [the parameter's unit]."""


@dataclass(frozen=True, slots=True)
class _Judgement:
    # What a family of rules makes of a parameter.
    amounts: tuple[Pair, ...]
    findings: tuple[Finding, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    late: tuple[Late, ...] = ()


def measure(task: Task, spec: Monitored, point: PointSettings) -> Measured:
    """Measure one parameter at one point.

    Raises:
        ProjectError: when the point lacks a rating.
        EvidenceError: when a series is not sorted.
        AmountOverflowError: when int64 cannot hold an amount.
    """
    series = tuple(task.evidence.series(point.id, name) for name in spec.measurands)
    for one in series:
        refuse_unsorted(one)
    believed = believed_of(task, spec, point)
    track = track_of(task, spec, series, point)
    splits = split(track.segment, track.law, task.vintages)
    per_unit = Fraction(1, spec.quanta_per_unit)
    amounts = tuple(part.amount.scaled(per_unit) for part in splits)
    seals = _calibrated(task, spec, point.id, track, amounts)
    loads = _plausible(task, spec, point, track, splits)
    record = record_of(track, splits, task.span)
    months = monthly(record, task.span, task.project.zone) if task.rules.completeness else ()
    findings = [
        *(
            finding
            for one in series
            for finding in source_findings(task.project, one, task.span, believed, shows_spans=task.rules.shows_words)
        ),
        *_pair_findings(task, spec, series[0], track),
        *(_doubt_finding(point.id, spec, part, doubt.code, doubt.interval) for part in splits for doubt in part.doubts),
        *seals.findings,
        *(finding for finding, _ in loads),
    ]
    blocked = [*seals.blocked, *_map_blocks(task, series), *(why for _, why in loads if why is not None)]
    if task.rules.completeness is not None:
        findings += completeness_findings(point.id, spec.measurands[0], record, months, task.rules.completeness)
        blocked += gap_blocks(point.id, record, task.rules.completeness)
    return Measured(
        spec,
        point.id,
        seals.amounts,
        _row(task, spec, point.id, track, splits, seals.amounts, months),
        tuple(findings),
        tuple(blocked),
        amounts,
        tuple(per_unit * seen_width(track, vintage) for vintage in task.vintages),
        per_unit * track.segment.step,
        track.segment.hours,
        seals.late,
        seals.amounts,
    )


def _calibrated(task: Task, spec: Monitored, point: str, track: Track, amounts: tuple[Pair, ...]) -> _Judgement:
    if not task.rules.late_by_value:
        seals = calibrated_by_vintage(task.project, spec, point, task.vintages)
        widened = tuple(amount.widened(share) for amount, share in zip(amounts, seals.widening, strict=True))
        moved_in = tuple(
            Late(vintage.interval, share) for vintage, share in zip(task.vintages, seals.widening, strict=True) if share
        )
        return _Judgement(widened, seals.findings, seals.blocked, moved_in)
    judged = calibrated(task.project, spec, point, task.span, task.rules, task.certificates)
    per_unit = Fraction(1, spec.quanta_per_unit)
    result = list(amounts)
    for late in judged.late:
        for index, vintage in enumerate(task.vintages):
            touched = affected(track, late.interval, vintage).scaled(per_unit)
            outwards = moved(amounts[index], touched, late.share)
            result[index] = Pair(
                result[index].low + outwards.low - amounts[index].low,
                result[index].high + outwards.high - amounts[index].high,
            )
    return _Judgement(tuple(result), judged.findings, judged.blocked, judged.late)


def _plausible(
    task: Task, spec: Monitored, point: PointSettings, track: Track, splits: tuple[VintageAmount, ...]
) -> list[tuple[Finding, Blocked | None]]:
    if task.rules.plausible is None or spec.kind != "counter":
        return []
    load = load_of(track, splits, point, spec.measurands[0], task.span)
    told = load_judged(load, task.rules.plausible)
    return [] if told is None else [told]


def _map_blocks(task: Task, series: tuple[Series, ...]) -> Iterator[Blocked]:
    digests = dict.fromkeys(bound.map_digest for one in series for bound in one.bindings)
    for digest in digests:
        device = task.evidence.maps.get(digest)  # history from elsewhere has none, and its source says so
        if device is not None and device.tier is Tier.UNVERIFIED:
            what = f"the device map of {device.make} {device.model} is unverified and has no signed on-site check"
            yield Blocked("device-map-unverified", what, f"{device.make} {device.model} {digest}")
    if not digests:
        yield Blocked("no-readings", f"no readings of {series[0].measurand}", series[0].point)


def _pair_findings(task: Task, spec: Monitored, series: Series, track: Track) -> Iterator[Finding]:
    # The words of a counter only: a state may be that of several registers, which its samples name.
    shows_words = task.rules.shows_words and spec.kind == "counter"
    marks = track.segment.marks
    starts, ends = marks.earlier_ms, marks.later_ms
    inside = (starts < task.span.end_ms) & (ends > task.span.start_ms)
    for code, (name, text) in codes.TEXTS.items():
        found = np.flatnonzero(inside & (marks.code == code))
        if len(found) == 0:
            continue
        evidence = {"pairs": str(len(found))}
        for index in found[:_SHOWN_PAIRS]:
            slots = int(marks.earlier_slot_ms[index]), int(marks.later_slot_ms[index])
            values = int(marks.earlier_value[index]), int(marks.later_value[index])
            words = [words_text(series, int(np.searchsorted(series.time_ms, slot))) for slot in slots if shows_words]
            shown = " → ".join(f"{value}{text}" for value, text in zip(values, words or ["", ""], strict=True))
            evidence[f"{int(starts[index])}..{int(ends[index])} ms"] = (
                f"{shown}, counted as [{int(marks.low[index])}, {int(marks.high[index])}]"
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
    track: Track,
    splits: tuple[VintageAmount, ...],
    amounts: tuple[Pair, ...],
    months: tuple[MonthValue, ...],
) -> MonitoredValue:
    whole = total(amounts)
    present = presence(track, task.span)
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
        calibrations=tuple(_certificates(task, meter) for meter in meters),
        by_month=months,
    )


def _certificates(task: Task, meter: MeterSettings) -> str:
    own = meter.calibration
    texts = [] if own is None else [f"{own.certificate}, {own.date} to {own.valid_until} ({own.source})"]
    texts += [
        f"{one.name}, {one.date} to {one.valid_until} (declared)"
        for name, one in task.certificates
        if name == meter.name
    ]
    return "; ".join(texts) or "none"
