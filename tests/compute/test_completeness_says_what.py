"""What too few readings, a gap and a substituted amount say: where, when, how much, and of how much allowed."""

from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from compute.completeness import Record, Substituted, completeness_findings, edges, monthly, substituted_findings
from compute.result import Blocked, MonthValue
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from metering.findings import Finding, Severity
from metering.interval import DAY_MS, HOUR_MS, Interval

RULE = ruleset().completeness
ZONE = ZoneInfo("Asia/Ulaanbaatar")
START_MS, END_MS = (midnight_ms(date(2026, month, 1), ZONE) for month in (1, 2))
JANUARY = Interval(START_MS, END_MS)
NONE = np.empty(0, np.int64)


def found(coverage, *gaps):
    month = MonthValue("2026-01", JANUARY, coverage, Fraction(0), 5)
    record = Record(NONE, NONE, edges(gaps), edges([]), 1_000)
    return list(completeness_findings("bus", "energy_export_total_wh", record, (month,), RULE))


def test_a_month_with_too_few_readings_says_how_many_came_and_how_many_should():
    assert found(Fraction(3, 4)) == [
        Finding(
            code="coverage-low",
            clause="CDM VVS 245",
            severity=Severity.WARNING,
            what="75.0 % of the readings due in 2026-01 count; at least 80.0 % should",
            point="bus",
            measurand="energy_export_total_wh",
            interval=JANUARY,
            evidence={"coverage": "3/4", "longest_gap_ms": "5"},
        )
    ]


@pytest.mark.parametrize(("coverage", "told"), [(Fraction(4, 5), 0), (Fraction(799, 1000), 1), (Fraction(1), 0)])
def test_four_fifths_of_a_month_are_enough(coverage, told):
    assert len(found(coverage)) == told


def test_a_gap_that_is_too_long_says_where_it_lies_and_what_to_do():
    gap = Interval(START_MS, START_MS + 7 * DAY_MS + DAY_MS // 2)
    assert found(Fraction(1), gap) == [
        Finding(
            code="gap-too-long",
            clause="CDM VVS 245",
            severity=Severity.BLOCKING,
            what="no reading counts for 7.5 days, and at most 7 are allowed;"
            " declare what the register showed meanwhile",
            point="bus",
            measurand="energy_export_total_wh",
            interval=gap,
        )
    ]


@pytest.mark.parametrize(("more_ms", "told"), [(0, 0), (1, 1)])
def test_a_gap_of_seven_days_is_not_too_long(more_ms, told):
    assert len(found(Fraction(1), Interval(START_MS, START_MS + 7 * DAY_MS + more_ms))) == told


def test_a_substituted_amount_says_of_what_and_when():
    part = Substituted("EC_AUX", "aux", 2026, JANUARY, Fraction(1, 4))
    what = "25.0 % of EC_AUX credited for 2026 was measured by nobody; at most 10.0 % may be"
    finding = Finding(
        code="substituted-too-much",
        clause="CDM VVS 245",
        severity=Severity.BLOCKING,
        what=what,
        point="aux",
        interval=JANUARY,
        evidence={"share": "1/4", "year": "2026"},
    )
    assert list(substituted_findings((part,), RULE)) == [(finding, Blocked("substituted-too-much", what, "aux"))]


def test_a_month_tells_its_span_and_is_never_more_than_complete():
    slots = np.arange(START_MS, END_MS, HOUR_MS // 2)
    twice_as_often = Record(slots, np.ones(len(slots), np.int64), edges([]), edges([]), HOUR_MS)
    (month,) = monthly(twice_as_often, JANUARY, ZONE)
    assert (month.month, month.interval, month.coverage) == ("2026-01", JANUARY, 1)


def test_a_doubt_within_a_longer_one_takes_nothing_away_from_it():
    days = [Interval(START_MS + first * DAY_MS, START_MS + end * DAY_MS) for first, end in ((2, 3), (0, 10), (20, 21))]
    (month,) = monthly(Record(NONE, NONE, edges([]), edges(days), HOUR_MS), JANUARY, ZONE)
    assert month.substituted_share == Fraction(11, 31)
