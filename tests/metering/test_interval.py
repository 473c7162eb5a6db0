"""Intervals are half-open: neighbours share no instant and leave none out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.interval import Interval

BOUNDS = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted)
INTERVALS = BOUNDS.map(lambda bounds: Interval(*bounds))


def test_the_start_belongs_to_an_interval_and_the_end_does_not():
    hour = Interval(10, 20)
    assert [instant for instant in (9, 10, 19, 20) if instant in hour] == [10, 19]
    assert hour.length_ms == 10


def test_an_interval_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match=r"ends \(1 ms\) before it starts \(2 ms\)"):
        Interval(2, 1)


@given(INTERVALS, INTERVALS)
def test_two_intervals_overlap_exactly_when_an_instant_lies_in_both(a, b):
    shared = [instant for instant in range(51) if instant in a and instant in b]
    assert a.overlaps(b) == b.overlaps(a) == bool(shared)


def test_intervals_sort_by_their_start():
    assert sorted([Interval(2, 3), Interval(1, 9), Interval(1, 2)]) == [Interval(1, 2), Interval(1, 9), Interval(2, 3)]
