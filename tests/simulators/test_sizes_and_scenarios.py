"""Plants of another size, and stories of faults."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pymodbus import ModbusException
from pymodbus.client import ModbusTcpClient

from simulators.build import built
from simulators.config import PlantSettings, SimulatorSettings, watts_of
from simulators.errors import SizeError
from simulators.plants.plant import TRUTH
from simulators.roster import DEVICES, ROSTER, build_site
from simulators.scenarios import SCENARIOS

ORIGIN_MS = int(datetime(2025, 12, 27, tzinfo=UTC).timestamp() * 1000)
NOON_MS = ORIGIN_MS + 28 * 3_600_000
START = datetime(2026, 1, 12, tzinfo=UTC)


def settings(**table):
    plant = {"plant": "solar", "project": "p", "site": "s", **table}
    return SimulatorSettings.model_validate({"plants": [plant], "counters_from": "2025-12-27T00:00:00Z"})


@pytest.mark.parametrize(("text", "watts"), [("8.3MW", 8.3e6), ("500 kW", 5e5), ("12 W", 12), (" 0.001 GW ", 1e6)])
def test_a_size_is_a_number_with_its_unit(text, watts):
    assert watts_of(text) == pytest.approx(watts)


@pytest.mark.parametrize("text", ["8.3", "MW", "8,3 MW", "-1 MW", "0 kW", "8.3 MWh", "nan MW"])
def test_what_is_no_size_is_refused_in_words(text):
    with pytest.raises(ValueError, match="for example"):
        settings(size=text)


def test_a_plant_of_twice_the_size_has_twice_the_power_and_gains_twice_as_much():
    own, twice = (built(made, made.plants[0]).plant for made in (settings(), settings(size="16.6 MW")))
    assert own.rated_w == 8.3e6
    later_ms = NOON_MS + 3_600_000
    one, two = own.state("ac-bus", NOON_MS), twice.state("ac-bus", NOON_MS)
    assert two.active_power_w == pytest.approx(2 * one.active_power_w)
    assert two.voltages_v == one.voltages_v
    gained = [plant.amount("ac-bus", "energy_export_total_wh", NOON_MS, later_ms) for plant in (own, twice)]
    assert gained[1] == pytest.approx(2 * gained[0])
    assert gained[0] > 0
    truths = [plant.amount(TRUTH, "curtailed_w", ORIGIN_MS, later_ms) for plant in (own, twice)]
    assert truths[1] == pytest.approx(2 * truths[0])


def test_what_a_plant_remembers_does_not_depend_on_its_size():
    # The day behind may know the last minute of the day before: of the plant as it was, not as it is shown.
    own, small = (build_site("heat-only-boiler", "1", ORIGIN_MS, rated_w=rated).plant for rated in (None, 3e5))
    at_ms = ORIGIN_MS + 50 * 3_600_000
    assert small.state("heat-out", at_ms).heat_power_w == pytest.approx(own.state("heat-out", at_ms).heat_power_w / 4)


@pytest.mark.parametrize("plant", sorted(ROSTER))
def test_every_plant_either_takes_a_size_or_says_why_not(plant):
    made = ROSTER[plant].build("1", ORIGIN_MS, "synthetic")
    if made.rated_w is None:
        with pytest.raises(SizeError, match="not known by a single rated power"):
            build_site(plant, "1", ORIGIN_MS, rated_w=1e6)
    else:
        build_site(plant, "1", ORIGIN_MS, rated_w=1e6)
        with pytest.raises(SizeError, match="is no size"):
            build_site(plant, "1", ORIGIN_MS, rated_w=float("inf"))


@pytest.mark.parametrize("name", sorted(SCENARIOS))
@pytest.mark.parametrize("plant", ["solar", "transmission-line", "led"])
def test_a_story_fits_every_plant_and_begins_when_it_is_told_to(name, plant):
    table = PlantSettings(plant=plant, project="p", site="s", scenario=name, scenario_from=START)
    faults = table.faults_from(START - timedelta(days=1))
    assert {fault.device for fault in faults} <= {"", *DEVICES[plant]}
    assert min(fault.start for fault in faults) >= START
    assert all(fault.end > fault.start for fault in faults)
    assert len(faults) == len(SCENARIOS[name].scenes)
    assert SCENARIOS[name].tells


def test_a_story_without_a_date_begins_when_the_simulators_start_and_stands_beside_other_faults():
    table = PlantSettings(plant="solar", project="p", site="s", scenario="other-transformers", fault=[{"kind": "slow"}])
    slow, *story = table.faults_from(START)
    assert slow.kind == "slow"
    assert story[0].start == START + timedelta(hours=10)


def test_a_story_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="a-bad-week-in-ulaanbaatar"):
        settings(scenario="a-good-week")


def test_in_a_bad_week_a_client_meets_what_the_story_tells(settings_in, running):
    # Two and a half hours into it nobody answers; six hours into it everybody does.
    answered = []
    for hours in (2.5, 6):
        start = (START + timedelta(hours=hours)).isoformat()
        table = {"plant": "solar", "project": "demo-solar", "site": "s", "port": 0}
        table |= {"scenario": "a-bad-week-in-ulaanbaatar", "scenario_from": START.isoformat()}
        clock = {"kind": "scaled", "start": start, "factor": 1.0}
        with running(settings_in(plants=[table], clock=clock)) as simulators:
            answered.append(_is_answered(simulators.port("demo-solar")))
    assert answered == [False, True]


def _is_answered(port: int) -> bool:
    with ModbusTcpClient("127.0.0.1", port=port, timeout=0.5, retries=0) as client:
        try:
            return not client.read_holding_registers(0x0C87, count=4, device_id=10).isError()
        except ModbusException:
            return False


def test_the_page_for_integrators_tells_every_story():
    page = (Path(__file__).parents[2] / "docs" / "simulators.md").read_text()
    assert all(f"| `{name}` | {story.tells} |" in page for name, story in SCENARIOS.items())
