"""Completeness: months in local time, gaps that are seen whole, and what of a credited amount nobody measured."""

from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from compute.completeness import (
    Record,
    Substituted,
    completeness_findings,
    edges,
    gap_blocks,
    monthly,
    months_of,
    substituted,
    substituted_findings,
)
from compute.pairs import Pair
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from metering.findings import Severity
from metering.interval import DAY_MS, HOUR_MS, Interval

ZONE = ZoneInfo("Asia/Ulaanbaatar")
RULE = ruleset().completeness
NONE = edges([])


def midnight(text):
    return midnight_ms(date.fromisoformat(text), ZONE)


PERIOD = Interval(midnight("2025-12-20"), midnight("2026-02-10"))


def record(missing=(), doubts=(), interval_ms=HOUR_MS):
    """Hourly readings of the period without those of some spans."""
    slots = np.arange(PERIOD.start_ms, PERIOD.end_ms, HOUR_MS)
    for span in missing:
        slots = slots[(slots < span.start_ms) | (slots >= span.end_ms)]
    gaps = tuple(Interval(span.start_ms - HOUR_MS, span.end_ms) for span in missing)
    return Record(slots, np.ones(len(slots), np.int64), edges(gaps), edges(doubts), interval_ms)


def span(start, end):
    return Interval(midnight(start), midnight(end))


def test_months_begin_at_the_local_first_and_end_with_the_period():
    assert months_of(PERIOD, ZONE) == (
        ("2025-12", span("2025-12-20", "2026-01-01")),
        ("2026-01", span("2026-01-01", "2026-02-01")),
        ("2026-02", span("2026-02-01", "2026-02-10")),
    )
    assert months_of(span("2026-01-01", "2026-02-01"), ZONE) == (("2026-01", span("2026-01-01", "2026-02-01")),)


def test_a_month_that_was_read_throughout_is_complete():
    months = monthly(record(), PERIOD, ZONE)
    assert [(month.month, month.coverage, month.longest_gap_ms, month.substituted_share) for month in months] == [
        ("2025-12", 1, 0, 0),
        ("2026-01", 1, 0, 0),
        ("2026-02", 1, 0, 0),
    ]
    assert list(completeness_findings("bus", "x", record(), months, RULE)) == []
    assert list(gap_blocks("bus", record(), RULE)) == []


def test_hours_that_hold_several_readings_count_each_of_them():
    one = record()
    counted = Record(one.slot_ms, np.full(len(one.slot_ms), 4), NONE, NONE, HOUR_MS // 4)
    assert [month.coverage for month in monthly(counted, PERIOD, ZONE)] == [1, 1, 1]
    assert [
        month.coverage for month in monthly(Record(one.slot_ms, one.count, NONE, NONE, HOUR_MS // 4), PERIOD, ZONE)
    ] == [Fraction(1, 4)] * 3


def test_a_gap_over_the_end_of_a_month_is_seen_whole_in_both():
    six_days = span("2025-12-29", "2026-01-04")
    months = monthly(record([six_days]), PERIOD, ZONE)
    whole_ms = 6 * DAY_MS + HOUR_MS
    assert [month.longest_gap_ms for month in months] == [whole_ms, whole_ms, 0]
    assert [month.coverage for month in months] == [Fraction(9, 12), Fraction(28, 31), 1]


@pytest.mark.parametrize(("days", "told"), [(2, False), (3, True)])
def test_less_than_four_fifths_of_a_month_is_told(days, told):
    missing = [span("2025-12-21", f"2025-12-{21 + days}")]
    months = monthly(record(missing), PERIOD, ZONE)
    found = list(completeness_findings("bus", "x", record(missing), months, RULE))
    assert [finding.code for finding in found] == (["coverage-low"] if told else [])
    if told:
        assert (found[0].severity, found[0].interval, found[0].point) == (Severity.WARNING, months[0].interval, "bus")
        assert found[0].what == "75.0 % of the readings due in 2025-12 count; at least 80.0 % should"


TOO_LONG = (
    "from 2026-01-09T15:00:00Z: no reading counts for 7.0 days, and at most 7 are allowed;"
    " declare what the register showed meanwhile"
)


@pytest.mark.parametrize(("hours", "blocked"), [(7 * 24 - 1, False), (7 * 24, True)])
def test_more_than_seven_days_without_a_reading_are_not_creditable(hours, blocked):
    start_ms = midnight("2026-01-10")
    missing = [Interval(start_ms, start_ms + hours * HOUR_MS)]  # the gap begins with the reading an hour before
    (month,) = [month for month in monthly(record(missing), PERIOD, ZONE) if month.month == "2026-01"]
    codes = [finding.code for finding in completeness_findings("bus", "x", record(missing), (month,), RULE)]
    assert ("gap-too-long" in codes) is blocked
    assert [(why.code, why.where, why.what) for why in gap_blocks("bus", record(missing), RULE)] == (
        [("gap-too-long", "bus", TOO_LONG)] if blocked else []
    )


def test_overlapping_doubts_are_counted_once_and_cut_at_the_month():
    doubts = [
        span("2026-02-01", "2026-02-02"),
        span("2025-12-28", "2026-01-03"),
        span("2026-01-01", "2026-01-05"),
        span("2026-01-02", "2026-01-03"),
        span("2025-12-21", "2025-12-22"),
    ]
    months = monthly(record(doubts=doubts), PERIOD, ZONE)
    assert [month.substituted_share for month in months] == [
        Fraction(5, 12),
        Fraction(4, 31),
        Fraction(1, 9),
    ]


def test_what_was_never_read_is_not_complete_at_all():
    nothing = Record(np.empty(0, np.int64), np.empty(0, np.int64), edges([PERIOD]), edges([PERIOD]), 0)
    assert [(month.coverage, month.substituted_share) for month in monthly(nothing, PERIOD, ZONE)] == [(0, 1)] * 3


@pytest.mark.parametrize(
    ("credited", "pair", "seen", "share"),
    [
        ("high", Pair(100, 100), 0, 0),
        ("high", Pair(90, 100), 0, Fraction(1, 10)),
        ("high", Pair(0, 100), 0, 1),
        ("high", Pair(0, 1), 0, 1),
        ("high", Pair(80, 100), 15, Fraction(1, 20)),
        ("high", Pair(80, 100), 30, 0),
        ("high", Pair(0, 0), 0, 0),
        ("low", Pair(0, 100), 0, 0),
    ],
)
def test_substituted_is_what_is_credited_beyond_what_a_meter_showed(credited, pair, seen, share):
    assert substituted(credited, pair, seen) == share


@pytest.mark.parametrize(("share", "blocked"), [(Fraction(1, 10), False), (Fraction(101, 1000), True)])
def test_more_than_a_tenth_substituted_is_not_creditable(share, blocked):
    part = Substituted("EC_AUX", "aux", 2026, span("2026-01-01", "2026-02-01"), share)
    found = list(substituted_findings((part,), RULE))
    assert [(finding.code, finding.severity, why.code, why.where) for finding, why in found] == (
        [("substituted-too-much", Severity.BLOCKING, "substituted-too-much", "aux")] if blocked else []
    )
    if blocked:
        assert found[0][1].what == ("10.1 % of EC_AUX credited for 2026 was measured by nobody; at most 10.0 % may be")
