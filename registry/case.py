"""What one check knows so far: steps put in what they read, and later steps ask for it.

Asking for what an earlier step could not read ends the asking step with "could not check", so a failure never lets a
later step pass by having nothing to do.
"""

from dataclasses import dataclass, field
from pathlib import Path

from compute.project import ProjectSettings
from metering.keys import KeyRing
from registry.canonical import JsonObject, JsonValue
from registry.declared import SignedValue
from registry.errors import RegistryError
from registry.evidence import Link, Run


class CannotCheckError(RegistryError):
    """Something that a step needs is not there; says what."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step went."""

    detail: str
    """What was checked."""
    faults: tuple[str, ...] = ()
    """What differs; none = the step passed."""


@dataclass(slots=True)
class Case:
    """One bundle under check."""

    path: Path
    trust: KeyRing | None
    files_read: dict[str, bytes] | None = None
    statement_read: JsonObject | None = None
    project_read: ProjectSettings | None = None
    links: list[Link] = field(default_factory=list)
    """Every record of the evidence that can be read, in the order of its run."""
    runs: list[Run] = field(default_factory=list)
    declared_read: tuple[SignedValue, ...] | None = None

    @property
    def files(self) -> dict[str, bytes]:
        """The entries of the bundle."""
        if self.files_read is None:
            raise CannotCheckError("the archive could not be read")
        return self.files_read

    def file(self, name: str) -> bytes:
        """One entry of the bundle."""
        if name not in self.files:
            raise CannotCheckError(f"{name} is not in the bundle")
        return self.files[name]

    @property
    def keys(self) -> KeyRing:
        """The keys that the caller trusts."""
        if self.trust is None:
            raise CannotCheckError(
                "no trusted keys were given; name (--trust) a file with the operator's and gateways' public keys "
                "that did not come with this bundle"
            )
        return self.trust

    @property
    def statement(self) -> JsonObject:
        """The statement."""
        if self.statement_read is None:
            raise CannotCheckError("the statement could not be read")
        return self.statement_read

    @property
    def project(self) -> ProjectSettings:
        """The project file of the bundle."""
        if self.project_read is None:
            raise CannotCheckError("project.toml could not be read")
        return self.project_read

    @property
    def declared(self) -> tuple[SignedValue, ...]:
        """The declared values of the bundle."""
        if self.declared_read is None:
            raise CannotCheckError("the declared values could not be read")
        return self.declared_read

    @property
    def evidence(self) -> list[Link]:
        """The records of the evidence."""
        if not self.links:
            raise CannotCheckError("no record of the evidence could be read")
        return self.links

    def at(self, *path: str) -> JsonValue:
        """A member of the statement by its keys; None when it is not there."""
        found: JsonValue = self.statement
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found
