"""A serial bus with its devices, byte for byte: behind a TCP converter or on a pseudo-terminal, and as bad as wanted.

Every register holds a value that names its unit, its function and its address, so that a value in the wrong place
shows. Bytes leave in the order in which devices and disturbances made them, as on two wires.
"""

import asyncio
import os
import random
import socket
import struct
import tty
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from gateway.frames import crc16

READ_BYTES = 8


def value_of(unit: int, function: int, address: int) -> int:
    """Name a register: unit up to 15, function 3 or 4, address up to 2047."""
    return unit << 12 | (function == 4) << 11 | address


def words_of(unit: int, function: int, address: int, count: int) -> tuple[int, ...]:
    return tuple(value_of(unit, function, at) for at in range(address, address + count))


def framed(body: bytes) -> bytes:
    return body + crc16(body)


def answer_to(request: bytes, holds: Mapping[tuple[int, int, int], int] = MappingProxyType({})) -> bytes:
    """Answer as a device does that holds what registers are named, and some other things."""
    unit, function, address, count = struct.unpack(">BBHH", request[:6])
    words = [holds.get((unit, function, at), value_of(unit, function, at)) for at in range(address, address + count)]
    return framed(struct.pack(f">BBB{count}H", unit, function, 2 * count, *words))


Disturbance = Callable[[bytes, bytes], list[tuple[float, bytes]]]
"""Request and answer in, (seconds to wait, bytes) out."""


@dataclass
class Bus:
    """The devices and the wires; `Converter` and `Port` are ways in."""

    asked: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Requests that devices saw: unit, function, address, count."""
    asked_s: list[float] = field(default_factory=list)
    """When, in the loop's time [s]."""
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    most_at_once: int = 0
    """Most requests that waited for an answer at one time."""
    silent: set[int] = field(default_factory=set)
    """Units that do not answer."""
    holds: dict[tuple[int, int, int], int] = field(default_factory=dict)
    """Other words than usual, by unit, function and address."""
    refused: set[tuple[int, int]] = field(default_factory=set)
    """(function, address): requests that begin there are answered with an exception."""
    disturb: Disturbance | None = None
    write: Callable[[bytes], object] = bytes
    """Where bytes go; nowhere while nobody listens."""
    answers_keep_their_way: bool = False
    """Whether an answer goes where its request came from, and not to whoever listens when it is ready."""
    _free_s: float = 0.0
    _others_s: float = 0.0
    """When another master asks for the last time [s]."""
    _read: bytes = b""
    _open: int = 0

    def feed(self, data: bytes) -> None:
        """Take bytes from the master."""
        self._read += data
        while len(self._read) >= READ_BYTES:
            request = self._read[:READ_BYTES]
            if crc16(request[:-2]) != request[-2:]:
                self._read = self._read[1:]
                continue
            self._read = self._read[READ_BYTES:]
            unit, function, address, count = struct.unpack(">BBHH", request[:6])
            self.asked.append((unit, function, address, count))
            self.asked_s.append(asyncio.get_running_loop().time())
            self.was_asked.set()
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
            self._open -= unit in self.silent
            if unit not in self.silent:
                answer = answer_to(request, self.holds)
                if (function, address) in self.refused:
                    answer = framed(bytes((unit, function | 0x80, 2)))
                for wait_s, part in self.disturb(request, answer) if self.disturb else [(0.0, answer)]:
                    self.emit(wait_s, part)

    def ask_as_another_master(self, wait_s: float, read: tuple[int, int, int, int], *, heard: bool) -> None:
        """Ask a unit after a while as somebody else, whose answers all can hear.

        Args:
            wait_s: how long to wait [s].
            read: unit, function, address, count.
            heard: whether the request is on the same two wires, and not on the way to a converter only.
        """

        def ask() -> None:
            request = framed(struct.pack(">BBHH", *read))
            if heard:
                self.write(request)
            self.feed(request)

        handle = asyncio.get_running_loop().call_later(wait_s, ask)
        self._others_s = max(self._others_s, handle.when())

    def emit(self, wait_s: float, data: bytes) -> None:
        """Send bytes after a while, and never before what was to be sent earlier."""
        loop = asyncio.get_running_loop()
        self._free_s = max(self._free_s + 1e-6, loop.time() + wait_s)
        loop.call_at(self._free_s, self._send, data, self.write if self.answers_keep_their_way else None)

    async def all_said(self) -> None:
        """Wait until what is on its way has arrived."""
        loop, said = asyncio.get_running_loop(), asyncio.Event()
        while (until_s := max(self._free_s, self._others_s) + 0.01) > loop.time():
            loop.call_at(until_s, said.set)
            await said.wait()
            said.clear()

    def _send(self, data: bytes, write: Callable[[bytes], object] | None) -> None:
        self._open = max(self._open - 1, 0)
        (write or self.write)(data)


@dataclass
class Converter:
    """The bus behind a TCP port: what is on its way when a connection ends reaches the next one."""

    bus: Bus
    port: int
    connections: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    def cut(self) -> None:
        """End every connection at once, as a power cut does."""
        for writer in self._writers:
            writer.transport.abort()

    def reset(self) -> None:
        """Answer with RST in place of what is still to come."""
        for writer in self._writers:
            linger_s = struct.pack("ii", 1, 0)  # on, for no time: to close means to reset
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_s)
        self.cut()

    def vanish(self) -> None:
        """Forget every connection without a word, as a converter does that lost its power for a moment."""
        self.bus.write = bytes
        for writer in self._writers:
            writer.transport.pause_reading()

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        self.cut()
        self.bus.write = bytes

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        self.bus.write = lambda data: None if writer.is_closing() else writer.write(data)
        try:
            while data := await reader.read(512):
                self.bus.feed(data)
        except ConnectionError:
            pass
        finally:
            writer.close()


