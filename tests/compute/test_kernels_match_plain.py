"""The compiled kernels and their twins in plain Python, bit for bit, on data no meter would show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute import codes, kernels, plain

SMALL = st.integers(0, 3_000)
LEFT = 77
"""What stands in an output before a kernel writes there."""
WILD = st.one_of(SMALL, st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, 2**63 - 1, -(2**63), 2**62]))


@st.composite
def counters(draw, values=SMALL):
    size = draw(st.integers(0, 12))
    time_ms = np.cumsum(draw(st.lists(st.integers(1, 2_000), min_size=size, max_size=size)) or [0], dtype=np.int64)[
        :size
    ]
    late = draw(st.lists(st.integers(0, 1_500), min_size=size, max_size=size))
    column = lambda source: np.array(draw(st.lists(source, min_size=size, max_size=size)), np.int64)  # noqa: E731
    asked = draw(st.lists(st.integers(0, 500), min_size=size, max_size=size))
    return (
        time_ms,
        time_ms + np.array(late, np.int64) - np.array(asked, np.int64),
        time_ms + np.array(late, np.int64),
        column(values),
        column(st.integers(1, 3)),
        column(st.integers(0, 1)) if draw(st.booleans()) else np.zeros(size, np.int64),
        column(st.integers(0, 1)).astype(np.uint8),
    )


def run(module, readings, rate_num, rate_den, modulus, resettable, nonvolatile_ms=0, interval_ms=0):
    size = len(readings[0])
    out = [np.full(size, LEFT, np.int64) for _ in range(5)] + [np.full(size, LEFT, np.uint8)]
    count = module.counter_pairs(*readings, rate_num, rate_den, modulus, resettable, nonvolatile_ms, interval_ms, *out)
    return count, [column[: max(count, 0)].tolist() for column in out]


@settings(deadline=None, max_examples=300)
@given(
    readings=st.one_of(counters(), counters(WILD)),
    rate_num=st.integers(1, 50),
    rate_den=st.integers(1, 50),
    modulus=st.sampled_from([0, 700, 3_001, 2**32, 2**62]),
    resettable=st.booleans(),
    supply=st.tuples(st.sampled_from([0, 0, 1, 300, 2**62]), st.sampled_from([0, 500, 1_500])),
)
def test_the_compiled_counter_kernel_says_what_the_plain_one_says(
    readings, rate_num, rate_den, modulus, resettable, supply
):
    arguments = (readings, rate_num, rate_den, modulus, resettable, *supply)
    assert run(kernels, *arguments) == run(plain, *arguments)


@pytest.mark.parametrize(("earlier", "later"), [(-(2**63), 0), (0, -(2**63)), (-(2**63), 2**63 - 1), (-1, 2**63 - 1)])
def test_a_difference_beyond_int64_is_a_reset_for_both(earlier, later):
    columns = [[0, 1_000]] * 3 + [[earlier, later], [1, 1], [0, 0]]
    readings = (*(np.array(column, np.int64) for column in columns), np.ones(2, np.uint8))
    for module in (kernels, plain):
        assert run(module, readings, 1, 1, 0, False)[1][-1] == [codes.RESET]


@settings(deadline=None, max_examples=300)
@given(
    span_ms=st.one_of(st.integers(0, 9), st.integers(0, 2**62)),
    rate_num=st.one_of(st.integers(0, 9), st.integers(0, 2**62)),
    rate_den=st.integers(1, 2**31),
    step=st.integers(0, 2**62),
)
def test_possible_amounts_agree_up_to_the_edge_of_int64(span_ms, rate_num, rate_den, step):
    assert kernels.possible_amount(span_ms, rate_num, rate_den, step) == plain.possible_amount(
        span_ms, rate_num, rate_den, step
    )


@settings(deadline=None, max_examples=300)
@given(
    still=st.lists(st.sampled_from([0, 1, 1]), max_size=12),
    least_ms=st.sampled_from([1, 2_000, 3_000]),
    data=st.data(),
)
def test_the_compiled_kernel_of_frozen_counters_says_what_the_plain_one_says(still, least_ms, data):
    size = len(still)
    column = lambda source: data.draw(st.lists(source, min_size=size, max_size=size))  # noqa: E731
    inputs = [np.array(column(source), np.int64) for source in (st.just(1_000), st.integers(0, 5), st.integers(1, 4))]
    limit, code = np.array(column(st.just(9)), np.int64), column(st.integers(0, codes.FROZEN))
    answers = []
    for module in (kernels, plain):
        low, high, why = np.full(size, 5, np.int64), np.full(size, 6, np.int64), np.array(code, np.uint8)
        module.widen_frozen(np.array(still, np.uint8), *inputs, least_ms, low, high, limit, why)
        answers.append((low.tolist(), high.tolist(), why.tolist()))
    assert answers[0] == answers[1]


@settings(deadline=None)
@given(
    spans_ms=st.lists(st.one_of(st.integers(1, 4_000), st.sampled_from([1_000, 2_000])), min_size=0, max_size=20),
    states=st.lists(st.sampled_from([-1, 0, 1]), min_size=21, max_size=21),
    longest_ms=st.sampled_from([0, 1, 1_000, 2_000]),
)
def test_the_compiled_state_kernel_says_what_the_plain_one_says(spans_ms, states, longest_ms):
    time_ms = np.cumsum([0, *spans_ms], dtype=np.int64)
    state = np.array(states[: len(time_ms)], np.int64)
    answers = []
    for module in (kernels, plain):
        out = [np.full(len(spans_ms), LEFT, np.int64) for _ in range(2)] + [np.full(len(spans_ms), LEFT, np.uint8)]
        answers.append((module.state_pairs(time_ms, state, longest_ms, *out), [column.tolist() for column in out]))
    assert answers[0] == answers[1]


@settings(deadline=None)
@given(
    spans_ms=st.lists(
        st.one_of(st.integers(1, 5_000_000), st.sampled_from([1, 3_599_999, 3_600_000])), min_size=0, max_size=20
    ),
    high=st.lists(st.one_of(st.integers(0, 100), st.sampled_from([2**62 - 1, 2**62])), min_size=20, max_size=20),
    origin_ms=st.one_of(st.just(0), st.integers(-(10**7), 10**7)),
)
def test_hours_are_summed_alike(spans_ms, high, origin_ms):
    second_ms = np.cumsum(spans_ms, dtype=np.int64)
    size = len(spans_ms)
    amounts = np.array(high[:size], np.int64)
    answers = []
    for module in (kernels, plain):
        out = [np.full(size, LEFT, np.int64) for _ in range(3)]
        count = module.hour_sums(second_ms, amounts // 2, amounts, origin_ms, *out)
        answers.append((count, [column[: max(count, 0)].tolist() for column in out]))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("module", [kernels, plain])
def test_an_hour_ends_with_the_instant_that_the_next_begins_behind(module):
    second_ms = np.array([0, 1, 3_600_000, 3_600_001, 7_200_000], np.int64)
    out = [np.full(5, LEFT, np.int64) for _ in range(3)]
    assert module.hour_sums(second_ms, np.zeros(5, np.int64), np.arange(1, 6, dtype=np.int64), 0, *out) == 3
    assert [column[:3].tolist() for column in out] == [[-1, 0, 1], [0, 0, 0], [1, 5, 9]]


@pytest.mark.parametrize("module", [kernels, plain])
@pytest.mark.parametrize(("last", "count"), [(2**62 - 1, 1), (2**62, codes.OVERFLOW)])
def test_an_hour_holds_as_much_as_int64_does(module, last, count):
    high = np.array([2**62, last], np.int64)
    out = [np.full(2, LEFT, np.int64) for _ in range(3)]
    assert module.hour_sums(np.array([1, 2], np.int64), np.zeros(2, np.int64), high, 0, *out) == count


@pytest.mark.parametrize("module", [kernels, plain])
@pytest.mark.parametrize(("step", "most"), [((2**63 - 1) // 4, (2**63 - 1) // 4 + 6), (2**61, codes.OVERFLOW)])
def test_a_step_of_more_than_a_quarter_of_int64_is_an_overflow(module, step, most):
    assert module.possible_amount(3, 2, 1, step) == most


@pytest.mark.parametrize("module", [kernels, plain])
def test_an_amount_beyond_int64_is_an_overflow_and_never_a_small_number(module):
    readings = tuple(
        np.array(column, np.int64) for column in ([0, 10**12], [0, 10**12], [0, 10**12], [0, 5], [1, 1], [0, 0])
    )
    count, _ = run(module, (*readings, np.ones(2, np.uint8)), 2**60, 1, 0, False)
    assert count == codes.OVERFLOW
