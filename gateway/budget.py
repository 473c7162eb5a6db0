"""How long requests take on a line, and whether a line can carry what is asked of it. Pure.

In go blocks and what is known of a line, out comes bus time. Nothing is measured: a line that is too slow on paper is
too slow on site.

References:
    Modbus over serial line V1.02, section 2.5.1: frames, silence of 3.5 characters, 1.75 ms above 19200 baud.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.plan import REQUEST_WORDS
from gateway.schedule import late_ms
from metering.decode import Block

TCP_REQUEST_MS = 1.0
"""What is allowed for one request over TCP and its answer, beside the declared turnaround: little, since a plan is
refused only when it is impossible [ms]."""
_REQUEST_BYTES = 8
_ANSWER_BYTES = 5
"""Of an answer without its registers: unit, function, byte count, two of CRC."""
_SILENCE_CHARACTERS = 3.5
_FAST_BAUD = 19_200
_FAST_SILENCE_MS = 1.75


@dataclass(frozen=True, slots=True)
class Timing:
    """What reading costs on a line."""

    request_ms: float
    """A request and its answer without registers, silences and turnaround included [ms]."""
    word_ms: float
    """Each register in the answer [ms]."""

    def block_ms(self, block: Block) -> float:
        """How long a block takes [ms]."""
        return self.request_ms + block.count * self.word_ms

    def blocks_ms(self, blocks: Iterable[Block]) -> float:
        """How long blocks take one after the other [ms]."""
        return sum(map(self.block_ms, blocks))

    @property
    def request_words(self) -> int:
        """What one more request costs, in registers that could be read instead."""
        return int(self.request_ms / self.word_ms) if self.word_ms else REQUEST_WORDS


def tcp_timing(turnaround_ms: float) -> Timing:
    """Say what reading costs over TCP: the time between frames decides, not their length.

    Args:
        turnaround_ms: what the device needs between requests [ms].
    """
    return Timing(TCP_REQUEST_MS + turnaround_ms, 0.0)


def serial_timing(baud: int, character_bits: int, turnaround_ms: float) -> Timing:
    """Say what reading costs on a serial line.

    Args:
        baud: bits a second.
        character_bits: of one byte, with start, parity and stop bits.
        turnaround_ms: what the device needs before the next request, when that is more than the silence [ms].
    """
    byte_ms = character_bits * 1000 / baud
    silence_ms = _FAST_SILENCE_MS if baud > _FAST_BAUD else _SILENCE_CHARACTERS * byte_ms
    # The device knows by a silence that the request is over, and there is one before the next.
    pauses_ms = silence_ms + max(silence_ms, turnaround_ms)
    return Timing((_REQUEST_BYTES + _ANSWER_BYTES) * byte_ms + pauses_ms, 2 * byte_ms)


@dataclass(frozen=True, slots=True)
class Load:
    """What one poll group asks of its line."""

    group: str
    """`device/group`"""
    interval_ms: int
    busy_ms: float
    """Bus time of one slot [ms]."""

    @property
    def share(self) -> float:
        """The part of all bus time that it takes."""
        return self.busy_ms / self.interval_ms


def late(loads: Iterable[Load]) -> list[Load]:
    """Name the groups whose readings come late when all groups of a line are due at one slot.

    Args:
        loads: all groups on the line; those that are read more often go first.
    """
    waited_ms, found = 0.0, []
    for load in sorted(loads, key=lambda load: load.interval_ms):
        waited_ms += load.busy_ms
        if waited_ms > late_ms(load.interval_ms, factor=1):
            found.append(load)
    return found


@dataclass(frozen=True, slots=True)
class Overload:
    """A line that cannot carry its groups."""

    group: str
    """The one that takes most."""
    problem: str
    """What is wrong and what would do."""


def overload(line: str, loads: Iterable[Load]) -> Overload | None:
    """Tell whether the requests of a line fit into its time.

    Args:
        line: its name, for the message.
        loads: all groups on the line.

    Returns:
        None when they fit: in the shortest interval there is time for its own requests and for the share of the others.
    """
    ordered = sorted(loads, key=lambda load: load.share, reverse=True)
    share = sum(load.share for load in ordered)
    if share <= 1:
        return None
    most = ordered[0]
    shortest_ms = min(load.interval_ms for load in ordered)
    left = 1 - (share - most.share)
    advice = (
        f"{most.group!r} fits at one slot every {most.busy_ms / left / 1000:.3g} s or more"
        if left > 0
        else f"even without {most.group!r} it is too much"
    )
    slot_s, alone_s = (part * shortest_ms / 1000 for part in (share, most.share))
    return Overload(
        most.group,
        f"{line} cannot carry its poll groups: every {shortest_ms / 1000:g} s they take {slot_s:.3g} s of bus time, "
        f"{most.group!r} alone {alone_s:.3g} s; {advice}",
    )
