"""What may become of one answer: no value of another register, the right reason, and soon the right value by itself."""

import asyncio
import os
import random
import socket
import struct
from collections.abc import Callable
from contextlib import asynccontextmanager

import pytest
from linekit.bus import Bus, Converter, Gateway, Port, answer_to, framed, words_of

from gateway.buses import BusKind, BusSettings
from gateway.line import Line
from gateway.member import Unit
from metering.decode import Block
from metering.quality import Quality

pytestmark = pytest.mark.fault

TIMEOUT_S = 0.25  # so much that a busy machine does not make a fault of its own
PROBES = (Block(3, 100, 1), Block(3, 104, 3))
UNITS = {unit: Unit(TIMEOUT_S, probes=PROBES) for unit in (1, 2, 3)}
WANTED, NEXT = (2, 3, 0, 2), (2, 3, 300, 2)
OTHER = framed(bytes((2, 3, 4, 0x66, 0x66, 0x66, 0x66)))
"""An answer that unit 2 gave to somebody, about something; nobody here asked for it."""
INTRUDER = {(2, 3, at): 0x6666 for at in range(1000)}
LONG_AFTER_MS = 8_000
"""Longer than the wait after one failure, shorter than any answer may be late [ms]."""
RTU = [BusKind.RTU, BusKind.RTU_OVER_TCP]


@asynccontextmanager
async def reading(kind: BusKind, bus: Bus, port: int, clock):
    """A line to the bus; gives it and its way in."""
    ways: dict[BusKind, Callable] = {BusKind.RTU: lambda: Port(bus), BusKind.TCP: lambda: Gateway(bus, port)}
    async with ways.get(kind, lambda: Converter(bus, port))() as way:
        if kind is BusKind.RTU:
            where = BusSettings(name="bus", kind=kind, path=way.path, baud=115_200)
        else:
            where = BusSettings(name="bus", kind=kind, host="127.0.0.1", port=port)
        async with Line(where, UNITS, clock) as line:
            for unit in (2, 3):  # they are in step
                assert (await line.read(unit, 3, 20, 4)).words == words_of(unit, 3, 20, 4)
            yield line, way


async def recovers(line: Line, clock) -> None:
    for read in (NEXT, WANTED):
        clock.real_ms += LONG_AFTER_MS
        assert (await line.read(*read)).words == words_of(*read)
    assert line.silent_units() == []


def changed(answer: bytes, **parts: int) -> bytes:
    """The same frame with another unit, function or count of bytes, and the check that belongs to it."""
    at = {"unit": 0, "function": 1, "byte_count": 2}
    body = bytearray(answer[:-2])
    for part, value in parts.items():
        body[at[part]] = value
    return framed(bytes(body))


def exception(code: int) -> Callable[[bytes], list]:
    return lambda _, answer: [(0.0, framed(bytes((answer[0], answer[1] | 0x80, code))))]


