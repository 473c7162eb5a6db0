"""What can only be judged once every amount is known: check meters, balances, substitution, uncertainty.

In: everything that was measured, and what of it is credited. Out: wider amounts where two meters disagree, findings,
what keeps the result from being creditable, and the uncertainty beside each number.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from compute.classes import weaker
from compute.completeness import Substituted, substituted, substituted_findings
from compute.measure import Measured
from compute.methodologies import Emissions, Methodology, Monitored
from compute.pairs import Pair
from compute.plausibility import Shown, balanced, compared, tolerance
from compute.project import FlowSettings, PointSettings, ProjectSettings
from compute.result import Blocked, MonitoredValue, Uncertainty, VintageResult
from compute.rulesets import Ruleset
from compute.uncertainty import Contribution, combined, instrument_of
from compute.vintages import Vintage
from metering.findings import Finding
from metering.interval import Interval
from metering.measurands import measurand

Job = tuple[Monitored, PointSettings]
"""A parameter, and the point it is measured at."""


def further_jobs(project: ProjectSettings, rules: Ruleset) -> tuple[Job, ...]:
    """What is measured beside the methodology's parameters: at check points, and in balances."""
    if not rules.compares_meters:
        return ()
    checks = [(replace(spec, calibrated=False), point) for spec, _, point in _checks(project)]
    return (*checks, *(_flow_job(project, flow) for flow in _flows(project)))


def _checks(project: ProjectSettings) -> Iterator[tuple[Monitored, PointSettings, PointSettings]]:
    # Parameter, main point, check point; a check point without a rating has that of the main one.
    by_id = {point.id: point for point in project.point}
    for check in sorted(project.point, key=lambda point: point.id):
        main = by_id.get(check.checks or "")
        for spec in project.method.monitored:
            if main is not None and spec.role == main.role and spec.kind == "counter":
                power_w = check.rated_power_w or main.rated_power_w
                yield spec, main, check.model_copy(update={"rated_power_w": power_w})


def _flows(project: ProjectSettings) -> tuple[FlowSettings, ...]:
    return tuple(dict.fromkeys(flow for balance in project.balance for flow in (*balance.inflow, *balance.outflow)))


def _flow_job(project: ProjectSettings, flow: FlowSettings) -> Job:
    what = measurand(flow.measurand)
    spec = Monitored(
        parameter=flow.measurand,
        role="",
        kind="counter",
        measurands=(flow.measurand,),
        unit=what.unit,
        quanta_per_unit=what.quanta_per_unit,
        required=False,
        ratings=("rated_power_w",),
        description="of a balance",
        option="C",
        calibrated=False,
        source_of_data="",
        procedure="",
        frequency="",
    )
    return spec, next(point for point in project.point if point.id == flow.point)


def compare(
    project: ProjectSettings,
    measured: tuple[Measured, ...],
    further: tuple[Measured, ...],
    vintages: tuple[Vintage, ...],
) -> tuple[tuple[Measured, ...], tuple[Finding, ...]]:
    """Compare main with check meters, and draw the balances.

    Args:
        project: which says what checks what.
        measured: the methodology's parameters.
        further: what was measured for `further_jobs`.
        vintages: of the period.

    Returns:
        The parameters, wider where main and check meter disagree, and what is told.
    """
    others = {(one.spec.parameter, one.point): one for one in further}
    checks: dict[tuple[str, str], list[Measured]] = {}
    for spec, main, check in _checks(project) if further else ():
        checks.setdefault((spec.parameter, main.id), []).append(others[spec.parameter, check.id])
    findings: list[Finding] = []
    result = []
    for one in measured:
        wider = one
        for check_of_it in checks.get((one.spec.parameter, one.point), []):
            wider, told = _checked(project, wider, check_of_it, vintages)
            findings += told
        result.append(wider)
    span = Interval(vintages[0].interval.start_ms, vintages[-1].interval.end_ms)
    findings += _balances(project, others, span)
    return tuple(result), tuple(findings)


def _checked(
    project: ProjectSettings, main: Measured, check: Measured, vintages: tuple[Vintage, ...]
) -> tuple[Measured, list[Finding]]:
    findings, amounts = [], []
    name = main.spec.measurands[0]
    shares = [tolerance(project.meters_of(one.point)) for one in (main, check)]
    for index, vintage in enumerate(vintages):
        shown = [Shown(one.point, one.amounts[index], *share) for one, share in zip((main, check), shares, strict=True)]
        amount, finding = compared(shown[0], shown[1], name, vintage.year, vintage.interval)
        amounts.append(amount)
        findings += [] if finding is None else [finding]
    return _with_amounts(main, tuple(amounts)), findings


def _with_amounts(one: Measured, amounts: tuple[Pair, ...]) -> Measured:
    if amounts == one.amounts:
        return one
    parts = tuple(
        replace(part, low=Fraction(amount.low), high=Fraction(amount.high))
        for part, amount in zip(one.row.by_vintage, amounts, strict=True)
    )
    row = replace(
        one.row,
        low=sum((part.low for part in parts), Fraction(0)),
        high=sum((part.high for part in parts), Fraction(0)),
        by_vintage=parts,
        comments="given as a pair; each vintage is credited at the end that credits least",
    )
    return replace(one, amounts=amounts, row=row)


