"""A finding: the coded result of a rule, with the evidence that decided it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from metering.interval import Interval


class Severity(StrEnum):
    """What a finding does to the credited amount."""

    INFO = "info"
    """Changes nothing; somebody should know."""
    WARNING = "warning"
    """Widened a pair [low, high], or may soon."""
    BLOCKING = "blocking"
    """Keeps the result from being creditable."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: operating trouble in data is a finding, never an exception."""

    code: str
    """A stable code, for example "counter-reset"."""
    clause: str
    """The rule's source, for example "contracts 6" or "CDM VVS 366"."""
    severity: Severity
    what: str
    """One sentence for people."""
    point: str | None = None
    measurand: str | None = None
    interval: Interval | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    """Times and raw words that decided it, as text."""
