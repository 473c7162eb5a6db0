"""The rule for a COUNTER (contracts 6) in numbers one can check in the head: 1000 quanta a second, × 1.05 = 1050."""

from fractions import Fraction

import numpy as np
import pytest
from computekit.pairs import counter_pairs, law_of, segment_of

from compute import codes
from compute.errors import AmountOverflowError, ProjectError
from compute.intervals import CounterReadings, Rate, rate_of
from compute.law import Cuts
from compute.segments import exact_sum

RATE = Rate(105, 100)  # quanta per ms: 1.05 a ms
SECOND_MS = 1_000
STEP = 1


def pairs_of(values, *, resettable=False, modulus=0, usable=None, epoch=None, answer_ms=None, request_ms=None):
    size = len(values)
    time_ms = np.arange(size, dtype=np.int64) * SECOND_MS
    readings = CounterReadings(
        time_ms=time_ms,
        request_ms=time_ms if request_ms is None else np.array(request_ms, np.int64),
        answer_ms=time_ms if answer_ms is None else np.array(answer_ms, np.int64),
        value=np.array(values, np.int64),
        step=np.full(size, STEP, np.int64),
        epoch=np.zeros(size, np.int64) if epoch is None else np.array(epoch, np.int64),
        usable=np.ones(size, np.uint8) if usable is None else np.array(usable, np.uint8),
        modulus=modulus,
        resettable=resettable,
    )
    pairs = counter_pairs(readings, RATE)
    return [(int(low), int(high), int(code)) for low, high, code in zip(pairs.low, pairs.high, pairs.code, strict=True)]


def readings_of(time_ms, values):
    time_ms, size = np.array(time_ms, np.int64), len(values)
    return CounterReadings(
        time_ms, time_ms, time_ms, np.array(values, np.int64),
        np.full(size, STEP, np.int64), np.zeros(size, np.int64), np.ones(size, np.uint8), 0, False,
    )  # fmt: skip


def test_a_difference_within_the_rating_stands():
    assert pairs_of([5_000, 5_400, 6_400]) == [(400, 400, codes.EXACT), (1_000, 1_000, codes.EXACT)]


def test_r_is_rated_times_1_05_times_the_time_between_answers_and_one_step():
    # 1000 a second × 1.05 × 1 s + 1 = 1051: just possible; 1052 is not.
    assert pairs_of([5_000, 6_051])[0] == (1_051, 1_051, codes.EXACT)
    assert pairs_of([5_000, 6_052])[0] == (0, 1_051, codes.SPIKE)


def test_the_time_from_the_request_to_the_later_answer_counts_and_not_the_time_between_slots():
    assert pairs_of([5_000, 6_052], answer_ms=[0, 1_001])[0][2] == codes.EXACT
    # Asked at 0 and answered at 500: the first value may be as old as the request.
    assert pairs_of([5_000, 6_051], answer_ms=[500, 1_000])[0] == (1_051, 1_051, codes.EXACT)
    assert pairs_of([5_000, 6_051], answer_ms=[500, 1_000], request_ms=[500, 1_000])[0][2] == codes.SPIKE


def test_a_difference_stands_over_a_gap():
    assert pairs_of([5_000, 0, 6_500], usable=[1, 0, 1]) == [(1_500, 1_500, codes.BRIDGED)]


def test_a_reset_that_would_not_have_shown_makes_the_difference_the_low_end():
    # 800 is not above R = 1051, so the counter could have been set to 0 and have come to 900 again.
    assert pairs_of([800, 900], resettable=True) == [(100, 1_051, codes.RESET_NOT_EXCLUDED)]
    assert pairs_of([800, 900], resettable=False) == [(100, 100, codes.EXACT)]
    assert pairs_of([1_051, 1_151], resettable=True) == [(100, 1_051, codes.RESET_NOT_EXCLUDED)]
    assert pairs_of([1_052, 1_152], resettable=True) == [(100, 100, codes.EXACT)]


def test_a_counter_that_went_down_proves_nothing_on_either_side_of_the_step():
    assert pairs_of([9_000, 9_100, 50, 150, 250]) == [
        (0, 1_051, codes.BESIDE_IMPOSSIBLE),
        (0, 1_051, codes.RESET),
        (0, 1_051, codes.BESIDE_IMPOSSIBLE),
        (100, 100, codes.EXACT),
    ]


def test_one_quantum_down_is_a_reset():
    assert pairs_of([5_000, 4_999]) == [(0, 1_051, codes.RESET)]


def test_a_rise_beyond_int64_proves_as_little_as_a_fall():
    assert pairs_of([0, 2**63 - 1]) == [(0, 1_051, codes.SPIKE)]
    assert pairs_of([-1, 2**63 - 1]) == [(0, 1_051, codes.RESET)]


def test_a_single_wrong_zero_of_a_young_counter_earns_nothing():
    # 0 → 1000 alone would look like an honest second at full power.
    assert sum(low for low, _, _ in pairs_of([990, 0, 1_000])) == 0


@pytest.mark.parametrize(("to", "gain"), [(0, 10), (30, 40), (1_041, 1_051)])
def test_a_rollover_of_a_counter_that_cannot_be_reset_is_exact(to, gain):
    assert pairs_of([9_990, to], modulus=10_000) == [(gain, gain, codes.ROLLOVER)]


