"""Scoring, both ways: each fault is found, and a clean journal has none."""

from dataclasses import replace

import pytest

from metering.interval import Interval
from simulators.ledger import ServedAnswer
from simulators.score import ExplainedGap, JournalledAnswer, score

SLOT_MS = 900_000


def served(slot, words=None, device="ac-bus", address=0x0C87):
    value = (1_000 + slot if words is None else words).to_bytes(8, "big")
    return ServedAnswer(slot * SLOT_MS + 120, "demo-solar", "mongolia-farm", device, 10, 3, address, value)


def journalled(slot, words=None, device="ac-bus", address=0x0C87):
    value = (1_000 + slot if words is None else words).to_bytes(8, "big")
    at_ms = slot * SLOT_MS
    return JournalledAnswer(device, 3, address, value, at_ms, at_ms + 100, at_ms + 150)


def test_a_journal_that_holds_what_was_served_is_clean():
    result = score([served(slot) for slot in range(50)], [journalled(slot) for slot in reversed(range(50))])
    assert result.clean
    assert (result.served, result.journalled, result.matched) == (50, 50, 50)


def test_equal_words_in_different_slots_are_different_answers():
    night = [served(slot, words=7) for slot in range(10)]
    assert score(night, [journalled(slot, words=7) for slot in range(10)]).clean
    assert len(score(night, [journalled(slot, words=7) for slot in range(9)]).lost) == 1


def test_blocks_of_other_devices_and_addresses_are_not_mixed_up():
    answers = [served(1), served(1, device="inverter-1"), served(1, address=0x0C83)]
    entries = [journalled(1), journalled(1, device="inverter-1"), journalled(1, address=0x0C83)]
    assert score(answers, entries).clean
    assert len(score(answers, [replace(entry, device="ac-bus") for entry in entries]).lost) == 1


def test_an_answer_missing_from_the_journal_is_lost():
    result = score([served(0), served(1)], [journalled(0)])
    assert result.lost == (served(1),)
    assert not result.clean


def test_an_answer_in_an_explained_gap_is_not_lost():
    gap = ExplainedGap("ac-bus", Interval(SLOT_MS, 2 * SLOT_MS))
    result = score([served(0), served(1)], [journalled(0)], [gap])
    assert result.clean
    assert result.explained == (served(1),)


@pytest.mark.parametrize(
    "gap",
    [
        pytest.param(ExplainedGap("inverter-1", Interval(SLOT_MS, 2 * SLOT_MS)), id="another device"),
        pytest.param(ExplainedGap(None, Interval(0, SLOT_MS)), id="another time"),
    ],
)
def test_a_gap_elsewhere_explains_nothing(gap):
    assert score([served(0), served(1)], [journalled(0)], [gap]).lost == (served(1),)


def test_an_answer_journalled_twice_is_doubled():
    result = score([served(0)], [journalled(0), journalled(0)])
    assert result.doubled == (journalled(0),)
    assert not result.clean


def test_words_that_were_never_served_are_wrong_and_the_answer_is_lost():
    result = score([served(0)], [journalled(0, words=1)])
    assert result.wrong == (journalled(0, words=1),)
    assert result.lost == (served(0),)


def test_right_words_at_a_wrong_time_are_wrong():
    moved = replace(journalled(0), sent_ms=121, received_ms=200)
    assert score([served(0)], [moved]).wrong == (moved,)
    assert score([served(0)], [moved], tolerance_ms=1).clean


def test_an_answer_received_long_after_its_slot_is_late():
    slow = replace(journalled(0), received_ms=SLOT_MS // 2)
    assert score([served(0)], [slow], late_after_ms=SLOT_MS // 5).late == (slow,)
    assert score([served(0)], [journalled(0)], late_after_ms=SLOT_MS // 5).clean


def test_overlapping_windows_are_matched_as_well_as_they_can_be():
    answers = [replace(served(0, words=7), served_ms=10), replace(served(0, words=7), served_ms=20)]
    wide = replace(journalled(0, words=7), sent_ms=0, received_ms=30)
    narrow = replace(journalled(0, words=7), sent_ms=5, received_ms=15)
    assert score(answers, [wide, narrow]).clean
