"""An RTU answer does not say what it answers: still, no value is ever taken for that of another register."""

import asyncio
import contextlib

import pytest
from linekit.bus import Bus, Chaos, Converter, Gateway, Port, answer_to, words_of

from gateway.buses import BusKind, BusSettings
from gateway.line import Line
from gateway.member import LATEST_ANSWER_S, Unit
from metering.clock import SystemClock
from metering.decode import Block
from metering.quality import Quality

TIMEOUT_S = 0.03
FASTER = LATEST_ANSWER_S / (6 * TIMEOUT_S)
PROBES = (Block(3, 100, 1), Block(3, 104, 3), Block(4, 110, 5))
IDENTITY = Block(3, 200, 6)
UNITS = {
    1: Unit(TIMEOUT_S, identities=(IDENTITY,), probes=PROBES),
    2: Unit(TIMEOUT_S, probes=PROBES),
    3: Unit(TIMEOUT_S, identities=(Block(3, 210, 2),), probes=PROBES),
}
WANTED = [
    *((unit, 3, address, 2) for unit in UNITS for address in (0, 2, 10, 300)),
    *((unit, 4, address, 2) for unit in UNITS for address in (0, 10)),
    *((unit, 3, address, 1) for unit in UNITS for address in (5, 6)),
    *((unit, 3, address, 20) for unit in UNITS for address in (400, 500)),
]


def over_tcp(port: int) -> BusSettings:
    return BusSettings(name="bus", kind=BusKind.RTU_OVER_TCP, host="127.0.0.1", port=port)


def on_serial(path: str) -> BusSettings:
    return BusSettings(name="bus", kind=BusKind.RTU, path=path, baud=115_200, turnaround_ms=0)


class FastClock(SystemClock):
    """Real time passes so much faster that the latest answer of a disturbed bus is just in time."""

    def mono_ms(self) -> int:
        return int(super().mono_ms() * FASTER)


async def _pass(fast_s: float) -> None:
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(fast_s / FASTER, passed.set)
    await passed.wait()


async def _read_at_random(line: Line, chaos: Chaos, rounds: int) -> list[Quality]:
    qualities = []
    for _ in range(rounds):
        asked = chaos._random.choice(WANTED)
        answer = await line.read(*asked)
        assert answer.words is None or answer.words == words_of(*asked), (asked, answer.words)
        assert (answer.words is None) == (answer.quality is not Quality.OK)
        if answer.quality is Quality.NO_ANSWER:
            await _pass(chaos._random.uniform(0, 3))
        qualities.append(answer.quality)
    return qualities


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", [BusKind.RTU_OVER_TCP, BusKind.RTU])
def test_whatever_happens_to_the_bytes_each_value_is_that_of_the_register_asked_for(kind, seed, free_port):
    async def live() -> None:
        bus, chaos = Bus(), Chaos(seed, TIMEOUT_S)
        bus.disturb = chaos
        way_in = Converter(bus, free_port()) if kind is BusKind.RTU_OVER_TCP else Port(bus)
        async with way_in:
            where = over_tcp(way_in.port) if kind is BusKind.RTU_OVER_TCP else on_serial(way_in.path)
            async with Line(where, UNITS, FastClock()) as line:
                qualities = await _read_at_random(line, chaos, 150)
                assert len(chaos.happened) > 10
                assert {Quality.OK, Quality.NO_ANSWER, Quality.BAD_FRAME, Quality.EXCEPTION} >= set(qualities)
                assert qualities.count(Quality.OK) > 5
                await _recovers(bus, line)

    asyncio.run(live())


@pytest.mark.parametrize("seed", range(2))
def test_behind_a_tcp_gateway_too_each_value_is_that_of_the_register_asked_for(seed, free_port):
    async def live() -> None:
        bus, chaos = Bus(answers_keep_their_way=True), Chaos(seed, TIMEOUT_S)
        bus.disturb = chaos
        async with Gateway(bus, free_port()) as gateway:
            where = BusSettings(name="bus", kind=BusKind.TCP, host="127.0.0.1", port=gateway.port)
            async with Line(where, UNITS, FastClock()) as line:
                qualities = await _read_at_random(line, chaos, 150)
                assert qualities.count(Quality.OK) > 5
                await _recovers(bus, line)

    asyncio.run(live())