ONE_ANSWER = {
    "truncated": (lambda _, answer: [(0.0, answer[:-3])], Quality.NO_ANSWER),
    "stuck to the one before": (lambda _, answer: [(0.0, OTHER + answer)], Quality.BAD_FRAME),
    "stuck to the one before of another unit": (lambda _, answer: [(0.0, changed(OTHER, unit=3) + answer)], Quality.OK),
    "stuck to the next": (lambda _, answer: [(0.0, answer + OTHER)], Quality.BAD_FRAME),
    "in pieces": (lambda _, answer: [(0.001, bytes((byte,))) for byte in answer], Quality.OK),
    "delayed": (lambda _, answer: [(0.5 * TIMEOUT_S, answer)], Quality.OK),
    "late": (lambda _, answer: [(1.5 * TIMEOUT_S, answer)], Quality.NO_ANSWER),
    "lost": (lambda _, answer: [], Quality.NO_ANSWER),
    "of another unit": (lambda _, answer: [(0.0, changed(OTHER, unit=3))], Quality.BAD_FRAME),
    "of another unit that is not ours": (lambda _, answer: [(0.0, changed(OTHER, unit=9))], Quality.BAD_FRAME),
    "of another function": (lambda _, answer: [(0.0, changed(OTHER, function=4))], Quality.BAD_FRAME),
    "of a function that reads nothing": (lambda _, answer: [(0.0, changed(OTHER, function=6))], Quality.BAD_FRAME),
    "shorter": (lambda _, answer: [(0.0, framed(answer[:2] + b"\x02\x66\x66"))], Quality.BAD_FRAME),
    "longer": (lambda _, answer: [(0.0, framed(answer[:2] + b"\x06\x66\x66" + answer[3:7]))], Quality.BAD_FRAME),
    "with another byte count": (lambda _, answer: [(0.0, changed(answer, byte_count=2))], Quality.BAD_FRAME),
    "with a wrong check": (lambda _, answer: [(0.0, answer[:3] + b"\x66" + answer[4:])], Quality.BAD_FRAME),
    "before noise": (lambda _, answer: [(0.0, answer), (0.003, b"\x00")], Quality.OK),
    "behind noise": (lambda _, answer: [(0.0, b"\x00\xff\x02\x03" + answer)], Quality.OK),
    "behind an echo of the request": (lambda request, answer: [(0.0, request), (0.0, answer)], Quality.OK),
    "an echo and nothing else": (lambda request, _: [(0.0, request)], Quality.NO_ANSWER),
    "noise": (lambda _, answer: [(0.0, b"\x00\xff\x02\x03\x04")], Quality.BAD_FRAME),
    **{f"exception {code}": (exception(code), Quality.EXCEPTION) for code in (1, 2, 3, 4, 6)},
    **{f"exception {code}": (exception(code), Quality.NO_ANSWER) for code in (10, 11)},
}
SAID_BY_OTHERS = {"stuck to the one before", "stuck to the one before of another unit", "stuck to the next"}


@pytest.mark.parametrize("kind", RTU)
@pytest.mark.parametrize("name", ONE_ANSWER)
def test_an_rtu_answer_is_right_or_refused_and_the_next_one_is_right(name, kind, clock, free_port):
    what, quality = ONE_ANSWER[name]

    async def live() -> None:
        bus = Bus()
        async with reading(kind, bus, free_port(), clock) as (line, _):
            bus.disturb = lambda request, answer: what(request, answer) if request[3] == 0 else [(0.0, answer)]
            answer = await line.read(*WANTED)
            assert (answer.words, answer.quality) == (words_of(*WANTED) if quality is Quality.OK else None, quality)
            assert answer.refused == (name in ("exception 2", "exception 3"))
            await bus.all_said()
            clock.real_ms += LONG_AFTER_MS
            following = await line.read(*NEXT)
            assert following.words == words_of(*NEXT)
            assert bool(line.trouble()) == (name in SAID_BY_OTHERS)
            bus.disturb = None
            await recovers(line, clock)

    asyncio.run(live())


def other(at: int, value: int) -> Callable[[bytes], bytes]:
    return lambda frame: frame[:at] + bytes((value,)) + frame[at + 1 :]


ONE_TCP_ANSWER = {
    "of an earlier transaction": (lambda frame: b"\x00\x01" + frame[2:9] + b"\x66" * 4, Quality.BAD_FRAME),
    "of an earlier transaction before the right one": (
        lambda frame: b"\x00\x01" + frame[2:9] + b"\x66" * 4 + frame,
        Quality.OK,
    ),
    "of another protocol": (other(3, 1), Quality.BAD_FRAME),
    "of another unit": (other(6, 3), Quality.BAD_FRAME),
    "of another function": (other(7, 4), Quality.BAD_FRAME),
    "with another byte count": (other(8, 2), Quality.BAD_FRAME),
    "shorter": (lambda frame: frame[:5] + b"\x05" + frame[6:8] + b"\x02" + frame[9:11], Quality.BAD_FRAME),
    "truncated": (lambda frame: frame[:-2], Quality.NO_ANSWER),
    "that says it is longer": (other(5, 9), Quality.NO_ANSWER),
    "two in one piece": (lambda frame: frame + frame, Quality.OK),
    **{
        f"exception {code}": (lambda frame, code=code: frame[:5] + bytes((3, frame[6], 0x83, code)), quality)
        for quality, codes in ((Quality.EXCEPTION, (1, 2, 3, 4, 6)), (Quality.NO_ANSWER, (10, 11)))
        for code in codes
    },
}


