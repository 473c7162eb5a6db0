"""Clocks: the scaled one is one line for all processes, the system's own one says how far it can be trusted."""

import asyncio

import pytest
from pydantic import ValidationError

from metering.clock import (
    ClockConfig,
    ClockState,
    ClockStatus,
    ScaledClock,
    SystemClock,
    kernel_clock_status,
    monotonic_s,
    utc_text,
)

START_MS = 1_735_000_200_000
START = "2024-12-24T00:30:00Z"


def test_two_scaled_clocks_of_one_line_agree():
    anchor_s = monotonic_s() - 10
    one, other = (ScaledClock(START_MS, anchor_s, 1000.0) for _ in range(2))
    before_ms, middle_ms, after_ms = one.now_ms(), other.now_ms(), one.now_ms()
    assert before_ms <= middle_ms <= after_ms
    assert before_ms >= START_MS + 10_000 * 1000


def test_a_scaled_clock_stands_still_before_its_anchor():
    assert ScaledClock(START_MS, monotonic_s() + 1000, 5.0).now_ms() == START_MS


def test_a_scaled_clock_calls_itself_synchronised_and_names_its_factor():
    clock = ScaledClock(START_MS, 0.0, 14_400.0)
    assert clock.status() == ClockStatus(ClockState.SYNCHRONISED, 0)
    assert clock.factor == 14_400.0


@pytest.mark.parametrize(
    "clock", [ScaledClock(START_MS, monotonic_s(), 36_000.0), SystemClock()], ids=["scaled", "own"]
)
def test_sleeping_ends_at_the_instant_or_later_and_never_before(clock):
    goal_ms = clock.now_ms() + int(20 * clock.factor)
    asyncio.run(clock.sleep_until(goal_ms))
    assert clock.now_ms() >= goal_ms


def test_sleeping_until_an_instant_that_has_passed_returns_at_once():
    clock = SystemClock()
    asyncio.run(asyncio.wait_for(clock.sleep_until(0), timeout=1))


def test_a_clock_that_steps_is_looked_at_again_within_a_second():
    class SteppedClock(SystemClock):
        looks = 0

        def now_ms(self):
            self.looks += 1
            return 0 if self.looks == 1 else START_MS  # an hour-long wait ends because somebody set the clock

    clock = SteppedClock()
    asyncio.run(asyncio.wait_for(clock.sleep_until(3_600_000), timeout=5))
    assert clock.looks == 2


def test_real_time_never_steps_back_whatever_the_wall_clock_does():
    for clock in (SystemClock(), ScaledClock(START_MS, 0.0, 1e6)):
        first_ms, second_ms = clock.mono_ms(), clock.mono_ms()
        assert first_ms <= second_ms < first_ms + 10_000


def test_the_kernel_is_asked_without_any_trouble():
    status = kernel_clock_status()
    assert status.state in {ClockState.SYNCHRONISED, ClockState.UNKNOWN}
    assert abs(status.offset_ms) < 60_000


def test_who_asks_for_the_synchronisation_can_be_handed_in():
    holdover = ClockStatus(ClockState.HOLDOVER, 12)
    assert SystemClock(lambda: holdover).status() is holdover


def test_the_default_is_the_clock_of_the_machine():
    assert isinstance(ClockConfig().build(), SystemClock)


def test_a_scaled_clock_starts_when_its_process_starts_unless_an_anchor_is_given():
    clock = ClockConfig(kind="scaled", start=START, factor=2.0).build()
    assert START_MS <= clock.now_ms() < START_MS + 60_000


def test_processes_with_one_anchor_share_one_line():
    anchor_s = monotonic_s() - 100
    clock = ClockConfig(kind="scaled", start=START, anchor_s=anchor_s, factor=3600.0).build()
    assert clock.now_ms() >= START_MS + 100 * 3_600_000


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"kind": "scaled"}, "needs `start`"),
        ({"kind": "scaled", "start": "2024-12-24T00:30:00"}, "timezone"),
        ({"kind": "scaled", "start": START, "factor": 0}, "greater than 0"),
        ({"kind": "scaled", "start": START, "factor": -1}, "greater than 0"),
        ({"kind": "scaled", "start": START, "factor": float("inf")}, "finite"),
        ({"kind": "scaled", "start": START, "factor": float("nan")}, "finite|greater than 0"),
        ({"start": START}, "belong to kind"),
        ({"factor": 2.0}, "belong to kind"),
        ({"anchor_s": 1.0}, "belong to kind"),
        ({"kind": "scaled", "start": START, "anchor_s": float("nan")}, "finite"),
        ({"kind": "sundial"}, "'system' or 'scaled'"),
        ({"speed": 2.0}, "Extra inputs"),
    ],
)
def test_a_clock_table_that_means_nothing_is_refused(table, why):
    with pytest.raises(ValidationError, match=why):
        ClockConfig.model_validate(table)


def test_an_instant_is_written_with_milliseconds_only_when_there_are_any():
    assert utc_text(START_MS) == START
    assert utc_text(START_MS + 7) == "2024-12-24T00:30:00.007Z"
