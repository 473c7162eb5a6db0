"""An explanation of numbers that a person can check, and the words in which a wrong question is refused."""

import json
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from compute.engine import compute
from compute.errors import ExplainError
from compute.explain import Question, document, explain, number_text, pair_text, question_of
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
MW_H = 1_000_000_000
EXPORT = "energy_export_total_wh"


def steady(step=MW_H):
    return {slot: 10_000 * MW_H + place * step for place, slot in enumerate(SLOTS)}


@pytest.fixture
def explained(make_records):
    def build(text, parts, **question):
        project = parse_project(text)
        records = make_records(parts)
        period = project.period[0]
        asked = question_of(project, period, **question)
        return explain(project, collect(records), period, ruleset(), asked, lambda _start, _end: records)

    return build


@pytest.fixture
def solar(project_texts, shown, explained):
    def build(values=None, **question):
        part = shown("bus", EXPORT, steady() if values is None else values, interval_ms=HOUR_MS)
        return explained(project_texts["solar-pv"](), [part], **question)

    return build


def find(explanation, kind, name=None):
    return next(step for step in explanation.step.walk() if step.kind == kind and name in {None, step.name})


def facts(step):
    return {fact.name: fact.value for fact in step.facts}


def test_a_clean_day_is_explained_from_the_whole_tonnes_to_the_factor(solar):
    explanation = solar()
    # 24 h x 1 MW x 0.797 t/MWh = 19.128 t in each year.
    assert explanation.step.value == Pair(38, 38)
    vintage = find(explanation, "vintage", "2025")
    assert (vintage.value, vintage.fact("remainder")) == (Pair(19, 19), Fraction("0.128"))
    assert find(explanation, "reduction").value.low == Fraction("19.128")
    emissions = find(explanation, "emissions", "EG@bus")
    assert facts(emissions)["equation (1)"] == "RE = sum over metering points of EG x EF_RE"
    assert facts(emissions)["equation (1) with numbers"] == "RE = sum over metering points of 24 x 0.797"
    assert facts(emissions)["end"] == "low"
    assert "never falls when EG grows" in facts(emissions)["why"]
    assert find(explanation, "amount").value == Pair(24, 24)
    factor = find(explanation, "fixed", "EF_RE")
    assert (factor.value, factor.unit) == (Pair(Fraction("0.797"), Fraction("0.797")), "tCO2/MWh")
    assert (factor.fact("source"), factor.fact("mark")) == ("page 1", "V")
    assert find(explanation, "fixed", "rated_power_w@bus").value == Pair(8_300_000, 8_300_000)


def test_the_reduction_is_told_with_the_emissions_at_the_credited_end(solar):
    reduction = find(solar(), "reduction")
    assert facts(reduction)["equation (3) with numbers"] == "ER = 19.128 - 0"
    assert facts(reduction)["credited reference"] == Fraction("19.128")
    assert (facts(reduction)["credited project"], facts(reduction)["credited leakage"]) == (0, 0)
    assert reduction.rule.clause == "solar-pv 1.0"


def test_where_the_direction_is_open_both_ends_are_told(project_texts, shown, explained):
    voltages = {slot: 0 if place == 12 else 230_000 + place for place, slot in enumerate(SLOTS)}
    parts = [shown("station", f"voltage_l{phase}_v", voltages, interval_ms=HOUR_MS) for phase in (1, 2, 3)]
    explanation = explained(project_texts["transformer-fleet"](), parts)
    emissions = find(explanation, "emissions", "H@station")
    low, high = (find(explanation, "amount").value.end(end) for end in ("low", "high"))
    gives = Fraction("0.333") * 600 * (1200 - 370 * Fraction("1.15")) / 1_000_000
    told = f"{number_text(low * gives)} tCO2e at the low end and {number_text(high * gives)} tCO2e at the high end"
    assert told in facts(emissions)["why"]
    assert facts(emissions)["end"] == "low"
    assert facts(emissions)["reference low"] < facts(emissions)["reference high"]


@pytest.fixture
def boiler(project_texts, shown, explained):
    """A boiler of 1 MW, and a burner that is not seen at one slot."""

    def build(eta="0.8"):
        heat = {slot: 10**15 + place * 3_600_000_000 for place, slot in enumerate(SLOTS)}
        burning = {slot: None if slot == START_MS + HOUR_MS else 1 for slot in SLOTS}
        parts = [
            shown("heat", "heat_total_j", heat, interval_ms=HOUR_MS),
            shown("burner", "burner_state", burning, interval_ms=HOUR_MS),
        ]
        return explained(project_texts["heat-only-boiler"]().replace('"0.8"', f'"{eta}"'), parts)

    return build


def test_only_equations_that_speak_of_the_amount_or_its_factors_are_told(boiler):
    heat, burner = (facts(find(boiler(), "emissions", name)) for name in ("Q@heat", "T_op@burner"))
    assert [name for name in heat if name.endswith(")")] == ["equation (1)", "equation (2)"]
    assert [name for name in burner if name.endswith(")")] == ["equation (2)", "equation (3)"]


def test_the_formula_has_the_end_that_is_credited(boiler):
    told = facts(find(boiler(), "emissions", "T_op@burner"))
    assert told["end"] == "high"
    assert told["equation (3) with numbers"] == "EC = 11000 x 24"
    assert find(boiler(), "amount", "T_op@burner").value == Pair(22, 24)
    assert "never grows with T_op" in told["why"]


