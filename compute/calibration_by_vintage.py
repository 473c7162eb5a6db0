"""Calibrations as `sakugen-rules/1` judges them: a late one moves the whole vintage. Later rulesets use `calibration`.

One certificate a meter, that of project.toml. No calibration ever, or one whose error cannot be applied to what is
measured, keeps the result from being creditable.
"""

from dataclasses import dataclass
from fractions import Fraction

from compute.methodologies import Monitored
from compute.project import CalibrationSettings, MeterSettings, ProjectSettings
from compute.result import Blocked
from compute.sources import installed_ms
from compute.vintages import Vintage, midnight_ms
from metering.findings import Finding, Severity
from metering.interval import Interval


@dataclass(frozen=True, slots=True)
class CalibratedByVintage:
    """What calibrations mean for one monitored parameter at one point."""

    widening: tuple[Fraction, ...]
    """For each vintage, the share by which each end moves outwards (0.01 = 1 %)."""
    findings: tuple[Finding, ...]
    blocked: tuple[Blocked, ...]


def calibrated_by_vintage(
    project: ProjectSettings, spec: Monitored, point: str, vintages: tuple[Vintage, ...]
) -> CalibratedByVintage:
    """Judge the calibrations of a point's meters."""
    if not spec.calibrated:
        return CalibratedByVintage(tuple(Fraction(0) for _ in vintages), (), ())
    findings: list[Finding] = []
    blocked: list[Blocked] = []
    widening = [Fraction(0)] * len(vintages)
    for meter in project.meters_of(point):
        if meter.calibration is None:
            blocked.append(Blocked("no-calibration", f"no calibration certificate of {meter.name}", point))
            continue
        for index, vintage in enumerate(vintages):
            uncovered = _uncovered(project, meter, meter.calibration, vintage.interval)
            if uncovered is None:
                continue
            findings.append(_late(meter, meter.calibration, point, uncovered))
            widening[index] = max(widening[index], Fraction(meter.calibration.mpe_percent) / 100)
            if spec.kind != "counter":
                what = f"{meter.name} is not calibrated throughout, and its error cannot be applied to a state"
                blocked.append(Blocked("calibration-late", what, point))
    if not project.meters_of(point):
        blocked.append(Blocked("no-calibration", "no meter is declared for the point", point))
    if spec.kind != "counter":
        widening = [Fraction(0)] * len(vintages)
    return CalibratedByVintage(tuple(widening), tuple(findings), tuple(dict.fromkeys(blocked)))


def _uncovered(
    project: ProjectSettings, meter: MeterSettings, calibration: CalibrationSettings, span: Interval
) -> Interval | None:
    # From the first to the last instant of the span at which the meter stood there without a valid certificate.
    from_ms, until_ms = installed_ms(meter)
    start_ms = max(span.start_ms, from_ms)
    end_ms = span.end_ms if until_ms is None else min(span.end_ms, until_ms)
    valid_from_ms = midnight_ms(calibration.date, project.zone)
    valid_until_ms = midnight_ms(calibration.valid_until, project.zone)
    first_ms = valid_until_ms if valid_from_ms <= start_ms < valid_until_ms else start_ms
    last_ms = end_ms if valid_until_ms < end_ms else min(end_ms, valid_from_ms)
    return Interval(first_ms, last_ms) if first_ms < last_ms else None


def _late(meter: MeterSettings, calibration: CalibrationSettings, point: str, span: Interval) -> Finding:
    return Finding(
        code="calibration-late",
        clause="CDM VVS 366",
        severity=Severity.WARNING,
        what=f"{meter.name} measured without a valid calibration; both ends are moved by its maximum permissible error",
        point=point,
        interval=span,
        evidence={
            "certificate": calibration.certificate,
            "date": calibration.date.isoformat(),
            "valid_until": calibration.valid_until.isoformat(),
            "mpe_percent": calibration.mpe_percent,
        },
    )
