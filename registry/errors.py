"""The exceptions of registry, as a tree.

RegistryError
├── CanonicalError              bytes or values outside the canonical JSON profile
├── SignatureError              a detached JWS that is malformed, foreign or wrong
├── UnknownStatementError       the store holds no statement of that digest
├── IllegalTransitionError      a move that the table of states does not allow
├── StoreBusyError              another process holds the store (retryable)
├── DeclaredValueError          a declared value that is not signed, or not by an operator who is trusted
├── DraftError                  a statement cannot be drawn up from what is there
├── EvidenceUnavailableError    the journal no longer gives the bytes that a statement names
├── BundleError                 a bundle that cannot be read safely
├── AddressInUseError           the address to listen on cannot be had
└── case.CannotCheckError       a step of the check lacks what it needs; never leaves the check
"""

from metering.errors import SakugenError


class RegistryError(SakugenError):
    """Base of every exception that registry raises on purpose."""


class CanonicalError(RegistryError):
    """A value that the canonical JSON profile cannot hold, or bytes that are not in canonical form."""


class SignatureError(RegistryError):
    """A detached signature that is malformed, made by another key, or does not fit the bytes."""


class UnknownStatementError(RegistryError):
    """The store holds no statement of that digest."""

    def __init__(self, digest: str) -> None:
        """Name the digest that was asked for."""
        super().__init__(f"no statement {digest} in this store; `GET /v1/statements` lists those that are")
        self.digest = digest


class IllegalTransitionError(RegistryError):
    """A move that the table of states does not allow."""

    def __init__(self, digest: str, current: str, wanted: str, allowed: tuple[str, ...]) -> None:
        """Say where the statement is and where it may go from there."""
        ways = ", ".join(allowed) or "nowhere: this state is final"
        super().__init__(f"statement {digest} is {current}; it cannot become {wanted}, allowed: {ways}")
        self.digest = digest
        self.current = current
        self.wanted = wanted
        self.allowed = allowed


class StoreBusyError(RegistryError):
    """Another process holds the statement store."""

    retryable = True


class DeclaredValueError(RegistryError):
    """A declared value that is not signed, or not by an operator whose key counts; says which file."""


class DraftError(RegistryError):
    """A statement cannot be drawn up; says what is missing and where to put it."""


class EvidenceUnavailableError(RegistryError):
    """The journal does not give the exact records that a statement names."""


class BundleError(RegistryError):
    """A bundle that cannot be read safely; says which entry and which rule."""


class AddressInUseError(RegistryError):
    """The address to listen on cannot be had; says which part asked for it and how to choose another."""
