"""From a project and its evidence to the reductions of a monitoring period: pure, exact, and the same everywhere.

Nothing here reads a clock, a file or a global; the same inputs give the same `Result`, bit for bit, whatever order the
records came in.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

from compute.amended import Amended, amend
from compute.calibration import of_declared
from compute.declared import Declared
from compute.errors import PeriodError
from compute.fixed import FixedValues, resolve
from compute.heads import unheard
from compute.measure import Measured, measure
from compute.methodologies import Emissions
from compute.methodologies.shape import Bounds, bounds
from compute.pairs import total
from compute.project import PeriodSettings, ProjectSettings
from compute.result import Blocked, Result, VintageResult, issuable
from compute.review import Job, compare, further_jobs, review
from compute.rulesets import Ruleset
from compute.task import Stretch, Task
from compute.vintages import Vintage
from ingest.store.readings import Evidence
from metering.findings import Finding, Severity
from metering.interval import HOUR_MS, Interval
from metering.record import BACKFILL_AGENT

ENGINE = "sakugen-compute/1"

EVIDENCE_MARGIN_MS = 26 * HOUR_MS
"""How far beyond a period records are needed: 24 h for the confirming reading, and slack for a change of clocks
[ms]."""

ALWAYS = Fraction(1)
"""The share of the nominal voltage of what is not asked for one."""


def evidence_window(project: ProjectSettings, period: PeriodSettings) -> Interval:
    """The span of time whose records `compute` needs for a period."""
    span = project.interval_of(period)
    return Interval(span.start_ms - EVIDENCE_MARGIN_MS, span.end_ms + EVIDENCE_MARGIN_MS)


@dataclass(frozen=True, slots=True)
class Workings:
    """A result with what it was made from, for `compute.explain` to show."""

    result: Result
    fixed: FixedValues
    measured: tuple[Measured, ...]
    parts: tuple[tuple[Bounds, ...], ...]
    """For each vintage, what each of `measured` gives, in the same order."""
    amended: Amended
    """What was measured: the project and its evidence with what was declared."""


def compute(
    project: ProjectSettings,
    evidence: Evidence,
    period: PeriodSettings,
    ruleset: Ruleset,
    *,
    declared: Sequence[Declared] = (),
    until_ms: int | None = None,
    held: int = 0,
) -> Result:
    """Compute a monitoring period; what is given and raised is said at `work_out`."""
    return work_out(project, evidence, period, ruleset, declared=declared, until_ms=until_ms, held=held).result


def work_out(
    project: ProjectSettings,
    evidence: Evidence,
    period: PeriodSettings,
    ruleset: Ruleset,
    *,
    declared: Sequence[Declared] = (),
    until_ms: int | None = None,
    held: int = 0,
    stretch: Stretch | None = None,
) -> Workings:
    """Compute a monitoring period and keep the workings.

    Args:
        project: a project that `load_project` or `parse_project` accepted.
        evidence: of the records in `evidence_window`.
        period: one of the project's periods.
        ruleset: the rules.
        declared: the project's declared values, also those that a correction replaces.
        until_ms: for a provisional result, the instant at which the period is taken to end [ms]; None = its own end.
        held: how many records are held and could not be used.
        stretch: what is measured of the evidence, when some of it was measured before.

    Raises:
        PeriodError: when `until_ms` leaves nothing of the period.
        ConfigError: when a declared value does not fit the project.
        ComputeError: when the project lacks a rating or a parameter, or an amount overflows.
    """
    vintages = vintages_until(project, period, until_ms)
    span = Interval(vintages[0].interval.start_ms, vintages[-1].interval.end_ms)
    fixed = resolve(project, ruleset)
    amended = amend(project, evidence, declared, evidence_window(project, period))
    task = Task(
        amended.project,
        amended.evidence,
        period.id,
        vintages,
        ruleset,
        ALWAYS,
        of_declared(declared),
        stretch,
    )
    measured, compared = _measure_all(task, fixed)
    parts = tuple(_parts(project, index, measured, fixed) for index in range(len(vintages)))
    reviewed = review(amended.project, measured, _vintage_results(vintages, measured, parts), fixed.factors, ruleset)
    measured = reviewed.measured
    blocked = [*fixed.blocked, *(why for one in measured for why in one.blocked), *_evidence_blocks(evidence, held)]
    silent = tuple(unheard(project, evidence, span)) if ruleset.asks_gateways else ()
    blocked += [*amended.blocked, *reviewed.blocked, *(one.blocked for one in silent)]
    findings = [*(finding for one in measured for finding in one.findings), *_evidence_findings(evidence)]
    findings += [*amended.findings, *compared, *reviewed.findings, *(one.finding for one in silent)]
    result = Result(
        project=project.id,
        title=project.title,
        jcm_reference=project.jcm_reference,
        partner_country=project.partner_country,
        time_zone=project.time_zone,
        period=period.id,
        interval=span,
        methodology=project.method.id,
        methodology_version=project.method.version,
        methodology_digest=project.method.digest,
        engine=ENGINE,
        ruleset=ruleset.id,
        input_digest=_input_digest(project, evidence, period, ruleset, declared, until_ms, held),
        evidence_digest=evidence.digest,
        evidence=evidence.runs,
        vintages=reviewed.results,
        monitored=tuple(one.row for one in measured),
        fixed=fixed.rows,
        findings=tuple(sorted(findings, key=_finding_order)),
        blocked_by=tuple(sorted(dict.fromkeys(blocked), key=lambda why: (why.code, why.where, why.what))),
    )
    return Workings(result, fixed, measured, parts, amended)


def vintages_until(project: ProjectSettings, period: PeriodSettings, until_ms: int | None) -> tuple[Vintage, ...]:
    """The vintages of a period that have begun at an instant [ms], the last one cut off there; None = all of it.

    Raises:
        PeriodError: when none has begun.
    """
    whole = project.vintages(period)
    if until_ms is None:
        return whole
    started = [vintage for vintage in whole if vintage.interval.start_ms < until_ms]
    if not started:
        raise PeriodError(f"period {period.id!r} of project {project.id} has not begun at {until_ms} ms")
    return tuple(
        replace(one, interval=Interval(one.interval.start_ms, min(one.interval.end_ms, until_ms))) for one in started
    )


def main_jobs(project: ProjectSettings) -> tuple[Job, ...]:
    """The methodology's parameters, at each point of their role."""
    asked = sorted(project.method.monitored, key=lambda spec: spec.parameter)
    return tuple((spec, point) for spec in asked for point in project.points_with(spec.role))


