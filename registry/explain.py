"""A checked bundle in, the walk from its tonnes down to the register words out: offline, from its own records."""

from collections.abc import Iterable

from compute.explain import Explanation, question_of
from compute.explain import explain as explained
from compute.rulesets import ruleset
from ingest.store.readings import collect
from registry.case import Case
from registry.check_evidence import basis_of


def explain_case(case: Case, parameter: str | None, point: str | None, hour: str | None) -> Explanation:
    """Explain the statement of a bundle.

    Args:
        case: a bundle whose check passed, with what the check read.
        parameter: as for `compute.explain.question_of`.
        point: as there.
        hour: as there.

    Raises:
        ExplainError: when the project does not monitor what is asked for; says what is allowed.
        CannotCheckError: when the case was not checked.
    """
    basis, project = basis_of(case), case.project
    period = project.period_named(basis.period)
    question = question_of(project, period, parameter, point, hour)

    def records(_start_ms: int, _end_ms: int) -> Iterable[bytes]:
        return (link.data for link in basis.links)

    return explained(
        project, collect(records(0, 0)), period, ruleset(basis.ruleset), question, records,
        declared=[value.declared for value in basis.declared], held=len(basis.held),
    )  # fmt: skip
