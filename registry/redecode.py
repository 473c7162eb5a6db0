"""Records in, every reading out whose value is not what its raw words say under the map that its birth carries.

This is what makes a wrong or swapped device map visible years later: the words are as the meter sent them, the map is
the text that the gateway signed, and the decoder is run again here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from metering.decode import Block, decode_in, register_words, unpack_words
from metering.devicemap import DeviceMap, Register, parse_device_map
from metering.errors import DeviceMapError
from metering.quality import Quality
from metering.record import Birth, Dropped, GroupPart, GroupReadings, Readings, misfit
from registry.evidence import Link

_FROM_WORDS = frozenset({Quality.SENTINEL, Quality.OUT_OF_RANGE})
_NOT_ANSWERED = frozenset({Quality.NO_ANSWER, Quality.EXCEPTION})


@dataclass(frozen=True, slots=True)
class Decoded:
    """What decoding again gave."""

    compared: int
    """Values and reasons compared with their raw words."""
    faults: tuple[str, ...]
    """One sentence per reading that differs, or that could not be decoded."""


@dataclass(frozen=True, slots=True)
class _Group:
    part: GroupPart
    blocks: tuple[Block, ...]
    registers: tuple[Register | None, ...]


def redecode(links: Iterable[Link]) -> Decoded:
    """Decode the raw words of every reading again and compare.

    Args:
        links: all records of the evidence, ordered by stream and sequence number.
    """
    births: dict[str, Mapping[str, _Group]] = {}
    governing: dict[str, Birth] = {}
    compared, faults = 0, []
    for link in links:
        record = link.record
        if isinstance(record, Birth):
            governing[record.stream] = record
            births[record.stream], wrong = _groups(record)
            faults += [f"{link.where}: {sentence}" for sentence in wrong]
        elif isinstance(record, Readings | Dropped):  # a thinned record keeps readings of those it stands for
            birth = governing.get(record.stream)
            problem = "no birth before it in the evidence" if birth is None else misfit(record, birth)
            if problem is not None:
                faults.append(f"{link.where}: cannot be decoded again: {problem}")
                continue
            for readings in record.groups:
                group = births[record.stream][readings.group]
                compared += len(readings.slots) * len(group.registers)
                faults += [f"{link.where}: {sentence}" for sentence in _compare(readings, group)]
    return Decoded(compared, tuple(faults))


def _groups(birth: Birth) -> tuple[dict[str, _Group], list[str]]:
    maps: dict[str, DeviceMap] = {}
    faults = []
    for digest, text in birth.device_maps.items():
        try:
            maps[digest] = parse_device_map(text, f"device map {digest}")
        except DeviceMapError as fault:
            faults.append(str(fault))
    groups = {}
    for part in birth.groups:
        device_map = maps.get(part.map)
        registers = tuple(_register(device_map, point.register_name, point.measurand) for point in part.points)
        for point, register in zip(part.points, registers, strict=True):
            if register is None:
                faults.append(
                    f"device map {part.map} has no register {point.register_name!r} that holds {point.measurand}, "
                    f"which point {point.point} needs"
                )
        blocks = tuple(Block(block.function, block.address, block.count) for block in part.blocks)
        groups[part.group] = _Group(part, blocks, registers)
    return groups, faults


def _register(device_map: DeviceMap | None, name: str, measurand: str) -> Register | None:
    register = None if device_map is None else device_map.register(name)
    return register if register is not None and register.measurand.name == measurand else None


def _compare(readings: GroupReadings, group: _Group) -> Iterator[str]:
    codes = {(point, slot): Quality(code) for point, slot, code in readings.quality}
    for slot, slot_ms in enumerate(readings.slots):
        words = unpack_words(readings.raw[slot])  # as many as the blocks have, or none: else the record is a misfit
        for point, register in enumerate(group.registers):
            stated = readings.values[point][slot]
            code = codes.get((point, slot), Quality.OK)
            found = None if register is None else _found(register, group.blocks, words, code)
            if register is not None and not _agree(stated, code, found):
                part = group.part.points[point]
                yield (
                    f"point {part.point} {part.measurand} slot {slot_ms}: the record says "
                    f"{_shown(stated, code)}, its raw words say {_said(found)}"
                )


def _found(
    register: Register, blocks: tuple[Block, ...], words: tuple[int, ...], code: Quality
) -> int | Quality | None:
    if not words:
        return None
    if code in _NOT_ANSWERED:
        # A block that did not answer is written as zero words; anything else is an answer that was passed over.
        at = register_words(register, blocks, words)
        if at is not None and not any(at[0]):
            return None
    return decode_in(register, blocks, words)


def _agree(stated: int | None, code: Quality, found: int | Quality | None) -> bool:
    if stated is not None:
        return not isinstance(found, Quality) and found == stated  # a Quality is an int too
    if code in _FROM_WORDS:
        return found is code
    return code not in _NOT_ANSWERED or found is None


def _shown(stated: int | None, code: Quality) -> str:
    return code.label if stated is None else str(stated)


def _said(found: int | Quality | None) -> str:
    if found is None:
        return "nothing"
    return found.label if isinstance(found, Quality) else str(found)
