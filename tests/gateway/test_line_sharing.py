"""Devices that share a line: one request at a time, and a dead one costs the others next to nothing."""

import asyncio

import pytest
from linekit.bus import Bus, Converter, words_of

from gateway.buses import BusKind, BusSettings
from gateway.line import Line, RankedReader
from gateway.member import MOST_WAIT_S, Member, Unit
from metering.decode import Block
from metering.quality import Quality

PROBES = (Block(3, 100, 1), Block(3, 104, 3))
UNITS = {unit: Unit(0.05, probes=PROBES) for unit in (1, 2, 3)}


def _live(bus: Bus, free_port, clock, story, units=UNITS, **settings) -> None:
    async def live() -> None:
        async with Converter(bus, free_port()) as converter:
            where = BusSettings(
                name="bus", kind=BusKind.RTU_OVER_TCP, host="127.0.0.1", port=converter.port, **settings
            )
            async with Line(where, units, clock) as line:
                await story(line)

    asyncio.run(live())


def _asked(bus: Bus, unit: int) -> int:
    return sum(request[0] == unit for request in bus.asked)


def test_a_dead_device_costs_the_others_one_timeout_in_each_back_off_and_their_values_none(clock, free_port):
    bus = Bus(silent={2})

    async def story(line: Line) -> None:
        for _ in range(600):  # ten minutes, each unit every second
            for unit in UNITS:
                answer = await line.read(unit, 3, 0, 2)
                assert answer.words == (None if unit == 2 else words_of(unit, 3, 0, 2))
            clock.real_ms += 1000
        assert line.silent_units() == [2]

    _live(bus, free_port, clock, story)
    # 1 + 2 + 4 + ... + 32 s, then every 60 s: each probe is one request that costs one timeout.
    assert _asked(bus, 2) == 6 + (600 - 63) // int(MOST_WAIT_S) + 1
    assert bus.most_at_once == 1


@pytest.mark.parametrize("timeout_s", [0.1, 1.0, 5.0])
def test_a_device_that_stays_dead_takes_at_most_a_hundredth_of_the_bus_whatever_its_timeout(timeout_s):
    member = Member(Unit(timeout_s), unsure=False)
    for _ in range(20):
        member.patience.failed(0.0)
    assert member.patience.wait_s >= max(100 * timeout_s, MOST_WAIT_S)


def test_a_dead_bus_is_probed_once_in_each_back_off_by_its_units_in_turn_and_all_are_read_when_it_is_back(
    clock, free_port
):
    bus = Bus(silent={1, 2, 3})

    async def story(line: Line) -> None:
        for second in range(1200):
            for unit in UNITS:
                assert (await line.read(unit, 3, 0, 2)).words is None
            if second == 600:
                bus.asked.clear()
            clock.real_ms += 1000
        assert 9 <= len(bus.asked) <= 10
        assert min(_asked(bus, unit) for unit in UNITS) >= 3
        bus.silent = {3}
        for _ in range(62):
            for unit in UNITS:
                answer = await line.read(unit, 3, 0, 2)
            clock.real_ms += 1000
        assert line.silent_units() == [3]
        for unit in (1, 2):
            answer = await line.read(unit, 3, 0, 2)
            assert answer.words == words_of(unit, 3, 0, 2)

    _live(bus, free_port, clock, story)


def test_a_single_bad_frame_is_forgiven_and_the_second_in_a_row_is_not(clock, free_port):
    bus = Bus()
    garbled = {1}
    bus.disturb = lambda request, answer: [(0.0, answer[:-1] + b"\x00" if request[0] in garbled else answer)]

    async def story(line: Line) -> None:
        assert (await line.read(1, 3, 0, 2)).quality is Quality.BAD_FRAME
        assert line.silent_units() == []
        garbled.clear()
        assert (await line.read(1, 3, 0, 2)).words == words_of(1, 3, 0, 2)
        garbled.add(1)
        assert (await line.read(1, 3, 0, 2)).quality is Quality.BAD_FRAME
        assert (await line.read(1, 3, 0, 2)).quality is Quality.BAD_FRAME
        assert line.silent_units() == [1]
        asked = len(bus.asked)
        assert (await line.read(1, 3, 0, 2)).quality is Quality.NO_ANSWER
        assert len(bus.asked) == asked

    _live(bus, free_port, clock, story)


def test_who_is_read_more_often_goes_first_and_among_equals_whoever_came_first(clock, free_port):
    bus = Bus()

    async def story(line: Line) -> None:
        for unit in UNITS:  # the first read of each proves the line in step
            await line.read(unit, 3, 0, 2)
        bus.asked.clear()
        slow, fast = RankedReader(line, 900_000), RankedReader(line, 1_000)
        await asyncio.gather(
            slow.read(3, 3, 10, 4), slow.read(1, 3, 20, 5), fast.read(2, 3, 30, 4), fast.read(1, 3, 40, 4)
        )

    _live(bus, free_port, clock, story)
    assert [request[2] for request in bus.asked] == [10, 30, 40, 20]
    assert bus.most_at_once == 1


def test_a_reader_that_is_cancelled_leaves_the_line_to_the_others_and_no_answer_behind(clock, free_port):
    bus = Bus(silent={1})

    async def story(line: Line) -> None:
        asking = asyncio.create_task(line.read(1, 3, 0, 2))
        waiting = asyncio.create_task(line.read(2, 3, 0, 2))
        await bus.was_asked.wait()
        waiting.cancel()
        asking.cancel()
        await asyncio.gather(asking, waiting, return_exceptions=True)
        bus.silent.clear()
        assert (await line.read(1, 3, 300, 2)).words == words_of(1, 3, 300, 2)
        assert (await line.read(2, 3, 300, 2)).words == words_of(2, 3, 300, 2)

    _live(bus, free_port, clock, story)


def test_the_line_is_silent_before_each_request_for_as_long_as_the_bus_and_the_device_need(clock, free_port):
    bus = Bus()
    units = {1: Unit(1.0), 2: Unit(1.0, turnaround_s=0.08)}

    async def story(line: Line) -> None:
        for unit in (1, 1, 2):
            await line.read(unit, 3, 0, 2)

    _live(bus, free_port, clock, story, units, turnaround_ms=40)
    first, second = (later - earlier for earlier, later in zip(bus.asked_s, bus.asked_s[1:], strict=False))
    assert first >= 0.04
    assert second >= 0.08
