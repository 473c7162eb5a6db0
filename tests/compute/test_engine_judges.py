"""The engine on what is judged beside amounts: calibration, completeness, plausibility, other meters, uncertainty."""

from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from compute.declared import parse_declared
from compute.engine import compute
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.uncertainty import root_up
from compute.vintages import midnight_ms
from metering.findings import Severity

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
MW_H = 1_000_000_000
EXPORT, IMPORT = "energy_export_total_wh", "energy_import_total_wh"
NEW_YEAR_MS = midnight_ms(date(2026, 1, 1), ZONE)


def slots_of(start, end):
    return range(midnight_ms(start, ZONE) - 2 * HOUR_MS, midnight_ms(end, ZONE) + 3 * HOUR_MS, HOUR_MS)


TWO_DAYS = slots_of(date(2025, 12, 31), date(2026, 1, 2))


def steady(power_mwh=MW_H, slots=TWO_DAYS, start=10_000 * MW_H):
    return {slot: start + place * power_mwh for place, slot in enumerate(slots)}


@pytest.fixture
def result_of(make_evidence, shown):
    def build(text, feeds, rules="sakugen-rules/2"):
        parts = [shown(point, name, values, interval_ms=HOUR_MS) for point, name, values in feeds]
        project = parse_project(text)
        return compute(project, make_evidence(parts), project.period[0], ruleset(rules))

    return build


@pytest.fixture
def solar(result_of, project_texts):
    def build(values, *, days=("2025-12-31", "2026-01-02"), changes=(), rules="sakugen-rules/2"):
        text = project_texts["solar-pv"]()
        text = text.replace("start = 2025-12-31, end = 2026-01-02", f"start = {days[0]}, end = {days[1]}")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return result_of(text, [("bus", EXPORT, values)], rules)

    return build


def codes(result):
    return {finding.code for finding in result.findings}, {why.code for why in result.blocked_by}


def pairs(result, row=0):
    return [(part.low, part.high) for part in result.monitored[row].by_vintage]


PERMITTED = Fraction("0.005")
DECEMBER = ("2025-12-28", "2026-01-02")
FROM_THE_30TH = (("date = 2025-06-01", "date = 2025-12-30"),)


def test_a_late_calibration_moves_what_was_measured_meanwhile_and_nothing_else(solar):
    slots = slots_of(date(2025, 12, 28), date(2026, 1, 2))
    result = solar(steady(slots=slots), days=DECEMBER, changes=FROM_THE_30TH)
    # 48 of the 96 MWh of 2025 were measured before the certificate; with the hour behind 0.5 % of 49 count.
    assert pairs(result) == [(96 - 49 * PERMITTED, 96 + 49 * PERMITTED), (24, 24)]
    assert codes(result) == ({"calibration-late"}, set())


def test_a_late_answer_to_the_last_slot_of_a_late_calibration_moves_no_less(make_evidence, shown, project_texts):
    # It stands where it was answered, nine seconds behind the midnight from which the certificate holds.
    text = project_texts["solar-pv"]().replace("date = 2025-06-01", "date = 2025-12-30")
    project = parse_project(text.replace("start = 2025-12-31", "start = 2025-12-28"))
    values = steady(slots=slots_of(date(2025, 12, 28), date(2026, 1, 2)))
    late = {midnight_ms(date(2025, 12, 30), ZONE): 9_000}
    evidence = make_evidence([shown("bus", EXPORT, values, interval_ms=HOUR_MS, received_ms=late)])
    result = compute(project, evidence, project.period[0], ruleset())
    assert pairs(result) == [(96 - 49 * PERMITTED, 96 + 49 * PERMITTED), (24, 24)]


def test_under_the_first_ruleset_a_late_calibration_moved_the_whole_year(solar):
    slots = slots_of(date(2025, 12, 28), date(2026, 1, 2))
    result = solar(steady(slots=slots), days=DECEMBER, changes=FROM_THE_30TH, rules="sakugen-rules/1")
    assert pairs(result) == [(Fraction("95.52"), Fraction("96.48")), (24, 24)]