@pytest.mark.parametrize(("what", "quality"), ONE_TCP_ANSWER.values(), ids=ONE_TCP_ANSWER)
def test_a_tcp_answer_is_right_or_refused_and_the_next_one_is_right(what, quality, clock, free_port):
    async def live() -> None:
        async with reading(BusKind.TCP, Bus(), free_port(), clock) as (line, gateway):
            gateway.tamper = what
            answer = await line.read(*WANTED)
            assert (answer.words, answer.quality) == (words_of(*WANTED) if quality is Quality.OK else None, quality)
            gateway.tamper = None
            await recovers(line, clock)

    asyncio.run(live())


@pytest.mark.parametrize("end", ["cut", "reset", "vanish"])
@pytest.mark.parametrize("kind", [BusKind.TCP, BusKind.RTU_OVER_TCP])
def test_a_connection_that_ends_in_the_middle_of_an_answer_is_made_again(kind, end, clock, free_port):
    async def live() -> None:
        bus = Bus()
        async with reading(kind, bus, free_port(), clock) as (line, way):
            if kind is BusKind.TCP:
                way.tamper = lambda frame: frame[:8]
            else:
                bus.disturb = lambda _request, answer: [(0.0, answer[:5])]
            asyncio.get_running_loop().call_later(TIMEOUT_S / 2, getattr(way, end))
            assert (await line.read(*WANTED)).quality is Quality.NO_ANSWER
            bus.disturb = way.tamper = None
            await recovers(line, clock)
            assert way.connections == 2

    asyncio.run(live())


@pytest.mark.parametrize("kind", [BusKind.TCP, BusKind.RTU_OVER_TCP])
def test_a_peer_that_is_gone_without_a_word_is_found_out_by_the_next_read(kind, clock, free_port):
    async def live() -> None:
        async with reading(kind, Bus(), free_port(), clock) as (line, way):
            way.vanish()
            assert (await line.read(*WANTED)).quality is Quality.NO_ANSWER
            await recovers(line, clock)
            assert way.connections == 2

    asyncio.run(live())


def test_a_peer_that_takes_connections_and_never_accepts_them_costs_one_timeout(clock):
    async def live() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                where = BusSettings(name="bus", kind=BusKind.TCP, host="127.0.0.1", port=port)
                async with Line(where, UNITS, clock) as line:
                    for unit in UNITS:
                        assert (await line.read(unit, 3, 0, 2)).quality is Quality.NO_ANSWER
                    assert line.silent_units() == list(UNITS)

    asyncio.run(live())


