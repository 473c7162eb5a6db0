"""One slot: each point has a value or a reason, raw words keep their place, late readings say so."""

import asyncio
from dataclasses import replace
from fractions import Fraction

import pytest

from gateway.maps import load_map
from gateway.plan import limits_of, plan_blocks
from gateway.poll import Answer, PollGroup, poll
from metering.decode import Block
from metering.devicemap import Register, WordType
from metering.measurands import measurand
from metering.quality import Quality

SLOT = 1_766_505_600_000


def group(*addresses: int) -> PollGroup:
    registers = tuple(
        Register(
            f"r{at}", measurand("active_power_w"), 3, at, WordType.U16, "big", "big", Fraction(1), None,
            frozenset({0xFFFF}), None, None,
        )
        for at in addresses
    )  # fmt: skip
    return PollGroup("device/group", 60_000, 1, registers, plan_blocks(registers))


class Told:
    """Answers what it is told; takes so long."""

    def __init__(self, clock, *outcomes, takes_ms: int = 0) -> None:
        self.clock, self.outcomes, self.takes_ms, self.asked = clock, list(outcomes), takes_ms, []

    async def read(self, unit: int, function: int, address: int, count: int) -> Answer:
        self.asked.append((unit, function, address, count))
        sent = self.clock.now_ms()
        self.clock.wall_ms += self.takes_ms
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Quality):
            return Answer(None, outcome, sent, self.clock.now_ms())
        return Answer(tuple(outcome), Quality.OK, sent, self.clock.now_ms())


def read(clock, reader, *addresses: int):
    clock.wall_ms = SLOT + 3
    return asyncio.run(poll(group(*addresses), SLOT, reader, clock))


def test_values_are_quanta_and_raw_words_are_big_endian_in_block_order(clock):
    reader = Told(clock, [7, 8], [0x1234], takes_ms=10)
    reading = read(clock, reader, 1, 0, 9)
    assert reader.asked == [(1, 3, 0, 2), (1, 3, 9, 1)]
    assert reading.values == (8_000, 7_000, 0x1234 * 1000)
    assert reading.quality == ()
    assert reading.raw.hex() == "000700081234"
    assert (reading.slot_ms, reading.sent_ms, reading.received_ms) == (SLOT, 3, 23)


def test_a_sentinel_is_a_reason_and_its_raw_words_are_kept(clock):
    reading = read(clock, Told(clock, [0xFFFF, 5]), 0, 1)
    assert reading.values == (None, 5_000)
    assert reading.quality == ((0, Quality.SENTINEL),)
    assert reading.raw.hex() == "ffff0005"


def test_a_block_with_an_exception_costs_only_its_own_points_and_keeps_its_place_in_the_raw_words(clock):
    reading = read(clock, Told(clock, Quality.EXCEPTION, [5]), 0, 1, 9)
    assert reading.values == (None, None, 5_000)
    assert reading.quality == ((0, Quality.EXCEPTION), (1, Quality.EXCEPTION))
    assert reading.raw.hex() == "000000000005"


def test_a_silent_device_is_asked_for_one_block_only_and_leaves_no_raw_words(clock):
    reader = Told(clock, Quality.NO_ANSWER)
    reading = read(clock, reader, 0, 9, 20)
    assert len(reader.asked) == 1
    assert reading.values == (None, None, None)
    assert {code for _, code in reading.quality} == {Quality.NO_ANSWER}
    assert reading.raw == b""


def test_a_reading_that_came_too_late_keeps_its_value_and_says_so(clock):
    on_time = read(clock, Told(clock, [5], takes_ms=11_997), 0)
    late = read(clock, Told(clock, [5], takes_ms=11_998), 0)
    assert (on_time.values, on_time.quality) == ((5_000,), ())
    assert (late.values, late.quality) == ((5_000,), ((0, Quality.LATE_READ),))


class Rescaling:
    """A SunSpec inverter that writes the same power and energy with another scale factor at every request."""

    def __init__(self, clock) -> None:
        self.clock, self.requests = clock, 0

    async def read(self, unit: int, function: int, address: int, count: int) -> Answer:
        exponent = self.requests % 3
        self.requests += 1
        energy = 98_765_400 // 10**exponent
        held = {
            84: 1200 // 10**exponent, 85: exponent, 86: 5000 // 10**exponent, 87: (exponent - 2) & 0xFFFF,
            94: energy >> 16, 95: energy & 0xFFFF, 96: exponent,
        }  # fmt: skip
        words = tuple(held.get(at, 0) for at in range(address, address + count))
        return Answer(words, Quality.OK, self.clock.now_ms(), self.clock.now_ms())


@pytest.mark.parametrize(("most_words", "requests"), [(125, 1), (4, 2), (3, 3)])
def test_a_scale_factor_that_changes_between_two_requests_is_never_put_to_the_value_of_another(
    clock, most_words, requests
):
    device_map = load_map("sunspec/103@70")
    registers = tuple(device_map.register(name) for name in ("W", "Hz", "WH"))
    limits = replace(limits_of(device_map), max_words=most_words)
    blocks = plan_blocks(registers, limits)
    assert len(blocks) == requests
    reader = Rescaling(clock)
    for _ in range(6):
        reading = asyncio.run(poll(PollGroup("d/g", 60_000, 1, registers, blocks), SLOT, reader, clock))
        assert reading.values == (1_200_000, 50_000, 98_765_400_000)


def test_a_value_whose_scale_factor_came_by_another_request_is_not_trusted(clock):
    power = load_map("sunspec/103@70").register("W")
    apart = PollGroup("d/g", 60_000, 1, (power,), (Block(3, 84, 1), Block(3, 85, 1)))
    reading = asyncio.run(poll(apart, SLOT, Rescaling(clock), clock))
    assert (reading.values, reading.quality) == ((None,), ((0, Quality.BAD_FRAME),))