def test_a_value_over_the_boundary_of_years_moves_only_the_end_that_counts_it(solar):
    slots = [slot for slot in slots_of(date(2025, 12, 28), date(2026, 1, 2)) if slot != NEW_YEAR_MS]
    changes = (("date = 2025-06-01", "date = 2026-01-01"),)
    values = {
        slot: value
        for slot, value in steady(slots=slots_of(date(2025, 12, 28), date(2026, 1, 2))).items()
        if slot in slots
    }
    result = solar(values, days=DECEMBER, changes=changes)
    # 95 MWh are proved for 2025, and 2 MWh go across, begun while it was late: each year counts [0, 2] of them.
    assert pairs(result) == [(95 * Fraction("0.995"), 97 * Fraction("1.005")), (23, 23 + 2 * Fraction("1.005"))]
    earlier = (("date = 2025-06-01\nvalid_until = 2027-06-01", "date = 2025-12-29\nvalid_until = 2027-06-01"),)
    assert pairs(solar(values, days=DECEMBER, changes=earlier))[1] == (23, 25)


def test_several_late_stretches_of_a_year_each_move_their_own(solar):
    slots = slots_of(date(2025, 12, 26), date(2026, 1, 2))
    changes = (
        ("date = 2025-06-01\nvalid_until = 2027-06-01", "date = 2025-12-27\nvalid_until = 2025-12-29"),
        ("2025-01-01T00:00:00+08:00", "2025-12-26T00:00:00+08:00"),
    )
    result = solar(steady(slots=slots), days=("2025-12-26", "2026-01-02"), changes=changes)
    # The 26th with the hour after it, and from the 29th on: 24 + 1 + 72 of 144 MWh in 2025, all of 2026.
    assert pairs(result) == [
        (144 - 97 * PERMITTED, 144 + 97 * PERMITTED),
        (24 - 24 * PERMITTED, 24 + 24 * PERMITTED),
    ]
    assert codes(result) == ({"calibration-late"}, {"calibration-due"})


@pytest.fixture
def declared_solar(make_evidence, shown, project_texts, declaration):
    def build(rules="sakugen-rules/2", *, found=True, **changes):
        project = parse_project(project_texts["solar-pv"](calibrated=False))
        evidence = make_evidence([shown("bus", EXPORT, steady(), interval_ms=HOUR_MS)])
        name, data = declaration("calibration", **changes)
        declared = parse_declared({name: data if found else data.replace(b'found_error_percent = "0.7"\n', b"")})
        return compute(project, evidence, project.period[0], ruleset(rules), declared=declared)

    return build


def test_a_declared_certificate_covers_its_meter_and_stands_in_the_report(declared_solar):
    result = declared_solar()
    assert (pairs(result), codes(result)) == ([(24, 24)] * 2, (set(), set()))
    assert result.monitored[0].calibrations == ("C-2, 2025-06-01 to 2028-06-01 (declared)",)


def test_the_error_that_a_declared_certificate_found_is_applied_to_the_time_before_it(declared_solar):
    result = declared_solar(date="2026-01-01")
    assert pairs(result) == [(24 * Fraction("0.993"), 24 * Fraction("1.007")), (24, 24)]
    within = declared_solar(date="2026-01-01", found=False)
    assert pairs(within) == [(24 * Fraction("0.995"), 24 * Fraction("1.005")), (24, 24)]


def test_the_first_ruleset_knows_only_the_certificate_of_the_project(declared_solar):
    assert codes(declared_solar("sakugen-rules/1"))[1] == {"no-calibration"}


def test_months_of_the_report_row_are_local_and_complete_on_clean_data(solar):
    months = solar(steady()).monitored[0].by_month
    assert [(month.month, month.coverage, month.substituted_share, month.longest_gap_ms) for month in months] == [
        ("2025-12", 1, 0, 0),
        ("2026-01", 1, 0, 0),
    ]


def test_a_month_with_too_few_readings_is_told_and_its_gap_is_whole(solar):
    silent = {slot: None for slot in TWO_DAYS if NEW_YEAR_MS - 8 * HOUR_MS <= slot <= NEW_YEAR_MS - HOUR_MS}
    result = solar(steady() | silent)
    (finding,) = [one for one in result.findings if one.code == "coverage-low"]
    assert finding.what == "66.7 % of the readings due in 2025-12 count; at least 80.0 % should"
    assert [month.longest_gap_ms for month in result.monitored[0].by_month] == [9 * HOUR_MS, 0]
    assert codes(result)[1] == set()