@dataclass
class Gateway(Converter):
    """A Modbus TCP gateway in front of the bus: it drops broken frames and numbers the others."""

    tamper: Callable[[bytes], bytes] | None = None
    """What becomes of a frame on its way to the master."""
    late_is_new: bool = False
    """Whether an answer goes out under the transaction that is open when it comes, not under its own."""
    _newest: Callable[[bytes], object] = bytes

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while head := await reader.readexactly(6):
                request = await reader.readexactly(int.from_bytes(head[4:6], "big"))
                self.bus.write = self._newest = self._reply(writer, head[:2])
                self.bus.feed(framed(request))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _reply(self, writer: asyncio.StreamWriter, transaction: bytes) -> Callable[[bytes], object]:
        def write(frame: bytes) -> None:
            if self.late_is_new and write is not self._newest:
                self._newest(frame)
            elif not writer.is_closing() and frame[-2:] == crc16(frame[:-2]):
                whole = transaction + b"\0\0" + (len(frame) - 2).to_bytes(2, "big") + frame[:-2]
                writer.write(whole if self.tamper is None else self.tamper(whole))

        return write


@dataclass
class Port:
    """The bus on a pseudo-terminal; with a speed it takes as long as a real line, in both directions."""

    bus: Bus
    byte_s: float = 0.0
    """How long a byte takes on the wire [s]."""
    busy_s: float = 0.0
    """How long the wire and the devices have been busy with requests that were answered [s]."""

    async def __aenter__(self) -> Self:
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.path = os.ttyname(self._theirs)
        self.bus.write = lambda data: os.write(self._ours, data)
        asyncio.get_running_loop().add_reader(self._ours, self._receive)
        return self

    async def __aexit__(self, *_error: object) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        self.bus.write = bytes
        os.close(self._ours)
        os.close(self._theirs)

    def _receive(self) -> None:
        data = os.read(self._ours, 512)
        if not self.byte_s:
            self.bus.feed(data)
            return
        asyncio.get_running_loop().call_later(len(data) * self.byte_s, self.bus.feed, data)


def timed(byte_s: float, turnaround_s: float, port: Port) -> Callable[[bytes, bytes], list[tuple[float, bytes]]]:
    """Answer as slowly as a line of this speed and a device of this turnaround do: the last byte decides."""

    def disturb(request: bytes, answer: bytes) -> list[tuple[float, bytes]]:
        port.busy_s += (len(request) + len(answer)) * byte_s + turnaround_s
        return [(turnaround_s + len(answer) * byte_s, answer)]

    return disturb


class Chaos:
    """Draws what happens to each answer."""

    def __init__(self, seed: int, timeout_s: float, share: float = 0.45) -> None:
        self._random = random.Random(seed)
        self._timeout_s = timeout_s
        self._share = share
        self._held = b""
        self.happened: set[str] = set()

    def __call__(self, request: bytes, answer: bytes) -> list[tuple[float, bytes]]:
        kinds = [name.removeprefix("_do_") for name in dir(self) if name.startswith("_do_")]
        if self._random.random() > self._share:
            parts = [(0.0, answer)]
        else:
            kind = self._random.choice(kinds)
            self.happened.add(kind)
            parts = getattr(self, f"_do_{kind}")(request, answer)
        if self._held and parts:
            wait_s, first = parts[0]
            parts[0], self._held = (wait_s, self._held + first), b""
        return parts

    def _late_s(self) -> float:
        return self._random.uniform(0.5, 5) * self._timeout_s

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.randint(1, 30))

    def _do_late(self, _request, answer):
        return [(self._late_s(), answer)]

    def _do_twice(self, _request, answer):
        return [(0.0, answer), (0.0, answer)]

    def _do_twice_and_late(self, _request, answer):
        return [(0.0, answer), (self._late_s() / 5, answer)]

    def _do_cut(self, _request, answer):
        return [(0.0, answer[: self._random.randrange(1, len(answer))])]

    def _do_in_pieces(self, _request, answer):
        at = self._random.randrange(1, len(answer))
        return [(0.0, answer[:at]), (self._late_s() / 3, answer[at:])]

    def _do_held_back_for_the_next(self, _request, answer):
        self._held += answer
        return []

    def _do_other_unit(self, _request, answer):
        return [(0.0, framed(bytes((answer[0] % 3 + 1,)) + answer[1:-2]))]

    def _do_other_function(self, _request, answer):
        return [(0.0, framed(answer[:1] + bytes((7 - answer[1],)) + answer[2:-2]))]

    def _do_other_byte_count(self, _request, answer):
        return [(0.0, framed(answer[:2] + bytes((answer[2] - 2,)) + answer[3:-4]))]

    def _do_flipped(self, _request, answer):
        at, bit = self._random.randrange(len(answer)), 1 << self._random.randrange(8)
        return [(0.0, answer[:at] + bytes((answer[at] ^ bit,)) + answer[at + 1 :])]

    def _do_noise_before(self, _request, answer):
        return [(0.0, self._noise() + answer)]

    def _do_noise_behind(self, _request, answer):
        return [(0.0, answer), (0.0, self._noise())]

    def _do_lost(self, _request, _answer):
        return []

    def _do_exception(self, _request, answer):
        return [(0.0, framed(bytes((answer[0], answer[1] | 0x80, 6))))]

    def _do_exception_and_late_answer(self, _request, answer):
        return [*self._do_exception(_request, answer), (self._late_s(), answer)]

    def _do_echo(self, request, answer):
        return [(0.0, request + answer)]
