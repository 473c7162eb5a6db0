"""A clock that steps, or loses its time or its time service: every due slot is read once or explained."""

import asyncio
import signal
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from runkit.account import accounts, assert_every_due_slot_is_read_once_or_explained
from runkit.box import device, head, records_of, slots_of
from runkit.clocks import START_MS, SetClock
from runkit.process import Gateway

from gateway.agent import Agent
from gateway.config import GatewaySettings
from gateway.schedule import EARLIEST_MS, Timetable
from metering.clock import ClockState, monotonic_s
from metering.config import parse_toml
from metering.interval import DAY_MS, HOUR_MS
from metering.keys import load_signer
from metering.quality import Quality

pytestmark = pytest.mark.fault

GROUP = "meter-1/all"
INTERVAL_S, FACTOR = 900, 9_000  # a slot each 100 ms
STEP_MS = INTERVAL_S * 1000


@pytest.fixture
def interval_s() -> int:
    return INTERVAL_S


@pytest.fixture
def box(meter, free_port, tmp_path, monkeypatch, wait_until, interval_s):
    """`with box.running(clock): …`: an agent on a clock of the test; each is a restart on the same files."""
    monkeypatch.setattr("gateway.agent.FAREWELL_S", 0.1)
    text = head(tmp_path, free_port()) + device(tmp_path, "meter-1", meter.port, 1, interval_s=interval_s)
    settings = parse_toml(text, GatewaySettings, "gateway.toml")

    class Box:
        @staticmethod
        @contextmanager
        def running(clock):
            loop, stop = asyncio.new_event_loop(), asyncio.Event()
            agent = Agent(settings, clock, load_signer(tmp_path / "gw.key"))
            thread = threading.Thread(target=lambda: loop.run_until_complete(agent.run(stop)))
            thread.start()
            try:
                yield
            finally:
                loop.call_soon_threadsafe(stop.set)
                thread.join(20)
                loop.run_until_complete(loop.shutdown_default_executor())
                loop.close()

        @staticmethod
        def records() -> list:
            return records_of(tmp_path)

        @classmethod
        def read(cls) -> list[int]:
            return slots_of(cls.records(), GROUP)

        @classmethod
        def reads_on(cls, count: int = 3) -> None:
            before = len(cls.read())
            wait_until(lambda: len(cls.read()) >= before + count, timeout_s=20)

        @classmethod
        def account(cls):
            return assert_every_due_slot_is_read_once_or_explained(cls.records())[GROUP]

    return Box


def test_a_clock_that_steps_an_hour_forward_leaves_a_gap_and_no_slot_is_replayed(box):
    clock = SetClock(FACTOR)
    with box.running(clock):
        box.reads_on()
        clock.offset_ms += HOUR_MS
        box.reads_on()
    account = box.account()
    assert account.read == sorted(account.read)
    assert list(account.explained.values()).count("overrun") >= HOUR_MS // STEP_MS - 1


@pytest.mark.parametrize("interval_s", [60])  # a set clock is noticed within a second, which here is fifteen slots
@pytest.mark.parametrize("state", [ClockState.SYNCHRONISED, ClockState.UNKNOWN])
def test_a_clock_that_steps_an_hour_back_reads_nothing_twice_and_explains_the_time_until_it_has_caught_up(box, state):
    clock = SetClock(FACTOR / 10, state=state)
    with box.running(clock):
        box.reads_on()
        last = box.read()[-1]
        clock.offset_ms -= HOUR_MS
        box.reads_on()
        assert box.read()[-1] > last
    account = box.account()
    assert account.read == sorted(account.read)
    assert "clock-behind" in {gap.reason for gap in account.gaps}
    assert len({record.stream for record in box.records()}) == 1


def test_a_box_that_wakes_in_1970_reads_nothing_until_it_knows_the_time_and_then_says_since_when(box, meter):
    with box.running(SetClock(FACTOR)):
        box.reads_on()
    before = box.read()
    asked = len(meter.asked)
    clock = SetClock(FACTOR, shown_ms=HOUR_MS, state=ClockState.UNKNOWN)
    with box.running(clock):
        until = clock.now_ms() + 10 * STEP_MS
        asyncio.run(clock.sleep_until(until))
        assert len(meter.asked) == asked
        clock.offset_ms, clock.state = 30 * STEP_MS, ClockState.SYNCHRONISED
        box.reads_on()
    account = box.account()
    assert account.read[: len(before)] == before
    assert account.read[len(before)] > START_MS + 30 * STEP_MS
    assert account.explained[before[-1] + STEP_MS] == "clock-behind"
    assert min(account.explained) > EARLIEST_MS


def test_a_new_box_that_wakes_in_1970_claims_nothing_of_the_years_it_was_not_there(box):
    clock = SetClock(FACTOR, shown_ms=HOUR_MS, state=ClockState.UNKNOWN)
    with box.running(clock):
        asyncio.run(clock.sleep_until(clock.now_ms() + 5 * STEP_MS))
        clock.offset_ms, clock.state = 0, ClockState.SYNCHRONISED
        box.reads_on()
    account = box.account()
    assert min([*account.read, *account.explained]) >= START_MS


