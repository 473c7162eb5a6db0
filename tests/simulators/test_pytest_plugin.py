"""What the tests of another project can do with `modbus_plant`, and that the page about it says so."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from simulators.faults import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "simulators.md"


def test_a_plant_serves_until_the_test_is_over_and_says_what_it_served(modbus_plant, wait_until):
    plant = modbus_plant("solar")
    with ModbusTcpClient("127.0.0.1", port=plant.port()) as client:
        registers = client.read_holding_registers(0x0C87, count=4, device_id=10).registers
    wait_until(lambda: len(plant.served()) == 1)
    assert plant.served()[0].words == b"".join(word.to_bytes(2) for word in registers)


def test_a_plant_goes_wrong_when_it_is_told_to(modbus_plant):
    plant = modbus_plant("solar", devices=["ac-bus"])
    with ModbusTcpClient("127.0.0.1", port=plant.port()) as client:
        plant.fault("busy", "ac-bus")
        assert client.read_holding_registers(0x0C87, count=4, device_id=10).exception_code == 6
        plant.end_faults()
        assert not client.read_holding_registers(0x0C87, count=4, device_id=10).isError()


def test_several_plants_stand_side_by_side_and_one_seed_gives_one_plant(modbus_plant):
    clock = {"kind": "scaled", "start": "2025-12-28T13:00:00+08:00", "anchor_s": 1e9, "factor": 1.0}
    first, second, other = (modbus_plant("solar", clock=clock, seed=seed) for seed in (1, 1, 2))
    read = []
    for plant in (first, second, other):
        with ModbusTcpClient("127.0.0.1", port=plant.port()) as client:
            read.append(client.read_holding_registers(0x0C87, count=4, device_id=10).registers)
    assert read[0] == read[1]
    assert read[0] != read[2]


def test_a_plant_that_there_is_not_is_refused_with_those_that_there_are(modbus_plant):
    with pytest.raises(ValueError, match="'heat-only-boiler'"):
        modbus_plant("perpetuum-mobile")


def test_the_fixture_is_announced_to_pytest():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert 'sakugen_simulators = "simulators.pytest_plugin"' in text
    found = [point.value for point in entry_points(group="pytest11") if point.name == "sakugen_simulators"]
    assert found in ([], ["simulators.pytest_plugin"])  # empty where the package is not installed but only lies there


def test_the_page_for_integrators_names_every_kind_of_fault():
    named = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE))
    assert set(KINDS) <= named