async def _recovers(bus: Bus, line: Line) -> None:
    bus.disturb = None
    for unit in UNITS:
        for _ in range(10):
            answer = await line.read(unit, 3, 0, 2)
            if answer.words is not None:
                break
            await _pass(20)
        assert answer.words == words_of(unit, 3, 0, 2)


def _live(bus: Bus, free_port, clock, units, story) -> None:
    async def live() -> None:
        async with Converter(bus, free_port()) as converter, Line(over_tcp(converter.port), units, clock) as line:
            await story(line)

    asyncio.run(live())


def test_an_answer_that_comes_after_the_timeout_is_not_the_answer_to_the_next_request(clock, free_port):
    bus = Bus()
    bus.disturb = lambda request, answer: [(1.5 * TIMEOUT_S if request[3] == 0 else 0.0, answer)]

    async def story(line: Line) -> None:
        assert (await line.read(2, 3, 0, 2)).quality is Quality.NO_ANSWER
        clock.real_ms += 1000
        assert (await line.read(2, 3, 300, 2)).words == words_of(2, 3, 300, 2)
        # First at the beginning, when somebody else may have asked before us, and again after the timeout.
        assert bus.asked == [(2, 3, 100, 1), (2, 3, 0, 2), (2, 3, 100, 1), (2, 3, 300, 2)]

    _live(bus, free_port, clock, UNITS, story)


def test_a_connection_that_stands_the_moment_its_time_is_up_is_not_waited_on_for_ever(clock, free_port):
    bus = Bus()
    bus.disturb = lambda request, answer: []

    async def story(line: Line) -> None:
        connect = line._wire.open

        async def open_too_late() -> None:
            """A fake that injects what wait_for does in Python 3.11: it forgets that it was cancelled."""
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await connect()

        line._wire.open = open_too_late
        async with asyncio.timeout(20 * TIMEOUT_S):
            assert (await line.read(2, 3, 0, 2)).quality is Quality.NO_ANSWER
        line._wire.open, bus.disturb = connect, None
        clock.real_ms += 1000
        assert (await line.read(2, 3, 0, 2)).words == words_of(2, 3, 0, 2)

    _live(bus, free_port, clock, UNITS, story)


def test_a_tcp_gateway_that_numbers_a_late_answer_as_the_next_one_is_not_believed_either(clock, free_port):
    bus = Bus(answers_keep_their_way=True)
    bus.disturb = lambda request, answer: [(1.5 * TIMEOUT_S if request[3] == 0 else 0.0, answer)]

    async def live() -> None:
        async with Gateway(bus, free_port(), late_is_new=True) as gateway:
            where = BusSettings(name="bus", kind=BusKind.TCP, host="127.0.0.1", port=gateway.port)
            async with Line(where, UNITS, clock) as line:
                assert (await line.read(2, 3, 0, 2)).quality is Quality.NO_ANSWER
                clock.real_ms += 1000
                assert (await line.read(2, 3, 300, 2)).words == words_of(2, 3, 300, 2)
        assert bus.asked == [(2, 3, 0, 2), (2, 3, 100, 1), (2, 3, 300, 2)]

    asyncio.run(live())


def test_two_requests_whose_answers_look_alike_are_kept_apart_and_others_are_not(clock, free_port):
    bus = Bus()

    async def story(line: Line) -> None:
        for request in [(2, 3, 0, 2), (2, 3, 300, 2), (2, 3, 400, 20), (2, 3, 0, 2), (2, 4, 0, 2)]:
            assert (await line.read(*request)).words == words_of(*request)

    _live(bus, free_port, clock, UNITS, story)
    between, first, second, third, fourth, fifth = (
        (2, 3, 100, 1),
        (2, 3, 0, 2),
        (2, 3, 300, 2),
        (2, 3, 400, 20),
        (2, 3, 0, 2),
        (2, 4, 0, 2),
    )
    assert bus.asked == [between, first, between, second, third, fourth, fifth]


