"""A project file, its evidence and what compute makes of them in; the statement document out, contracts 7.

This is the one way to a statement: drawing one up and checking one both call `build_statement`, the first with records
from the journal, the second with records from a bundle. Nothing here depends on the day, the machine or who asks, so
the same basis always gives the same bytes. Amounts are decimal strings with 9 places, rounded toward minus infinity for
display, beside the exact rational they were taken from; the only JSON numbers are counts, years, sequence numbers and
whole tonnes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from compute.engine import compute
from compute.methodologies import package_files
from compute.pairs import Pair
from compute.project import PeriodSettings, ProjectSettings, parse_project
from compute.result import (
    FixedValue,
    MonitoredValue,
    MonthValue,
    Result,
    Uncertainty,
    VintageResult,
    VintageValue,
    decimal_text,
)
from compute.rulesets import DEFAULT_ID, Ruleset, ruleset
from ingest.store.readings import Evidence, collect
from metering.clock import utc_text
from metering.findings import Finding
from registry.bundle import methodology_entry
from registry.canonical import JsonObject, digest_of
from registry.declared import SignedValue, listing
from registry.evidence import Link, chained_runs, evidence_root, map_texts, run_list

TYPE = "sakugen.statement/1"
ROUNDING = "floor-per-vintage"

MRS_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "a": "Monitoring period",
        "b": "Monitoring point No.",
        "c": "Parameters",
        "d": "Description of data",
        "e": "Monitored Values",
        "f": "Units",
        "g": "Monitoring option",
        "h": "Source of data",
        "i": "Measurement methods and procedures",
        "j": "Monitoring frequency",
        "k": "Other comments",
    }
)
"""Labels of the Monitoring Report Sheet's table 1, as JCM spreadsheets print them."""


@dataclass(frozen=True, slots=True)
class Held:
    """A record that the journal holds and that cannot be used yet; it is named, and blocks the statement."""

    gateway: str
    stream: str
    seq: int
    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Basis:
    """Everything that a statement follows from."""

    project_text: bytes
    """The exact bytes of project.toml."""
    period: str
    """The monitoring period by id."""
    links: tuple[Link, ...]
    """The records of the evidence."""
    held: tuple[Held, ...] = ()
    ruleset: str = DEFAULT_ID
    supersedes: str | None = None
    """The digest of the statement that this one replaces."""
    declared: tuple[SignedValue, ...] = ()
    """Every declared value of the project, in order of their numbers."""


def methodology_files(project: ProjectSettings) -> dict[str, bytes]:
    """The files that define a project's methodology, by their place in a bundle."""
    return {methodology_entry(name): data for name, data in package_files(project.methodology).items()}


def build_statement(basis: Basis) -> JsonObject:
    """Draw a statement up.

    Raises:
        ConfigError: when the project file has faults, or a declared value does not fit it.
        ComputeError: when the project cannot be computed, or has no such period or ruleset.
        DeviceMapError: when a birth carries a device map that cannot be used.
        DeclaredValueError: when the signature of a declared value is none.
    """
    project = parse_project(basis.project_text.decode("utf-8"))
    evidence = collect(link.data for link in basis.links)
    period = project.period_named(basis.period)
    rules = ruleset(basis.ruleset)
    declared = [value.declared for value in basis.declared]
    result = compute(project, evidence, period, rules, declared=declared, held=len(basis.held))
    return {
        "type": TYPE,
        "project": _project(project, basis.project_text),
        "methodology": _methodology(project, result),
        "engine": {"name": "sakugen", "version": result.engine, "ruleset": result.ruleset},
        "period": _period(period, result),
        "rounding": ROUNDING,
        "vintages": [_vintage(vintage) for vintage in result.vintages],
        "whole_tonnes": result.integer,
        "monitoring_report_sheet": {
            "columns": dict(MRS_COLUMNS),
            "rows": [_monitored(value, rules) for value in result.monitored],
        },
        "fixed_parameters": [_fixed(value) for value in result.fixed],
        "declared_values": listing(basis.declared),
        "findings": [_finding(finding) for finding in result.findings],
        "creditable": result.creditable,
        "blocked_by": [{"code": why.code, "where": why.where, "what": why.what} for why in result.blocked_by],
        "evidence": _evidence(basis, evidence, result),
        "log_position": None,
        "supersedes": basis.supersedes,
    }


def _project(project: ProjectSettings, text: bytes) -> JsonObject:
    return {
        "id": project.id,
        "title": project.title,
        "jcm_reference": project.jcm_reference,
        "partner_country": project.partner_country,
        "site": project.site,
        "settings_sha256": digest_of(text),
        "crediting_period": {
            "start": project.crediting_period.start.isoformat(),
            "end": project.crediting_period.end.isoformat(),
        },
    }


def _methodology(project: ProjectSettings, result: Result) -> JsonObject:
    files: JsonObject = {name: digest_of(data) for name, data in sorted(methodology_files(project).items())}
    return {
        "id": result.methodology,
        "version": result.methodology_version,
        "title": project.method.title,
        "based_on": project.method.based_on,
        "package_sha256": result.methodology_digest,
        "files": files,
    }


