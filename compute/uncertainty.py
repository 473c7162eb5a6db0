"""Measurement uncertainty after the GUM: beside the number and never inside it.

In: amounts, the classes of the meters they were measured with, and how the reduction moves with each. Out: standard and
expanded uncertainties, exact rationals but for one square root, which is rounded up at the ninth decimal place of the
result's unit. The doubt of a pair [low, high] is no part of it: what nobody measured is no measurement error.

References:
    JCGM 100:2008 (GUM): 4.3.7 rectangular distributions, 5.1.2 and 5.2.2 (sums, and full correlation within one
    instrument), 6.2.1 expanded uncertainty.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from compute.classes import Permitted, current_transformer, permitted, voltage_transformer, weaker
from compute.project import MeterSettings

PLACES = 9
"""Decimal places of a square root; rounded up, so that no uncertainty is told too small."""
_SCALE = 10**PLACES
_RECTANGLE = 3
"""An error anywhere in ±a has the variance a²/3."""
_TWO_ENDS = 6
"""A difference of two readings, each anywhere in one step s: s²/12 twice."""


def root_up(square: Fraction) -> Fraction:
    """The square root, rounded up to `PLACES` decimal places: the same everywhere, with integers only."""
    scaled = -(-square.numerator * _SCALE**2 // square.denominator)
    root = isqrt(scaled)
    return Fraction(root if root * root == scaled else root + 1, _SCALE)


@dataclass(frozen=True, slots=True)
class Instrument:
    """What of a point's measuring chain makes its amounts uncertain."""

    names: frozenset[str]
    """The meters; what one meter measures twice errs the same way twice."""
    relative: Fraction
    """Variance of a measured amount relative to its square: meter, current and voltage transformers as
    root-sum-square [1]."""
    mark: str
    """The weakest mark of the class limits that it was taken from."""


def instrument_of(meters: Iterable[MeterSettings]) -> Instrument | None:
    """Say how uncertain a point's amounts are for their meters; None when a class is not known.

    Of several meters one after the other, the worst stands for all.
    """
    each = tuple(meters)
    chains = [chain_of(meter) for meter in each]
    if not chains or any(chain is None for chain in chains):
        return None
    known = [part for chain in chains if chain is not None for part in chain]
    relative = max(
        sum(((part.largest / 100) ** 2 / _RECTANGLE for part in chain), Fraction(0))
        for chain in chains
        if chain is not None
    )
    return Instrument(frozenset(meter.name for meter in each), relative, weaker([part.mark for part in known]))


def chain_of(meter: MeterSettings) -> tuple[Permitted, ...] | None:
    """What the classes of a meter and of the transformers before it permit; None when the meter's is not known."""
    own = permitted(meter.accuracy_class)
    if own is None:
        return None
    current = [] if meter.ct_class is None else [current_transformer(meter.ct_class)]
    voltage = [] if meter.pt_class is None else [voltage_transformer(meter.pt_class)]
    return (own, *current, *voltage)


@dataclass(frozen=True, slots=True)
class Contribution:
    """One monitored amount, as it moves the reduction."""

    instrument: Instrument
    amount: Fraction
    """At the end that is credited [the parameter's unit]."""
    step: Fraction
    """One step of its counter [the parameter's unit]."""
    sensitivity: Fraction
    """∂ER/∂x [tCO2e per unit]."""

    @property
    def standard(self) -> Fraction:
        """Standard uncertainty of the amount itself [the parameter's unit]."""
        return root_up(self.instrument.relative * self.amount**2 + self.step**2 / _TWO_ENDS)


def combined(contributions: Iterable[Contribution]) -> Fraction:
    """Standard uncertainty of the reduction [tCO2e].

    What one meter measures errs together: its contributions are added with their signs before they are squared.
    Different meters err by themselves, and so does each counter's last digit.
    """
    each = tuple(contributions)
    variance = sum((one.sensitivity**2 * one.step**2 / _TWO_ENDS for one in each), Fraction(0))
    for group in _by_meter(each):
        moves = [one.sensitivity * one.amount for one in group]
        # Errors cancel only where the very same instruments measured both.
        same = len({one.instrument.names for one in group}) == 1
        moved = sum(moves, Fraction(0)) if same else sum((abs(move) for move in moves), Fraction(0))
        variance += moved**2 * max(one.instrument.relative for one in group)
    return root_up(variance)


def _by_meter(contributions: tuple[Contribution, ...]) -> list[list[Contribution]]:
    # Groups that share a meter, directly or through a third.
    groups: list[tuple[set[str], list[Contribution]]] = []
    for one in contributions:
        names, members = set(one.instrument.names), [one]
        apart = []
        for held, others in groups:
            if names & held:
                names |= held
                members = others + members
            else:
                apart.append((held, others))
        groups = [*apart, (names, members)]
    return [members for _, members in groups]
