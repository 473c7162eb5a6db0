"""What a ready site is: a plant as published, the factors that make tonnes of its amounts, and what was expected of it.

Marks of certainty are those of parameters everywhere: V read in the source that is named, S stated in the
programme's own papers, D derived by the arithmetic that is given, M from memory and not checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from simulators.plants.plant import Plant

Mark = Literal["V", "S", "D", "M"]


@dataclass(frozen=True, slots=True)
class Factor:
    """A number that turns an amount into tonnes, or one amount into another."""

    value: float
    unit: str
    source: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Expected:
    """What was published about a year of the project."""

    reduction_tco2: float
    source: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Result:
    """A simulated year."""

    reduction_tco2: float
    amounts: str
    """The amounts behind it, for people."""


Amount = Callable[[str, str], float]
"""Of an instrument and a field: what happened in the year."""


@dataclass(frozen=True, slots=True)
class ReadySite:
    """One site of the library."""

    plant: str
    """The kind of plant, a name of the roster; its devices are served."""
    title: str
    country: str
    size: str
    """What was published about its size, with the mark."""
    size_mark: Mark
    build: Callable[[str, int], Plant]
    """From a seed and an origin [ms since the Unix epoch]."""
    factors: Mapping[str, Factor]
    reduction: Callable[[Amount, Mapping[str, float]], Result]
    """The methodology's equation on the amounts of a year and the values of the factors."""
    expected: Expected | None
    """Nothing where no number was found."""
    note: str
    """Why the ratio is what it is."""

    def simulate(self, seed: str, start_ms: int, end_ms: int) -> Result:
        """Run the plant over an interval.

        Args:
            seed: of the weather and of everything else that is drawn.
            start_ms: [ms since the Unix epoch].
            end_ms: [ms since the Unix epoch].
        """
        plant = self.build(seed, start_ms)
        values = {name: factor.value for name, factor in self.factors.items()}
        return self.reduction(lambda instrument, field: plant.amount(instrument, field, start_ms, end_ms), values)

    def is_verified(self) -> bool:
        """Whether size, every factor and the expectation were read in a source: then the ratio must be near 1."""
        marks = [self.size_mark, *(factor.mark for factor in self.factors.values())]
        return self.expected is not None and all(mark in {"V", "S"} for mark in [*marks, self.expected.mark])
