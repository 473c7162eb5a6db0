"""The four kinds of line against real peers: pymodbus servers on loopback, and a pseudo-terminal as slow as a bus."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from linekit.bus import Bus, Converter, Port, timed, words_of
from pymodbus import FramerType
from pymodbus.server import ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

from gateway.buses import BusKind, BusSettings, TlsSettings
from gateway.frames import rtu_bytes
from gateway.line import Line
from gateway.member import Unit
from metering.clock import SystemClock
from metering.quality import Quality

UNITS = {1: Unit(2.0), 2: Unit(2.0)}


def _devices() -> list[SimDevice]:
    return [
        SimDevice(unit, [SimData(0, values=[1000 * unit + at for at in range(200)], datatype=DataType.REGISTERS)])
        for unit in UNITS
    ]


def _read(server: Callable[[], object], bus: BusSettings, *requests: tuple[int, int, int, int]):
    async def live():
        served = server()
        await served.serve_forever(background=True)
        try:
            async with Line(bus, UNITS, SystemClock()) as line:
                return [await line.read(*request) for request in requests]
        finally:
            await served.shutdown()

    return asyncio.run(live())


@pytest.mark.parametrize(("kind", "framer"), [(BusKind.TCP, FramerType.SOCKET), (BusKind.RTU_OVER_TCP, FramerType.RTU)])
def test_units_behind_one_address_are_read_with_either_framing(kind, framer, free_port):
    port = free_port()
    bus = BusSettings(name="bus", kind=kind, host="127.0.0.1", port=port)
    answers = _read(
        lambda: ModbusTcpServer(_devices(), framer=framer, address=("127.0.0.1", port)), bus, (1, 3, 5, 2), (2, 4, 7, 3)
    )
    assert [answer.words for answer in answers] == [(1005, 1006), (2007, 2008, 2009)]


@pytest.fixture(scope="module")
def keys(tmp_path_factory, certify) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name, issuer in [
        ("site", None),
        ("stranger", None),
        ("device", "site"),
        ("gateway", "site"),
        ("other", "stranger"),
    ]:
        certify(folder, name, issuer)
    certify(folder, "stale", "site", expired=True)
    return folder


def _read_over_tls(keys: Path, port: int, **files: str):
    def server() -> ModbusTlsServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(
            keys / f"{files.get('served', 'device')}.pem", keys / f"{files.get('served', 'device')}.key"
        )
        context.load_verify_locations(keys / "site.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        return ModbusTlsServer(_devices(), sslctx=context, address=("127.0.0.1", port))

    shown = files.get("shown", "gateway")
    tls = TlsSettings(ca_file=keys / "site.pem", cert_file=keys / f"{shown}.pem", key_file=keys / f"{shown}.key")
    bus = BusSettings(name="bus", kind=BusKind.TLS, host="127.0.0.1", port=port, tls=tls)
    return _read(server, bus, (1, 3, 5, 2), (2, 4, 7, 125 - 7))


def test_over_tls_device_and_gateway_show_their_certificates_and_values_are_those_of_the_device(keys, free_port):
    small, large = _read_over_tls(keys, free_port())
    assert small.words == (1005, 1006)
    assert large.words == tuple(range(2007, 2125))


@pytest.mark.parametrize("files", [{"served": "other"}, {"served": "stale"}, {"shown": "other"}, {"shown": "missing"}])
def test_over_tls_nobody_is_read_whose_certificate_or_ours_is_not_accepted(keys, free_port, files):
    for answer in _read_over_tls(keys, free_port(), **files):
        assert (answer.words, answer.quality) == (None, Quality.NO_ANSWER)


def test_an_answer_that_arrives_in_pieces_with_pauses_is_read(clock):
    async def live() -> None:
        bus = Bus()
        bus.disturb = lambda _request, answer: [(0.002, bytes((byte,))) for byte in answer]
        async with Port(bus) as port:
            where = BusSettings(name="bus", kind=BusKind.RTU, path=port.path, baud=9600)
            async with Line(where, UNITS, clock) as line:
                assert (await line.read(1, 3, 0, 10)).words == words_of(1, 3, 0, 10)

    asyncio.run(live())


def test_an_adapter_that_echoes_requests_does_no_harm(clock):
    async def live() -> None:
        bus = Bus()
        bus.disturb = lambda request, answer: [(0.0, request), (0.0, answer)]
        async with Port(bus) as port:
            where = BusSettings(name="bus", kind=BusKind.RTU, path=port.path, baud=115_200)
            async with Line(where, UNITS, clock) as line:
                for address in (0, 0x0200, 0x0201):
                    assert (await line.read(1, 3, address, 1)).words == words_of(1, 3, address, 1)

    asyncio.run(live())


def test_on_a_slow_line_the_time_that_an_answer_takes_to_arrive_is_not_the_devices(clock):
    async def live() -> None:
        bus = Bus()
        async with Port(bus, byte_s=10 / 2400) as port:
            bus.disturb = timed(10 / 2400, 0.01, port)
            where = BusSettings(name="bus", kind=BusKind.RTU, path=port.path, baud=2400)
            async with Line(where, {1: Unit(timeout_s=0.1)}, clock) as line:
                assert rtu_bytes(30) * where.byte_s > 0.3
                assert (await line.read(1, 3, 0, 30)).words == words_of(1, 3, 0, 30)

    asyncio.run(live())


@pytest.mark.parametrize(
    ("settings", "silence_ms"),
    [
        ({"baud": 9600}, 3.646),
        ({"baud": 9600, "parity": "E"}, 4.010),
        ({"baud": 19200}, 1.823),
        ({"baud": 38400}, 1.75),
        ({"baud": 9600, "turnaround_ms": 50}, 50),
    ],
)
def test_the_silence_before_a_request_is_three_and_a_half_characters_or_what_is_configured(settings, silence_ms):
    bus = BusSettings(name="bus", kind=BusKind.RTU, path="x", **settings)
    assert bus.silence_s * 1000 == pytest.approx(silence_ms, abs=0.001)


def test_a_port_that_cannot_be_set_as_configured_is_no_answer_and_stops_nothing(clock):
    async def live() -> None:
        async with Port(Bus()) as port:  # a pseudo-terminal knows no parity
            where = BusSettings(name="bus", kind=BusKind.RTU, path=port.path, baud=9600, parity="E")
            async with Line(where, UNITS, clock) as line:
                assert (await line.read(1, 3, 0, 2)).quality is Quality.NO_ANSWER
                assert line.silent_units() == [1, 2]

    asyncio.run(live())


def test_a_connection_that_breaks_is_not_waited_for(clock, free_port):
    async def live() -> None:
        bus = Bus(silent={1})
        async with Converter(bus, free_port()) as converter:
            where = BusSettings(name="bus", kind=BusKind.RTU_OVER_TCP, host="127.0.0.1", port=converter.port)
            async with Line(where, {1: Unit(60.0)}, clock) as line:
                asking = asyncio.create_task(line.read(1, 3, 0, 2))
                await bus.was_asked.wait()
                converter.cut()
                assert (await asyncio.wait_for(asking, 10)).quality is Quality.NO_ANSWER

    asyncio.run(live())


def test_a_connection_that_is_gone_is_made_again_at_the_next_read(clock, free_port):
    async def live() -> None:
        port, bus = free_port(), Bus()
        where = BusSettings(name="bus", kind=BusKind.RTU_OVER_TCP, host="127.0.0.1", port=port)
        async with Line(where, UNITS, clock) as line:
            for _ in range(2):
                async with Converter(bus, port) as converter:
                    clock.real_ms += 61_000
                    assert (await line.read(1, 3, 0, 2)).words == words_of(1, 3, 0, 2)
                    converter.cut()
                while (await line.read(1, 3, 0, 2)).quality is Quality.OK:
                    pass

    asyncio.run(live())
