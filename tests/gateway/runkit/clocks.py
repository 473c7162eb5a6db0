"""A clock that a test sets, as an operator, a time service or a dead battery would."""

from metering.clock import ClockState, ClockStatus, ScaledClock, monotonic_s

START_MS = 1_766_505_600_000  # 2025-12-23T16:00:00Z


class SetClock(ScaledClock):
    """Runs fast; what it shows and what it says of itself can be set at any time."""

    def __init__(self, factor: float, shown_ms: int = START_MS, state: ClockState = ClockState.SYNCHRONISED) -> None:
        super().__init__(START_MS, monotonic_s(), factor)
        self.offset_ms = shown_ms - START_MS
        self.state = state

    def now_ms(self) -> int:
        return super().now_ms() + self.offset_ms

    def status(self) -> ClockStatus:
        return ClockStatus(self.state, 0)
