"""From register words to quanta: any 16-bit words give a value or a reason, never an exception.

Used twice on the way of a tonne: by the gateway when it reads, and by a verifier when he decodes the raw words again.
"""

import base64
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from metering.measurands import INT64_MAX, INT64_MIN
from metering.quality import Quality
from metering.registers import IdentityRegister, Order, Register, WordType

_SCALE_MISSING = 0x8000  # SunSpec: a sunssf register that is not implemented
_SCALE_LIMIT = 10  # SunSpec: a sunssf lies between -10 and 10


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive registers that one request reads."""

    function: int
    address: int
    count: int


def decode(register: Register, words: Sequence[int], scale_word: int | None = None) -> int | Quality:
    """Decode one register.

    Args:
        register: what the words mean.
        words: its 16-bit words in address order.
        scale_word: the word of its scale register, when it has one.

    Returns:
        The value in quanta of its measurand, rounded to the nearest quantum (half to even), or why there is none;
        `bad-frame` when there are more or fewer words than the register has.
    """
    number = _number(register, words)
    if isinstance(number, Quality):
        return number
    step = step_of(register, scale_word)
    if isinstance(step, Quality):
        return step
    # As most registers count. A product of fractions costs ten times as much.
    is_whole = isinstance(number, int) and step.denominator == 1
    quanta = int(number) * step.numerator if is_whole else round(number * step)
    return quanta if INT64_MIN <= quanta <= INT64_MAX else Quality.OUT_OF_RANGE


def resolution(register: Register, words: Sequence[int], scale_word: int | None = None) -> int | None:
    """How far apart two neighbouring values of a register are.

    Args:
        register: what the words mean.
        words: its 16-bit words; a float's resolution depends on its value.
        scale_word: the word of its scale register, when it has one.

    Returns:
        The register step, rounded up [quanta]; None when the words hold no value.
    """
    number = _number(register, words)
    step = step_of(register, scale_word)
    if isinstance(number, Quality) or isinstance(step, Quality):
        return None
    if register.type.is_float:
        _, exponent = math.frexp(float(number))
        step *= Fraction(2) ** (exponent - (24 if register.type is WordType.F32 else 53))
    return math.ceil(step)


def _number(register: Register, words: Sequence[int]) -> int | Fraction | Quality:
    if len(words) != register.words:
        return Quality.BAD_FRAME
    bits = _bits(words, register.word_order, register.byte_order)
    if bits in register.sentinels:
        return Quality.SENTINEL
    if register.type.is_float:
        return _float(bits, register.words * 2)
    return _integer(register.type, bits, register.words, register.mask)


def _bits(words: Sequence[int], word_order: Order, byte_order: Order) -> int:
    bits = 0
    for word in words if word_order == "big" else reversed(words):
        bits = bits << 16 | (word if byte_order == "big" else (word & 0xFF) << 8 | word >> 8)
    return bits


def _float(bits: int, size: int) -> Fraction | Quality:
    (number,) = struct.unpack(">f" if size == 4 else ">d", bits.to_bytes(size))
    if math.isnan(number):
        return Quality.SENTINEL
    return Quality.OUT_OF_RANGE if math.isinf(number) else Fraction(number)


def _integer(word_type: WordType, bits: int, words: int, mask: int | None) -> int | Quality:
    size = words * 2
    if not word_type.is_sized_by_register:
        return bits - (1 << 8 * size) if word_type.is_signed and bits >> 8 * size - 1 else bits
    match word_type:
        case WordType.MOD10:
            groups = [f"{int.from_bytes(bits.to_bytes(size)[at : at + 2]):04}" for at in range(0, size, 2)]
            return int("".join(groups)) if all(len(group) == 4 for group in groups) else Quality.OUT_OF_RANGE
        case WordType.BCD:
            digits = f"{bits:0{2 * size}x}"
            return int(digits) if digits.isdecimal() else Quality.OUT_OF_RANGE
        case WordType.BITS:
            # Without a mask no bit is meant; a map cannot say so, other code might.
            return (bits & mask) // (mask & -mask) if mask else Quality.OUT_OF_RANGE
        case _:
            return Quality.OUT_OF_RANGE  # text is no number


def decode_identity(register: IdentityRegister, words: Sequence[int]) -> int | str | Quality:
    """Decode what tells a device's model or serial number.

    Args:
        register: what the words mean.
        words: its 16-bit words in address order.

    Returns:
        The integer, or the text without padding; `bad-frame` when there are more or fewer words than it has,
        `sentinel` when the text is empty, `out-of-range` when it is neither ASCII nor decimal digits.
    """
    if len(words) != register.count:
        return Quality.BAD_FRAME
    bits = _bits(words, register.word_order, register.byte_order)
    if not register.type.is_text:
        return _integer(register.type, bits, register.count, None)
    data = bits.to_bytes(register.count * 2)
    if register.type is WordType.STRING8:
        data = data[1::2]
    data = data.partition(b"\0")[0].strip()
    if not data:
        return Quality.SENTINEL
    text = data.decode("ascii", errors="replace")
    return text if text.isascii() and text.isprintable() else Quality.OUT_OF_RANGE


def step_of(register: Register, scale_word: int | None) -> Fraction | Quality:
    """What one step of a register is worth [quanta], or why that is not known.

    Args:
        register: what the words mean.
        scale_word: the word of its scale register, when it has one.
    """
    if register.scale_register is None:
        return register.step
    if scale_word is None or scale_word == _SCALE_MISSING:
        return Quality.SENTINEL
    exponent = scale_word - 0x10000 if scale_word & 0x8000 else scale_word
    if abs(exponent) > _SCALE_LIMIT:
        return Quality.OUT_OF_RANGE
    return _scaled(register.step.numerator, register.step.denominator, exponent)


# A power of a fraction costs more than all the rest of a register, and a device has one or two.
@lru_cache(maxsize=1024)
def _scaled(numerator: int, denominator: int, exponent: int) -> Fraction:
    return Fraction(numerator, denominator) * Fraction(10) ** exponent


def words_at(
    blocks: Sequence[Block], words: Sequence[int], function: int, address: int, count: int
) -> tuple[int, ...] | None:
    """Find registers in the words of a group's blocks.

    Args:
        blocks: the group's blocks, in birth order.
        words: the words of all blocks, one after the other.
        function: 3 or 4.
        address: the first register.
        count: how many registers.

    Returns:
        Their words, or None when no single block holds them all or the words end before them.
    """
    start = 0
    for block in blocks:
        offset = address - block.address
        if block.function == function and offset >= 0 and offset + count <= block.count:
            found = tuple(words[start + offset : start + offset + count])
            return found if len(found) == count else None
        start += block.count
    return None


def holds(block: Block, register: Register) -> bool:
    """Tell whether one request brings a register together with its scale register."""
    places = [(register.address, register.words)]
    if register.scale_register is not None:
        places.append((register.scale_register.address, 1))
    return block.function == register.function and all(
        block.address <= address and address + count <= block.address + block.count for address, count in places
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a register lies in the blocks of a group."""

    block: int
    """Which of the blocks."""
    offset: int
    """Where in it the register begins [registers]."""
    scale_offset: int | None
    """Where in it the scale register is [registers]; None when it has none."""


