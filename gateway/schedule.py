"""When a poll group is read: aligned slots that never drift and are never replayed. Pure; the clock is read elsewhere.

A slot is a multiple of the interval since the Unix epoch. Each slot that passes is either read or explained by missed
slots: the bus was still busy, the machine slept, or the wall clock was behind what is already committed.
"""

from dataclasses import dataclass

from metering.clock import ClockState, ClockStatus
from metering.interval import HOUR_MS
from metering.quality import Quality

EARLIEST_MS = 1_748_736_000_000
"""2025-06-01, when this agent was begun: a clock that shows less has lost its time [ms since the Unix epoch]."""
_LATE_FLOOR_MS = 5_000


def late_ms(interval_ms: int, factor: float) -> float:
    """How long after its slot an answer may come before it is `late-read` [ms] (contracts.md section 3)."""
    return max(interval_ms * 0.2, _LATE_FLOOR_MS * factor)


@dataclass(frozen=True, slots=True)
class Missed:
    """Slots that passed without being read."""

    from_ms: int
    to_ms: int
    """Half-open [ms since the Unix epoch]."""
    reason: Quality


@dataclass(frozen=True, slots=True)
class Due:
    """What to do at a slot."""

    read: bool
    missed: Missed | None = None
    """To be committed first."""


class Timetable:
    """The slots of one poll group."""

    def __init__(self, interval_ms: int, accounted_ms: int, factor: float) -> None:
        """Begin behind what is already accounted for.

        Args:
            interval_ms: the distance of slots [ms].
            accounted_ms: slots up to this instant are read or explained [ms since the Unix epoch].
            factor: seconds of wall clock in one real second.
        """
        self.interval_ms = interval_ms
        self.accounted_ms = accounted_ms
        self._late_ms = late_ms(interval_ms, factor)
        self._visited_ms: int | None = None
        self._behind = False

    def upcoming(self, now_ms: int) -> int:
        """Name the slot to wait for; it lies at or before now when it can still be read in time.

        Args:
            now_ms: the wall clock [ms since the Unix epoch].
        """
        current_ms = now_ms // self.interval_ms * self.interval_ms
        fresh = current_ms > self.accounted_ms and now_ms - current_ms <= self._late_ms
        if fresh and current_ms != self._visited_ms:
            return current_ms
        return current_ms + self.interval_ms

    def at(self, slot_ms: int) -> Due:
        """Decide about a slot whose instant has come.

        Args:
            slot_ms: what `upcoming` named [ms since the Unix epoch].

        Returns:
            Whether to read it, and which slots are missed; they count as accounted for from now on.
        """
        self._visited_ms = slot_ms
        if slot_ms < EARLIEST_MS:  # no slot of this project can lie there, so there is nothing to explain either
            self._behind = True
            return Due(read=False)
        if slot_ms <= self.accounted_ms:
            if slot_ms // self.interval_ms == self.accounted_ms // self.interval_ms:
                return Due(read=False)  # the clock was set back by less than an interval
            self._behind = True
            return Due(False, Missed(slot_ms, slot_ms + self.interval_ms, Quality.CLOCK_BEHIND))
        reason = Quality.CLOCK_BEHIND if self._behind else Quality.OVERRUN
        first_ms = (self.accounted_ms // self.interval_ms + 1) * self.interval_ms
        if self.accounted_ms < EARLIEST_MS:
            first_ms = slot_ms  # begun by a clock without its time: it missed nothing since 1970
        self._behind = False
        self.accounted_ms = slot_ms
        return Due(True, Missed(first_ms, slot_ms, reason) if first_ms < slot_ms else None)


def clock_was_ahead(now_ms: int, accounted_ms: int, status: ClockStatus) -> bool:
    """Tell whether what is committed was stamped by a clock that had jumped ahead (contracts.md section 2).

    Args:
        now_ms: the wall clock [ms since the Unix epoch].
        accounted_ms: the last committed slot [ms since the Unix epoch].
        status: how far the wall clock can be trusted.

    Returns:
        True when the clock is synchronised and more than an hour behind: a new stream must begin.
    """
    return status.state is ClockState.SYNCHRONISED and accounted_ms - now_ms > HOUR_MS
