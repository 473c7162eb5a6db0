"""Which readings may count, and how far apart two values of a register are."""

from fractions import Fraction

import numpy as np
import pytest

from compute.sources import _float_steps, _modulus, presence
from metering import decode
from metering.devicemap import parse_device_map
from metering.interval import Interval

HEAT_MAP = """
schema = "sakugen.devicemap/1"
make = "Test"
model = "heat"
tier = "bench"
[[source]]
title = "datasheet"
read = "the manual"
[[register]]
name = "value"
measurand = "heat_total_j"
function = 3
address = 0
type = "f32"
scale = "3600000"
"""


@pytest.mark.parametrize("words", [(0x4996, 0xB438), (0x3F80, 0x0000), (0x4B80, 0x0001), (0x42C8, 0x6666)])
def test_the_step_of_a_float_register_is_the_one_its_words_tell(words):
    register = parse_device_map(HEAT_MAP).registers[0]
    value = decode.decode(register, words)
    steps = _float_steps(np.array([value], np.int64), register, 1)
    assert steps.tolist() == [decode.resolution(register, words)]


def test_a_complete_series_has_no_gap():
    time_ms = np.arange(0, 100, 10, dtype=np.int64)
    found = presence(time_ms, np.ones(10, np.bool_), 10, Interval(0, 100))
    assert (found.due, found.usable, found.coverage, found.longest_gap_ms) == (10, 10, 1, 0)


def test_missing_readings_lower_coverage_and_show_as_the_longest_gap():
    time_ms = np.arange(0, 100, 10, dtype=np.int64)
    usable = np.array([1, 1, 0, 0, 1, 1, 1, 0, 1, 1], np.bool_)
    found = presence(time_ms, usable, 10, Interval(0, 100))
    assert (found.coverage, found.longest_gap_ms) == (Fraction(7, 10), 30)


def test_nothing_read_is_no_coverage_and_one_long_gap():
    none = np.empty(0, np.int64)
    found = presence(none, none.astype(np.bool_), 0, Interval(0, 100))
    assert (found.coverage, found.longest_gap_ms) == (0, 100)


@pytest.mark.parametrize(("modulus", "counts_as"), [(2**32, 2**32 * 3_600_000), (2**63 - 1, 0)])
def test_a_modulus_that_int64_quanta_cannot_hold_is_as_good_as_none(modulus, counts_as):
    text = HEAT_MAP.replace('type = "f32"', f'type = "u64"\nmodulus = "{modulus}"')
    assert _modulus(list(parse_device_map(text).registers)) == counts_as
