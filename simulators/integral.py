"""In: a rate that is constant within each minute. Out: its integral from an origin to any instant.

The sums lie on a fixed grid of whole minutes and are interpolated linearly in between, which is exact for such a
rate. So a counter shows the same whatever was asked before and however often, it never goes down, and it is the
integral of the very power that the same meter shows.
"""

from array import array
from collections.abc import Callable, Sequence

from metering.clock import utc_text
from simulators.errors import TooEarlyError

MINUTE_MS = 60_000
_DAY_MS = 1_440 * MINUTE_MS
_MINUTES_PER_HOUR = 60


def minute_of(at_ms: int) -> int:
    """The start of the minute that holds an instant [ms since the Unix epoch]."""
    return at_ms - at_ms % MINUTE_MS


class MinuteIntegral:
    """The integral of a non-negative rate over time, in rate × hour; computed once per minute and kept."""

    def __init__(self, origin_ms: int, rate: Callable[[int], float]) -> None:
        """Keep the rate; nothing is computed yet.

        Args:
            origin_ms: where the integral is zero; a whole minute [ms since the Unix epoch].
            rate: the rate of the minute that starts at an instant [ms since the Unix epoch].
        """
        self._origin_ms = minute_of(origin_ms)
        self._rate = rate
        self._sums = array("d", [0.0])

    def at(self, at_ms: int) -> float:
        """The integral from the origin to an instant [rate × hour]."""
        minute, rest_ms = divmod(at_ms - self._origin_ms, MINUTE_MS)
        if minute < 0:
            raise TooEarlyError(
                f"the counters begin at {utc_text(self._origin_ms)}; {utc_text(at_ms)} lies before. "
                "Set `counters_from` of the simulators to an earlier instant."
            )
        self.prepare(at_ms)
        before = self._sums[minute]
        return before + (self._sums[minute + 1] - before) * (rest_ms / MINUTE_MS)

    @property
    def prepared_ms(self) -> int:
        """Up to which instant the sums are known [ms since the Unix epoch]."""
        return self._origin_ms + (len(self._sums) - 1) * MINUTE_MS

    def prepare(self, until_ms: int) -> None:
        """Compute the sums up to an instant [ms since the Unix epoch], so that a later question is answered at once."""
        needed = (until_ms - self._origin_ms) // MINUTE_MS + 2
        while len(self._sums) < needed:
            start_ms = self._origin_ms + (len(self._sums) - 1) * MINUTE_MS
            self._sums.append(self._sums[-1] + self._rate(start_ms) / _MINUTES_PER_HOUR)


def prepare_together(integrals: Sequence[MinuteIntegral], until_ms: int) -> None:
    """Compute several sums up to an instant, day by day, so that a rate they share can be remembered for a day.

    Args:
        integrals: what to compute.
        until_ms: up to where [ms since the Unix epoch].
    """
    start_ms = min(integral.prepared_ms for integral in integrals)
    for day_ms in range(start_ms, until_ms + _DAY_MS, _DAY_MS):
        for integral in integrals:
            integral.prepare(min(day_ms, until_ms))
