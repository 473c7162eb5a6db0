"""Invariant 3: take a clean run, do to it what sites do to data, and no vintage is credited more than before."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.engine import compute
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.vintages import midnight_ms

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, NEW_YEAR_MS, END_MS = (
    midnight_ms(day, ZONE) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2))
)
SLOTS = tuple(range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS))
BOUNDARIES = frozenset({START_MS, NEW_YEAR_MS, END_MS})
MW_H = 1_000_000_000  # quanta in a MWh
YOUNG, OLD = 5 * MW_H, 10_000 * MW_H
HUGE = 10_000 * MW_H

# Up to 60 % of 8.3 MW: an answer that is 20 % of the interval late then still leaves every difference possible.
powers = st.lists(st.integers(0, int(4.98 * MW_H)), min_size=len(SLOTS), max_size=len(SLOTS))
faults = st.tuples(
    st.sampled_from(["none", "reset", "spike", "zero", "freeze"]),
    st.integers(1, len(SLOTS) - 1),
    st.integers(0, len(SLOTS) - 1),
)
places = st.sets(st.integers(0, len(SLOTS) - 1), max_size=6)


def climbing(start, hourly):
    values, total = {}, start
    for slot, gain in zip(SLOTS, hourly, strict=True):
        total += gain
        values[slot] = total
    return values


def damaged(values, kind, place, other):
    """One fault that shows itself; the readings it leaves behind are otherwise true."""
    slot, faulty = SLOTS[place], dict(values)
    later = [each for each in SLOTS if each >= slot]
    if kind == "reset":
        for each in later:
            faulty[each] = values[each] - values[slot]
    elif kind == "spike":
        faulty[slot] = values[slot] + HUGE
    elif kind == "zero":
        faulty[slot] = 0
    elif kind == "freeze":
        # Within a vintage, and the boundary readings are true: what a meter shows then is only late, not wrong.
        for each in later[: other % 5 + 1]:
            if each in BOUNDARIES:
                break
            faulty[each] = values[slot]
    elif kind == "swap":
        faulty[slot], faulty[SLOTS[other]] = values[SLOTS[other]], values[slot]
    return faulty


@st.composite
def losses(draw):
    """Readings that never came, came without a value, by an unsynchronised clock, or late."""
    gone, bad, unsynced, late = draw(places), draw(places), draw(places), draw(places)
    return (
        {SLOTS[place] for place in gone},
        {SLOTS[place] for place in bad},
        frozenset(SLOTS[place] for place in unsynced),
        {SLOTS[place]: draw(st.integers(1, HOUR_MS // 5)) for place in sorted(late)},
    )


def lost(shown_type, point, measurand, values, harm, **more):
    gone, bad, unsynced, late = harm
    kept = {slot: None if slot in bad else value for slot, value in values.items() if slot not in gone}
    return shown_type(point, measurand, kept, unsynced=unsynced, received_ms=late, interval_ms=HOUR_MS, **more)


NO_HARM = (set(), set(), frozenset(), {})


def never_more(project, clean, faulty):
    period = project.period[0]
    before = compute(project, clean, period, ruleset())
    after = compute(project, faulty, period, ruleset())
    for good, bad in zip(before.vintages, after.vintages, strict=True):
        assert bad.reduction.low <= good.reduction.low
        assert bad.integer <= good.integer
    assert after.reduction.low <= before.reduction.low
    assert sum(each.issuable for each in after.vintages) <= sum(each.issuable for each in before.vintages)


@settings(deadline=None, max_examples=60)
@given(
    hourly=powers,
    harm=losses(),
    fault=faults,
    young=st.booleans(),
)
def test_no_fault_raises_the_credit_of_a_generation_meter(
    project_texts, make_evidence, shown, hourly, harm, fault, young
):
    project = parse_project(project_texts["solar-pv"]())
    values = climbing(YOUNG if young else OLD, hourly)
    clean = make_evidence([lost(shown, "bus", "energy_export_total_wh", values, NO_HARM)])
    worse = damaged(values, *fault)
    never_more(project, clean, make_evidence([lost(shown, "bus", "energy_export_total_wh", worse, harm)]))


@settings(deadline=None, max_examples=40)
@given(
    hourly=powers,
    harm=losses(),
    fault=faults,
)
def test_no_fault_raises_the_credit_of_a_meter_whose_consumption_lowers_credit(
    project_texts, make_evidence, shown, hourly, harm, fault
):
    project = parse_project(project_texts["solar-pv"](auxiliary=True))
    values = climbing(OLD, hourly)
    bus = lost(shown, "bus", "energy_export_total_wh", values, NO_HARM)
    clean = make_evidence([bus, lost(shown, "aux", "energy_import_total_wh", values, NO_HARM)])
    worse = damaged(values, *fault)
    never_more(project, clean, make_evidence([bus, lost(shown, "aux", "energy_import_total_wh", worse, harm)]))


@settings(deadline=None, max_examples=30)
@given(hourly=powers, place=st.integers(0, len(SLOTS) - 1), other=st.integers(0, len(SLOTS) - 1))
def test_no_fault_raises_the_credit_of_two_readings_that_changed_places(
    project_texts, make_evidence, shown, hourly, place, other
):
    project = parse_project(project_texts["solar-pv"]())
    values = climbing(OLD, hourly)
    clean = make_evidence([lost(shown, "bus", "energy_export_total_wh", values, NO_HARM)])
    worse = damaged(values, "swap", place, other)
    never_more(project, clean, make_evidence([lost(shown, "bus", "energy_export_total_wh", worse, NO_HARM)]))


@settings(deadline=None, max_examples=40)
@given(
    heat=st.lists(st.integers(0, 2_500_000_000), min_size=len(SLOTS), max_size=len(SLOTS)),
    running=st.lists(st.integers(0, 1), min_size=len(SLOTS), max_size=len(SLOTS)),
    heat_harm=losses(),
    burner_harm=losses(),
)
def test_no_fault_raises_the_credit_of_a_boiler(
    project_texts, make_evidence, shown, heat, running, heat_harm, burner_harm
):
    project = parse_project(project_texts["heat-only-boiler"]())
    total, states = climbing(10**15, heat), dict(zip(SLOTS, running, strict=True))

    def evidence(one, other):
        return make_evidence(
            [
                lost(shown, "heat", "heat_total_j", total, one),
                lost(shown, "burner", "burner_state", states, other),
            ]
        )

    never_more(project, evidence(NO_HARM, NO_HARM), evidence(heat_harm, burner_harm))


@pytest.mark.parametrize("losses_w", ["370", "1500"])  # a better core, and one that is worse than the reference
@settings(deadline=None, max_examples=30)
@given(
    energised=st.lists(st.sampled_from([230_000, 230_000, 230_000, 0]), min_size=len(SLOTS), max_size=len(SLOTS)),
    harm=st.tuples(losses(), losses(), losses()),
)
def test_no_fault_raises_the_credit_of_a_transformer_station(
    project_texts, make_evidence, shown, energised, harm, losses_w
):
    project = parse_project(project_texts["transformer-fleet"](losses_w))
    voltage_mv = dict(zip(SLOTS, energised, strict=True))

    def evidence(harms):
        return make_evidence(
            [
                lost(shown, "station", f"voltage_l{phase}_v", voltage_mv, each)
                for phase, each in enumerate(harms, start=1)
            ]
        )

    never_more(project, evidence((NO_HARM,) * 3), evidence(harm))
