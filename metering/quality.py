"""Why a reading has no value, or a doubtful one: one table of codes, the same on the wire, on disk and in arrays."""

from enum import IntEnum


class Quality(IntEnum):
    """The quality of one reading, as uint8. Codes are never reused or renumbered: old records stay readable."""

    OK = 0
    NO_ANSWER = 1
    """The device did not answer in time, or there was no connection."""
    EXCEPTION = 2
    """The device answered with a Modbus exception."""
    SENTINEL = 3
    """The device answered with its code for "not available"; for a float register also any NaN."""
    BAD_FRAME = 4
    """An answer of another length, function or unit than was asked for."""
    OUT_OF_RANGE = 5
    """Words that decode to no value: infinity, a scale beyond its limits, or more quanta than int64 holds."""
    LATE_READ = 6
    """Answered too long after the slot; the value is kept."""
    CONFLICT = 7
    """Two unequal readings of one slot; there is no value."""
    CLOCK = 8
    """A slot that lay ahead of the true time; there is no usable value."""
    AGENT_DOWN = 9
    """The agent was not running."""
    NOT_DUE = 10
    """The poll group was not due in this slot."""
    DROPPED = 11
    """The outbox gave the reading up."""
    THINNED = 12
    """The outbox kept only one COUNTER slot an hour."""
    UNEXPLAINED = 13
    """Due, absent, and inside no gap record."""
    OVERRUN = 14
    """The bus was still busy with an earlier slot."""
    CLOCK_BEHIND = 15
    """The wall clock was behind the last committed slot or the build date."""

    @property
    def label(self) -> str:
        """The name on the wire, for example "no-answer"."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def from_label(cls, label: str) -> "Quality":
        """Find the code for a name on the wire.

        Raises:
            ValueError: when no code has this name.
        """
        try:
            return cls[label.upper().replace("-", "_")]
        except KeyError:
            raise ValueError(f"unknown quality {label!r}; known: {', '.join(q.label for q in cls)}") from None


VALUED = frozenset({Quality.OK, Quality.LATE_READ})
"""Qualities that come with a value; all others have none."""
