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


def never_more(project, clean, faulty, rules=("sakugen-rules/2", "sakugen-rules/2")):
    period = project.period[0]
    before, after = (
        compute(project, evidence, period, ruleset(name)) for evidence, name in zip((clean, faulty), rules, strict=True)
    )
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
    wrong=st.dictionaries(st.sampled_from(SLOTS), st.sampled_from([-1, 2, 2**40]), max_size=6),
)
def test_no_fault_raises_the_credit_of_a_boiler(
    project_texts, make_evidence, shown, heat, running, heat_harm, burner_harm, wrong
):
    project = parse_project(project_texts["heat-only-boiler"]())
    total, states = climbing(10**15, heat), dict(zip(SLOTS, running, strict=True))

    def evidence(one, other, statuses):
        return make_evidence(
            [
                lost(shown, "heat", "heat_total_j", total, one),
                lost(shown, "burner", "burner_state", statuses, other),
            ]
        )

    never_more(project, evidence(NO_HARM, NO_HARM, states), evidence(heat_harm, burner_harm, states | wrong))


@pytest.mark.parametrize("losses_w", ["370", "1500"])  # a better core, and one that is worse than the reference
@settings(deadline=None, max_examples=30)
@given(
    energised=st.lists(st.sampled_from([230_000, 230_000, 230_000, 0]), min_size=len(SLOTS), max_size=len(SLOTS)),
    harm=st.tuples(losses(), losses(), losses()),
    wrong=st.dictionaries(st.sampled_from(SLOTS), st.sampled_from([-1, -(10**9), 345_001, 2**40]), max_size=6),
)
def test_no_fault_raises_the_credit_of_a_transformer_station(
    project_texts, make_evidence, shown, energised, harm, wrong, losses_w
):
    project = parse_project(project_texts["transformer-fleet"](losses_w))
    voltage_mv = {
        slot: value and value + at % 2 * 100 for at, (slot, value) in enumerate(zip(SLOTS, energised, strict=True))
    }

    def evidence(harms, shows):
        return make_evidence(
            [lost(shown, "station", f"voltage_l{phase}_v", shows, each) for phase, each in enumerate(harms, start=1)]
        )

    never_more(project, evidence((NO_HARM,) * 3, voltage_mv), evidence(harm, voltage_mv | wrong))


@settings(deadline=None, max_examples=30)
@given(
    energised=st.lists(st.sampled_from([230_000, 0]), min_size=len(SLOTS), max_size=len(SLOTS)),
    first=st.integers(0, len(SLOTS) - 11),
    still=st.integers(10, 30),
    harm=losses(),
)
def test_no_fault_raises_the_credit_of_a_station_whose_voltages_froze(
    project_texts, make_evidence, shown, energised, first, still, harm
):
    project = parse_project(project_texts["transformer-fleet"]())
    truth = {
        slot: value and value + at % 2 * 100 for at, (slot, value) in enumerate(zip(SLOTS, energised, strict=True))
    }
    stretch = SLOTS[first : first + still]
    shows = truth | dict.fromkeys(stretch, truth[SLOTS[first]])
    gone, bad, unsynced, late = harm
    seen = set(stretch)  # fewer than ten that are the same are none
    around = (gone - seen, bad - seen, unsynced - seen, {slot: ms for slot, ms in late.items() if slot not in seen})

    def evidence(values, each):
        return make_evidence([lost(shown, "station", f"voltage_l{phase}_v", values, each) for phase in (1, 2, 3)])

    never_more(project, evidence(truth, NO_HARM), evidence(shows, around))


