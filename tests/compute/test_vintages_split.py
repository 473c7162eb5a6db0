"""Boundary and closing rules (contracts 6), both ways, by hand: 1 quantum a minute, readings every quarter hour."""

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from computekit.pairs import law_of, segment_of

from compute.amounts import cuts_of, split
from compute.intervals import CounterReadings, Rate
from compute.law import Law
from compute.measured import sample_segment
from compute.pairs import Pair
from compute.vintages import midnight_ms, vintages_of

ZONE = ZoneInfo("Asia/Ulaanbaatar")
RATE = Rate(105, 6_000_000)  # 1.05 quanta a minute
QUARTER_MS = 900_000
MINUTE_MS = 60_000
NEW_YEAR_MS = midnight_ms(date(2026, 1, 1), ZONE)
VINTAGES = vintages_of(date(2025, 12, 31), date(2026, 1, 2), ZONE)
DAY = 24 * 4  # slots a day
TOLERANCE_MS = 5_000


def timeline_of(slots, *, late_ms=None, values=None, resettable=False, nonvolatile_ms=0):
    time_ms = np.array(slots, np.int64)
    answer_ms = time_ms + np.array([(late_ms or {}).get(slot, 20) for slot in slots], np.int64)
    value = np.array([(values or {}).get(slot, 10_000 + (slot - NEW_YEAR_MS) // MINUTE_MS) for slot in slots], np.int64)
    size = len(slots)
    readings = CounterReadings(
        time_ms,
        answer_ms,
        answer_ms,
        value,
        np.ones(size, np.int64),
        np.zeros(size, np.int64),
        np.ones(size, np.uint8),
        0,
        resettable,
        nonvolatile_ms,
        QUARTER_MS if nonvolatile_ms else 0,
    )
    law = law_of(readings, RATE, cuts_of(VINTAGES, TOLERANCE_MS))
    return segment_of(readings, law), law


def all_slots(before=1, after=1):
    return [NEW_YEAR_MS + place * QUARTER_MS for place in range(-DAY - before, DAY + 1 + after)]


def amounts(timeline, vintages=VINTAGES):
    return [part.amount for part in split(*timeline, vintages)]


def codes_of(timeline):
    return [[doubt.code for doubt in part.doubts] for part in split(*timeline, VINTAGES)]


def test_periods_are_cut_at_local_midnight_of_new_year():
    assert [(part.year, part.interval.length_ms) for part in VINTAGES] == [(2025, 86_400_000), (2026, 86_400_000)]
    # Ulaanbaatar is 8 h ahead of UTC: 2025-12-31T16:00:00Z.
    assert VINTAGES[1].interval.start_ms == 1_767_196_800_000


def test_a_period_of_several_years_has_an_edge_at_each_new_year():
    edges = [part.interval.start_ms for part in vintages_of(date(2025, 12, 31), date(2027, 1, 2), ZONE)]
    assert edges == [midnight_ms(day, ZONE) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2027, 1, 1))]


def test_a_period_within_a_year_is_one_vintage_and_three_years_are_three():
    assert [part.year for part in vintages_of(date(2025, 3, 1), date(2025, 4, 1), ZONE)] == [2025]
    assert [part.year for part in vintages_of(date(2025, 12, 31), date(2027, 1, 2), ZONE)] == [2025, 2026, 2027]
    assert [part.year for part in vintages_of(date(2025, 12, 1), date(2026, 1, 1), ZONE)] == [2025]


def test_with_a_reading_at_midnight_each_year_gets_its_own():
    timeline = timeline_of(all_slots())
    assert amounts(timeline) == [Pair(1_440, 1_440), Pair(1_440, 1_440)]
    assert codes_of(timeline) == [[], []]


def test_without_a_reading_at_midnight_the_amount_across_it_is_proved_for_neither_year():
    timeline = timeline_of([slot for slot in all_slots() if slot != NEW_YEAR_MS])
    # 23:45 to 00:15 is 30 quanta, which each year counts as [0, 30].
    assert amounts(timeline) == [Pair(1_425, 1_455), Pair(1_425, 1_455)]
    assert codes_of(timeline) == [["vintage-boundary-unproved"], ["vintage-boundary-unproved"]]


def test_an_answer_within_five_seconds_of_midnight_divides_the_years():
    timeline = timeline_of(all_slots(), late_ms={NEW_YEAR_MS: 5_000})
    assert amounts(timeline) == [Pair(1_440, 1_440), Pair(1_440, 1_440)]


def test_an_answer_later_than_five_seconds_does_not():
    timeline = timeline_of(all_slots(), late_ms={NEW_YEAR_MS: 5_001})
    # Only the quarter of an hour before the late answer is across midnight.
    assert amounts(timeline) == [Pair(1_425, 1_440), Pair(1_440, 1_455)]


def test_the_closing_value_needs_a_later_reading():
    timeline = timeline_of(all_slots(after=0))
    # The last reading closes nothing, the one before it does: 15 minutes remain, 15 × 1.05 = 15 and one step.
    assert amounts(timeline) == [Pair(1_440, 1_440), Pair(1_425, 1_425 + 16)]
    assert codes_of(timeline)[1] == ["period-closing-unproved"]


def test_a_later_reading_confirms_when_it_comes_within_a_day():
    end_ms = VINTAGES[1].interval.end_ms
    near, far = end_ms + 24 * 4 * QUARTER_MS, end_ms + 24 * 4 * QUARTER_MS + QUARTER_MS
    assert amounts(timeline_of([*all_slots(after=0), near]))[1] == Pair(1_440, 1_440)
    assert amounts(timeline_of([*all_slots(after=0), far]))[1] == Pair(1_425, 1_425 + 16)


def test_a_later_reading_that_is_lower_does_not_confirm():
    end_ms = VINTAGES[1].interval.end_ms
    timeline = timeline_of(all_slots(), values={end_ms + QUARTER_MS: 5})
    # The reading after the end is lower: it takes its neighbour, the last quarter of an hour, with it; what is left in
    # doubt is the half hour up to the end: 30 × 1.05 = 31 and one step.
    assert amounts(timeline)[1] == Pair(1_410, 1_410 + 32)


def test_a_reading_confirms_even_where_a_reset_before_it_is_not_excluded():
    # A counter that shows less than a pair may gain: each difference is only the low end, yet no reading is lower.
    values = {slot: 3 + place // 20 for place, slot in enumerate(all_slots())}
    timeline = timeline_of(all_slots(), values=values, resettable=True)
    assert all(amount.low < amount.high for amount in amounts(timeline))
    assert codes_of(timeline) == [[], []]


def test_the_time_in_doubt_is_that_of_wide_pairs_and_of_what_no_pair_proves():
    lost = [slot for slot in all_slots() if slot != NEW_YEAR_MS]
    assert [part.doubtful_ms for part in split(*timeline_of(lost), VINTAGES)] == [QUARTER_MS, QUARTER_MS]
    # A reading that is too low makes four pairs wide: to it, from it, and one on either side.
    wrong = all_slots()[20]
    assert [part.doubtful_ms for part in split(*timeline_of(all_slots(), values={wrong: 5}), VINTAGES)] == [
        4 * QUARTER_MS,
        0,
    ]
    both = split(*timeline_of(all_slots(after=0), values={all_slots()[-20]: 5}), VINTAGES)
    assert [part.doubtful_ms for part in both] == [0, 4 * QUARTER_MS + QUARTER_MS]


def test_the_amount_across_the_end_counts_only_when_the_reading_behind_it_is_confirmed():
    end_ms = VINTAGES[1].interval.end_ms
    timeline = timeline_of([slot for slot in all_slots(after=1) if slot != end_ms])
    # 24:15 is there and nothing confirms it: the last quarter of an hour is in doubt, 15 × 1.05 = 15 and one step.
    assert amounts(timeline)[1] == Pair(1_425, 1_425 + 16)
    assert codes_of(timeline)[1] == ["period-closing-unproved"]


def test_a_reading_a_day_later_does_not_confirm_the_one_behind_the_end():
    end_ms = VINTAGES[1].interval.end_ms
    slots = [slot for slot in all_slots(after=1) if slot != end_ms]
    # 24:15 is there, and what follows it comes a quarter of an hour too late.
    timeline = timeline_of([*slots, slots[-1] + (DAY + 1) * QUARTER_MS])
    assert amounts(timeline)[1] == Pair(1_425, 1_425 + 16)
    assert codes_of(timeline)[1] == ["period-closing-unproved"]


def test_a_reading_confirms_although_something_may_not_have_been_saved_before_it():
    end_ms = VINTAGES[1].interval.end_ms
    slots = [*all_slots(after=0), end_ms + 2 * QUARTER_MS]
    assert amounts(timeline_of(slots, nonvolatile_ms=MINUTE_MS))[1] == Pair(1_440, 1_440)


def test_where_the_last_reading_is_lower_and_no_pair_lies_before_its_neighbour_nothing_is_confirmed():
    end_ms = VINTAGES[1].interval.end_ms
    around = [end_ms - QUARTER_MS, end_ms, end_ms + QUARTER_MS]
    timeline = timeline_of(around, values={around[-1]: 5})
    assert amounts(timeline) == [Pair(0, 1_513), Pair(0, 1_513)]
    assert codes_of(timeline) == [["no-confirmed-reading"], ["no-confirmed-reading"]]


def test_a_first_reading_at_the_end_closes_the_period_and_leaves_all_of_it_to_the_opening():
    end_ms = VINTAGES[1].interval.end_ms
    timeline = timeline_of([end_ms, end_ms + QUARTER_MS])
    assert amounts(timeline) == [Pair(0, 1_513), Pair(0, 1_513)]
    assert codes_of(timeline) == [["period-opening-unproved"], ["period-opening-unproved"]]


def test_what_begins_with_an_answer_behind_the_end_is_in_doubt_once_whatever_was_answered_before_it():
    end_ms = VINTAGES[1].interval.end_ms
    slots = [end_ms - 2 * QUARTER_MS, end_ms - QUARTER_MS]
    timeline = timeline_of(slots, late_ms={slots[0]: 2 * QUARTER_MS + MINUTE_MS})
    assert amounts(timeline) == [Pair(0, 1_513), Pair(0, 1_513)]
    assert codes_of(timeline) == [["no-confirmed-reading"], ["no-confirmed-reading"]]


def test_a_first_reading_that_was_answered_behind_the_end_does_not_spare_the_others_their_confirmation():
    end_ms = VINTAGES[1].interval.end_ms
    slots = [end_ms - 6 * QUARTER_MS, end_ms - 4 * QUARTER_MS, end_ms - 2 * QUARTER_MS, end_ms + (DAY + 4) * QUARTER_MS]
    timeline = timeline_of(slots, late_ms={slots[0]: 8 * QUARTER_MS})
    # 23:00 is confirmed by 23:30, and that one by nothing within a day: the 30 quanta between them do not count. Before
    # the first answer all of the year is in doubt (1513), behind 23:00 an hour (64), and so is the pair between (32).
    assert amounts(timeline) == [Pair(0, 1_513), Pair(0, 1_513 + 64 + 32)]


@pytest.mark.parametrize(("late_ms", "code"), [(0, "period-opening-unproved"), (1, "no-confirmed-reading")])
def test_a_state_of_which_nothing_was_read_before_the_end_has_no_reading_at_all(late_ms, code):
    time_ms = np.array([VINTAGES[1].interval.end_ms + late_ms], np.int64)
    law = Law(cuts_of(VINTAGES, TOLERANCE_MS), interval_ms=QUARTER_MS)
    burning = sample_segment(time_ms, time_ms, np.ones(1, np.int64), law), law
    assert amounts(burning) == [Pair(0, 86_400_000), Pair(0, 86_400_000)]
    assert codes_of(burning) == [[code], [code]]


def test_where_nothing_needs_confirmation_the_last_reading_closes_and_the_rest_is_in_doubt():
    time_ms = np.array(all_slots()[:-3], np.int64)
    law = Law(cuts_of(VINTAGES, TOLERANCE_MS), interval_ms=QUARTER_MS)
    burning = sample_segment(time_ms, time_ms, np.ones(len(time_ms), np.int64), law), law
    # Up to half past eleven every sample counts, and the half hour behind it is in doubt.
    day_ms, half_ms = 86_400_000, 2 * QUARTER_MS
    assert amounts(burning) == [Pair(day_ms, day_ms), Pair(day_ms - half_ms, day_ms)]
    assert codes_of(burning)[1] == ["period-closing-unproved"]


def test_a_single_confirmed_reading_closes_what_it_can():
    noon_ms = VINTAGES[0].interval.start_ms + 12 * 3_600_000
    timeline = timeline_of([noon_ms, noon_ms + QUARTER_MS])
    assert codes_of(timeline) == [["period-opening-unproved", "period-closing-unproved"], ["period-closing-unproved"]]


def test_without_a_reading_at_the_end_the_amount_across_it_may_lie_outside():
    end_ms = VINTAGES[1].interval.end_ms
    timeline = timeline_of([slot for slot in all_slots(after=2) if slot != end_ms])
    assert amounts(timeline)[1] == Pair(1_425, 1_455)


def test_a_period_that_begins_before_the_first_reading_opens_in_doubt():
    timeline = timeline_of(all_slots()[2:])  # the first reading is at 00:15
    assert amounts(timeline)[0] == Pair(1_425, 1_425 + 16)
    assert codes_of(timeline)[0] == ["period-opening-unproved"]


def test_a_millisecond_before_the_first_reading_is_in_doubt_too():
    slots = [slot + 1 for slot in all_slots(before=0)]
    assert codes_of(timeline_of(slots))[0] == ["vintage-boundary-unproved", "period-opening-unproved"]


def test_a_year_in_which_nothing_was_read_counts_from_zero_to_all_that_was_possible():
    timeline = timeline_of([slot for slot in all_slots() if slot < NEW_YEAR_MS - 12 * QUARTER_MS])
    # 1440 × 1.05 + 1 = 1513 at most in 2026.
    assert amounts(timeline)[1] == Pair(0, 1_513)


def test_without_any_reading_every_vintage_is_in_doubt():
    timeline = timeline_of([])  # and so without a register step
    assert amounts(timeline) == [Pair(0, 1_512), Pair(0, 1_512)]
    assert codes_of(timeline) == [["no-confirmed-reading"], ["no-confirmed-reading"]]


def test_a_gap_longer_than_a_vintage_counts_once_in_each():
    year_end = [NEW_YEAR_MS - DAY * QUARTER_MS - QUARTER_MS, NEW_YEAR_MS + (DAY + 1) * QUARTER_MS]
    timeline = timeline_of([*year_end, year_end[1] + QUARTER_MS])
    # Readings two days apart confirm nothing within 24 h: both years count from 0 to all that was possible.
    assert amounts(timeline) == [Pair(0, 1_513), Pair(0, 1_513)]
