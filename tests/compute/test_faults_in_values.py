"""What meters do to their values, one by one: the amount that is credited never rises, and the fault has a name.

Where nothing in the readings betrays a fault, `docs/faults.md` says so; those have no test here.
"""

from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from computekit.pairs import counter_pairs
from computekit.registers import register_of

from compute import codes
from compute.engine import compute
from compute.intervals import rate_of
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.sources import counter_readings
from compute.vintages import midnight_ms
from ingest.store.series import Binding, Meter, Series
from metering.decode import decode
from metering.quality import Quality

HOUR_MS = 3_600_000
START_MS, NEW_YEAR_MS, END_MS = (
    midnight_ms(day, ZoneInfo("Asia/Ulaanbaatar")) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2))
)
SLOTS = tuple(range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS))
NOON, EVENING = SLOTS[14], SLOTS[20]
MW_H = 1_000_000_000  # quanta in a MWh
EXPORT = "energy_export_total_wh"
RATED_W, MARGIN = 8_300_000, Fraction(105, 100)
TRUE_MW = 2  # ten times as much would be more than the plant can do


@pytest.fixture
def credited(project_texts, make_evidence, shown):
    """What is credited for these readings: the low end of each year, and the codes of the findings."""

    def compute_it(values, **more):
        project = parse_project(project_texts["solar-pv"]())
        part = shown("bus", EXPORT, values, **{"interval_ms": HOUR_MS} | more)
        result = compute(project, make_evidence([part]), project.period[0], ruleset())
        return [vintage.reduction.low for vintage in result.vintages], {finding.code for finding in result.findings}

    return compute_it


def true_counter():
    return {slot: 10_000 * MW_H + place * TRUE_MW * MW_H for place, slot in enumerate(SLOTS)}


def reset_to_zero(values):
    return {slot: value if slot < NOON else value - values[NOON] for slot, value in values.items()}


def back_by_five_minutes(values):
    """The supply fails at noon; the meter goes on from what it had saved five minutes before."""
    lost = TRUE_MW * MW_H // 12 + 1
    return {slot: value if slot < NOON else value - TRUE_MW * MW_H - lost for slot, value in values.items()}


def ten_times_from_noon(values):
    """A firmware that counts in another unit, or a current transformer of another ratio in the old sum as well."""
    return {slot: value if slot < NOON else 10 * value for slot, value in values.items()}


def ten_times_the_steps_from_noon(values):
    """A ratio that counts from now on, so that the sum itself does not jump."""
    return {slot: value if slot < NOON else value + 9 * (value - values[NOON]) for slot, value in values.items()}


def one_reading_of(number):
    return lambda values: values | {NOON: number}


def counts_down(values):
    """Current transformers turned round on a meter that counts both directions in one register."""
    return {slot: value if slot < NOON else 2 * values[NOON] - value for slot, value in values.items()}


FAULTS = [
    (reset_to_zero, "counter-reset"),
    (back_by_five_minutes, "counter-reset"),
    (ten_times_from_noon, "counter-spike"),
    (ten_times_the_steps_from_noon, "counter-spike"),
    (counts_down, "counter-reset"),
    (one_reading_of(0), "counter-reset"),
    (one_reading_of(2**32 * 1000), "counter-reset"),
    (one_reading_of(2**63 - 1), "counter-spike"),
    (one_reading_of(-5), "counter-reset"),
]
IDS = [
    "reset to 0", "back by five minutes", "ten times the value", "ten times the steps", "counts down", "a 0",
    "less than it was", "the largest number", "below 0",
]  # fmt: skip


@pytest.mark.parametrize(("fault", "code"), FAULTS, ids=IDS)
@pytest.mark.parametrize("reset_source", [None, "page 1: cannot be reset"])
def test_a_fault_in_the_values_is_named_and_credits_less_than_the_truth(credited, fault, code, reset_source):
    truth = true_counter()
    clean, _ = credited(truth, reset_source=reset_source)
    faulty, found = credited(fault(truth), reset_source=reset_source)
    assert code in found
    assert code not in credited(truth, reset_source=reset_source)[1]
    assert faulty[0] < clean[0], "the year of the fault"
    assert faulty[1] <= clean[1]


def test_values_frozen_overnight_credit_nothing_for_that_time_and_afterwards_only_what_the_counter_then_shows(credited):
    truth = true_counter()
    asleep = {slot for slot in SLOTS if EVENING <= slot < EVENING + 3 * HOUR_MS}
    clean, found = credited({slot: truth[EVENING] if slot in asleep else value for slot, value in truth.items()})
    assert clean == credited(truth)[0], "6 MWh in the hour of waking are possible, so nothing is lost or gained"
    assert found == set()
    for_ever = {slot: min(value, truth[EVENING]) for slot, value in truth.items()}
    frozen, _ = credited(for_ever)
    # From 00:00 to 18:00: 18 h of 2 MW, × 0.797.
    assert frozen == [18 * TRUE_MW * Fraction("0.797"), 0]


