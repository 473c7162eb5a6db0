"""The quality table: the same number for the same reason for ever."""

import pytest

from metering.quality import VALUED, Quality


def test_every_code_keeps_its_number_and_its_label():
    # Numbers stand in records that nobody can write again: add below, never renumber.
    assert {quality.label: int(quality) for quality in Quality} == {
        "ok": 0,
        "no-answer": 1,
        "exception": 2,
        "sentinel": 3,
        "bad-frame": 4,
        "out-of-range": 5,
        "late-read": 6,
        "conflict": 7,
        "clock": 8,
        "agent-down": 9,
        "not-due": 10,
        "dropped": 11,
        "thinned": 12,
        "unexplained": 13,
        "overrun": 14,
        "clock-behind": 15,
    }


def test_every_code_fits_one_byte():
    assert all(0 <= code <= 255 for code in Quality)


def test_only_good_and_late_readings_have_a_value():
    assert {Quality.OK, Quality.LATE_READ} == VALUED


@pytest.mark.parametrize("quality", Quality)
def test_a_label_leads_back_to_its_code(quality):
    assert Quality.from_label(quality.label) is quality


@pytest.mark.parametrize("label", ["", "no answer", "holiday", "NO-ANSWER "])
def test_an_unknown_label_is_answered_with_those_that_are_known(label):
    with pytest.raises(ValueError, match=r"unknown quality .*; known: ok, no-answer"):
        Quality.from_label(label)
