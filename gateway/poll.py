"""One slot of one poll group: ask for its blocks, turn words into quanta or a reason."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.decoder import GroupDecoder, decoder_of
from gateway.entries import SlotReading
from gateway.schedule import late_ms
from metering.clock import Clock
from metering.decode import Block
from metering.devicemap import Register
from metering.quality import Quality


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request."""

    words: tuple[int, ...] | None
    """The registers asked for; None when they were not obtained."""
    quality: Quality
    """OK, or why there are no words."""
    sent_ms: int
    """When the request went out [ms since the Unix epoch]."""
    received_ms: int
    """When the answer was in, or was given up [ms since the Unix epoch]."""
    refused: bool = False
    """Whether the device refuses this very request: there is no such address, or not so many at once."""


class Reader(Protocol):
    """Something that reads registers of one device; never raises for what a device or a wire may do."""

    async def read(self, unit: int, function: int, address: int, count: int) -> Answer:
        """Read consecutive registers with function 3 or 4."""


@dataclass(frozen=True, slots=True)
class PollGroup:
    """Registers of one device that are polled together."""

    name: str
    """`device/group`"""
    interval_ms: int
    unit: int
    registers: tuple[Register, ...]
    """One a point, in birth order."""
    blocks: tuple[Block, ...]
    decoder: GroupDecoder = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Find the registers once, not at every slot."""
        object.__setattr__(self, "decoder", decoder_of(self.registers, self.blocks))


async def poll(group: PollGroup, slot_ms: int, reader: Reader, clock: Clock) -> SlotReading:
    """Read one slot.

    Args:
        group: what to read.
        slot_ms: the instant the readings belong to [ms since the Unix epoch].
        reader: the device.
        clock: stamps the request and the answer.

    Returns:
        A value or a reason for each point. Once the device is silent its other blocks are not asked for.
    """
    answers: list[Answer] = []
    for block in group.blocks:
        if answers and answers[-1].quality is Quality.NO_ANSWER:
            answers.append(answers[-1])
        else:
            answers.append(await reader.read(group.unit, block.function, block.address, block.count))
    return reading_of(group, slot_ms, answers, clock.factor)


def reading_of(group: PollGroup, slot_ms: int, answers: Sequence[Answer], factor: float) -> SlotReading:
    """Decode the answers of one slot.

    Args:
        group: what was read.
        slot_ms: the instant the readings belong to [ms since the Unix epoch].
        answers: one a block, in the order of `group.blocks`.
        factor: seconds of wall clock in one real second.
    """
    sent_ms = min(answer.sent_ms for answer in answers) - slot_ms
    received_ms = max(answer.received_ms for answer in answers) - slot_ms
    packed = [None if answer.words is None else _packed(answer.words) for answer in answers]
    values, reasons = group.decoder.decode([(data, answers[at].quality) for at, data in enumerate(packed)])
    if received_ms > late_ms(group.interval_ms, factor):
        reasons = {point: reasons.get(point, Quality.LATE_READ) for point in range(len(values))}
    # Zeros stand for a block without an answer, so that the others keep their place.
    blank = [bytes(2 * block.count) for block in group.blocks] if None in packed else ()
    raw = b"".join(data or blank[at] for at, data in enumerate(packed)) if any(packed) else b""
    return SlotReading(group.name, slot_ms, sent_ms, received_ms, tuple(values), tuple(sorted(reasons.items())), raw)


def _packed(words: Sequence[int]) -> bytes:
    return struct.pack(f">{len(words)}H", *words)
