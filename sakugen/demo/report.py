"""What `sakugen demo` found, as values, as one JSON object and as tables."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from sakugen.demo.account import Account
from sakugen.demo.statements import Drawn

_VINTAGES = 2
_SHOWN_PLACES = 3
_STEP_TCO2E = 0.01
"""The truth is a float of the physics, the readings are register steps: two steps of the coarsest register, 1 kWh of
heat, are less than this much [tCO2e]."""


@dataclass(frozen=True, slots=True)
class VintageReport:
    """One calendar year of one statement; amounts as decimal strings [tCO2e]."""

    year: int
    reference_tco2e: str
    project_tco2e: str
    reduction_tco2e: str
    reduction_high_tco2e: str
    true_tco2e: float
    """What the plant's physics says, in floats."""
    whole_tonnes: int


@dataclass(frozen=True, slots=True)
class ProjectReport:
    """One project: what became of its readings, and its statement."""

    account: Account
    methodology: str
    vintages: tuple[VintageReport, ...]
    creditable: bool
    blocked_by: tuple[str, ...]
    statement: str
    """The digest that names it."""
    bundle: str
    check_passed: bool

    @property
    def faults(self) -> Iterator[str]:
        """Why this project is not as it should be."""
        name = self.account.project
        if not self.account.clean:
            lost, doubled, wrong = self.account.lost, self.account.duplicated, self.account.wrong
            yield f"{name}: {lost} readings lost, {doubled} doubled, {wrong} wrong"
        if self.account.explained:
            yield f"{name}: {self.account.explained} readings served but not committed, inside gaps"
        if sum(vintage.whole_tonnes for vintage in self.vintages) < 1:
            yield f"{name}: less than one whole tonne"
        if len(self.vintages) != _VINTAGES:
            yield f"{name}: {len(self.vintages)} vintages instead of {_VINTAGES}"
        for vintage in self.vintages:
            if float(vintage.reduction_tco2e) > vintage.true_tco2e + _STEP_TCO2E:
                yield f"{name}: {vintage.year} credits more than the {vintage.true_tco2e:.6f} tCO2e that are true"
        if not self.check_passed:
            yield f"{name}: the offline check failed; see the .check.json beside {self.bundle}"


@dataclass(frozen=True, slots=True)
class Report:
    """The whole demonstration."""

    projects: tuple[ProjectReport, ...]
    wall_s: float

    @property
    def faults(self) -> list[str]:
        """Everything that is not as it should be."""
        return [fault for project in self.projects for fault in project.faults]

    @property
    def ok(self) -> bool:
        """Whether nothing was lost or doubled, and every statement holds."""
        return not self.faults

    def as_dict(self) -> dict[str, Any]:
        """One JSON object; amounts are decimal strings [tCO2e]."""
        accounts = [project.account for project in self.projects]
        return {
            "ok": self.ok,
            "faults": self.faults,
            "readings_served": sum(each.served for each in accounts),
            "readings_committed": sum(each.committed for each in accounts),
            "lost": sum(each.lost for each in accounts),
            "duplicated": sum(each.duplicated for each in accounts),
            "gaps": sum(each.gaps for each in accounts),
            "projects": {project.account.project: asdict(project) for project in self.projects},
            "wall_seconds": round(self.wall_s, 1),
        }

    def tables(self) -> Iterator[Table]:
        """The same for people."""
        readings = Table(title="Readings, from register to journal", title_justify="left")
        for heading in ("project", "served", "committed", "lost", "doubled", "wrong", "gap records"):
            readings.add_column(heading, justify="left" if heading == "project" else "right")
        for each in (project.account for project in self.projects):
            counts = (each.served, each.committed, each.lost, each.duplicated, each.wrong, each.gaps)
            readings.add_row(each.project, *(f"{count:,}" for count in counts))
        yield readings
        tonnes = Table(title="Statements, tCO2e", title_justify="left")
        headings = ("project", "year", "reference", "project", "reduction", "at most", "true", "whole tonnes", "check")
        for heading in headings:
            tonnes.add_column(heading, justify="left" if heading == "project" and not tonnes.columns else "right")
        for project in self.projects:
            for vintage in project.vintages:
                tonnes.add_row(
                    project.account.project,
                    str(vintage.year),
                    _short(vintage.reference_tco2e),
                    _short(vintage.project_tco2e),
                    _short(vintage.reduction_tco2e),
                    _short(vintage.reduction_high_tco2e),
                    f"{vintage.true_tco2e:.{_SHOWN_PLACES}f}",
                    str(vintage.whole_tonnes),
                    "passed" if project.check_passed else "FAILED",
                )
        yield tonnes


def _short(decimal: str) -> str:
    """Cut a decimal string, which is not rounding: for people, who find the whole of it in --json."""
    whole, _, places = decimal.partition(".")
    return f"{whole}.{places[:_SHOWN_PLACES]}"


def project_report(reckoning: Account, drawn: Drawn, true_tco2e: Mapping[int, float], *, passed: bool) -> ProjectReport:
    """Put together what is known about a project.

    Args:
        reckoning: what became of its readings.
        drawn: its statement.
        true_tco2e: the true reduction of each year [tCO2e].
        passed: whether the offline check passed.
    """
    document = drawn.document
    return ProjectReport(
        account=reckoning,
        methodology=f"{document['methodology']['id']} {document['methodology']['version']}",
        vintages=tuple(_vintage(vintage, true_tco2e[vintage["year"]]) for vintage in document["vintages"]),
        creditable=document["creditable"],
        blocked_by=tuple(f"{reason['code']}: {reason['where']}" for reason in document["blocked_by"]),
        statement=drawn.digest,
        bundle=str(drawn.bundle),
        check_passed=passed,
    )


def _vintage(vintage: Mapping[str, Any], true_tco2e: float) -> VintageReport:
    credited = vintage["credited_corner"]
    return VintageReport(
        year=vintage["year"],
        reference_tco2e=credited["reference_tco2e"]["value"],
        project_tco2e=credited["project_tco2e"]["value"],
        reduction_tco2e=credited["reduction_tco2e"]["value"],
        reduction_high_tco2e=vintage["reduction_tco2e"]["high"],
        true_tco2e=true_tco2e,
        whole_tonnes=vintage["whole_tonnes"],
    )
