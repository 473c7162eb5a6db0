"""Readings in our own spelling, read fast: the only file that knows orjson. It may only say yes.

In goes the text of a record, out comes what intake needs of it, or None. Yes means that `metering.record.parse_body`
reads the same bytes to the same effect; None means nothing at all, and `parse_body`, the one judge, has to be asked.

One comparison keeps the two parsers apart where JSON parsers differ: a document that is written again to the very bytes
it was read from has no key twice, no NaN, no number beyond 64 bits, no other spelling of a letter or a number.

References:
    docs/decisions/011-a-fast-reader-that-may-only-say-yes.md
"""

import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from operator import lt
from typing import Any, Final

import orjson

from metering import record
from metering.clock import ClockState
from metering.measurands import INT64_MAX
from metering.quality import VALUED, Quality

_RECORD: Final = frozenset(record.Readings.model_fields)
_CLOCK: Final = frozenset(record.ClockPart.model_fields)
_GROUP: Final = frozenset(record.GroupReadings.model_fields)
_STATES: Final = frozenset(state.value for state in ClockState)
_HEADER: Final = tuple(record.Header.model_fields)
_LAST_CODE: Final = max(Quality)


@dataclass(frozen=True, slots=True)
class Part:
    """The readings of one group, as far as its birth has to agree."""

    group: str
    rows: int
    raw_bytes: int
    """How many bytes of raw words each slot has; 0 when no slot has any."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A readings record of version 1 that is right in itself."""

    header: record.Header
    parts: tuple[Part, ...]
    slots_ms: tuple[int, int]
    """The first and the last slot [ms since the Unix epoch]."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a birth says about the records it governs."""

    project: str
    groups: Mapping[str, tuple[int, int]]
    """For each group, its number of points and of bytes of raw words."""


def shape_of(text: bytes) -> Shape | None:
    """Keep of a birth what `fits` compares.

    Args:
        text: the text of a birth that was judged when it came, and is not judged again: it may be a megabyte.

    Returns:
        None when orjson cannot read it.
    """
    try:
        birth = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    groups = {
        group["group"]: (len(group["points"]), 2 * sum(block["count"] for block in group["blocks"]))
        for group in birth["groups"]
    }
    return Shape(birth["project"], groups)


def fits(plain: Plain, shape: Shape) -> bool:
    """Whether a record can be read with its birth; False sends it to `metering.record.misfit`."""
    for part in plain.parts:
        rows, raw_bytes = shape.groups.get(part.group, (-1, 0))
        if part.rows != rows or part.raw_bytes not in {0, raw_bytes}:
            return False
    return True


def read(text: bytes) -> Plain | None:
    """Read a readings record.

    Args:
        text: what was signed, one line of JSON and its newline.

    Returns:
        None for whatever is not plainly right: ask `metering.record.parse_body`.
    """
    try:
        found = orjson.loads(text)
        if type(found) is not dict or found.keys() != _RECORD or found["kind"] != "readings" or not _common(found):
            return None
        groups = found["groups"]
        if type(groups) is not list or not groups or not all(map(_is_group, groups)):
            return None
        if not _are_int64([*chain.from_iterable(map(_numbers, groups))]) or not all(map(_is_rectangular, groups)):
            return None
        parts = tuple(Part(group["group"], len(group["values"]), _raw_bytes(group["raw"])) for group in groups)
        if orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE) != text:
            return None
        header = record.Header.model_validate({name: found[name] for name in _HEADER})
    except ValueError:  # orjson's, pydantic's, base64's, and that of a quality that is no triple
        return None
    return Plain(
        header, parts, (min(group["slots"][0] for group in groups), max(group["slots"][-1] for group in groups))
    )


def _common(found: dict[str, Any]) -> bool:
    clock = found["clock"]
    return (
        found["type"] == record.RECORD_TYPE
        and type(found["seq"]) is int
        and found["seq"] >= 1
        and (found["seq"] == 1) == (found["prev"] is None)
        and type(clock) is dict
        and clock.keys() == _CLOCK
        and type(clock["state"]) is str
        and clock["state"] in _STATES
        and _are_int64([clock["offset_ms"], found["mono_ms"]])
    )


def _are_int64(numbers: list[Any]) -> bool:
    # orjson gives integers from -2^63 to 2^64 - 1 and makes floats of all others.
    return set(map(type, numbers)) <= {int} and max(numbers, default=0) <= INT64_MAX


def _is_group(group: object) -> bool:
    """Whether everything in a group is a list, or text, where it has to be."""
    if not isinstance(group, dict) or group.keys() != _GROUP or type(group["group"]) is not str:
        return False
    lists = [group[name] for name in ("slots", "sent", "received", "raw", "values", "quality")]
    if set(map(type, lists)) != {list}:
        return False
    return set(map(type, chain(group["values"], group["quality"]))) <= {list} and set(map(type, group["raw"])) <= {str}


def _numbers(group: dict[str, Any]) -> Iterator[Any]:
    """Everything in a group that must be an integer, or is null where that is allowed."""
    values = [*chain.from_iterable(group["values"])]
    if None in values:
        values = [value for value in values if value is not None]
    return chain(group["slots"], group["sent"], group["received"], values, *group["quality"])


def _is_rectangular(group: dict[str, Any]) -> bool:
    """Whether sizes agree, slots strictly increase within the calendar, and what is absent is explained."""
    slots, values = group["slots"], group["values"]
    count = len(slots)
    if not slots or not len(group["sent"]) == len(group["received"]) == len(group["raw"]) == count:
        return False
    if set(map(len, values)) - {count}:
        return False
    if slots[0] < 0 or slots[-1] >= record.YEAR_10000_MS or not all(map(lt, slots, slots[1:])):
        return False
    return _is_explained(group["quality"], values, count)


def _is_explained(quality: list[list[int]], values: list[list[int | None]], slots: int) -> bool:
    """Whether every null has a quality that says why, each place once, and no value has one that denies it."""
    marked = set()
    absent = 0
    for point, slot, code in quality:
        if not (0 <= point < len(values) and 0 <= slot < slots and 0 <= code <= _LAST_CODE):
            return False
        if (values[point][slot] is None) == (code in VALUED):
            return False
        absent += code not in VALUED
        marked.add((point, slot))
    return len(marked) == len(quality) and absent == sum(row.count(None) for row in values)


def _raw_bytes(raw: list[str]) -> int:
    """How many bytes of words each slot has that has any.

    Raises:
        ValueError: when it is not base64, or slots differ.
    """
    sizes = {len(binascii.a2b_base64(words, strict_mode=True)) for words in raw if words}
    if len(sizes) > 1:
        raise ValueError("slots differ in their raw words")
    return sizes.pop() if sizes else 0
