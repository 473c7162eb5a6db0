"""Gateways that cost next to nothing: records signed before the clock starts, packets made by hand, one thread.

Runs as a process of its own: `python -m tests.benchmarks.benchkit.fleet JSON` signs and connects, writes `ready`,
waits for a line, sends births, writes `born`, waits, sends readings, and writes one line of JSON when everything is
acknowledged. Each gateway keeps the rules of the wire: in order, at most 32 records unacknowledged, no more unconfirmed
than the broker allows.
"""

import base64
import hashlib
import json
import random
import re
import selectors
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from metering import note, record
from metering.topics import GatewayId, ack_topic, log_topic
from metering.ulid import new_ulid

SITE = "bench"
WINDOW = 32
SLOT_MS = 1000
MAP = """schema = "sakugen.devicemap/1"
make = "Bench"
model = "B20"
tier = "unverified"
[[source]]
title = "made up for benchmarks"
read = "nothing"
[[register]]
name = "energy"
measurand = "energy_export_total_wh"
function = 3
address = 0
type = "u32"
"""
WORDS = 2
_THROUGH = re.compile(rb'"through":(\d+)')
_PUBACK, _PUBLISH = 4, 3


def signer_of(number: int) -> note.Signer:
    """The key of a gateway, the same in every process."""
    name = f"{SITE}/gw-{number:05}"
    return note.Signer(name, Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))


# --- records ------------------------------------------------------------------------------------------------------


def records(number: int, count: int, points: int, slots: int, now_ms: int) -> Iterator[bytes]:
    """A birth and `count` records of `points` × `slots` readings with their raw words, chained and signed."""
    signer = signer_of(number)
    site, gateway = signer.name.split("/")
    map_digest = hashlib.sha256(MAP.encode()).hexdigest()
    common: dict[str, Any] = {
        "type": record.RECORD_TYPE, "site": site, "gateway": gateway, "stream": new_ulid(now_ms), "seq": 1,
        "prev": None, "clock": {"state": "synchronised", "offset_ms": 0}, "mono_ms": 1,
    }  # fmt: skip
    group = {
        "group": "meter/all", "device": "meter", "interval_ms": SLOT_MS, "map": map_digest, "unit_id": 1,
        "meter": {"make": "Bench", "model": "B20", "serial": "1"},
        "blocks": [{"function": 3, "address": 0, "count": WORDS * points}],
        "points": [
            {"point": f"{gateway}-{at}", "measurand": "energy_export_total_wh", "quantum": "mWh", "register": "energy"}
            for at in range(points)
        ],
    }  # fmt: skip
    birth = {
        "kind": "birth", "project": SITE, "mode": "live", "agent": "bench", "time_factor": 1.0,
        "config_digest": "0" * 64, "after": None, "device_maps": {map_digest: MAP}, "groups": [group],
    }  # fmt: skip
    yield (data := _signed(common | birth, signer))
    chance = random.Random(number)
    rows = [[chance.randrange(10**9, 10**11) + 1000 * at for at in range(slots)] for _ in range(2 * points)]
    raw = [base64.b64encode(chance.randbytes(2 * WORDS * points)).decode() for _ in range(4 * slots)]
    first_ms = now_ms // SLOT_MS * SLOT_MS - count * slots * SLOT_MS
    for at in range(count):
        common |= {"seq": at + 2, "prev": record.digest_of(data)}
        from_ms = first_ms + at * slots * SLOT_MS
        turn = at % points
        part = {
            "group": "meter/all", "slots": [from_ms + slot * SLOT_MS for slot in range(slots)], "sent": [3] * slots,
            "received": [41] * slots, "values": rows[turn : turn + points],
            "raw": (raw + raw)[at % len(raw) :][:slots], "quality": [],
        }  # fmt: skip
        yield (data := _signed(common | {"kind": "readings", "groups": [part]}, signer))


def _signed(body: dict[str, Any], signer: note.Signer) -> bytes:
    return note.sign(json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode() + b"\n", signer)


