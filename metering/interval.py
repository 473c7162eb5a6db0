"""A half-open span of time."""

from dataclasses import dataclass

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """The instants from `start_ms` up to but not including `end_ms` [ms since the Unix epoch, UTC]."""

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        """Refuse an interval that ends before it starts."""
        if self.end_ms < self.start_ms:
            raise ValueError(f"interval ends ({self.end_ms} ms) before it starts ({self.start_ms} ms)")

    @property
    def length_ms(self) -> int:
        """The length of the span [ms]."""
        return self.end_ms - self.start_ms

    def __contains__(self, instant_ms: int) -> bool:
        """Tell whether an instant [ms] lies in the span."""
        return self.start_ms <= instant_ms < self.end_ms

    def overlaps(self, other: "Interval") -> bool:
        """Tell whether the two spans share an instant."""
        return max(self.start_ms, other.start_ms) < min(self.end_ms, other.end_ms)
