"""Calibrations: when a meter measured without a valid certificate, and what follows for what it measured then.

In: a point's meters with all their certificates, of project.toml and declared. Out: the spans of time that no
certificate covers, each with the error that its measured values may have; findings; and what keeps the result from
being creditable. Each measured value that touches such a span is moved outwards by the error, never the net and never
the whole year.

References:
    CDM VVS, paragraphs 366 to 371 (JCM taking the stricter rule): the error of a late calibration; EN 1434 for heat
    meters, whose permitted error depends on flow and temperature difference.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from zoneinfo import ZoneInfo

from compute.classes import heat_class_of, permitted
from compute.declared import Calibration, Declared, of_kind
from compute.methodologies import Monitored
from compute.pairs import Pair
from compute.project import CalibrationSettings, MeterSettings, ProjectSettings
from compute.result import Blocked
from compute.rulesets import Ruleset
from compute.sources import installed_ms
from compute.vintages import midnight_ms
from metering.findings import Finding, Severity
from metering.interval import Interval

_CLAUSE = "CDM VVS 366"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A calibration of a meter."""

    name: str
    date: dt.date
    """From this local day on the meter is covered."""
    valid_until: dt.date
    """Up to this local day, not included."""
    mpe_percent: Fraction
    """Maximum permissible error of the meter's class [%]."""
    found_percent: Fraction
    """The largest error found as the meter came in; 0 where it was within the permissible one [%]."""


@dataclass(frozen=True, slots=True)
class Late:
    """A span without a valid certificate: each measured value that touches it may be wrong by a share of itself."""

    interval: Interval
    share: Fraction
    """0.01 = 1 %."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What calibrations mean for one monitored parameter at one point."""

    late: tuple[Late, ...] = ()
    findings: tuple[Finding, ...] = ()
    blocked: tuple[Blocked, ...] = ()


def of_project(settings: CalibrationSettings) -> Certificate:
    """The certificate that project.toml gives with a meter."""
    return Certificate(
        settings.certificate,
        settings.date,
        settings.valid_until,
        Fraction(settings.mpe_percent),
        Fraction(settings.found_error_percent or 0),
    )


def of_declared(declared: Iterable[Declared]) -> tuple[tuple[str, Certificate], ...]:
    """The certificates that were declared and are in force, each with the name of its meter."""
    return tuple(
        (
            str(one.meter),
            Certificate(
                one.certificate,
                one.date,
                one.valid_until,
                Fraction(one.mpe_percent),
                Fraction(one.found_error_percent or 0),
            ),
        )
        for one in of_kind(declared, Calibration)
    )


def certificates_of(meter: MeterSettings, declared: Iterable[tuple[str, Certificate]]) -> tuple[Certificate, ...]:
    """All certificates of a meter, by date.

    Args:
        meter: with or without a certificate in project.toml.
        declared: certificates with the names of their meters.
    """
    own = [] if meter.calibration is None else [of_project(meter.calibration)]
    others = [certificate for name, certificate in declared if name == meter.name]
    return tuple(sorted({*own, *others}, key=lambda one: (one.date, one.valid_until, one.name)))


def moved(amount: Pair, touched: Pair, share: Fraction) -> Pair:
    """Move an amount outwards by the error of the part of it that was measured without a certificate.

    Args:
        amount: of a vintage [any unit].
        touched: the sum of the measured values that touch the span; never counted for more than the amount itself [the
            same unit].
        share: the error (0.01 = 1 %).
    """
    low = min(abs(Fraction(touched.low)), abs(Fraction(amount.low)))
    high = min(abs(Fraction(touched.high)), abs(Fraction(amount.high)))
    return Pair(amount.low - share * low, amount.high + share * high)


def uncovered(needed: Interval, covered: Iterable[Interval]) -> tuple[Interval, ...]:
    """The parts of a span that no other span covers, in order."""
    left = []
    start_ms = needed.start_ms
    for span in sorted(covered):
        if start_ms < min(span.start_ms, needed.end_ms):
            left.append(Interval(start_ms, min(span.start_ms, needed.end_ms)))
        start_ms = max(start_ms, span.end_ms)
    if start_ms < needed.end_ms:
        left.append(Interval(start_ms, needed.end_ms))
    return tuple(left)


def calibrated(
    project: ProjectSettings,
    spec: Monitored,
    point: str,
    span: Interval,
    rules: Ruleset,
    declared: Iterable[tuple[str, Certificate]] = (),
) -> Calibrated:
    """Judge the calibrations of a point's meters in a period.

    Args:
        project: whose meters they are.
        spec: the monitored parameter.
        point: the point.
        span: the period.
        rules: which marks are creditable.
        declared: certificates beyond those of project.toml, each with the name of its meter.
    """
    if not spec.calibrated:
        return Calibrated()
    further = list(declared)
    meters = project.meters_of(point)
    judged = [
        _of_meter(_Duty(meter, certificates_of(meter, further), project.zone, point), spec, span, rules)
        for meter in meters
    ]
    none = () if meters else (Blocked("no-calibration", "no meter is declared for the point", point),)
    return Calibrated(
        tuple(late for one in judged for late in one.late),
        tuple(finding for one in judged for finding in one.findings),
        (*none, *(why for one in judged for why in one.blocked)),
    )


