"""Rows of hours: added up, and those that hold every pair that touches a span of time."""

import numpy as np
import pytest

from compute import layout as at
from compute.errors import AmountOverflowError
from compute.law import Cuts, Law, hour_of
from compute.segments import Hours, Marks, Segment, merged, touching_hours
from metering.interval import Interval

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def table(*rows):
    return np.array(rows, np.int64).reshape(-1, at.HOUR_COLUMNS)


def test_rows_of_the_same_hour_and_part_are_added_up_and_the_others_are_put_in_order():
    rows = [table([HOUR_MS, 0, 3, 4, 5]), table([0, 1, 1, 1, 1], [0, 0, 2, 2, 2], [HOUR_MS, 0, -1, 10, 100])]
    assert merged(rows).table.tolist() == [[0, 0, 2, 2, 2], [0, 1, 1, 1, 1], [HOUR_MS, 0, 2, 14, 105]]
    assert merged([table()]).table.tolist() == []


def test_an_hour_that_int64_cannot_hold_names_the_rating():
    half = table([0, 0, 0, 2**62, 0])
    with pytest.raises(AmountOverflowError, match="amount of an hour is more than int64 holds; check rated_power_w"):
        merged([half, half])
    assert merged([half, table([0, 0, 0, 2**62 - 1024, 0])]).high.tolist() == [2**63 - 1024]


def test_hours_begin_at_local_midnight_where_the_zone_is_45_minutes_off_and_hold_the_instant_at_their_end():
    law = Law(Cuts(45 * MINUTE_MS, (HOUR_MS,)))
    assert hour_of(46 * MINUTE_MS, 1, 2, law).tolist() == [[45 * MINUTE_MS, 0, 1, 2, 0]]
    assert hour_of(45 * MINUTE_MS, 1, 2, law).tolist() == [[-15 * MINUTE_MS, 0, 1, 2, 0]]
    assert hour_of(61 * MINUTE_MS, 1, 2, law).tolist() == [[45 * MINUTE_MS, 1, 1, 2, 0]]


def touched(start_minute, end_minute, marks=()):
    """Which of the hours 0 to 4 hold what touches a span; a mark is (minute of its earlier reading, of its later)."""
    rows = np.zeros((len(marks), at.MARK_COLUMNS), np.int64)
    rows[:, : at.EARLIER_SLOT] = np.array(marks, np.int64).reshape(-1, 2) * MINUTE_MS
    segment = Segment(Hours(table(*([hour * HOUR_MS, 0, 1, 1, 1] for hour in range(5)))), Marks(rows))
    return np.flatnonzero(touching_hours(segment, Interval(start_minute * MINUTE_MS, end_minute * MINUTE_MS))).tolist()


@pytest.mark.parametrize(
    ("span", "hours"),
    [
        ((60, 120), [1, 2]),
        ((59, 120), [0, 1, 2]),
        ((75, 105), [1, 2]),
        ((60, 121), [1, 2, 3]),
        ((240, 301), [4]),
    ],
)
def test_a_pair_is_in_the_hour_of_its_later_reading_which_may_be_the_first_behind_the_span(span, hours):
    assert touched(*span) == hours


@pytest.mark.parametrize(
    ("mark", "hours"),
    [
        ((119, 240), [1, 2, 3]),
        ((119, 241), [1, 2, 3, 4]),
        ((10, 181), [1, 2, 3]),
        ((120, 240), [1, 2]),
        ((10, 30), [1, 2]),
    ],
)
def test_a_long_pair_is_touched_as_far_as_it_goes_when_it_begins_before_the_end_of_the_span(mark, hours):
    assert touched(60, 120, [mark]) == hours
