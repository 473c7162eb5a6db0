"""How long to leave something alone that failed: doubling waits in real time, ended by one success. Pure."""


class BackOff:
    """Waits after failures; the first attempt after a wait is the only probe."""

    def __init__(self, first_s: float, most_s: float) -> None:
        """Begin ready.

        Args:
            first_s: wait after the first failure [s].
            most_s: longest wait [s].
        """
        self._first_s = first_s
        self._most_s = most_s
        self.wait_s = 0.0
        """The current wait; 0 after a success [s]."""
        self._ready_s = 0.0

    def ready(self, now_s: float) -> bool:
        """Tell whether an attempt may be made at an instant of real time [s]."""
        return self.wait_s == 0 or now_s >= self._ready_s

    def failed(self, now_s: float) -> None:
        """Note a failed attempt at an instant of real time [s]."""
        self.wait_s = min(2 * self.wait_s or self._first_s, self._most_s)
        self._ready_s = now_s + self.wait_s

    def succeeded(self) -> None:
        """Note a success: the next attempt may follow at once."""
        self.wait_s = 0.0
