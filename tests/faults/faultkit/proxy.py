"""A TCP proxy that understands MQTT packets: it cuts, stalls, slows down, goes deaf, or tampers with chosen packets.

In goes the broker's port, out comes another one that stays the same while the broker dies and comes back. Whole
packets are lost, doubled or swapped, so that it is what a broker or a network could do, never a broken frame.
Threads, because the tests are not asynchronous; every wait is for a condition.
"""

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

LOOPBACK = "127.0.0.1"
_PUBLISH, _PUBACK = 3, 4
_CHUNK_BYTES = 65_536
_ENDS_WITHIN_S = 10.0
_SLICES_PER_S = 20


class Way(StrEnum):
    """A direction through the proxy."""

    UP = "client to broker"
    DOWN = "broker to client"


@dataclass(frozen=True)
class Packet:
    """One MQTT 5 packet; topic and payload are empty but for PUBLISH."""

    data: bytes
    kind: int
    topic: str = ""
    payload: bytes = b""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()


@dataclass(frozen=True)
class Passage:
    """A PUBLISH that came to the proxy."""

    connection: int
    """Counted from 1 in the order in which they were accepted."""
    way: Way
    topic: str
    digest: str
    payload: bytes
    passed: bool


class _Act(StrEnum):
    LOSE = "lose"
    DOUBLE = "double"
    SWAP = "swap"


@dataclass
class _Rule:
    act: _Act
    way: Way
    suffix: str
    left: int


class _Link:
    """One client's connection and ours to the broker."""

    def __init__(self, number: int, client: socket.socket, broker: socket.socket) -> None:
        self.number = number
        self.client, self.broker = client, broker
        self.deaf: set[Way] = set()
        self.unconfirmed = False
        self.held: dict[Way, Packet] = {}
        """What is to be overtaken by the next PUBLISH."""
        self._pumping = 2
        self._lock = threading.Lock()

    def cut(self) -> None:
        for end in (self.client, self.broker):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def pump_ended(self) -> bool:
        """Close what both pumps used, once both have ended."""
        self.cut()
        with self._lock:
            self._pumping -= 1
            if self._pumping:
                return False
        self.client.close()
        self.broker.close()
        return True


