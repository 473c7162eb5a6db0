"""Which of the bytes that arrived answer a request: a request and bytes go in, the one frame that fits comes out. Pure.

An RTU answer names neither the register nor the request it belongs to. What can be checked is checked here: unit,
function, byte count, length and CRC. Whatever else arrives (an answer that comes late, another unit's, an echo of the
request, noise, half a frame) is skipped and reported, never decoded. What these checks cannot tell apart, two answers
of one unit with one function and one length, `line` keeps apart in time; `strays` tells it what else was said.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_REQUEST_BYTES = 8
_SHORTEST = 5
"""Unit, function, exception code or byte count, and the check [bytes]."""
EXCEPTION = 0x80
"""Stands in the function of an answer that is an exception."""
_READS = (3, 4)
_MBAP_BYTES = 6
"""Transaction, protocol and length, which counts what follows."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the bytes that arrived hold."""

    frame: bytes
    """The answer, without anything around it; empty while there is none."""
    strange: bool
    """Whether bytes arrived that are not the answer, nor its beginning, nor an echo."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A read request or its answer on an RTU line that is not ours."""

    unit: int
    function: int
    count: int
    """Registers that are asked for, or given."""
    asks: bool
    """Whether it is the request, which only another master sends."""


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1  # noqa: PLW2901 - a shift register
        table.append(value)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc16(data: bytes) -> bytes:
    """Compute the check of an RTU frame, in the order of the wire (Modbus over serial line 1.02, section 6.2.2)."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def rtu_answer(request: bytes, received: bytes) -> Found:
    """Find the answer to a read request among bytes of an RTU line.

    Args:
        request: the whole request as it was sent.
        received: everything that arrived since.
    """
    at, first = 0, 0
    while at < len(received):
        rest = received[at:]
        if request.startswith(rest[:_REQUEST_BYTES]):  # an adapter that hears itself: the request comes back
            if len(rest) < _REQUEST_BYTES:
                break
            first = _REQUEST_BYTES if at == 0 else first
            at += _REQUEST_BYTES
            continue
        size = _whole_frame(rest)
        if size and _fits(request, rest[0], rest[1 : size - 2]):
            return Found(rest[:size], at > first or size < len(rest))
        at += size or 1  # nothing inside a whole frame of something else can be ours; behind noise it may be
    return Found(b"", not _may_begin(request, received[first:]))


def _whole_frame(data: bytes) -> int:
    """Measure the answer to some read request that begins here [bytes]; 0 = none, or not all of it is there."""
    size = 0
    if len(data) >= _SHORTEST and data[1] & ~EXCEPTION in _READS:
        size = _SHORTEST if data[1] & EXCEPTION else _SHORTEST + data[2]
    return size if size and len(data) >= size and data[size - 2 : size] == crc16(data[: size - 2]) else 0


def strays(data: bytes) -> Iterator[Stray]:
    """Find the reads of others among bytes of an RTU line; exceptions carry no value and are left out.

    Args:
        data: what arrived, without what answers our request.
    """
    at = 0
    while at + _SHORTEST <= len(data):
        rest = data[at:]
        size = _whole_frame(rest)
        if size and rest[1] in _READS:
            yield Stray(rest[0], rest[1], rest[2] // 2, asks=False)
        elif not size and rest[1] in _READS and crc16(rest[: _REQUEST_BYTES - 2]) == rest[6:_REQUEST_BYTES]:
            size = _REQUEST_BYTES
            yield Stray(rest[0], rest[1], _count(rest), asks=True)
        at += size or 1


def _may_begin(request: bytes, data: bytes) -> bool:
    """Whether more bytes could make an answer of these, or an echo."""
    answer = bytes((request[0], request[1], 2 * _count(request)))
    exception = bytes((request[0], request[1] | EXCEPTION))
    return (
        request.startswith(data)
        or (answer.startswith(data[:3]) and len(data) < _SHORTEST + answer[2])
        or (exception.startswith(data[:2]) and len(data) < _SHORTEST)
    )


def mbap_answer(request: bytes, received: bytes) -> Found:
    """Find the answer to a read request among bytes of a TCP connection.

    Args:
        request: the whole request as it was sent.
        received: everything that arrived since.
    """
    at, strange = 0, False
    while at + _MBAP_BYTES < len(received):
        frame = received[at : at + _MBAP_BYTES + int.from_bytes(received[at + 4 : at + 6], "big")]
        whole = len(frame) == _MBAP_BYTES + int.from_bytes(frame[4:6], "big")
        if not whole or len(frame) < _MBAP_BYTES + 3:
            return Found(b"", strange or len(frame) < _MBAP_BYTES)
        at += len(frame)
        unit = frame[6] if request[6] else 0  # who asks for unit 0 asks whoever is there
        if frame[:4] == request[:4] and _fits(request[6:], unit, frame[7:]):
            return Found(frame, strange or at < len(received))
        strange = True
    return Found(b"", strange)


def _fits(request: bytes, unit: int, answer: bytes) -> bool:
    """Compare an answer, from its function on, with a request, from its unit on."""
    if unit != request[0]:
        return False
    if answer[0] == request[1] | EXCEPTION:
        return len(answer) == 2
    byte_count = 2 * _count(request)
    return answer[0] == request[1] and len(answer) == 2 + byte_count and answer[1] == byte_count


def _count(request: bytes) -> int:
    return int.from_bytes(request[4:6], "big")


def rtu_bytes(count: int) -> int:
    """Count what a read of so many registers sends over an RTU line in both directions [bytes]."""
    return _REQUEST_BYTES + _SHORTEST + 2 * count
