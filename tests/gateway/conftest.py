"""A clock to set by hand, an outbox on it, and a meter on loopback that answers what it is told to."""

import asyncio
import struct
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from gateway.entries import BirthBody, SlotReading
from gateway.outbox import Outbox
from metering.clock import ClockState, ClockStatus
from metering.devicemap import DeviceMap, parse_device_map
from metering.keys import new_signer
from metering.note import Signer
from metering.record import BlockPart, GroupPart, MeterPart, PointPart
from metering.topics import GatewayId

# No package stands under tests, so what these tests share is found by its folder: `linekit`, a serial bus.
sys.path.insert(0, str(Path(__file__).parent))

from linekit.bus import Bus, Port

GATEWAY = GatewayId("site-1", "gw-1")
START_MS = 1_766_505_600_000  # 2025-12-23T16:00:00Z, a multiple of every interval used here
STEP_MS = 60_000


@dataclass
class HandClock:
    """A clock that shows what a test sets; both times are one."""

    wall_ms: int = START_MS
    real_ms: int = 1000
    state: ClockState = ClockState.SYNCHRONISED
    factor: float = 1.0

    def now_ms(self) -> int:
        return self.wall_ms

    def mono_ms(self) -> int:
        return self.real_ms

    def status(self) -> ClockStatus:
        return ClockStatus(self.state, 0)

    async def sleep_until(self, wall_ms: int) -> None:
        self.wall_ms = max(self.wall_ms, wall_ms)
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def signer() -> Signer:
    return new_signer(str(GATEWAY))


MAP_TEXT = """
schema = "sakugen.devicemap/1"
make = "Test"
model = "M1"
tier = "unverified"
[[source]]
title = "made up"
read = "nothing"
[[register]]
name = "energy"
measurand = "energy_export_total_wh"
function = 3
address = 0
type = "u32"
"""


@pytest.fixture
def device_map() -> DeviceMap:
    return parse_device_map(MAP_TEXT)


def make_birth(agent: str = "sakugen-gateway test", groups: tuple[str, ...] = ("meter-1/all",)) -> BirthBody:
    device_map = parse_device_map(MAP_TEXT)
    return BirthBody(
        project="project-1",
        mode="test",
        agent=agent,
        time_factor=1.0,
        config_digest="0" * 64,
        device_maps={device_map.digest: device_map.text},
        groups=tuple(
            GroupPart(
                group=group,
                device="meter-1",
                interval_ms=STEP_MS,
                map=device_map.digest,
                unit_id=1,
                meter=MeterPart(make="Test", model="M1", serial="1"),
                blocks=(BlockPart(function=3, address=0, count=2),),
                points=(PointPart(point="p1", measurand="energy_export_total_wh", quantum="mWh", register="energy"),),
            )
            for group in groups
        ),
    )


@pytest.fixture
def birth() -> Callable[..., BirthBody]:
    return make_birth


def make_slot(number: int, group: str = "meter-1/all", value: int | None = None, width: int = 1) -> SlotReading:
    """The slot that lies `number` intervals after the start; its value names it."""
    wanted = number if value is None else value
    return SlotReading(
        group,
        START_MS + number * STEP_MS,
        1,
        5,
        (wanted,) * width,
        (),
        struct.pack(">2H", wanted >> 16, wanted & 0xFFFF),
    )


@pytest.fixture
def slot() -> Callable[..., SlotReading]:
    return make_slot


@pytest.fixture
def new_outbox(tmp_path: Path, clock: HandClock, signer: Signer) -> Callable[[], Outbox]:
    """Each call is the same file, as after a restart."""
    return lambda: Outbox(tmp_path / "outbox.sqlite", GATEWAY, signer, clock)