class Proxy:
    """Stands between clients and a broker; use `with`."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._listener = socket.socket()
        self._listener.bind((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._state = threading.Condition()
        self._links: list[_Link] = []
        self.accepted = 0
        """How many connections there have been."""
        self._refusing = self._stalled = self._ended = False
        self._bytes_per_s: int | None = None
        self._rules: list[_Rule] = []
        self._unconfirming: set[Way] = set()
        self._seen: list[Passage] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener.listen()
        self._run(self._accept_for_ever)
        return self

    def __exit__(self, *_: object) -> None:
        with self._state:
            self._ended = True
            self._state.notify_all()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut_all()
        for thread in list(self._threads):
            thread.join(_ENDS_WITHIN_S)

    # --- faults ---------------------------------------------------------------------------------------------------

    def cut(self, *, for_good: bool = False) -> None:
        """End every connection; with `for_good` refuse new ones until `heal`."""
        with self._state:
            self._refusing = self._refusing or for_good
        self._cut_all()

    def stall(self) -> None:
        """Hold everything back, both ways, without ending a connection; `heal` lets it go on its way."""
        with self._state:
            self._stalled = True

    def swallow(self, way: Way) -> None:
        """Lose everything that goes one way over the present connections, as a firewall that forgot them would."""
        with self._state:
            for link in self._links:
                link.deaf.add(way)

    def slow_down(self, bytes_per_s: int) -> None:
        """Let so much through each way of each connection; `heal` makes it fast again."""
        with self._state:
            self._bytes_per_s = bytes_per_s

    def lose(self, way: Way, suffix: str, count: int) -> None:
        """Lose the next PUBLISH packets whose topic ends so, each whole."""
        self._tamper(_Act.LOSE, way, suffix, count)

    def double(self, way: Way, suffix: str, count: int) -> None:
        """Deliver the next PUBLISH packets whose topic ends so twice."""
        self._tamper(_Act.DOUBLE, way, suffix, count)

    def swap(self, way: Way, suffix: str, count: int) -> None:
        """Let the next PUBLISH packets whose topic ends so each be overtaken by the PUBLISH behind it."""
        self._tamper(_Act.SWAP, way, suffix, count)

    def _tamper(self, act: _Act, way: Way, suffix: str, count: int) -> None:
        with self._state:
            self._rules.append(_Rule(act, way, suffix, count))

    def lose_confirmations(self, way: Way) -> None:
        """Lose every PUBACK until `heal`."""
        with self._state:
            self._unconfirming.add(way)

    def heal(self) -> None:
        """Be a wire again; connections that miss more than a few messages end, because they cannot go on."""
        with self._state:
            self._refusing = self._stalled = False
            self._bytes_per_s = None
            self._rules.clear()
            self._unconfirming.clear()
            broken = [link for link in self._links if link.deaf or link.unconfirmed or link.held]
            self._state.notify_all()
        for link in broken:
            link.cut()

    # --- what was seen --------------------------------------------------------------------------------------------

    def passages(self, way: Way, suffix: str) -> list[Passage]:
        """Every PUBLISH so far that went this way with such a topic, lost ones too."""
        with self._state:
            return [each for each in self._seen if each.way is way and each.topic.endswith(suffix)]

    def arrivals(self, way: Way, digest: str) -> int:
        """How often a payload passed."""
        with self._state:
            return sum(each.passed for each in self._seen if each.way is way and each.digest == digest)

    # --- the wire -------------------------------------------------------------------------------------------------

    def _run(self, work, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _cut_all(self) -> None:
        with self._state:
            links = list(self._links)
        for link in links:
            link.cut()

    def _accept_for_ever(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._state:
                refused = self._refusing or self._ended
            try:
                if refused:
                    raise ConnectionRefusedError
                broker = socket.create_connection((LOOPBACK, self._broker_port), timeout=5)
            except OSError:
                client.close()
                continue
            broker.settimeout(None)
            for end in (client, broker):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._state:
                self.accepted += 1
                link = _Link(self.accepted, client, broker)
                self._links.append(link)
            self._run(self._pump, link, client, broker, Way.UP)
            self._run(self._pump, link, broker, client, Way.DOWN)

    def _pump(self, link: _Link, source: socket.socket, sink: socket.socket, way: Way) -> None:
        buffer = bytearray()
        with suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                buffer += data
                for packet in _packets(buffer):
                    for each in self._let_through(link, way, packet):
                        self._send(sink, each.data)
        if link.pump_ended():
            with self._state:
                self._links.remove(link)

    def _let_through(self, link: _Link, way: Way, packet: Packet) -> list[Packet]:
        """Decide what a packet makes pass: itself, nothing, or more."""
        with self._state:
            self._state.wait_for(lambda: not self._stalled or self._ended)
            through = [] if way in link.deaf else [packet]
            if packet.kind == _PUBLISH:
                through = self._tampered_with(link, way, packet) if through else []
                for each in through or [packet]:
                    seen = Passage(link.number, way, each.topic, each.digest, each.payload, each in through)
                    self._seen.append(seen)
            if packet.kind == _PUBACK and way in self._unconfirming:
                through, link.unconfirmed = [], True
            return through

    def _tampered_with(self, link: _Link, way: Way, packet: Packet) -> list[Packet]:
        overtaken = link.held.pop(way, None)
        if overtaken is not None:
            return [packet, overtaken]
        rule = next((each for each in self._rules if each.left and _fits(each, way, packet)), None)
        if rule is None:
            return [packet]
        rule.left -= 1
        if rule.act is _Act.SWAP:
            link.held[way] = packet
        return [packet, packet] if rule.act is _Act.DOUBLE else []

    def _send(self, sink: socket.socket, data: bytes) -> None:
        """Send at once, or a slice after the other while the line is slow."""
        while data:
            with self._state:
                rate = self._bytes_per_s
                size = len(data) if rate is None else max(1, rate // _SLICES_PER_S)
                if rate is not None:
                    self._state.wait_for(lambda: self._bytes_per_s is None or self._ended, 1 / _SLICES_PER_S)
            sink.sendall(data[:size])
            data = data[size:]


def _fits(rule: _Rule, way: Way, packet: Packet) -> bool:
    return rule.way is way and packet.topic.endswith(rule.suffix)


def _packets(buffer: bytearray) -> Iterator[Packet]:
    """Take the whole packets off the front of a buffer."""
    while len(buffer) >= 2:
        length, at = _varint(buffer, 1)
        if length is None or len(buffer) < at + length:
            return
        data = bytes(buffer[: at + length])
        del buffer[: at + length]
        yield _publish(data, at) if data[0] >> 4 == _PUBLISH else Packet(data, data[0] >> 4)


def _publish(data: bytes, at: int) -> Packet:
    """Read a PUBLISH (MQTT 5, section 3.3)."""
    end = at + 2 + int.from_bytes(data[at : at + 2])
    topic = data[at + 2 : end].decode()
    quality_of_service = data[0] >> 1 & 3
    length, start = _varint(data, end + (2 if quality_of_service else 0))
    return Packet(data, _PUBLISH, topic, data[start + (length or 0) :])


def _varint(data: bytes | bytearray, at: int) -> tuple[int | None, int]:
    """Read a variable byte integer; None while it is not complete. Gives where it ends, too."""
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    return None, at
