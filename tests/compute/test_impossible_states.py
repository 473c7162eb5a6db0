"""A state that no device of its kind can be in is unknown: it neither earns nor saves anything, and it is named."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from compute.engine import compute
from compute.project import parse_project
from compute.rulesets import ruleset
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
        parts = [shown(point, name, dict.fromkeys(SLOTS, value), interval_ms=HOUR_MS) for name in names]
        parts[-1] = shown(point, names[-1], dict.fromkeys(SLOTS, value) | {NOON_MS: at_noon}, interval_ms=HOUR_MS)
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
