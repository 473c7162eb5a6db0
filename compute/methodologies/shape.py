"""What every methodology consists of, and how a pair [low, high] becomes emissions at the end that credits least.

Each family here is a sum over metering points, so the least reduction of the sum is the sum of the least reductions,
point by point; a family declares for each monitored parameter which way the reduction goes with it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import product
from typing import Literal

from compute.pairs import Pair

Amounts = Mapping[str, Fraction]
"""Monitored parameter → amount [its unit]."""
Factors = Mapping[str, Fraction]
"""Fixed parameter or rating → value [its unit]."""


@dataclass(frozen=True, slots=True)
class Emissions:
    """What a methodology gives for definite amounts."""

    reference: Fraction = Fraction(0)
    """[tCO2e]"""
    project: Fraction = Fraction(0)
    """[tCO2e]"""
    leakage: Fraction = Fraction(0)
    """[tCO2e]"""

    @property
    def reduction(self) -> Fraction:
        """Reference less project emissions less leakage; may be negative [tCO2e]."""
        return self.reference - self.project - self.leakage

    def __add__(self, other: "Emissions") -> "Emissions":
        """The emissions of two installations."""
        return Emissions(self.reference + other.reference, self.project + other.project, self.leakage + other.leakage)


class Direction(StrEnum):
    """Which way the reduction goes when a monitored amount grows, whatever the other values are."""

    UP = "up"
    """Never down: the low end credits least."""
    DOWN = "down"
    """Never up: the high end credits least."""
    EITHER = "either"
    """Depends on fixed parameters: both ends are tried."""


@dataclass(frozen=True, slots=True)
class Monitored:
    """A parameter monitored ex post."""

    parameter: str
    role: str
    """Role of the points it is measured at."""
    kind: Literal["counter", "running", "energised", "integral"]
    """How readings become amounts: differences of a COUNTER, time in a state, or the integral of an INSTANT power."""
    measurands: tuple[str, ...]
    unit: str
    quanta_per_unit: int
    required: bool
    """Whether a project must have such a point."""
    ratings: tuple[str, ...]
    """Keys that a point of this role must declare."""
    description: str
    option: Literal["A", "B", "C"]
    """JCM monitoring option."""
    calibrated: bool
    """Whether it comes from a measuring instrument, which needs a calibration; a status contact does not."""
    source_of_data: str
    procedure: str
    frequency: str


@dataclass(frozen=True, slots=True)
class Option:
    """A value that the methodology's text offers."""

    value: Fraction
    text: str
    """As it stands in the source."""
    when: str
    source: str
    mark: str
    """V, S, D or M: how sure we are that the text says so."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A parameter fixed ex ante."""

    name: str
    unit: str
    description: str
    roles: tuple[str, ...]
    """Roles of the points whose emissions need it."""
    above: Fraction | None
    """Values must be more than this; None = no lower limit."""
    at_least: Fraction | None
    at_most: Fraction | None
    choice: Literal["listed", "project"]
    """Whether the value must be one of the options, or is the project's own."""
    default: Option | None
    options: tuple[Option, ...]

    def allows(self, value: Fraction) -> bool:
        """Whether a value can be meant at all."""
        if (self.above is not None and value <= self.above) or (self.at_least is not None and value < self.at_least):
            return False
        return self.at_most is None or value <= self.at_most

    @property
    def range_text(self) -> str:
        """The values that can be meant, for people."""
        limits = (("more than", self.above), ("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{words} {limit}" for words, limit in limits if limit is not None) or "any number"

    def option_of(self, value: Fraction) -> Option | None:
        """The option with this value."""
        return next((option for option in self.options if option.value == value), None)


@dataclass(frozen=True, slots=True)
class Methodology:
    """One version of one methodology: formulas and facts."""

    id: str
    version: str
    title: str
    based_on: str
    equations: tuple[str, ...]
    monitored: tuple[Monitored, ...]
    fixed: tuple[Fixed, ...]
    directions: Mapping[str, Direction]
    """Declared by the family, tested as a property."""
    emissions: Callable[[Amounts, Factors], Emissions]
    """The formulas, for one point's amounts; a parameter that is not given counts as 0."""
    digest: str
    """SHA-256 over the catalog file and the family's source [hex]."""

    def ratings_for(self, role: str) -> tuple[str, ...]:
        """Keys that a point of this role must declare."""
        return tuple(sorted({rating for spec in self.monitored if spec.role == role for rating in spec.ratings}))

    def fixed_for(self, role: str) -> tuple[Fixed, ...]:
        """The fixed parameters that a point of this role needs."""
        return tuple(spec for spec in self.fixed if role in spec.roles)


@dataclass(frozen=True, slots=True)
class Corner:
    """The end of each pair that credits least, and what it gives."""

    ends: Mapping[str, str]
    """Parameter → "low" or "high"."""
    emissions: Emissions


@dataclass(frozen=True, slots=True)
class Bounds:
    """Emissions over all amounts that the pairs leave open."""

    reference: Pair
    project: Pair
    leakage: Pair
    reduction: Pair
    credited: Corner
    """Where the reduction is least."""
    tried: tuple[Corner, ...]
    """The corners it was chosen from: one where the methodology's directions leave no choice."""


def bounds(method: Methodology, amounts: Mapping[str, Pair], factors: Factors) -> Bounds:
    """Give the emissions of one point at every corner that matters.

    Args:
        method: the methodology.
        amounts: the point's monitored amounts [their units].
        factors: the values it needs [their units].
    """
    everywhere = list(_corners(method, amounts, factors, {}))
    least = {Direction.UP: "low", Direction.DOWN: "high"}
    most = {Direction.UP: "high", Direction.DOWN: "low"}
    lowest = list(_corners(method, amounts, factors, least))
    highest = list(_corners(method, amounts, factors, most))
    credited = min(lowest, key=lambda corner: corner.emissions.reduction)
    return Bounds(
        _span([corner.emissions.reference for corner in everywhere]),
        _span([corner.emissions.project for corner in everywhere]),
        _span([corner.emissions.leakage for corner in everywhere]),
        Pair(credited.emissions.reduction, max(corner.emissions.reduction for corner in highest)),
        credited,
        tuple(lowest),
    )


def _corners(
    method: Methodology, amounts: Mapping[str, Pair], factors: Factors, known: Mapping[Direction, str]
) -> Iterator[Corner]:
    names = sorted(amounts)
    choices = [_ends(amounts[name], known.get(method.directions[name])) for name in names]
    for ends in product(*choices):
        values = {name: Fraction(amounts[name].end(end)) for name, end in zip(names, ends, strict=True)}
        yield Corner(dict(zip(names, ends, strict=True)), method.emissions(values, factors))


def _ends(pair: Pair, known: str | None) -> tuple[str, ...]:
    if known is not None:
        return (known,)
    return ("low",) if pair.exact else ("low", "high")


def _span(values: list[Fraction]) -> Pair:
    return Pair(min(values), max(values))