def _period(period: PeriodSettings, result: Result) -> JsonObject:
    return {
        "id": period.id,
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
        "time_zone": result.time_zone,
        "start_utc": utc_text(result.interval.start_ms),
        "end_utc": utc_text(result.interval.end_ms),
    }


def _vintage(vintage: VintageResult) -> JsonObject:
    corner: JsonObject = dict(sorted(vintage.corner.items()))
    return {
        "year": vintage.year,
        "start_utc": utc_text(vintage.interval.start_ms),
        "end_utc": utc_text(vintage.interval.end_ms),
        "reference_tco2e": _ends(vintage.reference),
        "project_tco2e": _ends(vintage.project),
        "leakage_tco2e": _ends(vintage.leakage),
        "reduction_tco2e": _ends(vintage.reduction),
        "credited_corner": {
            "ends": corner,
            "reference_tco2e": _amount(vintage.credited.reference),
            "project_tco2e": _amount(vintage.credited.project),
            "leakage_tco2e": _amount(vintage.credited.leakage),
            "reduction_tco2e": _amount(vintage.credited.reduction),
        },
        "whole_tonnes": vintage.integer,
        "remainder_tco2e": _amount(vintage.remainder),
        "issuable_tonnes": vintage.issuable,
        **_uncertainty(vintage.uncertainty),
    }


def _uncertainty(stated: Uncertainty | None) -> JsonObject:
    # Absent where no rule asks: a statement of the first ruleset stays the same to the bit.
    if stated is None:
        return {}
    return {
        "uncertainty": {
            "expanded_tco2e": None if stated.expanded is None else _amount(stated.expanded),
            "coverage_factor": stated.coverage_factor,
            "mark": stated.mark,
            "left_out": list(stated.left_out),
        }
    }


def _vintage_value(part: VintageValue, rules: Ruleset) -> JsonObject:
    row: JsonObject = {"year": part.year, **_ends(Pair(part.low, part.high))}
    if rules.coverage_factor is not None:
        row["standard_uncertainty"] = None if part.uncertainty is None else _amount(part.uncertainty)
    return row


def _month(month: MonthValue) -> JsonObject:
    return {
        "month": month.month,
        "coverage": decimal_text(month.coverage),
        "longest_gap_ms": month.longest_gap_ms,
        "substituted_share": decimal_text(month.substituted_share),
    }


def _monitored(value: MonitoredValue, rules: Ruleset) -> JsonObject:
    by_month: JsonObject = {"by_month": [_month(month) for month in value.by_month]} if rules.completeness else {}
    return {
        "a": value.monitoring_period,
        "b": value.point,
        "c": value.parameter,
        "d": value.description,
        "e": _ends(Pair(value.low, value.high)),
        "f": value.unit,
        "g": value.option,
        "h": value.source_of_data,
        "i": value.procedure,
        "j": value.frequency,
        "k": value.comments,
        "by_vintage": [_vintage_value(part, rules) for part in value.by_vintage],
        **by_month,
        "coverage": decimal_text(value.coverage),
        "longest_gap_ms": value.longest_gap_ms,
        "substituted_share": decimal_text(value.substituted_share),
        "meters": list(value.meters),
        "accuracy_classes": list(value.accuracy_classes),
        "calibrations": list(value.calibrations),
    }


def _fixed(value: FixedValue) -> JsonObject:
    return {
        "name": value.name,
        "point": value.point,
        "value": value.text,
        "exact": _rational(value.value),
        "unit": value.unit,
        "source": value.source,
        "mark": value.mark,
    }


def _finding(finding: Finding) -> JsonObject:
    interval = finding.interval
    evidence: JsonObject = dict(sorted(finding.evidence.items()))
    return {
        "code": finding.code,
        "clause": finding.clause,
        "severity": finding.severity.value,
        "what": finding.what,
        "point": finding.point,
        "measurand": finding.measurand,
        "start_utc": None if interval is None else utc_text(interval.start_ms),
        "end_utc": None if interval is None else utc_text(interval.end_ms),
        "evidence": evidence,
    }


def _evidence(basis: Basis, evidence: Evidence, result: Result) -> JsonObject:
    runs = run_list(chained_runs(basis.links))
    return {
        "root": evidence_root(runs),
        "runs": runs,
        "held": [
            {"gateway": h.gateway, "stream": h.stream, "seq": h.seq, "digest": h.digest, "reason": h.reason}
            for h in basis.held
        ],
        "excluded": [{"stream": e.stream, "seq": e.seq, "reason": e.reason} for e in evidence.excluded],
        "device_maps": list(map_texts(basis.links)),
        "records_sha256": result.evidence_digest,
        "input_sha256": result.input_digest,
    }


def _ends(pair: Pair) -> JsonObject:
    return {
        "low": decimal_text(pair.low),
        "high": decimal_text(pair.high),
        "low_exact": _rational(pair.low),
        "high_exact": _rational(pair.high),
    }


def _amount(amount: Fraction) -> JsonObject:
    return {"value": decimal_text(amount), "exact": _rational(amount)}


def _rational(amount: int | Fraction) -> str:
    fraction = Fraction(amount)
    return f"{fraction.numerator}/{fraction.denominator}"
