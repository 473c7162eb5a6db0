"""Each level of an explanation makes the one above it, exactly, whatever was recorded; words decode to the values."""

from fractions import Fraction
from math import floor

import pytest
from computekit.runs import recorded
from computekit.sites import NO_HARM, SLOTS, START_MS, Feed, anything, burners, climbing, counters, stations, streams
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.engine import compute
from compute.explain import Made, Question, explain
from compute.pairs import Pair, total
from compute.project import parse_project
from compute.rulesets import ruleset
from ingest.store.readings import collect
from metering.decode import decode
from metering.interval import HOUR_MS

BURNING = Feed("burner", "burner_state", dict.fromkeys(SLOTS, 1))
HEATING = Feed("heat", "heat_total_j", climbing("heat_total_j", bytes([155] * len(SLOTS)), 10**15))
HOURS = st.integers(0, 47).map(lambda hour: START_MS + hour * HOUR_MS)
RULES = st.sampled_from(["sakugen-rules/1", "sakugen-rules/2"])
some = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def makes(step, project, evidence):
    below = [one.value for one in step.steps if one.value is not None]
    match step.made:
        case Made.SUM if step.steps:  # else nobody asked further down
            assert step.value == total(below), step.name
        case Made.FLOOR:
            assert step.value == Pair(floor(below[0].low), floor(below[0].low))
            assert step.fact("remainder") == below[0].low - step.value.low
        case Made.CONVERTED:
            assert step.value == below[0].scaled(1 / Fraction(step.fact("quanta per unit")))
        case Made.FORMULA:
            follows_the_formula(step, project)
        case Made.RULE:
            follows_the_rule(step)
        case Made.DECODED:
            point, measurand, _ = step.name.split()
            words = [int(word, 16) for word in step.fact("words").split()]
            register = evidence.maps[step.fact("device map")].register(step.fact("register"))
            assert register.measurand.name == measurand
            again = decode(register, words)
            assert step.fact("words decode to") == again
            assert step.value == Pair(again, again), point
            assert [one.fact("stream") for one in step.steps]
        case Made.SUM | Made.GIVEN:
            pass


def follows_the_formula(step, project):
    amount, *fixed = step.steps
    factors = {one.name.partition("@")[0]: one.value.low for one in fixed}
    name = amount.name.partition("@")[0]
    gives = {end: project.method.emissions({name: amount.value.end(end)}, factors) for end in ("low", "high")}
    credited = gives[step.fact("end")]
    assert step.fact("credited reference") == credited.reference
    assert step.fact("credited project") == credited.project
    assert step.fact("credited leakage") == credited.leakage
    reductions = [one.reduction for one in gives.values()]
    assert step.value == Pair(min(reductions), max(reductions))
    assert credited.reduction == step.value.low


def follows_the_rule(step):
    facts = {fact.name: fact.value for fact in step.facts}
    low, high = (facts["low"], facts["high"]) if step.value is None else (step.value.low, step.value.high)
    if "R, the most that was possible" not in facts:
        assert 0 <= low <= high <= facts["time between"]
    elif facts["code"] == "exact":
        difference = facts["later value"] - facts["earlier value"]
        assert (low, high) == (difference, difference)
    else:
        assert 0 <= low <= high <= facts["R, the most that was possible"]


def holds(text, told, rules, hour_ms):
    records = recorded(told)
    project = parse_project(text)
    evidence, period = collect(records), project.period[0]
    question = Question(hour_ms=hour_ms)
    explanation = explain(project, evidence, period, ruleset(rules), question, lambda _start, _end: records)
    for step in explanation.step.walk():
        makes(step, project, evidence)
    result = compute(project, evidence, period, ruleset(rules))
    assert explanation.step.value.low == result.integer
    assert explanation.about["input_sha256"] == result.input_digest
    kinds = {step.kind for step in explanation.step.walk()}
    assert {"period", "vintage", "reduction", "emissions", "fixed", "amount", "measured"} <= kinds


@pytest.mark.parametrize("measurand", ["energy_export_total_wh", "heat_total_j"])
@some
@given(data=st.data(), rules=RULES, hour_ms=HOURS)
def test_a_counter_is_explained_exactly(project_texts, measurand, data, rules, hour_ms):
    feed = data.draw(counters(measurand))
    feeds = [(feed, data.draw(anything(feed)))]
    text = project_texts["solar-pv"]()
    if measurand == "heat_total_j":
        text = project_texts["heat-only-boiler"]()
        feeds.append((BURNING, NO_HARM))
    holds(text, streams(feeds), rules, hour_ms)


@some
@given(data=st.data(), rules=RULES, hour_ms=HOURS)
def test_a_burner_is_explained_exactly(project_texts, data, rules, hour_ms):
    feed = data.draw(burners())
    told = streams([(HEATING, NO_HARM), (feed, data.draw(anything(feed)))])
    holds(project_texts["heat-only-boiler"](), told, rules, hour_ms)


@some
@given(data=st.data(), rules=RULES, hour_ms=HOURS, losses_w=st.sampled_from(["370", "1500"]))
def test_a_station_is_explained_exactly(project_texts, data, rules, hour_ms, losses_w):
    phases = data.draw(stations())
    harms = [data.draw(anything(phases[0])), NO_HARM, NO_HARM]
    holds(project_texts["transformer-fleet"](losses_w), streams(list(zip(phases, harms, strict=True))), rules, hour_ms)


@some
@given(data=st.data(), hour_ms=HOURS)
def test_a_late_calibration_is_explained_exactly(project_texts, data, hour_ms):
    feed = data.draw(counters("energy_export_total_wh"))
    text = project_texts["solar-pv"]().replace("valid_until = 2027-06-01", "valid_until = 2025-12-31")
    text = text.replace(
        "valid_until = 2025-12-31", data.draw(st.sampled_from(["valid_until = 2025-12-31", "valid_until = 2026-01-01"]))
    )
    holds(text, streams([(feed, data.draw(anything(feed)))]), "sakugen-rules/2", hour_ms)
