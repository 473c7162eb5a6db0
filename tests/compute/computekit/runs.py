"""What was recorded in, the engine's result out; and how many examples a property is tried on."""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache

from computekit.records import Shown, records_of
from computekit.sites import STREAMS
from hypothesis import HealthCheck, Phase, settings

from compute.engine import compute
from compute.project import parse_project
from compute.result import Result
from compute.rulesets import ruleset
from ingest.store.readings import collect

_ASKED = os.environ.get("SAKUGEN_EXAMPLES")
_FEW = 100
"""With fewer examples the question is only whether anything fails, so none is made small."""
examples = settings(
    max_examples=int(_ASKED or 500),
    deadline=None,
    derandomize=_ASKED is None,  # `make test` tries the same ones each time, `make soak` others
    database=None,
    phases=[Phase.generate] if int(_ASKED or _FEW) < _FEW else tuple(Phase),
    suppress_health_check=[HealthCheck.too_slow],
)
"""500 a property, or as many as SAKUGEN_EXAMPLES says."""


project_of = cache(parse_project)


def recorded(told: Sequence[Sequence[Shown]]) -> list[bytes]:
    """The records of some streams."""
    return [data for name, parts in zip(STREAMS, told, strict=False) for data in records_of(parts, stream=name)]


def credited(project_text: str, records: Iterable[bytes], rules: int = 2) -> Result:
    """The first period of a project, by the ruleset of a number."""
    project = project_of(project_text)
    return compute(project, collect(records), project.period[0], ruleset(f"sakugen-rules/{rules}"))


def exchanged(project_text: str, point: str, at_ms: int) -> str:
    """The same project, in which the meter S2 takes the place of S1 at an instant."""
    head, start, rest = project_text.partition(f'[[meter]]\npoint = "{point}"')
    section, _, tail = rest.partition("\n[[")
    at = datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat()
    old = section.replace("accuracy_class", f"installed_until = {at}\naccuracy_class")
    new = section.replace('"S1"', '"S2"').replace("2025-01-01T00:00:00+08:00", at)
    return f"{head}{start}{old}\n{start}{new}\n[[{tail}"