# --- MQTT ---------------------------------------------------------------------------------------------------------


def _packet(first: int, body: bytes) -> bytes:
    size, header = len(body), bytearray([first])
    while True:
        size, digit = divmod(size, 128)
        header.append(digit | (128 if size else 0))
        if not size:
            return bytes(header) + body


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()


@dataclass
class Link:
    """One gateway's connection."""

    number: int
    packets: list[bytes]
    sock: socket.socket = field(default_factory=socket.socket)
    allowed: int = WINDOW
    sent: int = 0
    through: int = 0
    unconfirmed: int = 0
    incoming: bytes = b""
    outgoing: bytes = b""
    sent_s: deque[float] = field(default_factory=deque)

    @property
    def done(self) -> bool:
        return self.through == len(self.packets)

    @property
    def may_send(self) -> bool:
        free = self.sent - self.through < WINDOW and self.unconfirmed < self.allowed
        return free and self.sent < len(self.packets)

    def connect(self, port: int) -> None:
        gateway = GatewayId(*signer_of(self.number).name.split("/"))
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client_id = f"sakugen:{gateway.site}:{gateway.gateway}"
        # MQTT 5, clean start, keep-alive 600 s, no properties.
        self.sock.sendall(_packet(0x10, _text("MQTT") + b"\x05\x02\x02\x58\x00" + _text(client_id)))
        kind, answer = self._read_packet()
        assert kind == 2, (kind, answer)
        assert answer[1] == 0, answer
        self.allowed = min(WINDOW, _receive_maximum(answer[2:]))
        self.sock.sendall(_packet(0x82, b"\x00\x01\x00" + _text(ack_topic(gateway)) + b"\x00"))
        kind, answer = self._read_packet()
        assert kind == 9, (kind, answer)
        topic = _text(log_topic(gateway))
        self.packets = [
            _packet(0x32, topic + struct.pack(">H", at + 1) + b"\x00" + data) for at, data in enumerate(self.packets)
        ]
        self.sock.setblocking(False)

    def _read_packet(self) -> tuple[int, bytes]:
        while not (found := self._cut()):
            self.incoming += self.sock.recv(65536)
        return found

    def _cut(self) -> tuple[int, bytes] | None:
        """Take one whole packet off what came."""
        size, at = 0, 1
        while True:
            if at >= len(self.incoming):
                return None
            size |= (self.incoming[at] & 127) << 7 * (at - 1)
            at += 1
            if not self.incoming[at - 1] & 128:
                break
        if len(self.incoming) < at + size:
            return None
        kind, body = self.incoming[0] >> 4, self.incoming[at : at + size]
        self.incoming = self.incoming[at + size :]
        return kind, body

    def read(self, now_s: float) -> list[float]:
        """Take what came; gives how long each newly acknowledged record waited [s]."""
        came = self.sock.recv(1 << 16)
        assert came, f"gateway {self.number}: the broker closed the connection"
        self.incoming += came
        waits: list[float] = []
        while found := self._cut():
            kind, body = found
            if kind == _PUBACK:
                self.unconfirmed -= 1
            elif kind == _PUBLISH and (through := _THROUGH.search(body)):
                reached = int(through[1])
                waits += [now_s - self.sent_s.popleft() for _ in range(reached - self.through)]
                self.through = max(self.through, reached)
        return waits

    def send_next(self, now_s: float) -> None:
        self.outgoing += self.packets[self.sent]
        self.sent += 1
        self.unconfirmed += 1
        self.sent_s.append(now_s)

    def flush(self) -> None:
        if self.outgoing:
            try:
                self.outgoing = self.outgoing[self.sock.send(self.outgoing) :]
            except BlockingIOError:
                return


def _receive_maximum(properties: bytes) -> int:
    """What the broker's CONNACK allows; only the properties that our brokers send are known."""
    sizes = {0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}
    at, end = 1, 1 + properties[0]
    while at < end:
        name = properties[at]
        if name == 0x21:
            return struct.unpack_from(">H", properties, at + 1)[0]
        if name == 0x12:  # the client id that the broker chose
            at += 3 + struct.unpack_from(">H", properties, at + 1)[0]
        else:
            at += 1 + sizes[name]
    return 65535


