"""The compiled kernels and their twins in plain Python, bit for bit, on data no meter would show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute import codes, plain
from compute import layout as at
from compute.kernels import counter, rule
from compute.law import fixed

MINUTE_MS = 60_000
QUARTER = (2**63 - 1) // 4
SMALL = st.integers(0, 3_000)
WILD = st.one_of(SMALL, st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, 2**63 - 1, -(2**63), 2**62]))
FEW = st.lists(st.tuples(st.integers(0, 2_999), st.integers(1, 3)), max_size=4)


def steady(length, gain, still):
    """Columns of a counter in which nothing is wrong: minute by minute, some of them without a gain."""
    time_ms = np.arange(1, length + 1, dtype=np.int64) * MINUTE_MS
    gains = np.full(length, gain, np.int64)
    for start, minutes in still:
        gains[start : start + minutes] = 0
    value = 1_000_000 + np.cumsum(gains)
    zeros = np.zeros(length, np.uint8)
    return [time_ms, value, zeros, time_ms + 10, time_ms + 25, zeros + 1, np.zeros(length, np.int32), zeros.astype(int)]


def upset(columns, places, draw):
    """Something is wrong here and there."""
    time_ms, value, quality, sent_ms, received_ms, synced, binding, _ = columns
    for place, what in places:
        row = place % len(time_ms)
        match what:
            case 1:
                value[row] = draw(st.one_of(SMALL, st.integers(900_000, 1_100_000), WILD))
            case 2:
                quality[row] = draw(st.integers(0, 2))
                synced[row] = draw(st.integers(0, 1))
            case _:
                received_ms[row] += draw(st.integers(-70_000, 70_000))
                sent_ms[row] += draw(st.integers(-5, 70_000))
                binding[row:] = draw(st.integers(0, 2))
    return columns


@st.composite
def counters(draw):
    length = draw(st.one_of(st.integers(0, 12), st.integers(100, 700)))
    still = draw(st.lists(st.tuples(st.integers(0, 700), st.integers(1, 200)), max_size=3))
    columns = steady(length, draw(st.integers(0, 1_100)), still)
    return upset(columns, draw(FEW), draw) if length else columns


@st.composite
def arguments(draw):
    columns = draw(counters())
    steps = [[draw(st.integers(1, 3)), 0], [at.STEP_OF_FLOAT, 24], [at.STEP_IN_COLUMN, 0]]
    bound = np.array(draw(st.permutations(steps)), np.int64)
    columns[7] = np.full(len(columns[0]), draw(st.integers(0, 9)), np.int64)
    kinds = np.int64, np.int64, np.uint8, np.int64, np.int64, np.uint8, np.int32, np.int64
    breaks = np.array(draw(st.sampled_from([[], [300 * MINUTE_MS], [1, 400 * MINUTE_MS]])), np.int64)
    keys = np.array(draw(st.lists(st.lists(st.integers(-1, 1), min_size=3, max_size=3), min_size=3, max_size=3)))
    keys[0] = draw(st.sampled_from([[0, 0, 0], [0, 1, -1]]))
    law = np.zeros(at.LAW_COLUMNS, np.int64)
    law[at.RATE_NUM], law[at.RATE_DEN] = draw(st.sampled_from([(1_050, MINUTE_MS), (17, 1_000), (2**62, 1)]))
    law[at.SAFE_MS] = 2**61 // int(law[at.RATE_NUM])
    law[at.MODULUS] = draw(st.sampled_from([0, 0, 700, 1_000_100, 2**32]))
    law[at.RESETTABLE] = draw(st.integers(0, 1))
    law[at.NONVOLATILE_MS] = draw(st.sampled_from([0, 0, 300]))
    law[at.INTERVAL_MS] = draw(st.sampled_from([0, MINUTE_MS, MINUTE_MS, 2 * MINUTE_MS]))
    law[at.TOLERANCE_MS] = draw(st.sampled_from([0, 5_000]))
    law[at.ORIGIN_MS] = draw(st.sampled_from([0, 7, -1_800_000]))
    law[at.STILL_MS] = draw(st.sampled_from([0, 2 * MINUTE_MS, 60 * MINUTE_MS]))
    edges = sorted(draw(st.lists(st.integers(0, 700 * MINUTE_MS), max_size=3, unique=True)))
    tables = bound, np.array([0.3, 1.0, 1000.0]), keys, breaks
    return tuple(map(fixed, columns, kinds)), tables, law, np.array(edges, np.int64)


@settings(deadline=None, max_examples=500)
@given(given_=arguments())
def test_the_compiled_counter_kernel_says_what_the_plain_one_says(given_):
    compiled, told = counter.counter_segment(*given_), plain.counter_segment(*given_)
    assert compiled[0] == told[0]
    if told[0] == codes.DONE:
        for name, here, there in zip(("ends", "hours", "marks", "runs"), compiled[1:], told[1:], strict=True):
            assert here.tolist() == there.tolist(), name


def both(columns, *, still_ms=0, nonvolatile_ms=0, bindings=((1, 0),)):
    """The state behind these columns, of which the two kernels say all the same; a binding is (step, key)."""
    law = np.zeros(at.LAW_COLUMNS, np.int64)
    law[[at.RATE_NUM, at.RATE_DEN, at.INTERVAL_MS, at.TOLERANCE_MS]] = 1_050, MINUTE_MS, MINUTE_MS, 50
    law[[at.STILL_MS, at.NONVOLATILE_MS]] = still_ms, nonvolatile_ms
    steps, keys = zip(*bindings, strict=True)
    bound = np.array([[step, 0] for step in steps], np.int64)
    tables = bound, np.ones(len(steps)), np.array([keys], np.int64), np.empty(0, np.int64)
    columns = tuple(fixed(column, column.dtype) for column in columns)
    arguments = columns, tables, law, np.array([333 * MINUTE_MS], np.int64)
    compiled, told = counter.counter_segment(*arguments), plain.counter_segment(*arguments)
    for here, there in zip(compiled[1:], told[1:], strict=True):
        assert here.tolist() == there.tolist()
    return told[1]


@pytest.mark.parametrize("gain", [0, 1, 1_000])
@pytest.mark.parametrize("still", [[], [(100, 59)], [(100, 60)], [(0, 70), (500, 200)]])
@pytest.mark.parametrize("still_ms", [1, 60 * MINUTE_MS])
def test_clean_columns_are_measured_alike_too(gain, still, still_ms):
    both(steady(700, gain, still), still_ms=still_ms)


def test_a_counter_stands_still_over_gaps_in_which_something_may_not_have_been_saved():
    columns = steady(5, 0, [])
    columns[1][4] += 1_000
    columns[6][4] = 1
    for column in columns[0], columns[3], columns[4]:
        column[2:] += 20 * MINUTE_MS
        column[4:] += 20 * MINUTE_MS
    state = both(columns, still_ms=MINUTE_MS, nonvolatile_ms=300, bindings=((1, 0), (7, 0)))
    run = state[at.S_HEAD_RUN : at.S_TAIL_RUN]
    # Read after 1, 2, 23, 24 and 45 minutes; the last one shows more, in steps of 7, and that difference counts.
    places = at.RUN_FROM + at.SLOT, at.RUN_TO + at.SLOT, at.RUN_ENDER + at.SLOT
    assert [run[place] // MINUTE_MS for place in places] == [1, 24, 45]
    assert (run[at.RUN_TAKEN], run[at.RUN_STEP]) == (1, 1)


def test_of_rows_of_which_none_counts_it_is_known_that_the_meter_changed():
    columns = steady(2, 1, [])
    columns[2][:], columns[6][1] = 1, 1
    state = both(columns, bindings=((1, 0), (1, 1)))
    assert (state[at.S_USABLE], state[at.S_CHANGED]) == (0, 1)


@settings(deadline=None, max_examples=300)
@given(
    span_ms=st.one_of(st.integers(0, 9), st.integers(0, 2**62)),
    rate_num=st.one_of(st.integers(0, 9), st.integers(0, 2**62)),
    rate_den=st.integers(1, 2**31),
    step=st.integers(0, 2**62),
)
def test_possible_amounts_agree_up_to_the_edge_of_int64(span_ms, rate_num, rate_den, step):
    assert rule.possible_amount(span_ms, rate_num, rate_den, step) == plain.possible_amount(
        span_ms, rate_num, rate_den, step
    )


@pytest.mark.parametrize("possible_amount", [rule.possible_amount, plain.possible_amount])
@pytest.mark.parametrize(
    ("span_ms", "rate", "step", "most"),
    [
        (3, (2, 1), QUARTER, QUARTER + 6),
        (3, (2, 1), QUARTER + 1, codes.OVERFLOW),
        (1, (QUARTER, 1), 0, QUARTER),
        (2, (2**60, 1), 0, codes.OVERFLOW),
        (2 * QUARTER - 2, (1, 2), 0, QUARTER - 1),
        (2 * QUARTER, (1, 2), 0, codes.OVERFLOW),
        (0, (2**62, 1), 5, 5),
    ],
)
def test_what_is_possible_in_more_than_a_quarter_of_int64_is_an_overflow(possible_amount, span_ms, rate, step, most):
    assert possible_amount(span_ms, *rate, step) == most
