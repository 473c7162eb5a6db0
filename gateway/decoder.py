"""The words of a poll group's blocks to quanta or reasons; what is known before the words come is worked out once.

Plain integers, as most registers are, are taken from a block all at once; every other register, and a block of another
length than was asked for, goes through `metering.decode`, with which the quick way agrees for all words.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from metering.decode import Block, Place, decode, place_of, words_there
from metering.devicemap import Register
from metering.measurands import INT64_MAX, INT64_MIN
from metering.quality import Quality

_FORMATS = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q"}


@dataclass(frozen=True, slots=True)
class _Plain:
    """A point whose register is a number of the block's struct."""

    point: int
    number: int
    step: int
    """[quanta]"""
    sentinels: frozenset[int]
    """As numbers of its type."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What one block holds."""

    numbers: struct.Struct
    """Its plain numbers, out of all its bytes."""
    plain: tuple[_Plain, ...]
    others: tuple[tuple[int, Place], ...]
    """Points that need `metering.decode`."""
    points: tuple[tuple[int, Place], ...]
    """All points of the block."""


@lru_cache(maxsize=256)
def decoder_of(registers: tuple[Register, ...], blocks: tuple[Block, ...]) -> "GroupDecoder":
    """Give the decoder of a poll group, the same for every device of one model that is asked alike.

    Args:
        registers: one a point, in birth order.
        blocks: what is asked for.
    """
    return GroupDecoder(registers, blocks)


class GroupDecoder:
    """Decodes the answers to one poll group's requests."""

    def __init__(self, registers: Sequence[Register], blocks: Sequence[Block]) -> None:
        """Find the registers; `decoder_of` does it once for all devices that are alike.

        Args:
            registers: one a point, in birth order.
            blocks: what is asked for.
        """
        self._registers = tuple(registers)
        places = [(point, place_of(register, blocks)) for point, register in enumerate(registers)]
        self._nowhere = tuple(point for point, place in places if place is None)
        self._parts = tuple(
            self._part(block, [(point, place) for point, place in places if place is not None and place.block == at])
            for at, block in enumerate(blocks)
        )

    def decode(self, answers: Sequence[tuple[bytes | None, Quality]]) -> tuple[list[int | None], dict[int, Quality]]:
        """Decode the answers of one slot.

        Args:
            answers: for each block its words as the wire has them, big-endian, or None and why there are none.

        Returns:
            For each point its value [quanta] or None, and the reason of each None by point.
        """
        values: list[int | None] = [None] * len(self._registers)
        reasons = dict.fromkeys(self._nowhere, Quality.BAD_FRAME)
        for part, (data, quality) in zip(self._parts, answers, strict=True):
            if data is None:
                reasons |= dict.fromkeys((point for point, _ in part.points), quality)
                continue
            slowly = part.points
            if len(data) == part.numbers.size:
                slowly = part.others
                numbers = part.numbers.unpack(data)
                for plain in part.plain:
                    number = numbers[plain.number]
                    quanta = number * plain.step
                    if number in plain.sentinels:
                        reasons[plain.point] = Quality.SENTINEL
                    elif INT64_MIN <= quanta <= INT64_MAX:
                        values[plain.point] = quanta
                    else:
                        reasons[plain.point] = Quality.OUT_OF_RANGE
            words = struct.unpack(f">{len(data) // 2}H", data) if slowly else ()
            for point, place in slowly:
                found = words_there(self._registers[point], place, words)
                outcome = Quality.BAD_FRAME if found is None else decode(self._registers[point], *found)
                if isinstance(outcome, Quality):
                    reasons[point] = outcome
                else:
                    values[point] = outcome
        return values, reasons

    def _part(self, block: Block, points: Sequence[tuple[int, Place]]) -> _Part:
        form, end, taken = ">", 0, 0
        numbers: dict[tuple[int, str], int] = {}
        plain, others = [], []
        for point, place in sorted(points, key=lambda found: found[1].offset):
            register = self._registers[point]
            number = (place.offset, register.type.value)
            if _is_plain(register) and number not in numbers and place.offset >= end:
                form += f"{2 * (place.offset - end)}x{_FORMATS[register.type]}"
                end, numbers[number], taken = place.offset + register.words, taken, taken + 1
            if _is_plain(register) and number in numbers:
                plain.append(_Plain(point, numbers[number], register.step.numerator, _as_numbers(register)))
            else:
                others.append((point, place))
        form += f"{2 * (block.count - end)}x"
        return _Part(struct.Struct(form), tuple(plain), tuple(others), tuple(points))


def _is_plain(register: Register) -> bool:
    """Whether its words, as they come, are an integer that a whole number of quanta multiplies."""
    return (
        register.type in _FORMATS
        and (register.word_order == "big" or register.words == 1)
        and register.byte_order == "big"
        and register.scale_register is None
        and register.step.denominator == 1
    )


def _as_numbers(register: Register) -> frozenset[int]:
    """A register's sentinels as numbers of its type."""
    half, whole = 1 << 16 * register.words - 1, 1 << 16 * register.words
    signed = register.type.is_signed
    return frozenset(bits - whole if signed and bits >= half else bits for bits in register.sentinels)
