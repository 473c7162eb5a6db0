"""However a series is cut into segments, joining them gives the same bits."""

from functools import reduce
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.intervals import CounterReadings, Rate
from compute.pairs import Pair
from compute.segments import EMPTY, join, segment_of

RATE = Rate(105, 100)


@st.composite
def readings_and_cuts(draw):
    size = draw(st.integers(0, 14))
    # Mostly climbing, with wild values in between, so that impossible steps and their neighbours meet every cut.
    values = np.cumsum(draw(st.lists(st.integers(0, 1_500), min_size=size, max_size=size)) or [0], dtype=np.int64)[
        :size
    ]
    for place in draw(st.lists(st.integers(0, 13), max_size=3)):
        if place < size:
            values[place] = draw(st.integers(0, 30_000))
    time_ms = np.arange(size, dtype=np.int64) * 1_000
    usable = np.array(draw(st.lists(st.sampled_from([0, 1, 1, 1]), min_size=size, max_size=size)), np.uint8)
    epoch = np.cumsum(
        draw(st.lists(st.sampled_from([0, 0, 0, 1]), min_size=size, max_size=size)) or [0], dtype=np.int64
    )
    whole = CounterReadings(
        time_ms, time_ms, time_ms, values, np.ones(size, np.int64), epoch[:size], usable,
        modulus=draw(st.sampled_from([0, 5_000, 40_000])), resettable=draw(st.booleans()),
        nonvolatile_ms=draw(st.sampled_from([0, 300])), interval_ms=1_000,
    )  # fmt: skip
    return whole, sorted(draw(st.lists(st.integers(0, size), max_size=4)))


def cut(readings, start, end):
    columns = (
        readings.time_ms,
        readings.request_ms,
        readings.answer_ms,
        readings.value,
        readings.step,
        readings.epoch,
        readings.usable,
    )
    return CounterReadings(
        *(column[start:end] for column in columns),
        modulus=readings.modulus,
        resettable=readings.resettable,
        nonvolatile_ms=readings.nonvolatile_ms,
        interval_ms=readings.interval_ms,
    )


def parts_of(readings, cuts):
    edges = [0, *cuts, len(readings.time_ms)]
    return [segment_of(cut(readings, start, end), RATE) for start, end in pairwise(edges)]


@settings(deadline=None, max_examples=300)
@given(readings_and_cuts())
def test_however_the_readings_are_cut_the_joined_amount_is_the_same(case):
    readings, cuts = case
    whole = segment_of(readings, RATE)
    joined = reduce(lambda left, right: join(left, right, RATE, readings), parts_of(readings, cuts))
    assert (joined.amount, joined.count, joined.first, joined.last) == (
        whole.amount,
        whole.count,
        whole.first,
        whole.last,
    )


@settings(deadline=None, max_examples=200)
@given(readings_and_cuts(), st.permutations(range(4)))
def test_it_does_not_matter_which_neighbours_are_joined_first(case, order):
    readings, cuts = case
    parts = parts_of(readings, cuts)
    expected = reduce(lambda left, right: join(left, right, RATE, readings), parts)
    while len(parts) > 1:
        place = order[len(parts) % 4] % (len(parts) - 1)
        parts[place : place + 2] = [join(parts[place], parts[place + 1], RATE, readings)]
    assert parts[0] == expected


def test_an_empty_stretch_changes_nothing():
    time_ms = np.array([0, 1_000], np.int64)
    ones = np.ones(2, np.int64)
    readings = CounterReadings(time_ms, time_ms, time_ms, ones * 9_000, ones, ones, ones.astype(np.uint8), 0, False)
    one = segment_of(readings, RATE)
    assert join(EMPTY, one, RATE, readings) == one == join(one, EMPTY, RATE, readings)


def test_a_cut_beside_an_impossible_step_widens_what_a_loss_of_supply_had_left_open_too():
    time_ms = np.array([0, 2_000, 3_000], np.int64)
    whole = CounterReadings(
        time_ms, time_ms, time_ms, np.array([50_000, 51_000, 0], np.int64), np.ones(3, np.int64), np.zeros(3, np.int64),
        np.ones(3, np.uint8), modulus=0, resettable=False, nonvolatile_ms=300, interval_ms=1_000,
    )  # fmt: skip
    left, right = segment_of(cut(whole, 0, 2), RATE), segment_of(cut(whole, 2, 3), RATE)
    assert left.amount == Pair(1_000, 1_316)
    assert join(left, right, RATE, whole).amount == segment_of(whole, RATE).amount == Pair(0, 2_101 + 1_051)
