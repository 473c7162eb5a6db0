"""What is to be measured: a project, its evidence, a period and the rules, handed on as one thing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from compute.calibration import Certificate
from compute.project import ProjectSettings
from compute.rulesets import Ruleset
from compute.segments import Segment
from compute.vintages import Vintage
from ingest.store.readings import Evidence
from metering.interval import Interval


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is measured of the evidence, when some of it was measured before."""

    slots: Interval
    """Only these; readings beside them tell what these are worth."""
    before: Mapping[tuple[str, str], Segment] = field(default_factory=dict)
    """(parameter, point) → what was measured before."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be measured, and by which rules."""

    project: ProjectSettings
    evidence: Evidence
    period: str
    vintages: tuple[Vintage, ...]
    rules: Ruleset
    fraction: Fraction
    """For energised time: the share of the nominal voltage that counts as energised."""
    certificates: tuple[tuple[str, Certificate], ...] = ()
    """Calibrations that were declared, each with the name of its meter."""
    stretch: Stretch | None = None
    """None = everything is measured."""

    @property
    def span(self) -> Interval:
        """The whole period."""
        return Interval(self.vintages[0].interval.start_ms, self.vintages[-1].interval.end_ms)

    @property
    def tolerance_ms(self) -> int:
        """How far from its slot an answer may be and still stand at the slot [ms]."""
        return floor(self.rules.boundary_tolerance_ms * self.evidence.time_factor)
