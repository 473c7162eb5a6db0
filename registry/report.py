"""What a check found, as plain values: one line a step for people, one object for scripts."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from registry.canonical import JsonObject

_SHOWN_FAULTS = 20


class Status(StrEnum):
    """How a step of the check ended."""

    OK = "ok"
    FAILED = "failed"
    COULD_NOT_CHECK = "could-not-check"
    """Unknown is never a pass."""
    NOT_BUILT = "not-built"
    """What the step would check does not exist in this version, for any statement; said, and not held against one."""


PASSES = frozenset({Status.OK, Status.NOT_BUILT})


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the check."""

    name: str
    status: Status
    detail: str
    """What was checked, or why it could not be."""
    faults: tuple[str, ...] = ()
    """One sentence for each thing that differs, naming it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the statement says, as far as it could be read; worth nothing unless the check is ok."""

    digest: str
    project: str
    period: str
    creditable: bool
    blocked_by: tuple[str, ...]
    whole_tonnes: tuple[tuple[int, int], ...]
    """(year, whole tonnes of CO2e) of each vintage [tCO2e]."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What the check of one bundle found."""

    bundle: str
    """The file's name."""
    claim: Claim | None
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether every step passed; what could not be checked did not."""
        return bool(self.steps) and all(step.status in PASSES for step in self.steps)

    @property
    def faults(self) -> tuple[str, ...]:
        """Every sentence that names what differs, or why a step could not be made."""
        bad = [step for step in self.steps if step.status not in PASSES]
        return tuple(f"{step.name}: {fault}" for step in bad for fault in (step.faults or (step.detail,)))

    def lines(self) -> Iterator[str]:
        """Say it to people, a line a step and a line a fault."""
        width = max((len(step.name) for step in self.steps), default=0)
        for step in self.steps:
            yield f"{step.status.value:<15} {step.name:<{width}}  {step.detail}"
            for fault in step.faults[:_SHOWN_FAULTS]:
                yield f"{'':<15} {'':<{width}}    {fault}"
            if len(step.faults) > _SHOWN_FAULTS:
                yield f"{'':<15} {'':<{width}}    … and {len(step.faults) - _SHOWN_FAULTS} more (--json shows all)"
        yield f"{self.bundle}: {'the statement holds' if self.ok else 'CHECK FAILED'}"

    def as_dict(self) -> JsonObject:
        """Say it to scripts."""
        claim = self.claim
        return {
            "ok": self.ok,
            "bundle": self.bundle,
            "statement": None if claim is None else claim.digest,
            "project": None if claim is None else claim.project,
            "period": None if claim is None else claim.period,
            "creditable": None if claim is None else claim.creditable,
            "blocked_by": None if claim is None else list(claim.blocked_by),
            "whole_tonnes": None if claim is None else {str(year): tonnes for year, tonnes in claim.whole_tonnes},
            "steps": [
                {"name": step.name, "status": step.status.value, "detail": step.detail, "faults": list(step.faults)}
                for step in self.steps
            ],
        }