def _measure_all(task: Task, fixed: FixedValues) -> tuple[tuple[Measured, ...], tuple[Finding, ...]]:
    # The methodology's parameters, wider where a check meter disagrees, and what is told of the comparisons.
    project = task.project
    jobs = main_jobs(project)

    def one(job: Job) -> Measured:
        spec, point = job
        fraction = fixed.factors[point.id].get("energised_fraction", ALWAYS)
        return measure(replace(task, fraction=fraction), spec, point)

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the kernels hold no lock; the order is that of the jobs
        measured = tuple(pool.map(one, (*jobs, *further_jobs(project, task.rules))))
    return compare(project, measured[: len(jobs)], measured[len(jobs) :], task.vintages)


def _parts(
    project: ProjectSettings, index: int, measured: tuple[Measured, ...], fixed: FixedValues
) -> tuple[Bounds, ...]:
    # What each monitored amount of one vintage gives.
    return tuple(
        bounds(project.method, {one.spec.parameter: one.amounts[index]}, fixed.factors[one.point]) for one in measured
    )


def _vintage_results(
    vintages: tuple[Vintage, ...], measured: tuple[Measured, ...], parts: tuple[tuple[Bounds, ...], ...]
) -> tuple[VintageResult, ...]:
    results = [_vintage_result(vintage, measured, of_it) for vintage, of_it in zip(vintages, parts, strict=True)]
    shares = issuable(tuple(result.integer for result in results))
    return tuple(replace(result, issuable=share) for result, share in zip(results, shares, strict=True))


def _vintage_result(vintage: Vintage, measured: tuple[Measured, ...], parts: tuple[Bounds, ...]) -> VintageResult:
    corner: dict[str, str] = {}
    credited = Emissions()
    for one, part in zip(measured, parts, strict=True):
        credited += part.credited.emissions
        corner[f"{one.spec.parameter}@{one.point}"] = part.credited.ends[one.spec.parameter]
    reduction = total(part.reduction for part in parts)
    integer = floor(reduction.low)  # the one floor, on the rational, toward minus infinity
    return VintageResult(
        year=vintage.year,
        interval=vintage.interval,
        reference=total(part.reference for part in parts),
        project=total(part.project for part in parts),
        leakage=total(part.leakage for part in parts),
        reduction=reduction,
        credited=credited,
        corner=corner,
        integer=integer,
        remainder=Fraction(reduction.low) - integer,
        issuable=0,
    )


def _evidence_blocks(evidence: Evidence, held: int) -> Iterator[Blocked]:
    if not evidence.births:
        yield Blocked("no-evidence", "no gateway in live mode has sent a birth for this project", "evidence")
    for factor in {birth.time_factor for birth in evidence.births if birth.time_factor != 1}:
        yield Blocked("scaled-clock", f"readings were taken on a clock {factor:g} times as fast as time", "evidence")
    if any(birth.agent.partition(" ")[0] == BACKFILL_AGENT for birth in evidence.births):
        yield Blocked("simulated-readings", "readings of simulated time were filled in at once", "evidence")
    if held:
        yield Blocked("held-evidence", f"{held} records are held: stored, but not usable yet", "evidence")


def _evidence_findings(evidence: Evidence) -> Iterator[Finding]:
    for one in evidence.excluded:
        yield Finding(
            code=f"record-{one.reason}",
            clause="contracts 2",
            severity=Severity.WARNING,
            what="a record was given and does not count",
            evidence={"stream": one.stream, "seq": str(one.seq)},
        )
    for horizon in evidence.horizons:
        yield Finding(
            code="evidence-hole",
            clause="contracts 2",
            severity=Severity.WARNING,
            what=f"gateway {horizon.gateway} no longer holds records before {horizon.oldest_seq} of a stream",
            evidence={"stream": horizon.stream, "oldest_seq": str(horizon.oldest_seq)},
        )


def _finding_order(finding: Finding) -> tuple[str, str, str, int, int, str, str]:
    span = finding.interval or Interval(0, 0)
    texts = json.dumps(dict(finding.evidence), sort_keys=True)
    return finding.code, finding.point or "", finding.measurand or "", span.start_ms, span.end_ms, finding.what, texts


def _input_digest(
    project: ProjectSettings,
    evidence: Evidence,
    period: PeriodSettings,
    ruleset: Ruleset,
    declared: Sequence[Declared],
    until_ms: int | None,
    held: int,
) -> str:
    inputs: dict[str, object] = {
        "engine": ENGINE,
        "evidence": evidence.digest,
        "held": held,
        "methodology": project.method.digest,
        "period": period.id,
        "project": project.model_dump(mode="json"),
        "ruleset": ruleset.id,
        "until_ms": until_ms,
    }
    if declared:  # absent where there are none, so that what was computed before there could be any keeps its digest
        inputs["declared"] = [one.digest for one in declared]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