def _balances(
    project: ProjectSettings, others: Mapping[tuple[str, str], Measured], span: Interval
) -> Iterator[Finding]:
    for balance in project.balance if others else ():
        sides = []
        for side in (balance.inflow, balance.outflow):
            flows = [others[flow.measurand, flow.point] for flow in side]
            sides.append([
                Shown(one.point, Pair(one.row.low, one.row.high), *tolerance(project.meters_of(one.point)))
                for one in flows
            ])  # fmt: skip
        yield from balanced(balance.id, sides[0], sides[1], Fraction(balance.losses_percent) / 100, span)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A result with everything beside its numbers."""

    measured: tuple[Measured, ...]
    results: tuple[VintageResult, ...]
    findings: tuple[Finding, ...]
    blocked: tuple[Blocked, ...]


def review(
    project: ProjectSettings,
    measured: tuple[Measured, ...],
    results: tuple[VintageResult, ...],
    factors: Mapping[str, Mapping[str, Fraction]],
    rules: Ruleset,
) -> Reviewed:
    """Judge what is credited: how much of it was substituted, and how uncertain it is.

    Args:
        project: whose meters they are.
        measured: the methodology's parameters.
        results: of the vintages, in order.
        factors: point → fixed parameter → value.
        rules: what is asked.
    """
    told = substitutes(measured, results, rules)
    findings, blocked = tuple(finding for finding, _ in told), tuple(why for _, why in told)
    if rules.coverage_factor is None:
        return Reviewed(measured, results, findings, blocked)
    stated = tuple(
        uncertainty_of(project, measured, index, result.corner, factors, rules.coverage_factor)
        for index, result in enumerate(results)
    )
    return Reviewed(
        tuple(replace(one, row=with_uncertainties(one.row, _name(one), stated)) for one in measured),
        tuple(replace(result, uncertainty=one.of_reduction) for result, one in zip(results, stated, strict=True)),
        findings,
        blocked,
    )


def substitutes(
    measured: tuple[Measured, ...], results: tuple[VintageResult, ...], rules: Ruleset
) -> tuple[tuple[Finding, Blocked], ...]:
    """Say of which credited amounts too much was measured by nobody."""
    if rules.completeness is None:
        return ()
    parts = tuple(
        Substituted(
            one.spec.parameter,
            one.point,
            result.year,
            result.interval,
            substituted(result.corner[_name(one)], one.uncorrected[index], one.seen_widths[index]),
        )
        for index, result in enumerate(results)
        for one in measured
    )
    return tuple(substituted_findings(parts, rules.completeness))


def _name(one: Measured) -> str:
    return f"{one.spec.parameter}@{one.point}"


@dataclass(frozen=True, slots=True)
class Stated:
    """The uncertainty of one vintage."""

    of_reduction: Uncertainty
    of_amounts: Mapping[str, Fraction]
    """"parameter@point" → standard uncertainty [the parameter's unit]."""


def uncertainty_of(
    project: ProjectSettings,
    measured: tuple[Measured, ...],
    index: int,
    corner: Mapping[str, str],
    factors: Mapping[str, Mapping[str, Fraction]],
    coverage_factor: int,
) -> Stated:
    """State the uncertainty of a vintage's credited reduction.

    Args:
        project: whose meters they are.
        measured: the methodology's parameters.
        index: of the vintage.
        corner: "parameter@point" → the end that is credited.
        factors: point → fixed parameter → value.
        coverage_factor: k.
    """
    contributions: dict[str, Contribution] = {}
    left_out = []
    for one in measured:
        instrument = instrument_of(project.meters_of(one.point)) if one.spec.kind != "running" else None
        if instrument is None or one.spec.kind == "energised":
            left_out.append(_name(one))
            continue
        amount = Fraction(one.amounts[index].end(corner[_name(one)]))
        slope = sensitivity(project.method, one.spec.parameter, amount, factors[one.point])
        contributions[_name(one)] = Contribution(instrument, amount, one.step, slope)
    known = contributions.values()
    return Stated(
        Uncertainty(
            coverage_factor * combined(known) if known else None,
            coverage_factor,
            weaker([part.instrument.mark for part in known]) if known else None,
            tuple(left_out),
        ),
        {name: part.standard for name, part in contributions.items()},
    )


def sensitivity(method: Methodology, parameter: str, amount: Fraction, factors: Mapping[str, Fraction]) -> Fraction:
    """How the reduction moves with one amount: a central difference, which is the derivative itself where it is linear.

    Args:
        method: the methodology.
        parameter: the monitored parameter.
        amount: where to look [its unit].
        factors: the fixed parameters of its point.

    Returns:
        ∂ER/∂x [tCO2e per unit].
    """

    def reduction(value: Fraction) -> Fraction:
        emissions: Emissions = method.emissions({parameter: value}, factors)
        return emissions.reduction

    return (reduction(amount + 1) - reduction(amount - 1)) / 2


def with_uncertainties(row: MonitoredValue, name: str, stated: tuple[Stated, ...]) -> MonitoredValue:
    """Put the standard uncertainty beside each vintage's amount."""
    parts = tuple(
        replace(part, uncertainty=one.of_amounts.get(name)) for part, one in zip(row.by_vintage, stated, strict=True)
    )
    return replace(row, by_vintage=parts)
