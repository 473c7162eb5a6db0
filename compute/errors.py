"""The exceptions of compute, as a tree. Operating trouble in data is never one of them: that is a finding.

ComputeError
├── ProjectError           a project.toml that fits its schema but cannot be computed
├── MethodologyError       an unknown methodology or version, or a parameter it needs and does not get
├── PeriodError            a monitoring period that the project does not have
├── RulesetError           a ruleset that this software does not have
├── ExplainError           asked to explain what the project or the period does not have
├── EvidenceError          a series that is not sorted by slot
├── AmountOverflowError    an amount that int64 quanta cannot hold
└── ResultsError           results.sqlite cannot be used
"""

from metering.errors import SakugenError


class ComputeError(SakugenError):
    """Base of what compute raises on purpose."""


class ProjectError(ComputeError):
    """A project that cannot be computed as declared; says which point and which key."""


class MethodologyError(ComputeError):
    """A methodology that is unknown, or that misses a parameter."""


class PeriodError(ComputeError):
    """A monitoring period that the project does not declare."""


class RulesetError(ComputeError):
    """A ruleset id that this software cannot run."""


class ExplainError(ComputeError):
    """A question about what is not there; says what is."""


class EvidenceError(ComputeError):
    """A series that breaks what `Series` promises; says which, and where."""


class AmountOverflowError(ComputeError):
    """An amount beyond what int64 quanta hold: a rating or a span of time that cannot be meant."""


class ResultsError(ComputeError):
    """The results file cannot be used; says which file and what to do."""
