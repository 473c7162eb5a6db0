"""The one place where the product asks what time it is.

Everything else is handed a `Clock`, so that an hour-long outage is tested in microseconds and a year's end is shown in
a minute. `ScaledClock` counts from an anchor on the system's monotonic clock, which all processes of one machine share:
they then agree on the scaled time without talking to each other.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator


class ClockState(StrEnum):
    """How far the wall clock can be trusted."""

    SYNCHRONISED = "synchronised"
    HOLDOVER = "holdover"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ClockStatus:
    """The state of the wall clock and its estimated offset [ms]."""

    state: ClockState
    offset_ms: int


class Clock(Protocol):
    """What a process may ask about time."""

    @property
    def factor(self) -> float:
        """How many seconds of wall clock pass in one real second; 1 but for demonstrations and tests."""

    def now_ms(self) -> int:
        """The wall clock [ms since the Unix epoch, UTC]."""

    def mono_ms(self) -> int:
        """Real time that never steps, for keep-alives and retries [ms]."""

    def status(self) -> ClockStatus:
        """How far `now_ms` can be trusted."""

    async def sleep_until(self, wall_ms: int) -> None:
        """Wait until the wall clock shows an instant [ms since the Unix epoch]; look again after a clock step."""


_LONGEST_SLEEP_S = 1.0  # so that a clock step or a suspend is noticed within a second


async def _sleep_until(clock: Clock, wall_ms: int) -> None:
    while (remaining_ms := wall_ms - clock.now_ms()) > 0:
        await asyncio.sleep(min(remaining_ms / 1000 / clock.factor, _LONGEST_SLEEP_S))


class SystemClock:
    """The machine's own clock."""

    factor = 1.0

    def __init__(self, synchronised: Callable[[], ClockStatus] | None = None) -> None:
        """Keep how to ask whether the machine's clock is synchronised; by default the kernel is asked."""
        self._synchronised = synchronised or kernel_clock_status

    def now_ms(self) -> int:
        """The wall clock [ms since the Unix epoch, UTC]."""
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> int:
        """Real time that never steps [ms]."""
        return time.monotonic_ns() // 1_000_000

    def status(self) -> ClockStatus:
        """What the kernel says about the synchronisation of the wall clock."""
        return self._synchronised()

    async def sleep_until(self, wall_ms: int) -> None:
        """Wait until the wall clock shows an instant [ms since the Unix epoch]."""
        await _sleep_until(self, wall_ms)


class ScaledClock:
    """A wall clock that starts anywhere and runs faster; it calls itself synchronised and names its factor."""

    def __init__(self, start_ms: int, anchor_s: float, factor: float) -> None:
        """Fix the line that the clock follows.

        Args:
            start_ms: what the wall clock shows at the anchor [ms since the Unix epoch].
            anchor_s: the anchor on the system's monotonic clock [s].
            factor: seconds of wall clock in one real second.
        """
        self._start_ms = start_ms
        self._anchor_s = anchor_s
        self._factor = factor

    @property
    def factor(self) -> float:
        """Seconds of wall clock in one real second."""
        return self._factor

    def now_ms(self) -> int:
        """The scaled wall clock [ms since the Unix epoch, UTC]; it stands still before the anchor."""
        return self._start_ms + max(0, int((time.monotonic() - self._anchor_s) * self._factor * 1000))

    def mono_ms(self) -> int:
        """Real time that never steps [ms]; it is not scaled."""
        return time.monotonic_ns() // 1_000_000

    def status(self) -> ClockStatus:
        """Always synchronised: all processes follow the same line."""
        return ClockStatus(ClockState.SYNCHRONISED, 0)

    async def sleep_until(self, wall_ms: int) -> None:
        """Wait until the scaled wall clock shows an instant [ms since the Unix epoch]."""
        await _sleep_until(self, wall_ms)


def kernel_clock_status() -> ClockStatus:
    """Ask the Linux kernel whether a time service keeps the clock synchronised (adjtimex(2), STA_UNSYNC).

    Returns:
        The state and offset [ms]; `unknown` where the kernel cannot be asked.
    """
    ask = _adjtimex()
    if ask is None:
        return ClockStatus(ClockState.UNKNOWN, 0)
    answer, status, offset = ask()
    unsynchronised, nanoseconds = 0x0040, 0x2000
    if answer == -1 or status & unsynchronised:
        return ClockStatus(ClockState.UNKNOWN, 0)
    per_ms = 1_000_000 if status & nanoseconds else 1000
    return ClockStatus(ClockState.SYNCHRONISED, int(offset / per_ms))


@cache
def _adjtimex() -> Callable[[], tuple[int, int, int]] | None:
    """Find the kernel's call, once: a gateway asks at every slot. It gives (answer, status, offset)."""
    import ctypes  # noqa: PLC0415 - Linux only; nothing else needs it

    class Timex(ctypes.Structure):
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
            ("_rest", ctypes.c_byte * 256),
        )

    try:
        call = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None

    def ask() -> tuple[int, int, int]:
        timex = Timex()
        return call(ctypes.byref(timex)), timex.status, timex.offset

    return ask


class ClockConfig(BaseModel):
    """The `[clock]` table of a configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["system", "scaled"] = "system"
    """`scaled` is for demonstrations and tests; records then carry the factor."""
    start: AwareDatetime | None = None
    """What a scaled clock shows at its anchor, with a time zone."""
    anchor_s: float | None = None
    """The anchor on this machine's monotonic clock [s]; default: when the process starts."""
    factor: float = Field(default=1.0, gt=0)
    """Seconds of wall clock in one real second."""

    @model_validator(mode="after")
    def _scaled_needs_a_start(self) -> "ClockConfig":
        if self.kind == "scaled" and self.start is None:
            raise ValueError("a scaled clock needs `start`, for example 2025-12-24T00:00:00+08:00")
        if self.kind == "system" and (self.start is not None or self.anchor_s is not None or self.factor != 1.0):
            raise ValueError('`start`, `anchor_s` and `factor` belong to kind = "scaled"; set it or remove them')
        return self

    def build(self) -> Clock:
        """Make the clock that this table describes."""
        if self.kind == "system" or self.start is None:
            return SystemClock()
        anchor_s = time.monotonic() if self.anchor_s is None else self.anchor_s
        return ScaledClock(round(self.start.timestamp() * 1000), anchor_s, self.factor)


def monotonic_s() -> float:
    """Real time that never steps [s]: the axis on which a scaled clock's anchor lies."""
    return time.monotonic()


def utc_text(wall_ms: int) -> str:
    """Write an instant [ms since the Unix epoch] as RFC 3339 in UTC, with milliseconds when there are any."""
    moment = datetime.fromtimestamp(wall_ms / 1000, UTC)
    spec = "milliseconds" if wall_ms % 1000 else "seconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")