@pytest.mark.parametrize("role", ["generation", "auxiliary"])
@settings(deadline=None, max_examples=30)
@given(
    power=st.integers(83_000_000, int(4.98 * MW_H)),
    stretch=st.tuples(st.integers(0, len(SLOTS) - 2), st.integers(1, 20)),
    stops=st.booleans(),
    harm=losses(),
)
def test_no_fault_raises_the_credit_of_a_counter_that_froze_while_its_power_was_read(
    project_texts, make_evidence, shown, role, power, stretch, stops, harm
):
    """It shows what it showed, New Year or not, and goes on from the truth, or from where it stopped counting."""
    project = parse_project(project_texts["solar-pv"](auxiliary=True))
    truth = climbing(OLD, [power] * len(SLOTS))
    (first, still), shows = stretch, {}
    for place, (slot, value) in enumerate(truth.items()):
        asleep = min(max(place - first, 0), still)
        shows[slot] = value - asleep * power if stops or asleep < still else value

    def evidence(frozen, harms):
        bus, aux = (frozen, truth) if role == "generation" else (truth, frozen)
        return make_evidence(
            [
                lost(shown, "bus", "energy_export_total_wh", bus, harms),
                lost(shown, "aux", "energy_import_total_wh", aux, harms),
                lost(
                    shown, "bus", "active_power_w", dict.fromkeys(SLOTS, power), NO_HARM, orientation="export-positive"
                ),
                lost(
                    shown, "aux", "active_power_w", dict.fromkeys(SLOTS, power), NO_HARM, orientation="import-positive"
                ),
            ]
        )

    # No rule sees that a counter froze while its readings are lost, so they are lost before and after it only.
    seen = set(SLOTS[first : first + still + 2])
    gone, bad, unsynced, late = harm
    around = (gone - seen, bad - seen, unsynced - seen, {slot: ms for slot, ms in late.items() if slot not in seen})
    never_more(project, evidence(truth, NO_HARM), evidence(shows, around))


@pytest.mark.parametrize("role", ["generation", "auxiliary"])
@settings(deadline=None, max_examples=30)
@given(
    hourly=powers,
    first=st.integers(1, len(SLOTS) - 2),
    silent=st.integers(1, 5),
    lost_share=st.integers(0, 1_000),
)
def test_no_fault_raises_the_credit_of_a_counter_that_lost_what_it_had_not_saved_with_its_supply(
    project_texts, make_evidence, shown, role, hourly, first, silent, lost_share
):
    """It is silent for some slots, and then goes on from what it had saved at most 5 minutes before."""
    project = parse_project(project_texts["solar-pv"](auxiliary=True))
    truth = climbing(OLD, hourly)
    # In 5 minutes no more is counted than 8.3 MW x 1.05 give.
    gone = int(8.715 * MW_H) // 12 * lost_share // 1_000
    shows = {}
    for place, (slot, value) in enumerate(truth.items()):
        after = value if place < first else value - gone
        shows[slot] = None if first <= place < first + silent else after

    def evidence(supplied):
        bus, aux = (supplied, truth) if role == "generation" else (truth, supplied)
        return make_evidence(
            [
                lost(shown, "bus", "energy_export_total_wh", bus, NO_HARM, nonvolatile_s=300),
                lost(shown, "aux", "energy_import_total_wh", aux, NO_HARM, nonvolatile_s=300),
            ]
        )

    never_more(project, evidence(truth), evidence(shows))


@settings(deadline=None, max_examples=40)
@given(
    values=st.lists(st.integers(0, 20 * MW_H), min_size=len(SLOTS), max_size=len(SLOTS)),
    power=st.lists(st.integers(-9 * MW_H, 9 * MW_H), min_size=len(SLOTS), max_size=len(SLOTS)),
    still=st.sets(st.integers(1, len(SLOTS) - 1)),
    harm=losses(),
)
def test_no_fault_raises_the_credit_of_anything_above_what_the_first_ruleset_gives(
    project_texts, make_evidence, shown, values, power, still, harm
):
    """The rules that came later only widen, whatever the readings are."""
    project = parse_project(project_texts["solar-pv"](auxiliary=True))
    for place in sorted(still):
        values[place] = values[place - 1]
    counted = dict(zip(SLOTS, values, strict=True))
    parts = []
    for point, name, way in (("bus", "export", "export-positive"), ("aux", "import", "import-positive")):
        parts.append(lost(shown, point, f"energy_{name}_total_wh", counted, harm, nonvolatile_s=300))
        flows = dict(zip(SLOTS, power, strict=True))
        parts.append(lost(shown, point, "active_power_w", flows, NO_HARM, orientation=way))
    evidence = make_evidence(parts)
    never_more(project, evidence, evidence, ("sakugen-rules/1", "sakugen-rules/2"))
