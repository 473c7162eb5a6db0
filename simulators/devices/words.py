"""In: a number. Out: the 16-bit words of a register, in the order of their addresses."""

import struct
from collections.abc import Iterable, Mapping

Image = Mapping[int, int]
"""A device's readable registers: address to word."""


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 2}H", data)


def u16(value: float) -> tuple[int, ...]:
    """An unsigned 16-bit integer."""
    return _words(struct.pack(">H", round(value)))


def s16(value: float) -> tuple[int, ...]:
    """A signed 16-bit integer."""
    return _words(struct.pack(">h", round(value)))


def u32(value: int) -> tuple[int, ...]:
    """An unsigned 32-bit integer, high word first."""
    return _words(struct.pack(">I", value))


def s32_low_word_first(value: int) -> tuple[int, ...]:
    """A signed 32-bit integer, low word first."""
    high, low = _words(struct.pack(">i", value))
    return (low, high)


def s64(value: int) -> tuple[int, ...]:
    """A signed 64-bit integer, high word first."""
    return _words(struct.pack(">q", value))


def f32(value: float) -> tuple[int, ...]:
    """An IEEE 754 single, high word first."""
    return _words(struct.pack(">f", value))


def text(value: str, registers: int) -> tuple[int, ...]:
    """ASCII text, two characters a register, filled with NUL."""
    return _words(value.encode("ascii").ljust(2 * registers, b"\0"))


def place(parts: Iterable[tuple[int, tuple[int, ...]]]) -> dict[int, int]:
    """Lay words out at their addresses.

    Args:
        parts: pairs of a first address and the words from there on; later parts overwrite earlier ones.
    """
    return {address + offset: word for address, words in parts for offset, word in enumerate(words)}
