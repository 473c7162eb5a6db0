"""What each hour gives: the vintages' own amounts an hour at a time, which add up to them with a rest that is named."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.engine import work_out
from compute.hours import HourAmounts, hourly
from compute.methodologies import methodology
from compute.project import parse_project
from compute.results import ResultsWriter, read_results
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from ingest.store.readings import collect

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, NEW_YEAR_MS, END_MS = (
    midnight_ms(day, ZONE) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2))
)
SLOTS = tuple(range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS))
MW_H = 1_000_000_000
EXPORT = "energy_export_total_wh"


def steady(slots=SLOTS, skipped=()):
    return {slot: 10_000 * MW_H + at * MW_H for at, slot in enumerate(slots) if slot not in skipped}


def worked_out(text, records):
    project = parse_project(text)
    workings = work_out(project, collect(records), project.period[0], ruleset())
    amounts = [HourAmounts(one.spec, one.point, one.hours, one.late) for one in workings.measured]
    return workings.result, hourly(workings.result, project.method, amounts, workings.fixed.factors)


@pytest.fixture
def solar(project_texts, make_records, shown):
    def build(values=None, text=None, **more):
        part = shown("bus", EXPORT, values or steady(), interval_ms=HOUR_MS, **more)
        return worked_out(text or project_texts["solar-pv"](), make_records([part]))

    return build


def kept(tmp_path, result, hours):
    """What results.sqlite says of the vintages."""
    with ResultsWriter(tmp_path / "results.sqlite") as writer:
        writer.put(result, hours, provisional=True, computed_ms=7)
    (known,) = read_results(tmp_path / "results.sqlite")
    return known.vintages


def test_each_hour_of_the_period_is_there_with_what_it_gave(solar):
    result, hours = solar()
    assert [hour.start_ms for hour in hours] == list(range(START_MS, END_MS, HOUR_MS))
    assert {(hour.reference, hour.project, hour.reduction) for hour in hours} == {
        (Fraction("0.797"), Fraction(0), Fraction("0.797"))
    }
    assert {hour.input_digest for hour in hours} == {result.input_digest}


def test_without_doubt_hours_add_up_to_the_vintages_and_nothing_is_beside_them(solar, tmp_path):
    result, hours = solar()
    for vintage in result.vintages:
        inside = [hour.reduction for hour in hours if hour.start_ms in vintage.interval]
        assert sum(inside) == vintage.reduction.low
    assert [vintage.beside_hours_tco2e for vintage in kept(tmp_path, result, hours)] == ["0.000000000"] * 2


def test_what_is_proved_for_no_single_hour_stands_beside_them(solar, tmp_path):
    """Nothing is read from 22:00 to 02:00 over New Year: four hours' energy is proved for neither year."""
    result, hours = solar(steady(skipped={NEW_YEAR_MS + at * HOUR_MS for at in (-1, 0, 1)}))
    by_start = {hour.start_ms: hour.reduction for hour in hours}
    assert by_start[NEW_YEAR_MS + HOUR_MS] == 4 * Fraction("0.797")
    assert {by_start[NEW_YEAR_MS + at * HOUR_MS] for at in (-2, -1, 0)} == {0}
    first, second = kept(tmp_path, result, hours)
    assert (first.beside_hours_tco2e, second.beside_hours_tco2e) == ("0.000000000", "-3.188000000")


def test_hours_and_what_is_beside_them_are_the_vintage_to_the_last_digit(solar, project_texts, tmp_path):
    text = project_texts["solar-pv"]().replace('value = "0.797"', 'value = "0.3333333333333333"')
    result, hours = solar(text=text)
    with ResultsWriter(tmp_path / "results.sqlite") as writer:
        writer.put(result, hours, provisional=True, computed_ms=7)
        rows = writer._open().execute("SELECT hour, reduction_tco2e FROM hour").fetchall()
    for vintage, known in zip(result.vintages, kept(tmp_path, result, hours), strict=True):
        inside = sum((Decimal(text) for hour, text in rows if hour in vintage.interval), Decimal(0))
        assert Decimal(known.beside_hours_tco2e) > 0, "each hour is rounded down"
        assert inside + Decimal(known.beside_hours_tco2e) == Decimal(known.reduction_tco2e)


