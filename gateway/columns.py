"""Many answers to one poll group at once: bytes in, a column of quanta or reasons out for each point.

A column of plain integers or of single floats is taken all at once. Every other register, and a column in which
something is unusual, goes through `metering.decode` slot by slot, with which the quick way agrees for all words.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from typing import Any

from metering.decode import Block, Place, decode, place_of, step_of, words_there
from metering.measurands import INT64_MAX, INT64_MIN
from metering.quality import Quality
from metering.registers import Register

_FORMATS = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q", "f32": "f"}
_BITS = {1: "H", 2: "I", 4: "Q"}
_EXACT = 1 << 29
"""A single float, 24 bits, times less than this is exact in a double, 53 bits."""


@dataclass(frozen=True, slots=True)
class Column:
    """One point over the slots."""

    values: Sequence[int | None]
    """[quanta]; None = there is none."""
    reasons: Mapping[int, Quality]
    """Why, for each None, by the place of its slot."""


def decode_columns(registers: Sequence[Register], blocks: Sequence[Block], answers: bytes) -> list[Column]:
    """Decode all answers to the requests of a poll group, one column a point.

    Args:
        registers: one a point, in birth order.
        blocks: what was asked for.
        answers: of each slot the big-endian words of all its blocks, one slot after the other; at least
            of one slot, and none is missing.
    """
    starts = [0, *accumulate(block.count for block in blocks)]
    words = starts.pop()
    columns = []
    for register in registers:
        place = place_of(register, blocks)
        if place is not None:
            place = _further(place, starts[place.block])
        columns.append(_column(register, place, words, answers))
    return columns


def _further(place: Place, start: int) -> Place:
    """Where a register is among the words of all blocks."""
    scale = place.scale_offset
    return replace(place, offset=start + place.offset, scale_offset=None if scale is None else start + scale)


def _column(register: Register, place: Place | None, words: int, answers: bytes) -> Column:
    if place is None:
        slots = len(answers) // (2 * words)
        return Column([None] * slots, dict.fromkeys(range(slots), Quality.BAD_FRAME))
    quanta = _all_at_once(register, place, words, answers)
    return _slot_by_slot(register, place, words, answers) if quanta is None else Column(quanta, {})


def _slot_by_slot(register: Register, place: Place, words: int, answers: bytes) -> Column:
    values: list[int | None] = []
    reasons: dict[int, Quality] = {}
    for at, slot in enumerate(struct.iter_unpack(f">{words}H", answers)):
        found = words_there(register, place, slot)
        outcome = Quality.BAD_FRAME if found is None else decode(register, *found)
        if isinstance(outcome, Quality):
            reasons[at] = outcome
            values.append(None)
        else:
            values.append(outcome)
    return Column(values, reasons)


def _all_at_once(register: Register, place: Place, words: int, answers: bytes) -> list[int] | None:
    """The values of a column in which nothing is unusual; None sends it to `decode`."""
    form = _FORMATS.get(register.type)
    if form is None or register.byte_order != "big" or (register.word_order != "big" and register.words > 1):
        return None
    step = _one_step(register, place, words, answers)
    if step is None or step.denominator != 1 or (register.type.is_float and abs(step) >= _EXACT):
        return None
    if register.sentinels:
        bits = _numbers(_BITS[register.words], place.offset, words, answers)
        if not register.sentinels.isdisjoint(bits):
            return None
    numbers, times = _numbers(form, place.offset, words, answers), step.numerator
    if not register.type.is_float:
        quanta = [number * times for number in numbers]
    elif all(map(math.isfinite, numbers)):
        quanta = [round(number * times) for number in numbers]
    else:
        return None
    return quanta if min(quanta) >= INT64_MIN and max(quanta) <= INT64_MAX else None


def _one_step(register: Register, place: Place, words: int, answers: bytes) -> Fraction | None:
    """The step that holds in all slots; None when its scale register changes, or holds no scale."""
    if place.scale_offset is None:
        return register.step
    scales = set(_numbers("H", place.scale_offset, words, answers))
    step = step_of(register, scales.pop()) if len(scales) == 1 else None
    return step if isinstance(step, Fraction) else None


def _numbers(form: str, offset: int, words: int, answers: bytes) -> list[Any]:
    behind = 2 * (words - offset) - struct.calcsize(f">{form}")
    return [number for (number,) in struct.iter_unpack(f">{2 * offset}x{form}{behind}x", answers)]
