"""Months, hours and pairs of readings, with numbers that a person can check: where each pair counts, and why."""

from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from computekit.runs import exchanged

from compute.declared import parse_declared
from compute.engine import compute
from compute.explain import explain, question_of
from compute.pairs import Pair
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from ingest.store.readings import collect

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, NEW_YEAR_MS, END_MS = (
    midnight_ms(day, ZONE) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2))
)
SLOTS = tuple(range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS))
SEVEN_MS = START_MS + 7 * HOUR_MS
MW_H = 1_000_000_000


def steady(*without):
    return {slot: 10_000 * MW_H + place * MW_H for place, slot in enumerate(SLOTS) if slot not in without}


@pytest.fixture
def explained(make_records):
    def build(text, parts, asked_for=None, **question):
        project = parse_project(text)
        records = make_records(parts)
        period = project.period[0]

        def give(start_ms, end_ms):
            if asked_for is not None:
                asked_for.append((start_ms, end_ms))
            return records

        asked = question_of(project, period, **question)
        return explain(project, collect(records), period, ruleset(), asked, give)

    return build


@pytest.fixture
def solar(project_texts, shown, explained):
    def build(values, **more):
        device = {name: more.pop(name) for name in ("nonvolatile_s",) if name in more}
        part = shown("bus", "energy_export_total_wh", values, interval_ms=HOUR_MS, **device)
        return explained(project_texts["solar-pv"](), [part], **more)

    return build


def steps(explanation, kind, name=None):
    return [step for step in explanation.step.walk() if step.kind == kind and name in {None, step.name}]


def facts(step):
    return {fact.name: fact.value for fact in step.facts}


def test_without_a_narrower_question_the_months_are_the_last_step(solar):
    explanation = solar(steady())
    assert [(month.name, month.value) for month in steps(explanation, "month")] == [
        ("2025-12", Pair(24 * MW_H, 24 * MW_H)),
        ("2026-01", Pair(24 * MW_H, 24 * MW_H)),
    ]
    assert facts(steps(explanation, "month")[0]) == {"hours": 24, "hours in doubt": 0}
    assert steps(explanation, "hour") == []


def test_a_narrower_question_adds_hours_in_local_time(solar):
    asked_for = []
    explanation = solar(steady(), parameter="EG", asked_for=asked_for)
    hours = steps(explanation, "hour")
    assert [hours[0].name, hours[-1].name, len(hours)] == ["2025-12-31T00:00", "2026-01-01T23:00", 48]
    assert (facts(hours[0])["from_utc"], facts(hours[0])["to_utc"]) == ("2025-12-30T16:00:00Z", "2025-12-30T17:00:00Z")
    assert steps(explanation, "pair") == []
    assert asked_for == []  # no record is read again before an hour is asked for


def test_below_another_point_nothing_is_told(project_texts, shown, explained):
    part = shown("bus", "energy_export_total_wh", steady(), interval_ms=HOUR_MS)
    other = shown("aux", "energy_import_total_wh", steady(), interval_ms=HOUR_MS)
    explanation = explained(project_texts["solar-pv"](auxiliary=True), [part, other], point="aux")
    assert {step.name for step in steps(explanation, "counted")} == {"EC_AUX@aux"}
    assert {step.name for step in steps(explanation, "amount")} == {"EC_AUX@aux", "EG@bus"}


def test_a_pair_tells_d_and_r_and_what_they_were_made_of(solar):
    explanation = solar(steady(), hour="2025-12-31T07:00")
    (pair,) = [pair for pair in steps(explanation, "pair") if pair.value is not None]
    assert (pair.value, pair.unit) == (Pair(MW_H, MW_H), "mWh")
    said = facts(pair)
    assert said["code"] == "exact"
    assert said["D, their difference"] == said["later value"] - said["earlier value"] == MW_H
    # 8.3 MW x 1.05 from the request 5 ms after 07:00 to the answer 20 ms after 08:00, and one step.
    assert said["request to answer"] == HOUR_MS + 15
    assert said["R, the most that was possible"] == 8_715_036_312 + 1
    assert (said["rated_power_w"], said["margin"], said["register step"]) == ("8300000", Fraction(105, 100), 1)
    assert (said["modulus"], said["can be reset"]) == ("unknown", "no")
    assert [reading.fact("slot_utc") for reading in pair.steps] == ["2025-12-30T23:00:00Z", "2025-12-31T00:00:00Z"]


def test_a_pair_over_a_missing_reading_counts_in_the_hour_of_its_later_one(solar):
    values = steady(SEVEN_MS)
    (six,) = steps(solar(values, hour="2025-12-31T06:00"), "hour", "2025-12-31T06:00")
    assert six.value == Pair(0, 0)
    (pair,) = six.steps
    assert pair.value is None
    assert facts(pair)["counts"] == "in the hour of its later reading, which begins at 2025-12-30T23:00:00Z"
    assert (facts(pair)["low"], facts(pair)["high"]) == (2 * MW_H, 2 * MW_H)
    (seven,) = steps(solar(values, hour="2025-12-31T07:00"), "hour", "2025-12-31T07:00")
    pair, left_out = seven.steps
    assert (seven.value, pair.value) == (Pair(2 * MW_H, 2 * MW_H), Pair(2 * MW_H, 2 * MW_H))
    assert facts(pair)["code"] == "counter-gap-bridged"
    (missing,) = left_out.steps
    assert (missing.value, facts(missing)["counts"]) == (None, "no: its quality is unexplained")