def test_a_late_calibration_moves_the_hours_that_it_touches(solar, project_texts):
    text = project_texts["solar-pv"]().replace("valid_until = 2027-06-01", "valid_until = 2026-01-01")
    result, hours = solar(text=text)
    before = {hour.reduction for hour in hours if hour.start_ms < NEW_YEAR_MS}
    after = {hour.reduction for hour in hours if hour.start_ms >= NEW_YEAR_MS}
    assert (before, after) == ({Fraction("0.797")}, {Fraction("0.797") * Fraction("0.995")})
    assert sum(hour.reduction for hour in hours) == result.reduction.low


def test_what_costs_is_counted_at_its_high_end(project_texts, make_records, shown):
    """The auxiliary meter is silent for three hours: all that its rating allows stands in the hour that ends it."""
    missing = {START_MS + at * HOUR_MS for at in (5, 6)}
    parts = [
        shown("bus", EXPORT, steady(), interval_ms=HOUR_MS),
        shown("aux", "energy_import_total_wh", steady(skipped=missing), interval_ms=HOUR_MS, reset_source=None),
    ]
    result, hours = worked_out(project_texts["solar-pv"](auxiliary=True), make_records(parts))
    assert [vintage.corner["EC_AUX@aux"] for vintage in result.vintages] == ["high", "high"]
    assert sum(hour.project for hour in hours) == sum(vintage.credited.project for vintage in result.vintages)
    assert all(hour.reference - hour.project == hour.reduction for hour in hours)
    assert hours[4].project == hours[5].project == 0


def test_hours_begin_on_local_hours_where_the_zone_is_half_an_hour_off(solar, project_texts):
    text = project_texts["solar-pv"]().replace("Asia/Ulaanbaatar", "Asia/Kolkata")
    start_ms = midnight_ms(date(2025, 12, 31), ZoneInfo("Asia/Kolkata"))
    slots = range(start_ms - 2 * HOUR_MS, start_ms + 51 * HOUR_MS, HOUR_MS)
    result, hours = solar(steady(slots), text=text)
    assert [hour.start_ms for hour in hours] == list(range(start_ms, start_ms + 48 * HOUR_MS, HOUR_MS))
    assert sum(hour.reduction for hour in hours) == result.reduction.low


AMOUNT = st.fractions(min_value=0, max_value=10**6)


@pytest.mark.parametrize("family", ["solar-pv", "heat-only-boiler", "transformer-fleet"])
@given(one=AMOUNT, other=AMOUNT, data=st.data())
def test_every_family_is_a_sum_over_amounts(family, one, other, data):
    method = methodology(family, "1.0")
    positive = st.fractions(min_value=Fraction(1, 100), max_value=10**4)
    factors = {fixed.name: data.draw(positive) for fixed in method.fixed}
    factors |= {rating: data.draw(positive) for spec in method.monitored for rating in spec.ratings}
    for spec in method.monitored:
        alone = [method.emissions({spec.parameter: amount}, factors) for amount in (one, other)]
        assert alone[0] + alone[1] == method.emissions({spec.parameter: one + other}, factors)


def changed(writer):
    return dict(writer._open().execute("SELECT hour, changed FROM hour").fetchall())


def test_an_hour_that_is_as_it_was_is_not_written_again(solar, tmp_path):
    result, hours = solar()
    with ResultsWriter(tmp_path / "results.sqlite") as writer:
        writer.put(result, hours[:3], provisional=True, computed_ms=1000)
        writer.put(result, hours[:4], provisional=True, computed_ms=900)  # the clock went back
        other = replace(hours[0], input_digest="what decides another hour came in")
        writer.put(result, [other, *hours[1:4]], provisional=True, computed_ms=1200)
        numbers = changed(writer)
        assert [numbers[START_MS + at * HOUR_MS] for at in range(4)] == [1000, 1000, 1000, 1001]
        writer.put(result, hours[1:4], provisional=True, computed_ms=2000)
        assert START_MS not in changed(writer), "an hour that is no longer of the period goes"
        writer.put(result, hours[1:4], provisional=False, computed_ms=3000)
        assert set(changed(writer).values()) == {3000}


def test_a_results_file_of_an_older_version_is_made_anew(solar, tmp_path):
    result, hours = solar()
    with ResultsWriter(tmp_path / "results.sqlite") as writer:
        writer.put(result, hours, provisional=True, computed_ms=1)
        writer._open().execute("PRAGMA user_version = 1")
    assert read_results(tmp_path / "results.sqlite") == ()
    with ResultsWriter(tmp_path / "results.sqlite"):
        assert read_results(tmp_path / "results.sqlite") == ()
