"""The bench, which has every device: asked over TCP by pymodbus, by mbpoll, and by the SunSpec scan of pysunspec2."""

import subprocess

import numpy as np
import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from simulators.devices.catalogue import CATALOGUE
from simulators.devices.quantities import columns_of, quantities
from simulators.roster import build_site
from tests.simulators.conftest import Running, make_settings

UNITS = {instrument.name: instrument.unit_id for instrument in build_site("bench", "1", 0).instruments}
SUNSPEC = [name for name in CATALOGUE if name.startswith("sunspec-")]
BENCH = {"plant": "bench", "project": "bench", "site": "desk", "port": 0}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """The bench, up for all tests of this file."""
    with Running(make_settings(tmp_path_factory.mktemp("bench"), plants=[BENCH])) as up:
        yield up


def first_registers(sheet):
    first, count = sheet.runs[0]
    return first, min(count, sheet.most_registers)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_device_shows_nothing_that_its_instrument_does_not_see(name):
    device = CATALOGUE[name]
    state = build_site("bench", "1", 0).plant.state(name, 3_600_000)
    seen = quantities(device.shows, columns_of(state))
    assert {row.shows for row in device.sheet.rows} - {""} <= seen.keys()
    assert all(np.isfinite(values).all() for values in seen.values())


@pytest.mark.parametrize("name", SUNSPEC)
def test_the_scan_of_pysunspec2_finds_the_models_and_reads_power_and_energy(bench, name):
    device = SunSpecModbusClientDeviceTCP(slave_id=UNITS[name], ipaddr="127.0.0.1", ipport=bench.port(), timeout=5)
    device.scan()
    device.close()
    number = int(name.split("-")[1])
    assert [key for key in device.models if isinstance(key, int)] == [1, number]
    model = device.models[number][0]
    energy = {"TotWhExp", "TotWhInj", "WH"} & model.points.keys()
    assert 20_000 <= abs(model.W.cvalue) <= 41_000
    assert model.points[energy.pop()].cvalue > 900


def test_a_device_that_two_functions_read_answers_both_alike_and_others_one_alone(bench):
    with bench.client("bench") as client:
        unit = UNITS["eastron-sdm630"]
        words = client.read_input_registers(0xFC00, count=2, device_id=unit).registers
        assert client.read_holding_registers(0xFC00, count=2, device_id=unit).registers == words == [0, unit]
        assert client.read_input_registers(0x0BF3, count=2, device_id=UNITS["schneider-iem3000"]).exception_code == 1


@pytest.mark.real
@pytest.mark.parametrize("name", CATALOGUE)
def test_mbpoll_reads_every_device(bench, installed, name):
    sheet = CATALOGUE[name].sheet
    first, count = first_registers(sheet)
    kind = {3: "4:hex", 4: "3:hex"}[sheet.function]
    command = [
        installed("mbpoll"),
        "-m",
        "tcp",
        "-p",
        str(bench.port()),
        "-a",
        str(UNITS[name]),
        "-0",
        "-r",
        str(first),
    ]
    command += ["-c", str(count), "-t", kind, "-1", "-q", "127.0.0.1"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    words = [int(line.split()[-1], 16) for line in shown.splitlines() if line.startswith("[")]
    assert len(words) == count
    for text in sheet.fixed:
        if first <= text.address < first + count:
            assert words[text.address - first] == text.words[0]