@dataclass
class Meter:
    """A Modbus TCP server in a thread of its own."""

    port: int
    registers: dict[int, dict[int, int]]
    """Holding and input registers by unit and address."""
    asked: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Requests: unit, function, address, count."""
    excepting: set[int] = field(default_factory=set)
    """Units that answer with an exception."""
    refused: set[int] = field(default_factory=set)
    """Addresses that no request may touch: exception 2."""
    most_words: int = 125
    """Requests for more are refused: exception 3."""


@pytest.fixture
def meter(free_port: Callable[[], int]) -> Iterator[Meter]:
    """A pymodbus server: units 1 and 2 with registers 0 to 419, each 1000 times its unit plus its address."""
    peer = Meter(free_port(), {unit: {address: 1000 * unit + address for address in range(420)} for unit in (1, 2)})
    with _in_a_thread(lambda: _pymodbus(peer)):
        yield peer


async def _pymodbus(peer: Meter) -> Callable[[], Awaitable[None]]:
    devices = [
        SimDevice(unit, [SimData(0, values=[0] * 420, datatype=DataType.REGISTERS)], action=_action(peer, unit))
        for unit in peer.registers
    ]
    server = ModbusTcpServer(devices, address=("127.0.0.1", peer.port))
    await server.serve_forever(background=True)
    return server.shutdown


def _action(peer: Meter, unit: int) -> Callable[..., Awaitable[ExcCodes | None]]:
    async def answer(
        function: int, start: int, address: int, count: int, registers: list[int], _values: object
    ) -> ExcCodes | None:
        peer.asked.append((unit, function, address, count))
        if unit in peer.excepting:
            return ExcCodes.DEVICE_FAILURE
        if peer.refused & set(range(address, address + count)):
            return ExcCodes.ILLEGAL_ADDRESS
        if count > peer.most_words:
            return ExcCodes.ILLEGAL_VALUE
        for at in range(address, address + count):
            registers[at - start] = peer.registers[unit][at]
        return None

    return answer


@dataclass
class Rogue:
    """A Modbus TCP server written from the specification, for what no library server would do."""

    port: int
    asked: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Requests: unit, function, address, count."""
    connections: int = 0
    silent: set[int] = field(default_factory=set)
    """Units that do not answer."""
    cutting: set[int] = field(default_factory=set)
    """Units whose answers break off after five bytes, and the connection with them."""
    short: set[int] = field(default_factory=set)
    """Units that answer one register less than was asked for."""
    unreachable: set[int] = field(default_factory=set)
    """Units for which it speaks as a converter does: exception 11."""


@pytest.fixture
def rogue(free_port: Callable[[], int]) -> Iterator[Rogue]:
    """Answers every register with 1000 times its unit plus its address, unless told otherwise."""
    peer = Rogue(free_port())
    with _in_a_thread(lambda: _raw(peer)):
        yield peer


async def _raw(peer: Rogue) -> Callable[[], Awaitable[None]]:
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        writers.add(writer)
        try:
            while not writer.is_closing():
                frame = await reader.readexactly(12)
                writer.write(_raw_answer(peer, frame))
                if frame[6] in peer.cutting:
                    writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", peer.port)

    async def end() -> None:
        server.close()
        for writer in list(writers):
            writer.close()
        await server.wait_closed()

    return end


def _raw_answer(peer: Rogue, frame: bytes) -> bytes:
    transaction, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", frame)
    peer.asked.append((unit, function, address, count))
    given = count - 1 if unit in peer.short else count
    body = struct.pack(f">BBB{given}H", unit, function, 2 * given, *(1000 * unit + address + at for at in range(given)))
    if unit in peer.unreachable:
        body = struct.pack(">BBB", unit, function | 0x80, ExcCodes.GATEWAY_NO_RESPONSE)
    answer = struct.pack(">HHH", transaction, 0, len(body)) + body
    if unit in peer.silent:
        return b""
    return answer[:5] if unit in peer.cutting else answer


@dataclass
class SerialBus:
    """A serial bus in a thread of its own, for a gateway in a process."""

    bus: Bus
    path: str = ""
    """The port that leads to it."""


@pytest.fixture
def serial_bus() -> Iterator[SerialBus]:
    """Units 1 to 15 on a pseudo-terminal; their registers hold what `linekit.bus` says."""
    peer = SerialBus(Bus())

    async def start() -> Callable[[], Awaitable[None]]:
        port = await Port(peer.bus).__aenter__()
        peer.path = port.path
        return port.__aexit__

    with _in_a_thread(start):
        yield peer


@contextmanager
def _in_a_thread(start: Callable[[], Awaitable[Callable[[], Awaitable[None]]]]) -> Iterator[None]:
    ready, stop = threading.Event(), threading.Event()

    async def live() -> None:
        end = await start()
        ready.set()
        await asyncio.to_thread(stop.wait)
        await end()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        stop.set()
        thread.join(10)
