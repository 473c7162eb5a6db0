"""Modbus frames as bytes: what a client sends in, requests out; and an answer as the bytes that go back.

The simulators speak Modbus themselves, because a fault of a line is a fault of its bytes: a frame cut in two, two in
one, a wrong checksum, an answer of yesterday.

References:
    MODBUS Application Protocol Specification V1.1b3, sections 4.1 (protocol), 6 (function codes), 7 (exceptions).
    MODBUS Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3 (MBAP header).
    MODBUS over Serial Line Specification and Implementation Guide V1.02, section 2.5.1 (RTU), 6.2.2 (CRC).
"""

import struct
from dataclasses import dataclass
from typing import Protocol

READS = frozenset({1, 2, 3, 4})
MOST_REGISTERS = 125
"""In one answer; section 6.3."""

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3
BUSY = 6
TARGET_FAILED = 11

_MBAP = struct.Struct(">HHHB")
_READ = struct.Struct(">HH")
_LONGEST_ADU = 260
_RTU_READ_BYTES = 8
_FIXED_LENGTH = frozenset(range(1, 7))
_WITH_COUNT = frozenset({15, 16})
_COUNT_AT = 6


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as far as the simulators care."""

    transaction: int
    """Of Modbus TCP; 0 on a serial line."""
    unit_id: int
    function: int
    address: int
    """First register; 0 for a function that reads nothing."""
    count: int
    """How many registers; 0 for a function that reads nothing."""


class Framing(Protocol):
    """How requests and answers become bytes on one kind of line; keeps what is not yet a whole request."""

    def requests(self, data: bytes) -> list[Request]:
        """Take bytes in; give the requests that are now complete."""

    def frame(self, request: Request, pdu: bytes, unit_id: int) -> bytes:
        """Put an answer into a frame.

        Args:
            request: what it answers.
            pdu: function code and data.
            unit_id: who answers; another than the request's is a fault.
        """

    def spoiled(self, frame: bytes) -> bytes:
        """The frame with that wrong by which the other side knows a frame to be whole."""


class TcpFraming:
    """Modbus TCP: a header of seven bytes before each PDU."""

    def __init__(self) -> None:
        """Begin with nothing received."""
        self._held = b""

    def requests(self, data: bytes) -> list[Request]:
        """Take bytes in (`Framing.requests`); what cannot be Modbus TCP is dropped with all that came with it."""
        self._held += data
        found = []
        while len(self._held) > _MBAP.size:
            transaction, protocol, length, unit_id = _MBAP.unpack_from(self._held)
            end = 6 + length
            if protocol != 0 or not 2 <= length <= _LONGEST_ADU - 6:
                self._held = b""
                break
            if len(self._held) < end:
                break
            found.append(_request(transaction, unit_id, self._held[_MBAP.size : end]))
            self._held = self._held[end:]
        return found

    def frame(self, request: Request, pdu: bytes, unit_id: int) -> bytes:
        """Put an answer into a frame (`Framing.frame`)."""
        return _MBAP.pack(request.transaction, 0, len(pdu) + 1, unit_id) + pdu

    def spoiled(self, frame: bytes) -> bytes:
        """Another protocol id, which must be 0 (`Framing.spoiled`)."""
        return frame[:2] + b"\xff\xff" + frame[4:]


class RtuFraming:
    """Modbus RTU: the unit id before each PDU, a CRC behind it, and nothing that tells the length."""

    def __init__(self) -> None:
        """Begin with nothing received."""
        self._held = b""

    def requests(self, data: bytes) -> list[Request]:
        """Take bytes in (`Framing.requests`); with a wrong CRC or an unknown function all that is held is dropped."""
        self._held += data
        found = []
        while (size := _rtu_size(self._held)) is not None and len(self._held) >= size:
            frame, self._held = self._held[:size], self._held[size:]
            if size == 0 or crc16(frame[:-2]) != frame[-2:]:
                self._held = b""
                break
            found.append(_request(0, frame[0], frame[1:-2]))
        return found

    def frame(self, request: Request, pdu: bytes, unit_id: int) -> bytes:  # noqa: ARG002 - the protocol's shape
        """Put an answer into a frame (`Framing.frame`)."""
        body = bytes([unit_id]) + pdu
        return body + crc16(body)

    def spoiled(self, frame: bytes) -> bytes:
        """Another CRC (`Framing.spoiled`)."""
        return frame[:-1] + bytes([frame[-1] ^ 0xFF])


def _rtu_size(held: bytes) -> int | None:
    # How long the frame at the start is; None when it cannot be said yet, 0 when it never can.
    if len(held) < 2:
        return None
    if held[1] in _FIXED_LENGTH:
        return _RTU_READ_BYTES
    if held[1] in _WITH_COUNT:
        return None if len(held) <= _COUNT_AT else 9 + held[_COUNT_AT]
    return 0


def _request(transaction: int, unit_id: int, pdu: bytes) -> Request:
    address = count = 0
    if pdu[0] in READS and len(pdu) == 1 + _READ.size:
        address, count = _READ.unpack_from(pdu, 1)
    return Request(transaction, unit_id, pdu[0], address, count)


def registers_pdu(function: int, words: bytes) -> bytes:
    """An answer with registers.

    Args:
        function: 3 or 4.
        words: big-endian, two bytes a register.
    """
    return bytes([function, len(words)]) + words


def exception_pdu(function: int, code: int) -> bytes:
    """An answer that says why there are no registers; section 7."""
    return bytes([function | 0x80, code])


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_CRC = _crc_table()


def crc16(data: bytes) -> bytes:
    """The checksum of RTU, low byte first."""
    value = 0xFFFF
    for byte in data:
        value = (value >> 8) ^ _CRC[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")