def place_of(register: Register, blocks: Sequence[Block]) -> Place | None:
    """Find the first block that holds a register together with its scale register; None when none does."""
    for at, block in enumerate(blocks):
        if holds(block, register):
            scale = register.scale_register
            return Place(at, register.address - block.address, None if scale is None else scale.address - block.address)
    return None


def words_there(register: Register, place: Place, words: Sequence[int]) -> tuple[tuple[int, ...], int | None] | None:
    """Take a register's words, and the word of its scale register, out of the words of its block.

    Args:
        register: what is looked for.
        place: where it is.
        words: those of that one block.

    Returns:
        None when the words end before them.
    """
    own = tuple(words[place.offset : place.offset + register.words])
    if len(own) != register.words:
        return None
    if place.scale_offset is None:
        return own, None
    return (own, words[place.scale_offset]) if place.scale_offset < len(words) else None


def register_words(
    register: Register, blocks: Sequence[Block], words: Sequence[int]
) -> tuple[tuple[int, ...], int | None] | None:
    """Find the words of a register and of its scale register in the words of a group's blocks.

    Returns:
        The register's words and the scale register's word (None when it has none), or None when the blocks lack them.
        Both come from one block, the first that holds both: a scale factor may change between two requests.
    """
    place = place_of(register, blocks)
    if place is None:
        return None
    start = sum(block.count for block in blocks[: place.block])
    return words_there(register, place, words[start : start + blocks[place.block].count])


def decode_in(register: Register, blocks: Sequence[Block], words: Sequence[int]) -> int | Quality:
    """Decode one register out of the words of a group's blocks.

    Returns:
        The value in quanta, or why there is none; `bad-frame` when the blocks do not hold the register.
    """
    found = register_words(register, blocks, words)
    return Quality.BAD_FRAME if found is None else decode(register, *found)


def pack_words(words: Sequence[int]) -> str:
    """Write words as the base64 of their big-endian bytes; no words give the empty string."""
    return base64.b64encode(struct.pack(f">{len(words)}H", *words)).decode()


def unpack_words(text: str) -> tuple[int, ...]:
    """Read words from the base64 of their big-endian bytes.

    Raises:
        ValueError: when the text is not base64 of whole words.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"raw words are not base64: {text[:40]!r}") from None
    if len(data) % 2:
        raise ValueError(f"raw words have an odd number of bytes ({len(data)})")
    return struct.unpack(f">{len(data) // 2}H", data)
