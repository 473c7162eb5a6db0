"""ULIDs: sortable by time, and above the last one even when the clock has gone back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.ulid import PATTERN, new_ulid

INSTANTS = st.integers(min_value=0, max_value=2**48 - 1)


@given(INSTANTS)
def test_a_ulid_is_twenty_six_letters_without_those_people_confuse(now_ms):
    ulid = new_ulid(now_ms)
    assert re.fullmatch(PATTERN, ulid)
    assert not set(ulid) & set("ILOU")


@given(INSTANTS, INSTANTS)
def test_the_letters_sort_like_the_times(a_ms, b_ms):
    if a_ms != b_ms:
        assert (new_ulid(a_ms) < new_ulid(b_ms)) == (a_ms < b_ms)


@given(INSTANTS.filter(lambda ms: ms < 2**48 - 2), INSTANTS)
def test_a_ulid_exceeds_the_one_it_must_exceed_whatever_the_clock_says(before_ms, now_ms):
    above = new_ulid(before_ms)
    assert new_ulid(now_ms, above) > above


def test_many_ulids_of_one_millisecond_keep_rising():
    drawn = [new_ulid(1_735_000_200_000)]
    for _ in range(1000):
        drawn.append(new_ulid(1_735_000_200_000, drawn[-1]))
    assert drawn == sorted(set(drawn))


def test_the_first_ten_letters_are_the_time():
    # The specification's own example: 1469918176385 ms is 01ARYZ6S41.
    assert new_ulid(1_469_918_176_385)[:10] == "01ARYZ6S41"


def test_no_ulid_is_drawn_above_the_last_one_there_is():
    with pytest.raises(OverflowError, match="no ULID is left"):
        new_ulid(0, "7" + "Z" * 25)