# --- the run ------------------------------------------------------------------------------------------------------


class Fleet:
    """All gateways of a run."""

    def __init__(self, links: list[Link], interval_s: float) -> None:
        self.links = links
        self._selector = selectors.EpollSelector()
        for link in links:
            self._selector.register(link.sock, selectors.EVENT_READ, link)
        self._waiting: set[int] = set()
        # Spread over the interval, and late enough that no birth's ack holds the next one back.
        self._due = deque((1 + interval_s * at / len(links), link) for at, link in enumerate(links))
        self._interval_s = interval_s
        self.waits: list[float] = []

    def run(self, longest_s: float, births_only: bool) -> float:
        """Send until everything is acknowledged; gives how long it took [s]."""
        began_s = time.perf_counter()
        open_links = {link.number for link in self.links}
        if births_only or not self._interval_s:
            for link in self.links:
                self._send(link, began_s, 1 if births_only else WINDOW)
        while open_links:
            now_s = time.perf_counter()
            assert now_s - began_s < longest_s, f"{len(open_links)} gateways wait: {self.links[min(open_links)]}"[:500]
            timeout_s = 1.0
            if self._interval_s and not births_only:
                timeout_s = self._send_due(now_s, began_s)
            for key, events in self._selector.select(timeout_s):
                link: Link = key.data
                now_s = time.perf_counter()
                if events & selectors.EVENT_READ:
                    self.waits += link.read(now_s)
                    if link.done or (births_only and link.through == 1):
                        open_links.discard(link.number)
                    if not self._interval_s and not births_only:
                        self._send(link, now_s, WINDOW)
                if link.outgoing:
                    self._flush(link)
        return time.perf_counter() - began_s

    def _send_due(self, now_s: float, began_s: float) -> float:
        while self._due and began_s + self._due[0][0] <= now_s:
            due_s, link = self._due.popleft()
            self._send(link, now_s, 1)
            if link.sent < len(link.packets):
                self._due.append((due_s + self._interval_s, link))
        return min(1.0, max(0.0, began_s + self._due[0][0] - now_s)) if self._due else 1.0

    def _send(self, link: Link, now_s: float, most: int) -> None:
        for _ in range(most):
            if link.may_send:
                link.send_next(now_s)
        self._flush(link)

    def _flush(self, link: Link) -> None:
        link.flush()
        blocked = bool(link.outgoing)
        if blocked != (link.number in self._waiting):
            self._waiting ^= {link.number}
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if blocked else 0)
            self._selector.modify(link.sock, wanted, link)


def main(port: int, gateways: int, count: int, points: int, slots: int, interval_s: float, now_ms: int) -> None:
    """Sign, connect, wait for a line, send, report."""
    links = [Link(number, list(records(number, count, points, slots, now_ms))) for number in range(gateways)]
    for link in links:
        link.connect(port)
    _wait_for_line("ready")
    # Births first, so that what is measured is readings; ingest knows each gateway then.
    births = Fleet(links, 0)
    births.run(600, births_only=True)
    _wait_for_line("born")
    fleet = Fleet(links, interval_s)
    used_s = time.process_time()
    took_s = fleet.run(600, births_only=False)
    waits = sorted(fleet.waits)
    found = {
        "seconds": took_s, "records": len(waits), "readings": len(waits) * points * slots,
        "bytes": sum(map(len, links[0].packets)) * gateways, "cpu_s": time.process_time() - used_s,
        **{f"p{percent}_ms": waits[int(len(waits) * percent / 100)] * 1000 for percent in (50, 99)},
        "max_ms": waits[-1] * 1000,
    }  # fmt: skip
    sys.stdout.write(json.dumps(found) + "\n")


def _wait_for_line(state: str) -> None:
    sys.stdout.write(f"{state}\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