def test_more_than_a_week_without_a_reading_is_not_creditable_although_the_counter_went_on(solar):
    slots = slots_of(date(2026, 1, 1), date(2026, 1, 15))
    inside = [slot for slot in slots if slot > NEW_YEAR_MS + 24 * HOUR_MS]
    result = solar(steady(slots=slots) | dict.fromkeys(inside[: 7 * 24], None), days=("2026-01-01", "2026-01-15"))
    assert pairs(result) == [(14 * 24, 14 * 24)]
    assert codes(result) == (
        {"readings-no-answer", "counter-gap-bridged", "coverage-low", "gap-too-long"},
        {"gap-too-long"},
    )
    shorter = solar(steady(slots=slots) | dict.fromkeys(inside[: 7 * 24 - 1], None), days=("2026-01-01", "2026-01-15"))
    assert codes(shorter)[1] == set()


def test_a_declared_register_reading_ends_a_gap(make_evidence, shown, project_texts, declaration):
    text = project_texts["solar-pv"]().replace(
        "start = 2025-12-31, end = 2026-01-02", "start = 2026-01-01, end = 2026-01-15"
    )
    slots = slots_of(date(2026, 1, 1), date(2026, 1, 15))
    values = steady(slots=slots)
    inside = [slot for slot in slots if slot > NEW_YEAR_MS + 24 * HOUR_MS][: 8 * 24]
    evidence = make_evidence([shown("bus", EXPORT, values | dict.fromkeys(inside, None), interval_ms=HOUR_MS)])
    project = parse_project(text)
    seen = f'"{values[inside[100]] // 1000}"'
    file = declaration("register-reading", at="2026-01-06T05:00:00+08:00", value=seen)
    assert inside[100] == midnight_ms(date(2026, 1, 6), ZONE) + 5 * HOUR_MS
    results = [
        compute(project, evidence, project.period[0], ruleset(), declared=declared)
        for declared in ((), parse_declared(dict([file])))
    ]
    assert [codes(result)[1] for result in results] == [{"gap-too-long"}, set()]


def test_a_counter_in_kwh_that_is_labelled_mwh_is_refused_in_a_plain_sentence(solar):
    result = solar(steady(1000 * MW_H, start=10**15))
    (why,) = result.blocked_by
    assert (why.code, why.where) == ("amount-beyond-rating", "bus")
    assert "is a value in kWh labelled MWh, or one in Wh labelled kWh?" in why.what
    assert result.integer == 0


@pytest.mark.parametrize(("steps", "refused"), [(1, False), (2, True)])
def test_a_register_may_rise_by_its_margin_and_one_step_and_by_no_more(
    make_evidence, shown, project_texts, steps, refused
):
    # A step of 1 Wh; 8.3 MW x 1.05 an hour.
    values = steady(8_715_000_000)
    values[TWO_DAYS[-1]] += steps * 1000
    part = shown("bus", EXPORT, values, interval_ms=HOUR_MS, scale="1")
    project = parse_project(project_texts["solar-pv"]())
    result = compute(project, make_evidence([part]), project.period[0], ruleset())
    assert ("amount-beyond-rating" in codes(result)[1]) is refused


WEEK, WEEK_DAYS = slots_of(date(2026, 1, 1), date(2026, 1, 8)), ("2026-01-01", "2026-01-08")


