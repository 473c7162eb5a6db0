"""What a counter loses with its supply: over a gap D is only the low end, and a small step back has a name.

1000 quanta a second are possible, and 5 s may be lost: R of 5 s is 5 x 1050 + 1 = 5251.
"""

import numpy as np
import pytest
from computekit.pairs import counter_pairs

from compute import codes
from compute.errors import AmountOverflowError
from compute.intervals import CounterReadings, Rate
from compute.project import parse_project
from compute.sources import counter_readings

RATE = Rate(105, 100)  # quanta per ms
SECOND_MS = 1_000
NOT_SAVED = 5_251


def pairs_of(*readings, nonvolatile_ms=5 * SECOND_MS, interval_ms=SECOND_MS, modulus=0, resettable=False):
    """A reading is (second, value)."""
    time_ms = np.array([second * SECOND_MS for second, _ in readings], np.int64)
    size = len(readings)
    columns = CounterReadings(
        time_ms, time_ms, time_ms, np.array([value for _, value in readings], np.int64),
        np.ones(size, np.int64), np.zeros(size, np.int64), np.ones(size, np.uint8),
        modulus, resettable, nonvolatile_ms, interval_ms,
    )  # fmt: skip
    pairs = counter_pairs(columns, RATE)
    return [(int(low), int(high), int(code)) for low, high, code in zip(pairs.low, pairs.high, pairs.code, strict=True)]


@pytest.mark.parametrize("other", [{}, {"nonvolatile_ms": 1}, {"interval_ms": 1}])
def test_over_a_gap_a_counter_may_have_lost_what_it_had_not_saved_and_more_than_once(other):
    assert pairs_of((0, 50_000), (20, 53_000), **other) == [(3_000, 21_001, codes.NOT_SAVED)]


def test_a_gap_beside_an_impossible_step_proves_not_even_its_difference():
    assert pairs_of((0, 50_000), (20, 53_000), (21, 40_000)) == [
        (0, 21_001, codes.BESIDE_IMPOSSIBLE),
        (0, 1_051, codes.RESET),
    ]


def test_between_readings_that_follow_each_other_nothing_was_lost():
    assert pairs_of((0, 50_000), (1, 50_900)) == [(900, 900, codes.EXACT)]


@pytest.mark.parametrize("other", [{"nonvolatile_ms": 0}, {"interval_ms": 0}])
def test_a_counter_that_loses_nothing_or_is_not_asked_keeps_its_difference_over_a_gap(other):
    assert pairs_of((0, 50_000), (20, 53_000), **other)[0][:2] == (3_000, 3_000)


def test_a_rollover_over_a_gap_is_not_proved_for_several_losses_would_look_the_same():
    assert pairs_of((0, 99_000), (20, 1_000), modulus=100_000) == [(0, 21_001, codes.ROLLOVER_UNPROVED)]


def test_a_rollover_between_readings_that_follow_each_other_is_proved():
    assert pairs_of((0, 99_500), (1, 500), modulus=100_000) == [(1_000, 1_000, codes.ROLLOVER)]


def test_where_a_reset_would_not_show_the_pair_is_wide_enough_already():
    assert pairs_of((0, 5_000), (20, 6_000), resettable=True) == [(1_000, 21_001, codes.RESET_NOT_EXCLUDED)]


def test_a_step_back_by_what_was_not_saved_has_a_name_of_its_own_and_proves_as_little_as_a_reset():
    assert pairs_of((0, 50_000), (1, 50_500), (2, 50_500 - NOT_SAVED), (3, 46_000)) == [
        (0, 1_051, codes.BESIDE_IMPOSSIBLE),
        (0, 1_051, codes.STEPPED_BACK),
        (0, 1_051, codes.BESIDE_IMPOSSIBLE),
    ]


def test_a_step_back_by_one_quantum_is_one():
    assert pairs_of((0, 50_000), (1, 49_999)) == [(0, 1_051, codes.STEPPED_BACK)]


def test_how_much_may_be_lost_is_asked_only_of_a_counter_that_went_down():
    too_long_ms = 2**62  # int64 cannot hold what was possible in it
    assert pairs_of((0, 50_000), (1, 50_000), nonvolatile_ms=too_long_ms) == [(0, 0, codes.EXACT)]
    with pytest.raises(AmountOverflowError):
        pairs_of((0, 50_000), (1, 49_999), nonvolatile_ms=too_long_ms)


def test_a_step_back_by_one_quantum_more_is_a_reset():
    assert pairs_of((0, 50_500), (1, 50_500 - NOT_SAVED - 1))[0][2] == codes.RESET


def test_a_small_step_back_is_no_rollover_although_the_modulus_would_allow_it():
    assert pairs_of((0, 6_000), (20, 5_000), modulus=22_000) == [(0, 21_001, codes.STEPPED_BACK)]


def test_the_map_says_how_much_time_is_lost_and_the_ruleset_whether_it_counts(project_texts, make_evidence, shown):
    project = parse_project(project_texts["solar-pv"]())
    part = shown("bus", "energy_export_total_wh", {0: 1, 900_000: 2}, nonvolatile_s=300)
    series = make_evidence([part]).series("bus", "energy_export_total_wh")
    asked, not_asked = counter_readings(project, series, supply_loss=True), counter_readings(project, series)
    assert (asked.nonvolatile_ms, asked.interval_ms) == (300_000, 900_000)
    assert not_asked.nonvolatile_ms == 0