def test_a_pair_across_new_year_is_a_doubt_of_both_years_and_counts_in_no_hour(solar):
    explanation = solar(steady(NEW_YEAR_MS), hour="2026-01-01T00:00")
    doubts = steps(explanation, "doubt")
    assert [(doubt.name, doubt.value) for doubt in doubts] == [("vintage-boundary-unproved", Pair(0, 2 * MW_H))] * 2
    assert [facts(doubt)["from_utc"] for doubt in doubts] == ["2025-12-31T15:00:00Z", "2025-12-31T16:00:00Z"]
    assert [facts(doubt)["to_utc"] for doubt in doubts] == ["2025-12-31T16:00:00Z", "2025-12-31T17:00:00Z"]
    (hour,) = steps(explanation, "hour", "2026-01-01T00:00")
    assert hour.value == Pair(0, 0)
    assert facts(hour.steps[0])["counts"].startswith("in no hour: it crosses a boundary")


def test_time_that_nothing_proves_is_a_doubt_with_what_was_possible(solar):
    explanation = solar({slot: value for slot, value in steady().items() if START_MS + HOUR_MS <= slot <= END_MS})
    opening, closing = steps(explanation, "doubt")
    assert (opening.name, closing.name) == ("period-opening-unproved", "period-closing-unproved")
    assert opening.value == Pair(0, 8_715_000_001)  # an hour of 8.3 MW x 1.05, and one step
    assert facts(closing)["from_utc"] == "2026-01-01T15:00:00Z"  # the last reading that a later one confirms


@pytest.mark.parametrize("hour", [20, 21, 22])
def test_what_lies_behind_the_last_confirmed_reading_counts_in_no_hour(solar, hour):
    values = {slot: value for slot, value in steady().items() if slot < END_MS}
    values[END_MS - HOUR_MS] = 0  # at 23:00; so 22:00 may be wrong too, nothing confirms 21:00, and 20:00 is the last
    explanation = solar(values, hour=f"2026-01-01T{hour}:00")
    (asked,) = steps(explanation, "hour", f"2026-01-01T{hour}:00")
    assert asked.value == Pair(0, 0)
    assert facts(asked.steps[0])["counts"].startswith("in no hour")
    (closing,) = steps(explanation, "doubt")
    assert facts(closing)["from_utc"] == "2026-01-01T12:00:00Z"