@pytest.mark.parametrize(
    ("values", "modulus"),
    [([9_990, 1_042], 10_000), ([9_990, -1], 10_000), ([10_000, 30], 10_000), ([1_000, 30], 1_051)],
    ids=["by more than R", "to below 0", "from the modulus, which it never shows", "where R reaches the modulus"],
)
def test_a_counter_that_cannot_have_rolled_over_was_reset(values, modulus):
    assert pairs_of(values, modulus=modulus) == [(0, 1_051, codes.RESET)]


def test_a_rollover_of_a_counter_that_can_be_reset_is_not_proved():
    assert pairs_of([9_990, 30], modulus=10_000, resettable=True) == [(0, 1_051, codes.ROLLOVER_UNPROVED)]


def test_a_rollover_that_is_not_proved_makes_the_steps_beside_it_doubtful_too():
    assert pairs_of([9_890, 9_990, 30, 130], modulus=10_000, resettable=True) == [
        (0, 1_051, codes.BESIDE_IMPOSSIBLE),
        (0, 1_051, codes.ROLLOVER_UNPROVED),
        (0, 1_051, codes.BESIDE_IMPOSSIBLE),
    ]


@pytest.mark.parametrize("modulus", [1_051, 1])
def test_when_r_reaches_the_modulus_the_difference_is_only_the_low_end(modulus):
    assert pairs_of([100, 400], modulus=modulus) == [(300, 1_051, codes.RESET_NOT_EXCLUDED)]
    assert pairs_of([100, 400], modulus=1_052) == [(300, 300, codes.EXACT)]


def test_two_meters_share_no_difference():
    assert pairs_of([5_000, 5_100], epoch=[0, 1]) == [(0, 1_051, codes.METER_CHANGED)]


@pytest.mark.parametrize("later_ms", [1_400, 1_500])
def test_answers_that_run_backwards_or_are_in_at_once_prove_nothing(later_ms):
    assert pairs_of([5_000, 5_100], answer_ms=[1_500, later_ms]) == [(0, 1_051, codes.CLOCK_ORDER)]


def test_an_amount_that_int64_cannot_hold_is_refused():
    readings = CounterReadings(
        *(np.array(column, np.int64) for column in ([0, 10**15], [0, 10**15], [0, 10**15], [0, 1], [1, 1], [0, 0])),
        usable=np.ones(2, np.uint8), modulus=0, resettable=False,
    )  # fmt: skip
    with pytest.raises(AmountOverflowError, match="rated_power_w"):
        counter_pairs(readings, Rate(10**9, 1))


def test_the_rate_of_8_3_mw_is_exact():
    # 8.3e9 mW × 1.05 × 900 s / 3.6e6 ms per h = 2,178,750,000 mWh in a quarter of an hour.
    rate = rate_of("energy_export_total_wh", Fraction(8_300_000), Fraction(105, 100))
    assert rate.possible(900_000, 0) == 2_178_750_000


def test_the_rate_of_heat_is_in_joules():
    # 1.2 MW × 1.05 × 1 s = 1,260,000 J.
    assert rate_of("heat_total_j", Fraction(1_200_000), Fraction(105, 100)).possible(1_000, 0) == 1_260_000


def test_a_measurand_that_no_power_bounds_is_refused():
    with pytest.raises(ProjectError, match="volume_total_m3 is not bounded"):
        rate_of("volume_total_m3", Fraction(1), Fraction(1))


def test_sums_beyond_int64_are_exact():
    assert exact_sum(np.full(5, 2**62, np.int64)) == 5 * 2**62
    assert exact_sum(np.array([-5, 3], np.int64)) == -2


def test_an_hour_holds_as_much_as_int64_and_no_more():
    fast, part = Rate(2**61 - 1, 1), 2**61 - 1  # 4 parts and 3 are 2^63 - 1
    readings = readings_of(range(6), [0, part, 2 * part, 3 * part, 4 * part, 4 * part + 3])
    assert segment_of(readings, law_of(readings, fast, Cuts(0))).hours.high.tolist() == [2**63 - 1]
    readings = readings_of(range(6), [-1, part, 2 * part, 3 * part, 4 * part, 4 * part + 3])
    with pytest.raises(AmountOverflowError, match="rated_power_w"):
        segment_of(readings, law_of(readings, fast, Cuts(0)))


def test_only_a_pair_over_more_than_a_day_is_kept_by_itself_though_it_is_exact():
    day_ms = 86_400_000
    readings = readings_of([0, day_ms, 2 * day_ms + 1], [10_000, 10_010, 10_020])
    marks = segment_of(readings, law_of(readings, RATE, Cuts(0))).marks
    assert (marks.earlier_slot_ms.tolist(), marks.code.tolist()) == ([day_ms], [codes.EXACT])


def test_a_pair_belongs_to_the_hour_of_its_second_reading():
    hour_ms = 3_600_000
    readings = readings_of([0, hour_ms, hour_ms + 900_000, 2 * hour_ms], [10_000, 10_010, 10_013, 10_020])
    hours = segment_of(readings, law_of(readings, RATE, Cuts(0))).hours
    # The reading at 0 lies in no pair before it; that at 2:00 ends the second hour and is counted in the third.
    assert hours.table.tolist() == [[0, 0, 10, 10, 1], [hour_ms, 0, 10, 10, 2], [2 * hour_ms, 0, 0, 0, 1]]
