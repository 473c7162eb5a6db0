"""The simulators' configuration: defaults that run, and one clear message for each fault."""

import pytest

from metering.config import ConfigError, parse_toml
from simulators.config import SimulatorSettings
from simulators.roster import DEVICES, build_site


def test_defaults_describe_the_three_demonstration_plants():
    plants = SimulatorSettings().plants
    assert [plant.project for plant in plants] == ["demo-solar", "demo-boiler", "demo-transformers"]
    assert [plant.site for plant in plants] == ["mongolia-farm", "ulaanbaatar-heat", "hanoi-grid"]
    assert {plant.host for plant in plants} == {"127.0.0.1"}


@pytest.mark.parametrize("plant", DEVICES)
def test_the_roster_names_its_devices_once_with_their_own_unit_ids(plant):
    instruments = build_site(plant, "1", 0).instruments
    assert tuple(each.name for each in instruments) == DEVICES[plant]
    assert len({each.unit_id for each in instruments}) == len(instruments)
    assert len({each.nameplate.serial for each in instruments}) == len(instruments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('[[plants]]\nplant = "tide"\nproject = "p"\nsite = "s"\nport = 1', "solar", id="unknown plant"),
        pytest.param(
            '[[plants]]\nplant = "solar"\nproject = "p"\nsite = "s"\nport = 1\ndevices = ["ac-buss"]',
            "has no device 'ac-buss'; it has inverter-1",
            id="unknown device",
        ),
        pytest.param(
            '[[plants]]\nplant = "heat-only-boiler"\nproject = "p"\nsite = "s"\nport = 1\npower = "measured"',
            "belongs to a solar plant",
            id="measured boiler",
        ),
        pytest.param(
            '[[plants]]\nplant = "solar"\nproject = "p"\nsite = "s"\nport = 1502\n'
            '[[plants]]\nplant = "solar"\nproject = "q"\nsite = "s"\nport = 1502',
            "two plants ask for 127.0.0.1:1502",
            id="port twice",
        ),
        pytest.param(
            '[[plants]]\nplant = "solar"\nproject = "p"\nsite = "s"\nready = "aceh-biomass"',
            "no ready site 'aceh-biomass' is a plant 'solar'; there are: mongolia-farm, mongolia-airport",
            id="ready site of another kind",
        ),
        pytest.param(
            '[[plants]]\nplant = "solar"\nproject = "p"\nsite = "s"\nready = "mongolia-farm"\npower = "measured"',
            "has its own weather",
            id="ready and measured",
        ),
        pytest.param(
            '[[plants]]\nplant = "solar"\nproject = "p"\nsite = "s"\ntransport = "rtu"\nserial = "bus.tty"\n'
            '[[plants]]\nplant = "solar"\nproject = "q"\nsite = "s"\ntransport = "rtu"\nserial = "bus.tty"',
            "two plants ask for serial 'bus.tty'",
            id="device file twice",
        ),
        pytest.param("plants = []", "there is no [[plants]] table", id="no plant"),
        pytest.param("sead = 1", "sead", id="wrong key"),
    ],
)
def test_a_fault_in_the_file_is_named_with_what_is_allowed(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_toml(text, SimulatorSettings, "simulators.toml")
    assert message in str(caught.value)
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize("plant", DEVICES)
def test_every_instrument_of_a_plant_has_a_device_that_serves_it(plant):
    site = build_site(plant, "1", 0)
    assert {each.name for each in site.instruments} == site.plant.instruments.keys()
