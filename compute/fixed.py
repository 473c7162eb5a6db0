"""Parameters fixed ex ante: what project.toml gives and what the methodology's catalog says about it, in one list.

A value is only as sure as the weaker of its two marks; a value that the methodology does not list is never creditable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from compute.errors import ProjectError
from compute.methodologies import Fixed
from compute.project import ParameterSettings, PointSettings, ProjectSettings
from compute.result import Blocked, FixedValue
from compute.rulesets import Ruleset

_WEAKER_LAST = ("V", "D", "S", "M", "demonstration")
_RATINGS = (("rated_power_w", "W"), ("nominal_voltage_v", "V"))
DECLARED = "declared"
"""The mark of a rating: it bounds amounts in doubt and is no factor of any formula."""


@dataclass(frozen=True, slots=True)
class FixedValues:
    """Every fixed parameter of a project, resolved."""

    rows: tuple[FixedValue, ...]
    blocked: tuple[Blocked, ...]
    factors: Mapping[str, Mapping[str, Fraction]]
    """Point → parameter → value."""


def resolve(project: ProjectSettings, rules: Ruleset) -> FixedValues:
    """Look every fixed parameter up for every point that needs it.

    Raises:
        ProjectError: when one is missing, which `load_project` would have said with its line.
    """
    rows: dict[tuple[str, str], FixedValue] = {}
    blocked: dict[tuple[str, str], Blocked] = {}
    factors: dict[str, dict[str, Fraction]] = {}
    for point in sorted(project.point, key=lambda point: point.id):
        factors[point.id] = {}
        for spec in project.method.fixed_for(point.role):
            row = _row(spec, project.parameter_for(spec.name, point.id), point.id)
            rows[row.name, row.point or ""] = row
            factors[point.id][spec.name] = row.value
            why = _blocked(spec, row, rules)
            if why is not None:
                blocked[row.name, row.point or ""] = why
        for rating in _ratings(project, point):
            rows[rating.name, rating.point or ""] = rating
    return FixedValues(
        tuple(rows[key] for key in sorted(rows)), tuple(blocked[key] for key in sorted(blocked)), factors
    )


def _row(spec: Fixed, given: ParameterSettings | None, point: str) -> FixedValue:
    if given is None:
        if spec.default is None:
            raise ProjectError(f"parameter {spec.name} [{spec.unit}] is missing for point {point!r}")
        default = spec.default
        return FixedValue(spec.name, None, default.value, default.text, spec.unit, default.source, default.mark)
    value = Fraction(given.value)
    option = spec.option_of(value)
    mark = max(given.mark, given.mark if option is None else option.mark, key=_WEAKER_LAST.index)
    return FixedValue(spec.name, given.point, value, given.value, given.unit, given.source, mark)


def _blocked(spec: Fixed, row: FixedValue, rules: Ruleset) -> Blocked | None:
    where = row.name if row.point is None else f"{row.name}@{row.point}"
    if spec.choice == "listed" and spec.option_of(row.value) is None:
        listed = ", ".join(option.text for option in spec.options)
        return Blocked("parameter-not-in-methodology", f"{row.name} = {row.text} is not among {listed}", where)
    if row.mark not in rules.creditable_marks:
        return Blocked("parameter-unverified", f"{row.name} = {row.text} {row.unit} is marked {row.mark}", where)
    return None


def _ratings(project: ProjectSettings, point: PointSettings) -> list[FixedValue]:
    needed = project.method.ratings_for(point.role)
    return [
        FixedValue(name, point.id, Fraction(text), text, unit, "project.toml", DECLARED)
        for name, unit in _RATINGS
        if name in needed and (text := getattr(point, name)) is not None
    ]
