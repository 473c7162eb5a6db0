"""An amount of which only bounds may be known: the pair [low, high].

Without doubt low = high. Every doubt widens the pair, and whoever credits takes the end that credits least; so no fault
in the data can raise credit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Pair:
    """The amount lies in [low, high], both ends included; whole quanta, or exact rationals after a conversion."""

    low: int | Fraction
    high: int | Fraction

    def __post_init__(self) -> None:
        """Refuse a pair whose ends are the wrong way round."""
        if self.low > self.high:
            raise ValueError(f"pair [{self.low}, {self.high}]: low must not exceed high")

    def __add__(self, other: "Pair") -> "Pair":
        """Two amounts one after the other; their doubts add up."""
        return Pair(self.low + other.low, self.high + other.high)

    @property
    def exact(self) -> bool:
        """Whether there is no doubt."""
        return self.low == self.high

    @property
    def width(self) -> int | Fraction:
        """How much is in doubt."""
        return self.high - self.low

    def scaled(self, factor: Fraction) -> "Pair":
        """Multiply by a factor that is not negative, for example a conversion of units.

        Raises:
            ValueError: for a negative factor, which would swap the ends.
        """
        if factor < 0:
            raise ValueError(f"a pair is scaled by a factor that is not negative, not by {factor}")
        return Pair(self.low * factor, self.high * factor)

    def from_zero(self) -> "Pair":
        """The amount may belong elsewhere, wholly or in part: [0, high]."""
        return Pair(min(0, self.low), self.high)

    def widened(self, share: Fraction) -> "Pair":
        """Each end moved outwards by a share of itself, for example a maximum permissible error (0.01 = 1 %)."""
        return Pair(self.low - share * abs(Fraction(self.low)), self.high + share * abs(Fraction(self.high)))

    def end(self, which: str) -> int | Fraction:
        """One end by name, "low" or "high"."""
        return self.low if which == "low" else self.high


ZERO = Pair(0, 0)


def total(pairs: Iterable[Pair]) -> Pair:
    """Add amounts up; nothing at all is exactly 0."""
    result = ZERO
    for pair in pairs:
        result += pair
    return result
