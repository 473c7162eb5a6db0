"""What compute hands on: every number, source and doubt a statement needs; nothing rounded but the integers."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from compute.methodologies import Emissions
from compute.pairs import Pair
from ingest.store.readings import Run
from metering.findings import Finding
from metering.interval import Interval

DECIMAL_PLACES = 9
_SCALE = 10**DECIMAL_PLACES


def decimal_text(amount: int | Fraction) -> str:
    """Write a rational with 9 decimal places, rounded toward minus infinity; for display, never to compute with.

    Toward minus infinity, because the figure shown beside a floored integer must not lie above the true one.
    """
    scaled = floor(amount * _SCALE)
    whole, part = divmod(abs(scaled), _SCALE)
    return f"{'-' if scaled < 0 else ''}{whole}.{part:0{DECIMAL_PLACES}d}"


@dataclass(frozen=True, slots=True)
class Blocked:
    """One reason why the result is not creditable."""

    code: str
    what: str
    where: str
    """The parameter, point, meter or device map."""


@dataclass(frozen=True, slots=True)
class VintageResult:
    """The emission reductions of one calendar year of the period [tCO2e]."""

    year: int
    interval: Interval
    reference: Pair
    project: Pair
    leakage: Pair
    reduction: Pair
    """Both ends; the low end is credited."""
    credited: Emissions
    """Reference, project and leakage at the corner that credits least; their difference is `reduction.low`."""
    corner: Mapping[str, str]
    """"parameter@point" → "low" or "high": the end that was taken."""
    integer: int
    """`reduction.low` rounded down, once, never clamped [tCO2e]."""
    remainder: Fraction
    """`reduction.low` - `integer`, in [0, 1)."""
    issuable: int
    """What may be issued of it: never more than the sum over the statement's vintages allows [tCO2e]."""
    uncertainty: "Uncertainty | None" = None
    """Of the measurement, beside the number; None where no rule asks."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How uncertain the measurement of a vintage's credited reduction is, after the GUM; never part of the number."""

    expanded: Fraction | None
    """Expanded uncertainty; None when nothing can be stated of any amount [tCO2e]."""
    coverage_factor: int
    """k: expanded = k x standard uncertainty."""
    mark: str | None
    """The weakest mark of the class limits that it was taken from; None when nothing can be stated."""
    left_out: tuple[str, ...]
    """"parameter@point" of what it says nothing of: no class is known, or it is time in a state."""


@dataclass(frozen=True, slots=True)
class VintageValue:
    """A monitored amount in one vintage."""

    year: int
    low: Fraction
    """[the parameter's unit]"""
    high: Fraction
    """[the parameter's unit]"""
    uncertainty: Fraction | None = None
    """Standard uncertainty of the measurement at the credited end, beside the number; None = not stated, because no
    class of its meters is known or it is no metered amount, or because no rule asks [the parameter's unit]."""


@dataclass(frozen=True, slots=True)
class MonthValue:
    """How complete a monitored parameter is in one calendar month of the project's time zone."""

    month: str
    """"2026-01"."""
    interval: Interval
    """What of it belongs to the period."""
    coverage: Fraction
    """Readings that count among those due."""
    substituted_share: Fraction
    """The share of its time in which low < high."""
    longest_gap_ms: int
    """The longest stretch without a reading that counts that reaches into it; 0 when none is missing [ms]."""


@dataclass(frozen=True, slots=True)
class MonitoredValue:
    """One row of the Monitoring Report Sheet's table 1, columns (a) to (k), and what stands behind it."""

    monitoring_period: str
    """(a)"""
    point: str
    """(b) monitoring point"""
    parameter: str
    """(c)"""
    description: str
    """(d)"""
    low: Fraction
    """(e) the credited end or the other one, see `VintageResult.corner`"""
    high: Fraction
    """(e)"""
    unit: str
    """(f)"""
    option: str
    """(g) A, B or C"""
    source_of_data: str
    """(h)"""
    procedure: str
    """(i)"""
    frequency: str
    """(j)"""
    comments: str
    """(k)"""
    by_vintage: tuple[VintageValue, ...]
    coverage: Fraction
    """Readings that count among those due."""
    longest_gap_ms: int
    substituted_share: Fraction
    """The share of the period's time in which low < high."""
    meters: tuple[str, ...]
    """Make, model and serial of each declared meter."""
    accuracy_classes: tuple[str, ...]
    calibrations: tuple[str, ...]
    """Certificate, dates and source, one a meter; "none" where there is none."""
    by_month: tuple[MonthValue, ...] = ()
    """Empty where no rule asks."""


@dataclass(frozen=True, slots=True)
class FixedValue:
    """A parameter fixed ex ante, as used."""

    name: str
    point: str | None
    """None = for the whole project."""
    value: Fraction
    text: str
    """As it stands in project.toml or the catalog."""
    unit: str
    source: str
    mark: str
    """The weaker of the project's and the catalog's."""


@dataclass(frozen=True, slots=True)
class Result:
    """Everything about one monitoring period of one project."""

    project: str
    title: str
    jcm_reference: str
    partner_country: str
    time_zone: str
    period: str
    interval: Interval
    methodology: str
    methodology_version: str
    methodology_digest: str
    engine: str
    ruleset: str
    input_digest: str
    """SHA-256 over everything that decided the numbers."""
    evidence_digest: str
    evidence: tuple[Run, ...]
    vintages: tuple[VintageResult, ...]
    monitored: tuple[MonitoredValue, ...]
    fixed: tuple[FixedValue, ...]
    findings: tuple[Finding, ...]
    blocked_by: tuple[Blocked, ...]

    @property
    def creditable(self) -> bool:
        """Whether nothing keeps the integers from being credited."""
        return not self.blocked_by

    @property
    def reduction(self) -> Pair:
        """The reduction of the whole period [tCO2e]."""
        low = sum((Fraction(vintage.reduction.low) for vintage in self.vintages), Fraction(0))
        return Pair(low, sum((Fraction(vintage.reduction.high) for vintage in self.vintages), Fraction(0)))

    @property
    def integer(self) -> int:
        """The sum of the vintages' integers [tCO2e]."""
        return sum(vintage.integer for vintage in self.vintages)


def issuable(integers: tuple[int, ...]) -> tuple[int, ...]:
    """Say what may be issued per vintage: nothing of a negative one, and no other one beyond the sum.

    The sum is taken off the later vintages first, so that it does not depend on anybody's choice.

    Args:
        integers: one per vintage, in order of years [tCO2e].
    """
    left = max(0, sum(integers))
    shares = []
    for integer in integers:
        share = min(max(0, integer), left)
        shares.append(share)
        left -= share
    return tuple(shares)