def test_the_next_pair_does_not_tell_the_reading_between_them_again(project_texts, shown, explained):
    slots = range(START_MS - HOUR_MS, END_MS + HOUR_MS, HOUR_MS // 4)
    values = {slot: 10_000 * MW_H + place * MW_H // 4 for place, slot in enumerate(slots)}
    part = shown("bus", "energy_export_total_wh", values, interval_ms=HOUR_MS // 4)
    explanation = explained(project_texts["solar-pv"](), [part], hour="2025-12-31T07:00")
    pairs = steps(explanation, "pair")
    assert [len(pair.steps) for pair in pairs] == [2, 1, 1, 1]


def test_only_the_records_around_the_hour_are_read_again(solar):
    asked_for = []
    solar(steady(), hour="2025-12-31T07:00", asked_for=asked_for)
    assert asked_for == [(SEVEN_MS, SEVEN_MS + HOUR_MS + 1)]


def test_a_burner_tells_its_state_at_both_ends(project_texts, shown, explained):
    heat = {slot: 10**15 + place * 3_600_000_000 for place, slot in enumerate(SLOTS)}
    burning = {slot: int(slot <= SEVEN_MS) for slot in SLOTS}
    parts = [
        shown("heat", "heat_total_j", heat, interval_ms=HOUR_MS),
        shown("burner", "burner_state", burning, interval_ms=HOUR_MS),
    ]
    explanation = explained(project_texts["heat-only-boiler"](), parts, parameter="T_op", hour="2025-12-31T07:00")
    (pair,) = steps(explanation, "pair")
    assert (pair.value, pair.unit, facts(pair)["code"]) == (Pair(0, HOUR_MS), "ms", "state-changed")
    assert (facts(pair)["earlier state"], facts(pair)["later state"]) == ("in it", "not in it")
    assert facts(pair)["time between"] == HOUR_MS
    assert "nominal_voltage_v" not in facts(pair)


def test_a_station_tells_every_phase_and_what_counts_as_energised(project_texts, shown, explained):
    volts = {slot: 230_000 + place for place, slot in enumerate(SLOTS)}
    parts = [shown("station", f"voltage_l{phase}_v", volts, interval_ms=HOUR_MS) for phase in (1, 2, 3)]
    explanation = explained(project_texts["transformer-fleet"](), parts, hour="2025-12-31T07:00")
    (pair,) = steps(explanation, "pair")
    assert pair.value == Pair(HOUR_MS, HOUR_MS)
    assert facts(pair)["nominal_voltage_v"] == "230"
    assert facts(pair)["energised above this share of it"] == Fraction(9, 10)
    assert [reading.name.split()[1] for reading in pair.steps] == [
        f"voltage_l{phase}_v" for _ in range(2) for phase in (1, 2, 3)
    ]


@pytest.mark.parametrize(("valid_until", "moved"), [("2026-01-01", [0, 1]), ("2025-12-31", [1, 1])])
def test_what_a_late_calibration_moves_stands_beside_what_was_measured(
    project_texts, shown, explained, valid_until, moved
):
    text = project_texts["solar-pv"]().replace("valid_until = 2027-06-01", f"valid_until = {valid_until}")
    part = shown("bus", "energy_export_total_wh", steady(SEVEN_MS), interval_ms=HOUR_MS)  # so there are other findings
    explanation = explained(text, [part])
    for amount, is_moved in zip(steps(explanation, "amount"), moved, strict=True):
        measured, *calibration = amount.steps
        assert measured.value == Pair(24, 24)
        assert len(calibration) == is_moved
        for step in calibration:
            assert step.kind == "calibration"
            assert (step.value.low, step.value.high) == (-Fraction("0.12"), Fraction("0.12"))  # 0.5 % of 24 MWh
            assert list(facts(step)) == ["calibration 1"]
            assert "measured without a valid calibration" in facts(step)["calibration 1"]


def test_a_reading_that_does_not_count_names_the_record_that_says_so(solar):
    explanation = solar({**steady(), SEVEN_MS: None}, hour="2025-12-31T07:00")
    (left_out,) = steps(explanation, "left-out")
    (record,) = left_out.steps[0].steps
    assert facts(record)["says"] == "no-answer"


def test_what_a_counter_loses_with_its_supply_is_told_where_a_rule_asks(solar):
    (pair,) = steps(solar(steady(SEVEN_MS), nonvolatile_s=300, hour="2025-12-31T07:00"), "pair")
    assert facts(pair)["code"] == "counter-gap-not-saved"
    assert facts(pair)["not saved before a loss of supply"] == 300_000


def test_a_pair_of_two_meters_says_so_and_has_the_coarser_step(project_texts, make_records, shown):
    text = exchanged(project_texts["solar-pv"](), "bus", SEVEN_MS)
    early = {slot: value for slot, value in steady().items() if slot < SEVEN_MS}
    late = {slot: value for slot, value in steady().items() if slot >= SEVEN_MS}
    old = shown("bus", "energy_export_total_wh", early, interval_ms=HOUR_MS, scale="1")
    new = shown("bus", "energy_export_total_wh", late, interval_ms=HOUR_MS, serial="S2")
    records = [*make_records([old]), *make_records([new], stream="01JZZZZZZZZZZZZZZZZZZZZZZZ".replace("Z", "Y", 1))]
    project = parse_project(text)
    period = project.period[0]
    question = question_of(project, period, hour="2025-12-31T06:00")
    explanation = explain(project, collect(records), period, ruleset(), question, lambda _start, _end: records)
    (pair,) = steps(explanation, "pair")
    said = facts(pair)
    assert (said["code"], said["meter or register"]) == ("meter-changed", "changed between the two")
    assert said["register step"] == 1000
    assert [reading.fact("meter") for reading in pair.steps] == ["Test Meter S1", "Test Meter S2"]


def test_held_records_and_declared_values_count_as_they_do_for_the_result(
    project_texts, make_records, shown, declaration
):
    records = make_records([shown("bus", "energy_export_total_wh", steady(), interval_ms=HOUR_MS)])
    project = parse_project(project_texts["solar-pv"]())
    period, evidence, rules = project.period[0], collect(records), ruleset()
    declared = parse_declared(dict([declaration("calibration")]))
    question = question_of(project, period)
    found = explain(project, evidence, period, rules, question, lambda _start, _end: records, declared=declared, held=2)
    result = compute(project, evidence, period, rules, declared=declared, held=2)
    assert found.about["input_sha256"] == result.input_digest
    assert any("2 records are held" in why for why in found.blocked_by)


def test_a_reading_from_a_display_is_told_with_its_declared_value(project_texts, make_records, shown, declaration):
    noon_ms = NEW_YEAR_MS + 12 * HOUR_MS
    values = {
        slot: 4_962_000_000 + place * 10**6 for place, slot in enumerate(SLOTS) if abs(slot - noon_ms) > 2 * HOUR_MS
    }
    records = make_records([shown("bus", "energy_export_total_wh", values, interval_ms=HOUR_MS)])
    project = parse_project(project_texts["solar-pv"]())
    period, declared = project.period[0], parse_declared(dict([declaration("register-reading")]))
    question = question_of(project, period, hour="2026-01-01T12:00")
    explanation = explain(
        project, collect(records), period, ruleset(), question, lambda _start, _end: records, declared=declared
    )
    assert {facts(step)["sha256"] for step in steps(explanation, "declared")} == {declared[0].digest}
