"""From whole tonnes to the emissions of each monitored amount: the upper half of an explanation.

In: the workings of a result. Out: steps. Every number is the engine's own; what is added here is which rule made it.
"""

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction

from compute.engine import Workings
from compute.explain.step import Fact, Made, Rule, Step, number_text
from compute.methodologies import Direction, Emissions
from compute.methodologies.shape import Bounds
from compute.pairs import Pair
from compute.project import ProjectSettings
from compute.result import FixedValue, VintageResult
from metering.clock import utc_text

TONNES = "tCO2e"
_PERIOD = Rule("the whole tonnes of a period are those of its vintages; none is clamped", "contracts 7")
_FLOOR = Rule("the end of the reduction that credits least, rounded down once, toward minus infinity", "contracts 6")
_REDUCTION = "reference emissions less project emissions less leakage; each point is credited at its own worse end"
_NUMBERED = re.compile(r"\(\d+\) ")
_SYMBOL = re.compile(r"[A-Za-z]\w*")


def period_step(period: str, vintages: tuple[Step, ...], workings: Workings) -> Step:
    """The whole tonnes of a period."""
    integer = workings.result.integer
    return Step("period", period, _PERIOD, Made.SUM, Pair(integer, integer), TONNES, steps=vintages)


def vintage_step(vintage: VintageResult, reduction: Step) -> Step:
    """The whole tonnes of a vintage."""
    facts = (
        Fact("from_utc", utc_text(vintage.interval.start_ms)),
        Fact("to_utc", utc_text(vintage.interval.end_ms)),
        Fact("remainder", vintage.remainder, TONNES),
        Fact("issuable", vintage.issuable, TONNES),
    )
    value = Pair(vintage.integer, vintage.integer)
    return Step("vintage", str(vintage.year), _FLOOR, Made.FLOOR, value, TONNES, facts, (reduction,))


def reduction_step(
    vintage: VintageResult, workings: Workings, project: ProjectSettings, points: tuple[Step, ...]
) -> Step:
    """The emission reduction of a vintage, both ends."""
    credited = vintage.credited
    symbols = {
        "ER": number_text(credited.reduction),
        "RE": number_text(credited.reference),
        "PE": number_text(credited.project),
        "LE": number_text(credited.leakage),
    }
    facts = (
        *_equations(project.method.equations, {"ER"}, symbols),
        *_emissions(credited),
        *_ends(vintage.reference, "reference"),
        *_ends(vintage.project, "project"),
        *_ends(vintage.leakage, "leakage"),
    )
    rule = Rule(_REDUCTION, _method_text(workings))
    return Step("reduction", str(vintage.year), rule, Made.SUM, vintage.reduction, TONNES, facts, points)


def emissions_step(index: int, place: int, workings: Workings, project: ProjectSettings, amount: Step) -> Step:
    """What a monitored amount at a point gives: the formula, its numbers, the end that was taken and why.

    Args:
        index: which vintage.
        place: which of the workings' amounts.
        workings: the engine's.
        project: the project.
        amount: the step of the amount itself.
    """
    one, part = workings.measured[place], workings.parts[index][place]
    name = one.spec.parameter
    fixed = tuple(_fixed_of(one.point, workings, project))
    end = part.credited.ends[name]
    symbols = {row.name: row.text for row in fixed} | {name: number_text(one.amounts[index].end(end))}
    facts = (
        *_equations(project.method.equations, set(symbols), symbols),
        Fact("end", end),
        Fact("why", _why(name, part, project.method.directions[name])),
        *_emissions(part.credited.emissions),
        *_ends(part.reference, "reference"),
        *_ends(part.project, "project"),
        *_ends(part.leakage, "leakage"),
    )
    what = f"what {name} at {one.point} gives; a symbol without a number belongs to another point"
    rule = Rule(what, _method_text(workings))
    steps = (amount, *(_fixed_step(row) for row in fixed))
    return Step("emissions", f"{name}@{one.point}", rule, Made.FORMULA, part.reduction, TONNES, facts, steps)


def _fixed_of(point: str, workings: Workings, project: ProjectSettings) -> Iterator[FixedValue]:
    # What the point's emissions and bounds take: its own value before the project's, as in `compute.fixed`.
    role = next(place.role for place in project.point if place.id == point)
    names = [spec.name for spec in project.method.fixed_for(role)] + list(project.method.ratings_for(role))
    rows = {(row.name, row.point): row for row in workings.fixed.rows}
    for name in names:
        row = rows.get((name, point)) or rows.get((name, None))
        if row is not None:
            yield row


def _fixed_step(row: FixedValue) -> Step:
    rule = Rule("fixed before the crediting period; only as sure as the weaker of its two marks", "contracts 5")
    facts = (Fact("written", row.text), Fact("source", row.source), Fact("mark", row.mark))
    name = row.name if row.point is None else f"{row.name}@{row.point}"
    return Step("fixed", name, rule, Made.GIVEN, Pair(row.value, row.value), row.unit, facts)


def _why(name: str, part: Bounds, direction: Direction) -> str:
    if direction is Direction.UP:
        return f"the reduction never falls when {name} grows, so the low end credits least"
    if direction is Direction.DOWN:
        return f"the reduction never grows with {name}, so the high end credits least"
    if len(part.tried) == 1:
        return "both ends are the same, so there is nothing to choose"
    tried = " and ".join(
        f"{number_text(corner.emissions.reduction)} {TONNES} at the {corner.ends[name]} end" for corner in part.tried
    )
    return f"whether the reduction grows with {name} depends on the fixed parameters, so both ends were tried: {tried}"


def _equations(texts: tuple[str, ...], names: set[str], symbols: Mapping[str, str]) -> Iterator[Fact]:
    # The numbered equations that speak of one of the names: as in the catalog, and with numbers in the symbols' places.
    for text in texts:
        number = _NUMBERED.match(text)
        if number is None or names.isdisjoint(_SYMBOL.findall(text)):
            continue
        label = f"equation {number.group().strip()}"
        left, equals, right = text[number.end() :].partition(" = ")
        yield Fact(label, left + equals + right)
        filled = _SYMBOL.sub(lambda found: symbols.get(found.group(), found.group()), right)
        yield Fact(f"{label} with numbers", f"{left}{equals}{filled}")


def _emissions(credited: Emissions) -> Iterator[Fact]:
    # At the end that was taken; the first less the others is what is credited.
    yield Fact("credited reference", credited.reference, TONNES)
    yield Fact("credited project", credited.project, TONNES)
    yield Fact("credited leakage", credited.leakage, TONNES)


def _ends(value: Pair, name: str) -> Iterator[Fact]:
    if not value.exact:  # else it is what is credited
        yield Fact(f"{name} low", Fraction(value.low), TONNES)
        yield Fact(f"{name} high", Fraction(value.high), TONNES)


def _method_text(workings: Workings) -> str:
    return f"{workings.result.methodology} {workings.result.methodology_version}"