@dataclass(frozen=True, slots=True)
class _Duty:
    """A meter that has to be calibrated, and its certificates by date."""

    meter: MeterSettings
    certificates: tuple[Certificate, ...]
    zone: ZoneInfo
    point: str

    def covers(self, certificate: Certificate) -> Interval:
        return Interval(midnight_ms(certificate.date, self.zone), midnight_ms(certificate.valid_until, self.zone))

    def stood(self, span: Interval) -> Interval | None:
        """When it stood there within a span."""
        from_ms, until_ms = installed_ms(self.meter)
        start_ms = max(span.start_ms, from_ms)
        end_ms = span.end_ms if until_ms is None else min(span.end_ms, until_ms)
        return Interval(start_ms, end_ms) if start_ms < end_ms else None

    def after(self, instant_ms: int) -> Certificate | None:
        """The first calibration not before an instant: the one whose result tells of the time before it."""
        return next((one for one in self.certificates if self.covers(one).start_ms >= instant_ms), None)

    def before(self, instant_ms: int) -> Certificate | None:
        """The last calibration before an instant."""
        return next((one for one in self.certificates[::-1] if self.covers(one).start_ms < instant_ms), None)


def _of_meter(duty: _Duty, spec: Monitored, span: Interval, rules: Ruleset) -> Calibrated:
    stood = duty.stood(span)
    if stood is None:
        return Calibrated()
    if not duty.certificates:
        what = f"no calibration certificate of {duty.meter.name}"
        return Calibrated(blocked=(Blocked("no-calibration", what, duty.point),))
    spans = uncovered(stood, [duty.covers(one) for one in duty.certificates])
    errors = [_error(duty, one) for one in spans]
    blocked = [why for one, error in zip(spans, errors, strict=True) for why in _blocks(duty, spec, one, error, rules)]
    return Calibrated(
        tuple(Late(one, error.percent / 100) for one, error in zip(spans, errors, strict=True))
        if spec.kind in _MEASURED
        else (),
        (*(_finding(duty, one, error) for one, error in zip(spans, errors, strict=True)), *_duty_left(duty, span)),
        tuple(dict.fromkeys(blocked)),
    )


_MEASURED = frozenset({"counter", "integral"})
"""Kinds whose amounts a meter's error moves; it cannot move a state."""


@dataclass(frozen=True, slots=True)
class _Error:
    percent: Fraction
    why: str
    mark: str


def _error(duty: _Duty, span: Interval) -> _Error:
    # The largest of what the certificates around the span permit, what the later one found, and what EN 1434 permits a
    # heat meter where nobody knows its flow and its temperature difference.
    before, after = duty.before(span.end_ms), duty.after(span.end_ms)
    errors = [
        _Error(one.mpe_percent, f"maximum permissible error of {one.name}", "V")
        for one in (before, after)
        if one is not None
    ]
    if after is not None:
        errors.append(_Error(after.found_percent, f"error found by {after.name}", "V"))
    limits = permitted(duty.meter.accuracy_class)
    if limits is not None and heat_class_of(duty.meter.accuracy_class) is not None:
        why = f"the largest that {duty.meter.accuracy_class} permits, flow and temperature difference being unknown"
        errors.append(_Error(limits.largest, why, limits.mark))
    return max(errors, key=lambda error: error.percent)


def _blocks(duty: _Duty, spec: Monitored, span: Interval, error: _Error, rules: Ruleset) -> Iterator[Blocked]:
    name = duty.meter.name
    if duty.after(span.end_ms) is None:
        what = f"{name} was due for calibration and has no result since; it has to be calibrated first"
        yield Blocked("calibration-due", what, duty.point)
    if spec.kind not in _MEASURED:
        what = f"{name} is not calibrated throughout, and its error cannot be applied to a state"
        yield Blocked("calibration-late", what, duty.point)
    elif error.mark not in rules.creditable_marks:
        what = f"the error applied to {name} ({error.why}) is marked {error.mark}"
        yield Blocked("accuracy-class-unverified", what, duty.point)


def _duty_left(duty: _Duty, span: Interval) -> Iterator[Finding]:
    # Taking a meter away does not end its duty: only its last calibration tells how it measured at the end.
    _, until_ms = installed_ms(duty.meter)
    if until_ms is not None and until_ms <= span.end_ms and duty.after(until_ms) is None:
        yield Finding(
            code="calibration-final-missing",
            clause=_CLAUSE,
            severity=Severity.WARNING,
            what=f"{duty.meter.name} was taken away and has no calibration since; its last one is still owed",
            point=duty.point,
            interval=Interval(until_ms, until_ms),
        )


def _finding(duty: _Duty, span: Interval, error: _Error) -> Finding:
    percent = f"{float(error.percent):g}"
    return Finding(
        code="calibration-late",
        clause=_CLAUSE,
        severity=Severity.WARNING,
        what=f"{duty.meter.name} measured without a valid calibration; what it measured then moves by {percent} %",
        point=duty.point,
        interval=span,
        evidence={
            "error_percent": percent,
            "error_is": error.why,
            "mark": error.mark,
            **{
                f"certificate {one.name}": f"{one.date.isoformat()} to {one.valid_until.isoformat()}"
                for one in duty.certificates
            },
        },
    )