class OneSession(Gateway):
    """Serves one client; whoever comes meanwhile is turned away."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writers:
            writer.close()
            return
        try:
            await super()._serve(reader, writer)
        finally:
            self._writers.discard(writer)


def test_a_gateway_that_serves_one_client_is_read_once_it_is_free_and_never_asked_for_a_second_session(
    clock, free_port
):
    async def live() -> None:
        bus = Bus()
        async with OneSession(bus, free_port()) as gateway:
            where = BusSettings(name="bus", kind=BusKind.TCP, host="127.0.0.1", port=gateway.port)
            _, somebody = await asyncio.open_connection("127.0.0.1", gateway.port)
            async with Line(where, UNITS, clock) as line:
                assert (await line.read(*WANTED)).quality is Quality.NO_ANSWER
                somebody.close()
                await somebody.wait_closed()
                await recovers(line, clock)
                for _ in range(5):  # each timeout ends our session, and the next read begins another one
                    bus.silent = {2}
                    assert (await line.read(*WANTED)).quality is Quality.NO_ANSWER
                    bus.silent = set()
                    await recovers(line, clock)

    asyncio.run(live())


@pytest.mark.parametrize("kind", [BusKind.RTU, BusKind.TCP])
@pytest.mark.parametrize(("share", "slots"), [(0.01, 400), (0.1, 80)])
def test_of_many_answers_with_a_wrong_check_each_costs_its_own_slot_and_no_other(share, slots, kind, clock, free_port):
    async def live() -> None:
        bus, draw, hurt = Bus(), random.Random(7), []

        def flip(_request: bytes, answer: bytes) -> list[tuple[float, bytes]]:
            if draw.random() < share:
                at = draw.randrange(len(answer))
                answer = answer[:at] + bytes((answer[at] ^ 1 << draw.randrange(8),)) + answer[at + 1 :]
                hurt.append(at)
            return [(0.0, answer)]

        async with reading(kind, bus, free_port(), clock) as (line, _):
            bus.disturb = flip
            for slot in range(slots):
                clock.real_ms += 60_000
                read, before = (2, 3, slot, 2), len(hurt)
                answer = await line.read(*read)
                assert answer.words == (words_of(*read) if len(hurt) == before else None)
                # A TCP gateway drops such an answer, on a serial line we see it.
                assert (answer.quality is Quality.OK) == (len(hurt) == before)
            assert hurt

    asyncio.run(live())


def test_a_unit_that_was_silent_for_hours_is_read_again_within_a_few_minutes_of_its_return(clock, free_port):
    async def live() -> None:
        bus = Bus()
        async with reading(BusKind.RTU_OVER_TCP, bus, free_port(), clock) as (line, _):
            bus.silent = {2}
            for _ in range(6 * 6):
                clock.real_ms += 600_000
                assert (await line.read(*WANTED)).quality is Quality.NO_ANSWER
                assert (await line.read(1, *WANTED[1:])).words == words_of(1, *WANTED[1:])
            bus.silent = set()
            clock.real_ms += 120_000
            assert (await line.read(*WANTED)).words == words_of(*WANTED)
            assert line.silent_units() == []

    asyncio.run(live())


def test_a_serial_adapter_that_went_deaf_is_opened_again_under_the_same_name_although_one_unit_is_all_there_is(
    clock, tmp_path
):
    by_id = tmp_path / "usb-converter"

    async def live() -> None:
        async with Port(Bus(silent={2})) as gone_deaf, Port(Bus()) as renumbered:
            assert gone_deaf.path != renumbered.path
            by_id.symlink_to(gone_deaf.path)
            where = BusSettings(name="bus", kind=BusKind.RTU, path=str(by_id), baud=115_200)
            async with Line(where, {2: UNITS[2]}, clock) as line:
                assert (await line.read(*WANTED)).quality is Quality.NO_ANSWER
                by_id.unlink()
                by_id.symlink_to(renumbered.path)
                await recovers(line, clock)

    asyncio.run(live())


def test_a_port_from_which_another_process_takes_bytes_gives_a_right_value_or_none(clock, free_port):
    async def live() -> None:
        bus, draw, qualities = Bus(), random.Random(5), []
        bus.disturb = lambda _request, answer: [(0.0, answer[:4]), (0.001, answer[4:])]
        async with reading(BusKind.RTU, bus, free_port(), clock) as (line, port):
            # It takes a few bytes before we see them, as a program does that asks for no lock.
            other = os.open(port.path, os.O_RDONLY | os.O_NOCTTY)
            send = bus.write

            def pass_on(data: bytes) -> None:
                send(data)
                if draw.random() < 0.2:
                    os.read(other, draw.randint(1, 3))

            bus.write = pass_on
            for slot in range(40):
                clock.real_ms += LONG_AFTER_MS
                answer = await line.read(2, 3, slot, 2)
                assert answer.words in (words_of(2, 3, slot, 2), None)
                qualities.append(answer.quality)
            assert {Quality.OK, Quality.NO_ANSWER} <= set(qualities)
            os.close(other)
            bus.write = send
            clock.real_ms += 60_000
            await recovers(line, clock)

    asyncio.run(live())


@pytest.mark.parametrize(
    ("kind", "heard"),
    [(BusKind.RTU, True), (BusKind.RTU_OVER_TCP, False)],
    ids=["on the same two wires", "at the same converter"],
)
@pytest.mark.parametrize("latency_s", [0.0, 0.004, 0.03])
def test_with_another_master_on_the_line_a_value_is_ours_or_there_is_none(latency_s, kind, heard, clock, free_port):
    async def live() -> None:
        bus, draw, qualities = Bus(), random.Random(11), []
        bus.disturb = lambda _request, answer: [(draw.uniform(0, latency_s), answer)]
        async with reading(kind, bus, free_port(), clock) as (line, _):
            if not heard:  # of a converter's other client one hears the answers only, so at least one must come first
                bus.ask_as_another_master(0.0, (2, 3, 500, 2), heard=False)
                await bus.all_said()
            for slot in range(100):
                clock.real_ms += 10_000
                if draw.random() < 0.5:  # it asks what we ask, of the same unit, elsewhere
                    bus.ask_as_another_master(
                        draw.uniform(0, 2 * latency_s + 0.004), (2, 3, 500 + slot, 2), heard=heard
                    )
                read = (2, 3, slot, 2)
                answer = await line.read(*read)
                assert answer.words in (words_of(*read), None), slot
                assert (answer.words is None) == (answer.quality is not Quality.OK)
                qualities.append(answer.quality)
            assert qualities.count(Quality.OK) > 20
            assert set(qualities) <= {Quality.OK, Quality.BAD_FRAME, Quality.NO_ANSWER}
            assert "another master" in line.trouble()
            for _ in range(2):
                await bus.all_said()
                await recovers(line, clock)
                clock.real_ms += 1_000_000
            assert line.trouble() is None
            bus.asked.clear()
            assert (await line.read(2, 3, 0, 4)).quality is Quality.OK
            assert bus.asked == [(2, 3, 0, 4)], "what a shared line needs ends with the sharing"

    asyncio.run(live())


def test_what_another_master_asked_a_slow_unit_is_not_our_answer_although_ours_is_lost(clock, free_port):
    async def live() -> None:
        bus = Bus()
        async with reading(BusKind.RTU, bus, free_port(), clock) as (line, _):
            theirs, ours = (3, 3, 500, 2), (3, 3, 0, 2)

            def slow(request: bytes, answer: bytes) -> list[tuple[float, bytes]]:
                asked = struct.unpack(">BBHH", request[:6])
                if asked[0] != 3:
                    return [(0.0, answer)]
                if asked != ours:  # not in the bus's own queue, in which it would hold up the others
                    asyncio.get_running_loop().call_later(TIMEOUT_S / 2, bus.write, answer)
                return []

            bus.disturb = slow
            bus.ask_as_another_master(0.0, theirs, heard=True)
            await bus.all_said()
            assert (await line.read(2, 3, 0, 2)).words == words_of(2, 3, 0, 2)
            assert (await line.read(*ours)).words is None

    asyncio.run(live())


def test_another_master_that_asks_while_we_prove_a_unit_in_step_leaves_it_unproved(clock):
    async def live() -> None:
        theirs, bus = framed(struct.pack(">BBHH", 2, 3, 500, 2)), Bus()
        bus.disturb = lambda request, answer: [(0.0, theirs + answer if request[5] != 2 else answer_to(theirs))]
        async with Port(bus) as port:
            where = BusSettings(name="bus", kind=BusKind.RTU, path=port.path, baud=115_200)
            async with Line(where, UNITS, clock) as line:
                assert (await line.read(*WANTED)).words is None
                bus.disturb = None
                await recovers(line, clock)

    asyncio.run(live())


@pytest.mark.parametrize("behind_s", [0.0, 0.002, 0.02])
def test_two_units_of_one_number_are_not_believed_and_the_one_that_stays_is_read(behind_s, clock, free_port):
    async def live() -> None:
        bus = Bus()
        async with reading(BusKind.RTU, bus, free_port(), clock) as (line, _):
            bus.disturb = lambda request, answer: [(0.0, answer), (behind_s, answer_to(request, INTRUDER))]
            qualities = []
            for _ in range(10):
                clock.real_ms += 60_000
                qualities.append((await line.read(*WANTED)).quality)
                await bus.all_said()
            assert qualities[0] in (Quality.OK, Quality.BAD_FRAME), "a second answer may come when the first is in use"
            assert Quality.OK not in qualities[1:]
            assert "unit 2 answers twice" in line.trouble()
            bus.disturb = None
            for _ in range(3):
                clock.real_ms += 60_000
                answer = await line.read(*WANTED)
            assert answer.words == words_of(*WANTED)

    asyncio.run(live())
