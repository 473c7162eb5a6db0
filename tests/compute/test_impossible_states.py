"""A state that no device of its kind can be in is unknown: it neither earns nor saves anything, and it is named."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from compute.engine import compute
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.sources import frozen_rows
from compute.vintages import midnight_ms

HOUR_MS = 3_600_000
START_MS, END_MS = (midnight_ms(day, ZoneInfo("Asia/Ulaanbaatar")) for day in (date(2025, 12, 31), date(2026, 1, 2)))
SLOTS = tuple(range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS))
NOON_MS = START_MS + 12 * HOUR_MS


@pytest.fixture
def hours(project_texts, make_evidence, shown):
    """The first year's time in the state, and what was found to be impossible, when the state at noon is so."""

    def measure(family, at_noon, rules="sakugen-rules/2"):
        project = parse_project(project_texts[family]())
        if family == "heat-only-boiler":
            point, value, names = "burner", 1, ["burner_state"]
        else:
            point, value, names = "station", 230_000, [f"voltage_l{phase}_v" for phase in (1, 2, 3)]
        steady = dict.fromkeys(SLOTS, value)
        step = None if point == "burner" else "1"  # whole volts, which may rest
        parts = [shown(point, name, steady, interval_ms=HOUR_MS, scale=step) for name in names]
        parts[-1] = shown(point, names[-1], steady | {NOON_MS: at_noon}, interval_ms=HOUR_MS, scale=step)
        result = compute(project, make_evidence(parts), project.period[0], ruleset(rules))
        year = next(row for row in result.monitored if row.point == point).by_vintage[0]
        return (year.low, year.high), [finding for finding in result.findings if finding.code == "value-impossible"]

    return measure


@pytest.mark.parametrize("value", [-1, 2, 2**40])
def test_a_burner_that_is_neither_on_nor_off_may_be_either(hours, value):
    pair, (finding,) = hours("heat-only-boiler", value)
    assert pair == (22, 24)
    assert (finding.point, finding.measurand) == ("burner", "burner_state")
    words = value.to_bytes(8, signed=True).hex(" ", 2)
    assert finding.evidence[f"{NOON_MS}..{NOON_MS} ms"] == f"1 readings; the first is {value} (words {words})"


@pytest.mark.parametrize("value", [0, 1])
def test_a_burner_that_is_on_or_off_is_believed(hours, value):
    assert hours("heat-only-boiler", value)[1] == []


@pytest.mark.parametrize("value", [-1, 345_001])
def test_a_voltage_below_0_or_above_one_and_a_half_times_the_nominal_one_says_nothing(hours, value):
    pair, (finding,) = hours("transformer-fleet", value)
    assert pair == (22, 24)
    assert (finding.point, finding.measurand) == ("station", "voltage_l3_v")


@pytest.mark.parametrize(("value", "pair"), [(0, (22, 24)), (345_000, (24, 24))])
def test_a_voltage_that_can_be_is_believed(hours, value, pair):
    assert hours("transformer-fleet", value) == (pair, [])


@pytest.mark.parametrize(
    ("family", "value", "pair"),
    [("heat-only-boiler", 2, (22, 24)), ("transformer-fleet", 345_001, (24, 24)), ("transformer-fleet", -1, (22, 24))],
)
def test_the_first_ruleset_takes_any_value_for_a_state(hours, family, value, pair):
    assert hours(family, value, "sakugen-rules/1") == (pair, [])


# --- voltages that stay the same to the last digit -----------------------------------------------------------------

TENTH_V = 100  # [mV]


@pytest.fixture
def voltages(project_texts, make_evidence, shown):
    """The first year's energised time, and what was found to be frozen, when one phase shows these voltages."""

    def measure(values, rules="sakugen-rules/2", scale="0.1"):
        project = parse_project(project_texts["transformer-fleet"]())
        parts = [
            shown("station", f"voltage_l{phase}_v", lively(), interval_ms=HOUR_MS, scale=scale) for phase in (1, 2)
        ]
        parts.append(shown("station", "voltage_l3_v", values, interval_ms=HOUR_MS, scale=scale))
        result = compute(project, make_evidence(parts), project.period[0], ruleset(rules))
        year = result.monitored[0].by_vintage[0]
        return (year.low, year.high), [finding for finding in result.findings if finding.code == "value-frozen"]

    return measure


def lively():
    return {slot: 230_000 + place % 3 * TENTH_V for place, slot in enumerate(SLOTS)}


def resting(samples, value=230_000):
    """The same for so many samples from noon on; then and before, one step above and below by turns."""
    first = SLOTS.index(NOON_MS)
    rests = range(first, first + samples)
    return {
        slot: value if place in rests else max(0, value + (place % 2 * 2 - 1) * TENTH_V)
        for place, slot in enumerate(SLOTS)
    }


def test_a_voltage_that_is_the_same_ten_times_to_a_tenth_of_a_volt_is_frozen_from_the_second_time_on(voltages):
    # The first at noon is believed, and so is the one at 22:00: nine unknown samples, ten hours.
    pair, (finding,) = voltages(resting(10))
    assert pair == (14, 24)
    assert (finding.point, finding.measurand) == ("station", "voltage_l3_v")
    assert (finding.evidence["readings"], finding.evidence["first_ms"]) == ("9", str(NOON_MS + HOUR_MS))


def test_a_voltage_that_is_the_same_nine_times_is_believed(voltages):
    assert voltages(resting(9)) == ((24, 24), [])


def test_a_voltage_of_whole_volts_may_rest(voltages):
    assert voltages(resting(10), scale="1") == ((24, 24), [])


def test_a_supply_that_is_off_may_rest(voltages):
    assert voltages(resting(10, value=0)) == ((0, 0), [])


def test_under_the_first_ruleset_a_frozen_voltage_is_believed(voltages):
    assert voltages(resting(10), "sakugen-rules/1") == ((24, 24), [])


def test_ten_samples_within_the_hour_are_not_enough(make_evidence, shown):
    minute_ms = 60_000
    slots = range(START_MS, START_MS + 4 * HOUR_MS, minute_ms)

    def frozen(samples):
        wave = {slot: 230_000 + place % 2 * TENTH_V for place, slot in enumerate(slots)}
        values = wave | dict.fromkeys(list(slots)[60 : 60 + samples], 229_000)
        series = make_evidence([shown("station", "voltage_l1_v", values, interval_ms=minute_ms, scale="0.1")]).series(
            "station", "voltage_l1_v"
        )
        return int(frozen_rows(series, ruleset().frozen_voltage).sum())

    assert (frozen(60), frozen(61)) == (0, 60)
