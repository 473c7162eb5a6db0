"""In: each request as it comes. Out: how often a device is asked, by whom, when last, and which registers when."""

import numpy as np
from numpy.typing import NDArray

_WINDOW_MS = 10_000
_SHORTEST_MS = 1000
"""A rate over less would be a guess: one request in the first millisecond is not a thousand a second [ms]."""


class Rate:
    """How often something happens, over the last ten to twenty seconds of real time."""

    def __init__(self, mono_ms: int) -> None:
        """Begin to count at an instant of real time [ms]."""
        self._since_ms = mono_ms
        self._count = 0
        self._before = (0, 0)

    def note(self, mono_ms: int) -> None:
        """It happened [ms]."""
        self._turn(mono_ms)
        self._count += 1

    def per_second(self, mono_ms: int) -> float:
        """How often a second, as seen at an instant of real time [ms]."""
        self._turn(mono_ms)
        count, span_ms = self._before
        return (count + self._count) * 1000 / max(mono_ms - self._since_ms + span_ms, _SHORTEST_MS)

    def _turn(self, mono_ms: int) -> None:
        passed_ms = mono_ms - self._since_ms
        if passed_ms >= _WINDOW_MS:
            self._before = (self._count, passed_ms) if passed_ms < 2 * _WINDOW_MS else (0, _WINDOW_MS)
            self._count, self._since_ms = 0, mono_ms


class Traffic:
    """What was asked of one device, or of a whole line."""

    def __init__(self, registers: int, mono_ms: int) -> None:
        """Begin with nothing asked.

        Args:
            registers: how many can be read.
            mono_ms: real time [ms].
        """
        self.requests = 0
        self.last_client = ""
        """Who asked last: an address, or the end of a serial line."""
        self.last_ms: int | None = None
        """When it was last asked, on the plant's clock [ms since the Unix epoch]."""
        self.read_ms: NDArray[np.int64] = np.zeros(registers, np.int64)
        """When each register was last given whole, on the plant's clock [ms since the Unix epoch]; 0 = never."""
        self._rate = Rate(mono_ms)

    def note(self, client: str, at_ms: int, mono_ms: int) -> None:
        """A request came.

        Args:
            client: who asks.
            at_ms: the plant's clock [ms since the Unix epoch].
            mono_ms: real time [ms].
        """
        self.requests += 1
        self.last_client = client
        self.last_ms = at_ms
        self._rate.note(mono_ms)

    def per_second(self, mono_ms: int) -> float:
        """Requests a second of real time, over the last ten to twenty seconds, at an instant of it [ms]."""
        return self._rate.per_second(mono_ms)
