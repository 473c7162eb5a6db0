"""What the console says about tonnes: compute's words and numbers, unchanged."""

from fractions import Fraction

import pytest

from compute.hours import HourResult
from compute.methodologies import Emissions
from compute.pairs import Pair
from compute.result import Blocked, Result, VintageResult
from compute.results import ResultsWriter
from dashboards.console.config import ConsoleSettings
from dashboards.console.sources import Sources
from metering.clock import SystemClock
from metering.config import parse_toml
from metering.interval import HOUR_MS, Interval

NEW_YEAR = Interval(1_766_505_600_000, 1_767_715_200_000)


def vintage(year, low, high):
    nothing = Fraction(0)
    integer = low.numerator // low.denominator
    return VintageResult(
        year=year, interval=NEW_YEAR, reference=Pair(low, high), project=Pair(nothing, nothing),
        leakage=Pair(nothing, nothing), reduction=Pair(low, high), credited=Emissions(low, nothing, nothing), corner={},
        integer=integer, remainder=low - integer, issuable=max(integer, 0),
    )  # fmt: skip


def result(vintages, blocked):
    return Result(
        project="demo-solar", title="", jcm_reference="", partner_country="", time_zone="", period="year-end",
        interval=NEW_YEAR, methodology="", methodology_version="", methodology_digest="", engine="", ruleset="",
        input_digest="", evidence_digest="", evidence=(), vintages=vintages, monitored=(), fixed=(), findings=(),
        blocked_by=blocked,
    )  # fmt: skip


@pytest.fixture
def settings(settings_text):
    return parse_toml(settings_text(), ConsoleSettings, "console.toml")


def shown(settings):
    (project,) = Sources(settings, SystemClock()).snapshot().projects
    return project


def test_each_vintage_shows_its_whole_tonnes_and_both_exact_ends(settings):
    vintages = (vintage(2025, Fraction(12_345, 1000), Fraction(13)), vintage(2026, Fraction(-1, 3), Fraction(1, 2)))
    with ResultsWriter(settings.results) as writer:
        writer.put(result(vintages, ()), provisional=True, computed_ms=1)
    tonnes = shown(settings).tonnes
    first, second = tonnes.vintages
    assert (first.period, first.year, first.tonnes, first.provisional) == ("year-end", 2025, "12", True)
    assert (first.low, first.high) == ("12.345000000", "13.000000000")
    assert (second.tonnes, second.low, second.high) == ("-1", "-0.333333334", "0.500000000")
    assert tonnes.creditable


def test_what_blocks_crediting_is_said_in_computes_words(settings):
    blocked = (
        Blocked("unverified", "EF_grid is marked M", "EF_grid"),
        Blocked("calibration", "no calibration", "ac-bus"),
    )
    with ResultsWriter(settings.results) as writer:
        writer.put(result((vintage(2025, Fraction(5), Fraction(5)),), blocked), provisional=False, computed_ms=1)
    tonnes = shown(settings).tonnes
    assert (tonnes.creditable, tonnes.blocked_by) == (False, ("EF_grid is marked M", "no calibration"))
    assert not tonnes.vintages[0].provisional


def test_why_compute_could_not_compute_stands_beside_what_it_said_before(settings):
    with ResultsWriter(settings.results) as writer:
        writer.put(result((vintage(2025, Fraction(5), Fraction(5)),), ()), provisional=True, computed_ms=1)
        writer.trouble("demo-solar", "rating of ac-bus is missing")
    project = shown(settings)
    assert project.trouble == "rating of ac-bus is missing"
    assert project.tonnes.vintages[0].tonnes == "5"


def test_results_of_another_project_are_not_shown_here(settings, settings_text):
    with ResultsWriter(settings.results) as writer:
        writer.put(result((vintage(2025, Fraction(5), Fraction(5)),), ()), provisional=True, computed_ms=1)
    other = parse_toml(settings_text().replace("demo-solar", "demo-wind"), ConsoleSettings, "console.toml")
    assert shown(other).tonnes.vintages == ()


def test_results_that_cannot_be_read_are_said(settings):
    settings.results.write_bytes(b"no results in here, whatever its name says" * 30)
    assert "cannot be read as results" in shown(settings).trouble


def hour(at, reduction):
    return HourResult(NEW_YEAR.start_ms + at * HOUR_MS, reduction, Fraction(0), reduction, "")


def test_what_the_last_day_gave_is_the_sum_of_its_hours(settings):
    hours = [hour(at, Fraction(at, 4)) for at in range(30)]
    with ResultsWriter(settings.results) as writer:
        writer.put(result((vintage(2025, Fraction(5), Fraction(5)),), ()), hours[:1], provisional=True, computed_ms=1)
        assert shown(settings).tonnes.lately == "0.000 tCO₂e in the last hour, 0.000 tCO₂e in the last 1 h"
        writer.put(result((vintage(2025, Fraction(5), Fraction(5)),), ()), hours, provisional=True, computed_ms=1)
    assert shown(settings).tonnes.lately == "7.250 tCO₂e in the last hour, 105.000 tCO₂e in the last 24 h"