def test_a_clock_ten_years_ahead_is_left_by_a_new_stream_as_soon_as_the_time_is_known(box):
    clock = SetClock(FACTOR, state=ClockState.UNKNOWN)
    with box.running(clock):
        box.reads_on()
        clock.offset_ms += 3_650 * DAY_MS
        box.reads_on()
        ahead = box.read()[-1]
        clock.offset_ms, clock.state = 0, ClockState.SYNCHRONISED
        box.reads_on()
    first, second = sorted({record.stream for record in box.records()})
    right = [record for record in box.records() if record.stream == second]
    assert ahead - START_MS > 3_000 * DAY_MS
    assert max(accounts(right)[GROUP].read) < START_MS + DAY_MS * 30
    assert all(record.clock.state is ClockState.SYNCHRONISED for record in right)
    assert {record.clock.state for record in box.records() if record.stream == first} == {ClockState.UNKNOWN}


def test_days_without_a_time_service_are_read_on_and_marked_and_its_return_costs_no_slot(box):
    clock = SetClock(FACTOR * 4)
    with box.running(clock):
        box.reads_on()
        clock.state = ClockState.UNKNOWN
        asyncio.run(clock.sleep_until(clock.now_ms() + 2 * DAY_MS))
        lost_until = clock.now_ms()
        clock.offset_ms, clock.state = -30_000, ClockState.SYNCHRONISED  # it had run half a minute ahead
        box.reads_on()
    account = box.account()
    assert account.read == sorted(account.read)
    assert set(account.explained.values()) <= {"overrun"}
    assert len({record.stream for record in box.records()}) == 1
    unknown = [
        slot
        for record in box.records()
        if record.kind == "readings" and record.clock.state is ClockState.UNKNOWN
        for part in record.groups
        for slot in part.slots
    ]
    assert unknown[-1] - unknown[0] > 2 * DAY_MS - HOUR_MS
    assert unknown[-1] <= lost_until


@pytest.mark.fault
def test_a_machine_that_slept_explains_the_slots_it_slept_through_and_replays_none(
    meter, free_port, tmp_path, wait_until
):
    with Gateway(tmp_path, head(tmp_path, free_port())) as gateway:
        gateway.configure(device(tmp_path, "meter-1", meter.port, 1))
        gateway.start()
        wait_until(lambda: len(gateway.slots("meter-1")) >= 3)
        gateway.send(signal.SIGSTOP)
        woken_s, asked = monotonic_s() + 2, len(meter.asked)
        wait_until(lambda: monotonic_s() > woken_s)
        gateway.send(signal.SIGCONT)
        before = len(gateway.slots("meter-1"))
        wait_until(lambda: len(gateway.slots("meter-1")) >= before + 5)
        assert len(meter.asked) - asked < 15, "twenty slots passed asleep"
        gateway.stop()
    account = assert_every_due_slot_is_read_once_or_explained(gateway.records())[GROUP]
    assert account.read == sorted(account.read)
    assert list(account.explained.values()).count("overrun") >= 15


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
@pytest.mark.parametrize("change", ["2026-03-29T01:00:00", "2026-10-25T01:00:00"])
def test_the_hour_that_summer_time_skips_or_repeats_is_an_hour_like_any_other(
    meter, free_port, tmp_path, wait_until, zone, change
):
    changes_ms = int(datetime.fromisoformat(change).replace(tzinfo=UTC).timestamp() * 1000)
    begins = datetime.fromtimestamp(changes_ms / 1000 - 1800, UTC).isoformat()
    text = head(tmp_path, free_port()).replace("2025-12-24T00:00:00+08:00", begins)
    with Gateway(tmp_path, text) as gateway:
        gateway.configure(device(tmp_path, "meter-1", meter.port, 1, interval_s=300))
        gateway.start(environment={"TZ": zone})
        wait_until(lambda: gateway.slots("meter-1")[-1:] > [changes_ms + HOUR_MS], timeout_s=30)
        gateway.stop()
    account = assert_every_due_slot_is_read_once_or_explained(gateway.records())[GROUP]
    assert account.read == list(range(account.read[0], account.read[-1] + 1, 300_000))
    assert account.read[0] < changes_ms < account.read[-1]


def slots_read(wall_of, real_ms: int) -> list[int]:
    """Follow a timetable of slots a second apart, on a clock that shows `wall_of` the real time [ms]."""
    plan, read, now = Timetable(1000, wall_of(0) - 1, 1.0), [], 0
    while now < real_ms:
        slot = plan.upcoming(wall_of(now))
        while wall_of(now) < slot:
            now += 1 if slot - wall_of(now) < 100 else 50
        due = plan.at(slot)
        assert due.missed is None or due.missed.reason is not Quality.OVERRUN
        if due.read:
            read.append(slot)
        now += 20
    return read


@pytest.mark.parametrize("seconds", [1, -1])
def test_a_smeared_leap_second_costs_no_slot_and_reads_none_twice(seconds):
    hour = 3_600_000  # a day's smear in an hour: 24 times as steep
    read = slots_read(lambda real: START_MS + real - seconds * 1000 * min(real, hour) // hour, hour + 60_000)
    assert read == list(range(read[0], read[-1] + 1, 1000))


def test_a_leap_second_that_the_clock_shows_twice_is_read_once():
    read = slots_read(lambda real: START_MS + real - (1000 if real >= 30_010 else 0), 60_000)
    assert read == list(range(read[0], read[-1] + 1, 1000))