def test_after_an_error_the_identity_is_read_again_and_another_device_is_not_read_until_the_first_is_back(
    clock, free_port
):
    bus = Bus()

    async def story(line: Line) -> None:
        assert (await line.read(1, 3, 0, 2)).words == words_of(1, 3, 0, 2)
        bus.silent.add(1)
        assert (await line.read(1, 3, 0, 2)).quality is Quality.NO_ANSWER
        bus.silent.clear()
        bus.holds[1, 3, 200] = 4711
        for _ in range(3):
            clock.real_ms += 61_000
            assert (await line.read(1, 3, 0, 2)).quality is Quality.BAD_FRAME
        assert line.silent_units() == [1]
        bus.holds.clear()
        clock.real_ms += 61_000
        assert (await line.read(1, 3, 0, 2)).words == words_of(1, 3, 0, 2)
        assert line.silent_units() == []

    _live(bus, free_port, clock, UNITS, story)


def test_a_device_that_refuses_every_probe_is_read_all_the_same_after_a_few_slots(clock, free_port):
    bus = Bus()
    bus.refused = {(probe.function, probe.address) for probe in PROBES}

    async def story(line: Line) -> None:
        qualities = [(await line.read(2, 3, 0, 2)).quality for _ in range(4)]
        assert qualities == [Quality.EXCEPTION] * 3 + [Quality.OK]

    _live(bus, free_port, clock, UNITS, story)


def test_without_anything_else_to_read_a_request_that_was_given_up_waits_until_its_answer_cannot_come_any_more(
    clock, free_port
):
    bus = Bus(silent={5})

    async def story(line: Line) -> None:
        await line.read(5, 3, 0, 2)
        bus.silent.clear()
        clock.real_ms += 1000 * int(LATEST_ANSWER_S) - 1
        assert (await line.read(5, 3, 300, 2)).quality is Quality.NO_ANSWER
        assert len(bus.asked) == 1
        clock.real_ms += 1
        assert (await line.read(5, 3, 300, 2)).words == words_of(5, 3, 300, 2)

    _live(bus, free_port, clock, {5: Unit(TIMEOUT_S), 6: Unit(TIMEOUT_S)}, story)


def test_bytes_that_lie_in_the_port_when_it_is_opened_are_nobodys_answer(clock):
    async def live() -> None:
        bus = Bus()
        async with Port(bus) as port, Line(on_serial(port.path), UNITS, clock) as line:
            bus.emit(0, b"\x00\xff" + answer_to(bytes((2, 3, 1, 44, 0, 2, 0, 0))))
            assert (await line.read(2, 3, 0, 2)).words == words_of(2, 3, 0, 2)

    asyncio.run(live())


def test_a_serial_port_that_another_process_has_is_reported_silent_and_read_once_it_is_free(clock):
    async def live() -> None:
        async with Port(Bus()) as port, Line(on_serial(port.path), UNITS, clock) as first:
            assert (await first.read(2, 3, 0, 2)).quality is Quality.OK
            async with Line(on_serial(port.path), UNITS, clock) as second:
                assert (await second.read(2, 3, 0, 2)).quality is Quality.NO_ANSWER
                assert second.silent_units() == [1, 2, 3]
                await first.__aexit__(None, None, None)
                clock.real_ms += 1000
                assert (await second.read(2, 3, 0, 2)).words == words_of(2, 3, 0, 2)

    asyncio.run(live())


def test_a_serial_port_that_is_pulled_out_is_read_again_when_it_is_back(clock, tmp_path):
    by_id = tmp_path / "usb-converter"

    async def live() -> None:
        async with Line(on_serial(str(by_id)), UNITS, clock) as line:
            async with Port(Bus()) as port:
                by_id.symlink_to(port.path)
                assert (await line.read(2, 3, 0, 2)).quality is Quality.OK
            by_id.unlink()
            assert (await line.read(2, 3, 0, 2)).quality is Quality.NO_ANSWER
            async with Port(Bus()) as port:
                by_id.symlink_to(port.path)
                clock.real_ms += 61_000
                assert (await line.read(2, 3, 0, 2)).words == words_of(2, 3, 0, 2)

    asyncio.run(live())
