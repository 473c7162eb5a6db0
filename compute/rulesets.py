"""The rules by id: every threshold that decides how readings become amounts. Released ones stay runnable for ever."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from compute.errors import RulesetError


@dataclass(frozen=True, slots=True)
class Ruleset:
    """One released set of rules."""

    id: str
    rated_margin: Fraction
    """What a rated power may be exceeded by; contracts 6."""
    boundary_tolerance_ms: int
    """How far from local midnight an answer may be to divide two vintages [ms]; multiplied by the clock's factor."""
    creditable_marks: frozenset[str]
    """Marks of parameters that may be credited: read in the source, or derived from such by tested arithmetic."""


DEFAULT_ID = "sakugen-rules/1"

RULESETS: Mapping[str, Ruleset] = MappingProxyType({
    DEFAULT_ID: Ruleset(
        id=DEFAULT_ID,
        rated_margin=Fraction(105, 100),
        boundary_tolerance_ms=5_000,
        creditable_marks=frozenset({"V", "D"}),
    ),
})  # fmt: skip


def ruleset(ruleset_id: str = DEFAULT_ID) -> Ruleset:
    """Look a ruleset up.

    Raises:
        RulesetError: when this software does not have it.
    """
    try:
        return RULESETS[ruleset_id]
    except KeyError:
        raise RulesetError(f"unknown ruleset {ruleset_id!r}; this software has: {', '.join(RULESETS)}") from None
