"""A bundle and the keys that the caller trusts in, a report out: offline, from record bytes to the whole tonnes.

Nothing in the bundle is believed. Keys come from the caller, every digest is taken again, every chain link is hashed,
every raw word is decoded again, and the engine computes the statement anew from the records; then every field is
compared. Each step says what it did, and a step that could not be made is a failure: unknown is not a pass.
"""

from collections.abc import Callable
from pathlib import Path

from metering.keys import KeyRing
from registry import check_evidence, check_statement
from registry.bundle import STATEMENT
from registry.canonical import digest_of
from registry.case import CannotCheckError, Case, Outcome
from registry.report import CheckReport, Claim, Status, Step

STEPS: tuple[tuple[str, Callable[[Case], Outcome]], ...] = (
    ("archive", check_statement.archive),
    ("manifest", check_statement.manifest),
    ("statement", check_statement.statement),
    ("operator signature", check_statement.operator_signature),
    ("project file", check_statement.project_file),
    ("methodology", check_statement.methodology),
    ("declared values", check_statement.declared_values),
    ("evidence records", check_evidence.records),
    ("evidence chains", check_evidence.chains),
    ("gateway signatures", check_evidence.gateway_signatures),
    ("device maps", check_evidence.device_maps),
    ("decoding", check_evidence.decoding),
    ("computing", check_evidence.computing),
    ("transparency log", check_statement.transparency_log),
)
"""The steps in order; an earlier one reads what a later one needs."""

_NOT_BUILT = frozenset({"transparency log"})


def check_bundle(path: Path, trust: KeyRing | None) -> CheckReport:
    """Check a bundle offline.

    Args:
        path: the bundle.
        trust: the public keys that the caller trusts, operators' and gateways', from somewhere else than the bundle;
            without them no signature can be checked, which is a failure.

    Returns:
        What each step found; `ok` only when all of them passed.
    """
    return check(Case(path, trust))


def check(case: Case) -> CheckReport:
    """As `check_bundle`, of a case that nothing is known of yet; what its steps read stays in it."""
    steps = tuple(_step(name, make, case) for name, make in STEPS)
    return CheckReport(case.path.name, _claim(case), steps)


def _step(name: str, make: Callable[[Case], Outcome], case: Case) -> Step:
    try:
        outcome = make(case)
    except CannotCheckError as reason:
        return Step(name, Status.COULD_NOT_CHECK, str(reason))
    if outcome.faults:
        return Step(name, Status.FAILED, outcome.detail, outcome.faults)
    return Step(name, Status.NOT_BUILT if name in _NOT_BUILT else Status.OK, outcome.detail)


def _claim(case: Case) -> Claim | None:
    if case.statement_read is None:
        return None
    vintages, blocked = case.at("vintages"), case.at("blocked_by")
    tonnes = (
        [(v.get("year"), v.get("whole_tonnes")) for v in vintages if isinstance(v, dict)]
        if isinstance(vintages, list)
        else []
    )
    return Claim(
        digest=digest_of(case.file(STATEMENT)),
        project=str(case.at("project", "id")),
        period=str(case.at("period", "id")),
        creditable=case.at("creditable") is True,
        blocked_by=tuple(str(reason.get("code")) for reason in blocked if isinstance(reason, dict))
        if isinstance(blocked, list)
        else (),
        whole_tonnes=tuple((year, whole) for year, whole in tonnes if isinstance(year, int) and isinstance(whole, int)),
    )