def test_values_frozen_while_the_plant_went_on_credit_no_more_than_the_rating_when_they_jump(credited):
    truth = true_counter()
    day = {slot for slot in SLOTS if SLOTS[4] <= slot < EVENING}
    frozen, found = credited({slot: truth[SLOTS[4]] if slot in day else value for slot, value in truth.items()})
    assert "counter-spike" in found
    assert frozen[0] < credited(truth)[0][0]


STEPS = 5  # from the word before the wrap to the word after it
WRAPS = [
    ("u16", 'scale = "1000"\nmodulus = "65536"', [[0xFFFD], [0x0002]]),
    ("u32", 'scale = "100"\nmodulus = "4294967296"', [[0xFFFF, 0xFFFD], [0x0000, 0x0002]]),
    ("mod10", 'count = 3\nword_order = "little"\nmodulus = "1000000000000"', [[9997, 9999, 9999], [2, 0, 0]]),
    ("mod10", 'count = 2\nscale = "100"\nmodulus = "100000000"', [[9999, 9997], [0, 2]]),
    ("u32", 'scale = "1000"\nmodulus = "1000000"', [[0x000F, 0x423D], [0, 2]]),  # a display of 999,999 kWh
    ("bcd", 'count = 2\nscale = "1000"\nmodulus = "1000000"', [[0x0099, 0x9997], [0, 2]]),
]
WRAP_IDS = ["2^16", "2^32", "10^4 mod10, three words", "10^4 mod10, two words", "10^6 kWh", "10^6 kWh in BCD"]
QUARTER_MS = 900_000


def pair_over(project_texts, word_type, more, words):
    """What two readings of these words, a quarter of an hour apart, give: (low, high, code, R, one step)."""
    register = register_of(EXPORT, word_type, more)
    bound = Binding("device/all", "device", Meter("Test", "Meter", "S1"), "0" * 64, register, 1, QUARTER_MS, ())
    time_ms = START_MS + np.array([0, QUARTER_MS], np.int64)
    series = Series(
        point="bus", measurand=EXPORT, time_ms=time_ms,
        value=np.array([decode(register, each) for each in words], np.int64),
        quality=np.full(2, Quality.OK, np.uint8), sent_ms=time_ms, received_ms=time_ms + 20,
        synced=np.ones(2, np.bool_), binding=np.zeros(2, np.int32), bindings=(bound,), raw_text=("", ""),
    )  # fmt: skip
    rate = rate_of(EXPORT, Fraction(RATED_W), MARGIN)
    pairs = counter_pairs(counter_readings(parse_project(project_texts["solar-pv"]()), series), rate)
    return int(pairs.low[0]), int(pairs.high[0]), int(pairs.code[0]), int(pairs.limit[0]), int(register.step)


@pytest.mark.parametrize(("word_type", "more", "words"), WRAPS, ids=WRAP_IDS)
def test_a_counter_that_wraps_and_cannot_be_reset_counts_on(project_texts, word_type, more, words):
    low, high, code, _, step = pair_over(project_texts, word_type, more + '\nreset_source = "page 1"', words)
    assert (low, high, code) == (STEPS * step, STEPS * step, codes.ROLLOVER)


@pytest.mark.parametrize(("word_type", "more", "words"), WRAPS, ids=WRAP_IDS)
def test_a_wrap_that_could_be_a_reset_or_is_not_known_proves_nothing(project_texts, word_type, more, words):
    low, high, code, most, _ = pair_over(project_texts, word_type, more, words)
    assert (low, high, code) == (0, most, codes.ROLLOVER_UNPROVED)
    unknown = more[: more.index("modulus")] + 'reset_source = "page 1"'
    low, high, code, most, _ = pair_over(project_texts, word_type, unknown, words)
    assert (low, high, code) == (0, most, codes.RESET)


def test_a_modulus_that_no_int64_holds_is_as_good_as_none(project_texts):
    four = 'count = 4\nword_order = "little"\nmodulus = "10000000000000000"\nreset_source = "page 1"'
    low, high, code, most, _ = pair_over(project_texts, "mod10", four, [[9997, 9999, 9999, 9], [2, 0, 0, 0]])
    assert (low, high, code) == (0, most, codes.RESET)


def test_an_accumulator_that_shows_0_after_a_reset_is_missing_and_then_a_reset(credited):
    truth = true_counter()
    # SunSpec's 0 means "not implemented" as well, so it never becomes a value.
    values = {slot: None if value == 0 else value for slot, value in reset_to_zero(truth).items()}
    faulty, found = credited(values)
    assert {"counter-reset", "readings-no-answer"} <= found
    assert faulty[0] < credited(truth)[0][0]
