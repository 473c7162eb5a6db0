"""The rules by id: every threshold that decides how readings become amounts, and which rules there were.

A released ruleset stays as it is for ever, so that a statement drawn up with it can be computed anew. A rule that is
off, or another threshold, is another ruleset with another id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from compute.errors import RulesetError
from metering.interval import DAY_MS


@dataclass(frozen=True, slots=True)
class Frozen:
    """When a counter that stands still is frozen: another measurand must show that it should have moved."""

    least_ms: int
    """How long it has to stand still; meters may take minutes to count on [ms]."""
    least_power: Fraction
    """What share of the rated power must flow; below its starting current a meter shows power and counts none."""


@dataclass(frozen=True, slots=True)
class FrozenVoltage:
    """When a voltage that stays the same to the last digit is frozen; one of a live supply never rests so long."""

    least_ms: int
    """How long it has to stay the same [ms]."""
    least_samples: int
    """How many samples in a row have to be the same."""
    least_steps: int
    """How many register steps the value has to be; a coarser voltage may well rest."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much may be missing of a parameter."""

    least_coverage: Fraction
    """Of a calendar month's due readings so many must count, else it is told."""
    longest_gap_ms: int
    """A longer stretch without a reading that counts keeps the result from being creditable [ms]."""
    most_substituted: Fraction
    """A larger share of a vintage's credited amount that no meter showed keeps it from being creditable."""


@dataclass(frozen=True, slots=True)
class Plausible:
    """How much of what a rated power could do at all a period's amount may be."""

    most: Fraction
    """A counter that rose by more than this share did not count what it was said to: refused."""
    few: Fraction
    """Less than this share is told."""
    too_few: Fraction
    """Less than this share, and not nothing: refused, as a unit that is a thousand times too large."""
    least_ms: int
    """Of a shorter time nobody can say that it was too little: the first night of a solar plant, for one [ms]."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """One released set of rules; a rule that came later is off in the sets before it."""

    id: str
    rated_margin: Fraction
    """What a rated power may be exceeded by; contracts 6."""
    boundary_tolerance_ms: int
    """How far from local midnight an answer may be to divide two vintages [ms]; multiplied by the clock's factor."""
    creditable_marks: frozenset[str]
    """Marks of parameters that may be credited: read in the source, or derived from such by tested arithmetic."""
    supply_loss: bool = False
    """Whether `nonvolatile_s` of a device map counts: over a gap a difference is only the low end."""
    frozen: Frozen | None = None
    only_known_states: bool = False
    """Whether a status other than 0 or 1 is unknown; it was taken for "not running"."""
    most_voltage: Fraction | None = None
    """What share of its nominal voltage a supply can have; above it the state is unknown."""
    frozen_voltage: FrozenVoltage | None = None
    shows_words: bool = False
    """Whether findings show the raw register words and the spans that they speak of."""
    late_by_value: bool = False
    """Whether a late calibration moves the values measured meanwhile and needs a result; it moved whole vintages."""
    completeness: Completeness | None = None
    plausible: Plausible | None = None
    compares_meters: bool = False
    """Whether main and check meters are compared, and balances drawn."""
    asks_gateways: bool = False
    """Whether a gateway that is not heard up to the period's end is told, and blocks."""
    coverage_factor: int | None = None
    """k of the expanded uncertainty that is told beside the reduction; None = none is told."""


DEFAULT_ID = "sakugen-rules/2"
_FIRST = Ruleset(
    id="sakugen-rules/1",
    rated_margin=Fraction(105, 100),
    boundary_tolerance_ms=5_000,
    creditable_marks=frozenset({"V", "D"}),
)
_SECOND = Ruleset(
    id=DEFAULT_ID,
    rated_margin=Fraction(105, 100),
    boundary_tolerance_ms=5_000,
    creditable_marks=frozenset({"V", "D"}),
    supply_loss=True,
    frozen=Frozen(least_ms=3_600_000, least_power=Fraction(1, 100)),
    only_known_states=True,
    most_voltage=Fraction(3, 2),
    frozen_voltage=FrozenVoltage(least_ms=3_600_000, least_samples=10, least_steps=1_000),
    shows_words=True,
    late_by_value=True,
    completeness=Completeness(
        least_coverage=Fraction(80, 100), longest_gap_ms=7 * DAY_MS, most_substituted=Fraction(10, 100)
    ),
    plausible=Plausible(most=Fraction(105, 100), few=Fraction(1, 100), too_few=Fraction(1, 1000), least_ms=7 * DAY_MS),
    compares_meters=True,
    asks_gateways=True,
    coverage_factor=2,
)

RULESETS: Mapping[str, Ruleset] = MappingProxyType({rules.id: rules for rules in (_FIRST, _SECOND)})


def ruleset(ruleset_id: str = DEFAULT_ID) -> Ruleset:
    """Look a ruleset up.

    Raises:
        RulesetError: when this software does not have it.
    """
    try:
        return RULESETS[ruleset_id]
    except KeyError:
        raise RulesetError(f"unknown ruleset {ruleset_id!r}; this software has: {', '.join(RULESETS)}") from None