def test_a_counter_in_mwh_that_is_labelled_kwh_is_refused_too(solar):
    result = solar(steady(MW_H // 1000, WEEK), days=WEEK_DAYS)
    (why,) = result.blocked_by
    assert (why.code, why.where) == ("amount-far-below-rating", "bus")
    assert "is a value in MWh labelled kWh, or one in kWh labelled Wh?" in why.what
    (finding,) = result.findings
    assert finding.severity is Severity.BLOCKING


def test_a_plant_that_does_next_to_nothing_is_told_and_credited(solar):
    result = solar(steady(MW_H // 20, WEEK), days=WEEK_DAYS)
    assert codes(result) == ({"amount-below-rating"}, set())


def test_the_first_ruleset_asks_for_none_of_it(solar):
    result = solar(steady(MW_H // 1000, WEEK), days=WEEK_DAYS, rules="sakugen-rules/1")
    assert codes(result) == (set(), set())
    assert result.monitored[0].by_month == ()
    assert [part.uncertainty for part in result.monitored[0].by_vintage] == [None]
    assert [vintage.uncertainty for vintage in result.vintages] == [None]


@pytest.fixture
def two_meters(result_of, project_texts):
    def build(main, check, *, auxiliary=False, more="", rules="sakugen-rules/2"):
        role, checked, name = ("auxiliary", "aux", IMPORT) if auxiliary else ("generation", "bus", EXPORT)
        text = project_texts["solar-pv"](auxiliary=auxiliary)
        meter = "[[meter]]" + text.partition("[[meter]]")[2].partition("[meter.calibration]")[0]
        point = meter.partition('point = "')[2].partition('"')[0]
        text += f'[[point]]\nid = "second"\nrole = "check"\nchecks = "{checked}"\nrated_power_w = 8_300_000\n'
        text += meter.replace(f'point = "{point}"', 'point = "second"').replace('"S1"', '"S1"') + more
        feeds = [("bus", EXPORT, main if role == "generation" else steady()), ("second", name, check)]
        return result_of(text, [*feeds, ("aux", IMPORT, main)] if auxiliary else feeds, rules)

    return build


def test_a_check_meter_that_agrees_changes_nothing(two_meters):
    result = two_meters(steady(), steady(MW_H * 1005 // 1000))
    assert (pairs(result), codes(result)) == ([(24, 24)] * 2, (set(), set()))


def test_of_a_check_meter_that_disagrees_the_lower_generation_counts(two_meters):
    result = two_meters(steady(), steady(MW_H * 9 // 10))
    assert pairs(result) == [(Fraction("21.6"), 24)] * 2
    assert codes(result) == ({"check-meter-disagrees"}, set())
    assert result.vintages[0].credited.reference == Fraction("21.6") * Fraction("0.797")
    assert (result.monitored[0].low, result.monitored[0].comments) == (
        Fraction("43.2"),
        "given as a pair; each vintage is credited at the end that credits least",
    )


def test_of_a_check_meter_that_disagrees_the_higher_consumption_counts(two_meters):
    result = two_meters(steady(MW_H // 4), steady(MW_H // 3), auxiliary=True)
    (low, high) = pairs(result)[0]
    assert (low, high) == (6, 24 * Fraction(MW_H // 3, MW_H))
    assert result.vintages[0].credited.project == high * Fraction("1.1501")


def test_a_check_meter_without_readings_proves_nothing_against_the_main_one(two_meters):
    assert pairs(two_meters(steady(), {})) == [(24, 24)] * 2


def test_the_first_ruleset_does_not_compare_meters(two_meters):
    result = two_meters(steady(), steady(MW_H * 9 // 10), rules="sakugen-rules/1")
    assert (pairs(result), codes(result)) == ([(24, 24)] * 2, (set(), set()))


BALANCE = """
[[balance]]
id = "bus"
inflow = [{ point = "bus", measurand = "energy_export_total_wh" }]
outflow = [{ point = "second", measurand = "energy_export_total_wh" }]
losses_percent = "2"
"""


def test_a_balance_that_does_not_close_is_told_with_what_each_meter_shows(two_meters):
    closes = two_meters(steady(), steady(MW_H * 995 // 1000), more=BALANCE)
    assert codes(closes) == (set(), set())
    open_ = two_meters(steady(), steady(MW_H * 9 // 10), more=BALANCE)
    (finding,) = [one for one in open_.findings if one.code == "energy-balance-open"]
    assert finding.evidence["in bus"] == "48000000.000000000, class 0.5S marked M"
    assert finding.evidence["out second"] == "43200000.000000000, class 0.5S marked M"


@pytest.fixture
def consumer(result_of, project_texts):
    def build(used, **changes):
        text = project_texts["solar-pv"](auxiliary=True)
        return result_of(text, [("bus", EXPORT, steady()), ("aux", IMPORT, used)], **changes)

    return build


def test_what_nobody_measured_of_a_consumption_may_be_a_tenth_and_no_more(consumer):
    # A reset leaves [0, 8.7 MWh] three times; beside 16 MWh an hour of 8 MW it is little, beside 1 MW it is not.
    def reset(values):
        slot = TWO_DAYS[10]
        return {at: value if at < slot else value - 10_000 * MW_H for at, value in values.items()}

    much = consumer(reset(steady(MW_H)))
    assert codes(much)[1] == {"substituted-too-much"}
    (finding,) = [one for one in much.findings if one.code == "substituted-too-much"]
    assert (finding.point, finding.evidence["year"]) == ("aux", "2025")
    assert codes(consumer(steady(MW_H)))[1] == set()


@pytest.fixture
def boiler(result_of, project_texts):
    def build(burner):
        heat = {slot: 10**15 + place * 3_600_000_000 for place, slot in enumerate(TWO_DAYS)}
        return result_of(
            project_texts["heat-only-boiler"](), [("heat", "heat_total_j", heat), ("burner", "burner_state", burner)]
        )

    return build


def test_a_burner_that_was_seen_to_start_and_stop_is_measured(boiler):
    result = boiler({slot: place // 2 % 2 for place, slot in enumerate(TWO_DAYS)})
    assert pairs(result, row=1)[0] == (6, 18)
    assert codes(result)[1] == {"parameter-unverified"}


@pytest.mark.parametrize(("hours", "blocked"), [(1, False), (2, True)])
def test_a_burner_that_did_not_answer_for_more_than_a_tenth_of_its_time_is_not_creditable(boiler, hours, blocked):
    # One silent sample leaves the two hours around it open: 2 of 24, and 3 of 24.
    silent = dict.fromkeys(TWO_DAYS[10 : 10 + hours], None)
    result = boiler(dict.fromkeys(TWO_DAYS, 1) | silent)
    assert ("substituted-too-much" in codes(result)[1]) is blocked


def test_what_nobody_measured_of_a_generation_is_not_credited_so_nothing_is_substituted(solar):
    values = {at: value if at < TWO_DAYS[10] else value - 10_000 * MW_H for at, value in steady().items()}
    assert codes(solar(values))[1] == set()


def test_the_uncertainty_stands_beside_the_number_and_not_in_it(solar):
    result = solar(steady())
    # Class 0.5S at any load: 1 % / √3 of 24 MWh, and the last digit of 1 mWh at both ends.
    amount = root_up(Fraction(24) ** 2 / 30_000 + Fraction(1, 10**9) ** 2 / 6)
    reduction = root_up(Fraction("0.797") ** 2 * (Fraction(24) ** 2 / 30_000 + Fraction(1, 10**9) ** 2 / 6))
    for vintage, part in zip(result.vintages, result.monitored[0].by_vintage, strict=True):
        assert part.uncertainty == amount
        assert (vintage.uncertainty.expanded, vintage.uncertainty.coverage_factor) == (2 * reduction, 2)
        assert (vintage.uncertainty.mark, vintage.uncertainty.left_out) == ("M", ())
        assert vintage.reduction.exact
        assert vintage.reduction.low == Fraction("19.128")


def test_a_difference_of_two_registers_of_one_meter_errs_together(consumer, project_texts, result_of):
    used = steady(MW_H // 4)
    digits = 2 * Fraction(1, 10**9) ** 2 / 6
    moved = 24 * Fraction("0.797") - 6 * Fraction("1.1501")
    same = consumer(used).vintages[0].uncertainty.expanded
    assert abs(same - 2 * root_up(moved**2 / 30_000 + digits)) < Fraction(1, 10**8)
    apart_text = project_texts["solar-pv"](auxiliary=True)
    head, _, tail = apart_text.rpartition('serial = "S1"')
    apart_text = f'{head}serial = "S2"{tail}'
    apart = result_of(apart_text, [("bus", EXPORT, steady()), ("aux", IMPORT, {})]).vintages[0].uncertainty
    assert apart.expanded > same


def test_time_in_a_state_and_unknown_classes_are_left_out_by_name(result_of, project_texts):
    heat = {slot: 10**15 + place * 3_600_000_000 for place, slot in enumerate(TWO_DAYS)}
    feeds = [("heat", "heat_total_j", heat), ("burner", "burner_state", dict.fromkeys(TWO_DAYS, 1))]
    text = project_texts["heat-only-boiler"]()
    stated = result_of(text, feeds).vintages[0].uncertainty
    assert stated.left_out == ("T_op@burner",)
    assert stated.expanded > 0
    unknown = result_of(text.replace('"0.5S"', '"none"'), feeds).vintages[0].uncertainty
    assert (unknown.left_out, unknown.expanded, unknown.mark) == (("Q@heat", "T_op@burner"), None, None)