def test_without_doubt_there_is_no_end_to_choose(boiler):
    assert facts(find(boiler(), "emissions", "Q@heat"))["why"] == (
        "both ends are the same, so there is nothing to choose"
    )


def test_a_negative_vintage_is_told_as_it_is(boiler):
    explanation = boiler(eta="0.5")  # worse than the reference boiler
    vintage = find(explanation, "vintage")
    assert vintage.value.low < 0
    assert vintage.fact("issuable") == 0
    assert explanation.step.value.low == 2 * vintage.value.low


def test_a_value_of_the_point_itself_is_told_before_the_projects(project_texts, shown, explained):
    own = '[[parameter]]\nname = "EF_RE"\npoint = "bus"\nvalue = "0.533"\n'
    own += 'unit = "tCO2/MWh"\nsource = "page 2"\nmark = "V"\n'
    own += '[[point]]\nid = "roof"\nrole = "generation"\nrated_power_w = 1_000\n'
    part = shown("bus", EXPORT, steady(), interval_ms=HOUR_MS)
    explanation = explained(project_texts["solar-pv"]() + own, [part])
    bus, roof = (find(explanation, "emissions", name).steps[1] for name in ("EG@bus", "EG@roof"))
    assert (bus.name, bus.value.low, bus.fact("source")) == ("EF_RE@bus", Fraction("0.533"), "page 2")
    assert (roof.name, roof.value.low) == ("EF_RE", Fraction("0.797"))


def test_what_keeps_a_result_from_being_creditable_is_told_first(solar, project_texts, shown, explained):
    assert (solar().creditable, solar().blocked_by) == (True, ())
    part = shown("bus", EXPORT, steady(), interval_ms=HOUR_MS)
    bare = explained(project_texts["solar-pv"](calibrated=False), [part])
    assert not bare.creditable
    assert bare.blocked_by == ("no-calibration bus: no calibration certificate of Test Meter S1",)


def test_the_document_says_what_was_computed_and_writes_no_number_that_could_be_rounded(solar, project_texts, shown):
    told = document(solar(parameter="EG"))
    assert told["type"] == "sakugen.explanation/1"
    assert (told["project"], told["period"], told["asked"]) == ("test", "p1", {"parameter": "EG"})

    def numbers(part):
        if isinstance(part, dict | list):
            return [one for each in (part.values() if isinstance(part, dict) else part) for one in numbers(each)]
        return [part] if isinstance(part, int | float) and not isinstance(part, bool) else []

    assert numbers(json.loads(json.dumps(told))) == []
    assert told["step"]["value"] == {
        "low": "38",
        "high": "38",
        "low_exact": "38/1",
        "high_exact": "38/1",
        "unit": "tCO2e",
    }


def test_digests_are_those_of_the_result(solar, project_texts, make_evidence, shown):
    project = parse_project(project_texts["solar-pv"]())
    evidence = make_evidence([shown("bus", EXPORT, steady(), interval_ms=HOUR_MS)])
    result = compute(project, evidence, project.period[0], ruleset())
    about = solar().about
    assert about["input_sha256"] == result.input_digest
    assert about["evidence_sha256"] == result.evidence_digest
    assert about["methodology_sha256"] == result.methodology_digest


@pytest.mark.parametrize(
    ("question", "allowed"),
    [
        ({"parameter": "Q"}, "monitors no parameter 'Q'; it monitors: EG, EC_AUX"),
        ({"point": "roof"}, "anything at point 'roof'; points: bus, aux"),
        ({"parameter": "EG", "point": "aux"}, "does not monitor EG at point 'aux'; points: bus"),
        ({"hour": "noon"}, "hour 'noon' is not a time; write it like 2025-12-31T00:00"),
        (
            {"hour": "2026-01-02T00:00"},
            r"not in period p1; its hours begin from 2025-12-31T00:00 to 2026-01-01T23:00 \(Asia/Ulaanbaatar\)",
        ),
    ],
)
def test_a_question_about_what_is_not_there_is_told_what_is(project_texts, question, allowed):
    project = parse_project(project_texts["solar-pv"](auxiliary=True))
    with pytest.raises(ExplainError, match=allowed):
        question_of(project, project.period[0], **question)


@pytest.mark.parametrize(
    "hour", ["2025-12-31T13:00", "2025-12-31T13:59:59", "2025-12-31T05:00:00Z", "2025-12-31T14:30+09:00"]
)
def test_an_hour_is_meant_in_local_time_unless_it_says_otherwise(project_texts, hour):
    project = parse_project(project_texts["solar-pv"]())
    question = question_of(project, project.period[0], hour=hour)
    assert question == Question(hour_ms=START_MS + 13 * HOUR_MS)
    assert question.hour.length_ms == HOUR_MS


def test_hours_of_a_zone_that_is_half_an_hour_off_begin_at_its_own_midnight(project_texts):
    text = project_texts["solar-pv"]().replace("Asia/Ulaanbaatar", "Asia/Kolkata")
    project = parse_project(text)
    start_ms = midnight_ms(date(2025, 12, 31), ZoneInfo("Asia/Kolkata"))
    assert question_of(project, project.period[0], hour="2025-12-31T01:40").hour_ms == start_ms + HOUR_MS


def test_numbers_for_people_are_exact_or_say_that_they_go_on():
    assert (number_text(3), number_text(Fraction("0.1250")), number_text(Fraction(2, 3))) == (
        "3",
        "0.125",
        "0.666666666…",
    )
    assert pair_text(Pair(1, 2), "MWh") == "[1, 2] MWh"
    assert pair_text(Pair(2, 2), "1") == "2"
