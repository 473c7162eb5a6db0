"""Slots: aligned, never drifting, never replayed, and every one that passes unread is explained."""

from datetime import UTC, datetime

import pytest

from gateway.schedule import EARLIEST_MS, Due, Missed, Timetable, clock_was_ahead, late_ms
from metering.clock import ClockState, ClockStatus
from metering.quality import Quality

MINUTE_MS = 60_000
T0 = 1_766_505_600_000  # a whole minute


def at(minutes: float) -> int:
    return T0 + int(minutes * MINUTE_MS)


def table(accounted_min: float = -1, interval_ms: int = MINUTE_MS, factor: float = 1.0) -> Timetable:
    return Timetable(interval_ms, at(accounted_min), factor)


def test_the_first_slot_is_the_next_multiple_of_the_interval_since_the_epoch():
    assert table(accounted_min=0.49).upcoming(at(0.5)) == at(1)


def test_a_slot_that_was_read_before_the_agent_began_is_not_waited_for_again():
    assert table(accounted_min=5).upcoming(at(5) + 10) == at(6)


def test_slots_do_not_drift_however_long_each_read_takes():
    plan, visited = table(), []
    now = at(-0.5)
    for _ in range(100):
        slot = plan.upcoming(now)
        visited.append(slot)
        assert plan.at(slot) == Due(read=True)
        now = slot + 3_700
    assert visited == [at(number) for number in range(100)]


def test_a_slot_that_began_while_the_last_read_ran_is_read_late_within_the_tolerance():
    plan = table()
    plan.at(at(0))
    assert plan.upcoming(at(1) + 12_000) == at(1)
    assert plan.upcoming(at(1) + 12_001) == at(2)


def test_slots_that_passed_during_a_long_read_are_missed_and_not_replayed():
    plan = table()
    plan.at(at(0))
    slot = plan.upcoming(at(3.5))
    assert slot == at(4)
    assert plan.at(slot) == Due(True, Missed(at(1), at(4), Quality.OVERRUN))


def test_slots_that_passed_between_the_start_and_the_first_read_are_missed_too():
    assert table(accounted_min=0).at(at(3)) == Due(True, Missed(at(1), at(3), Quality.OVERRUN))


def test_a_slot_is_never_read_twice_when_the_clock_is_set_back_a_little():
    plan = table()
    plan.at(at(5))
    slot = plan.upcoming(at(5) - 50)
    assert plan.at(slot) == Due(read=False)
    assert plan.upcoming(at(5) + 10) == at(6)


def test_a_clock_behind_the_last_slot_gives_clock_behind_gaps_until_it_has_passed_it():
    plan = table(accounted_min=10)
    now, dues = at(7.2), []
    for _ in range(4):
        slot = plan.upcoming(now)
        dues.append((slot, plan.at(slot)))
        now = slot + 100
    assert dues == [
        (at(8), Due(False, Missed(at(8), at(9), Quality.CLOCK_BEHIND))),
        (at(9), Due(False, Missed(at(9), at(10), Quality.CLOCK_BEHIND))),
        (at(10), Due(read=False)),
        (at(11), Due(read=True)),
    ]


def test_slots_missed_while_the_clock_was_behind_are_explained_when_it_jumps_forward_again():
    plan = table(accounted_min=10)
    plan.at(at(3))
    assert plan.at(at(20)) == Due(True, Missed(at(11), at(20), Quality.CLOCK_BEHIND))
    assert plan.at(at(22)) == Due(True, Missed(at(21), at(22), Quality.OVERRUN))


def test_slots_missed_while_the_clock_had_lost_its_time_are_explained_by_it():
    plan = table(accounted_min=10)
    plan.at(MINUTE_MS)
    assert plan.at(at(20)) == Due(True, Missed(at(11), at(20), Quality.CLOCK_BEHIND))


def test_nothing_is_read_before_the_build_date_and_nothing_claimed_about_it():
    plan = Timetable(MINUTE_MS, 0, 1.0)
    assert plan.at(plan.upcoming(100)) == Due(read=False)
    assert plan.upcoming(MINUTE_MS + 10) == 2 * MINUTE_MS, "and no slot is come back to"
    assert plan.at(EARLIEST_MS - MINUTE_MS) == Due(read=False)
    assert plan.at(int(datetime(2025, 6, 1, tzinfo=UTC).timestamp()) * 1000).read


@pytest.mark.parametrize(
    ("state", "behind_min", "expected"),
    [
        (ClockState.SYNCHRONISED, 61, True),
        (ClockState.SYNCHRONISED, 60, False),
        (ClockState.SYNCHRONISED, -5, False),
        (ClockState.HOLDOVER, 61, False),
        (ClockState.UNKNOWN, 61, False),
    ],
)
def test_only_a_synchronised_clock_more_than_an_hour_behind_says_that_the_earlier_one_was_ahead(
    state, behind_min, expected
):
    assert clock_was_ahead(at(0), at(behind_min), ClockStatus(state, 0)) is expected


@pytest.mark.parametrize(
    ("interval_s", "factor", "expected_s"), [(900, 1, 180), (10, 1, 5), (1, 1, 5), (900, 14_400, 72_000)]
)
def test_late_is_the_larger_of_a_fifth_of_the_interval_and_5_s_of_real_time(interval_s, factor, expected_s):
    assert late_ms(interval_s * 1000, factor) == expected_s * 1000
