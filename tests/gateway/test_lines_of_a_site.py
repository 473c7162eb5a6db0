"""From a configuration to lines: who shares one, how long each device may take, and what proves that it is itself."""

import pytest

from gateway.config import SAMPLE, GatewaySettings
from gateway.lines import lines_of, unit_of
from metering.config import parse_toml
from metering.decode import Block

MAP = """
schema = "sakugen.devicemap/1"
make = "Test"
model = "M"
tier = "unverified"
[[source]]
title = "made up"
read = "nothing"
[access]
timeout_ms = 700
turnaround_ms = 60
[identity]
function = 3
address = 900
type = "u16"
{serial}
[[register]]
name = "energy"
measurand = "energy_export_total_wh"
function = 3
address = 0
type = "u64"
[[register]]
name = "power"
measurand = "active_power_w"
function = 3
address = 10
type = "f32"
[[register]]
name = "power-of-phase"
measurand = "active_power_w"
function = 3
address = 12
type = "f32"
"""
BUS = """
[[bus]]
name = "cabinet"
kind = "rtu"
path = "/dev/ttyUSB0"
baud = 9600
"""
DEVICE = """
[[device]]
name = "{name}"
map = "{map}"
{place}
meter = {{ make = "Test", model = "M", serial = "1" }}
[[device.group]]
name = "energy"
interval_s = 900
points = [{{ point = "{name}", measurand = "energy_export_total_wh" }}]
"""
HEAD = SAMPLE[: SAMPLE.index("[[device]]")]


@pytest.fixture
def settings(tmp_path):
    def build(*places: str, serial: str = "") -> GatewaySettings:
        path = tmp_path / "map.toml"
        path.write_text(MAP.format(serial=serial))
        devices = [DEVICE.format(name=f"d{i}", map=path, place=place) for i, place in enumerate(places)]
        return parse_toml(HEAD + BUS + "".join(devices), GatewaySettings, "gateway.toml")

    return build


def test_devices_on_one_bus_or_at_one_address_share_a_line_and_others_do_not(settings, clock):
    lines = lines_of(
        settings(
            'bus = "cabinet"\nunit_id = 1',
            'bus = "cabinet"\nunit_id = 2',
            'host = "192.0.2.1"\nunit_id = 1',
            'host = "192.0.2.1"\nunit_id = 2',
            'host = "192.0.2.2"',
        ),
        clock,
    )
    assert [list(lines).index(next(n for n in lines if lines[n] is lines[name])) for name in lines] == [0, 0, 2, 2, 4]


def test_what_the_configuration_says_of_the_timeout_goes_before_the_map_and_the_map_before_one_second(settings):
    own, from_map = settings('host = "192.0.2.1"\ntimeout_s = 3', 'host = "192.0.2.2"').device
    assert (unit_of(own).timeout_s, unit_of(from_map).timeout_s) == (3, 0.7)
    assert unit_of(own).turnaround_s == 0.06
    sample = parse_toml(SAMPLE, GatewaySettings, "gateway.toml").device[0]
    assert unit_of(sample).timeout_s == 1


def test_a_device_is_itself_by_its_serial_number_or_else_by_what_the_map_names(settings):
    (device,) = settings('host = "192.0.2.1"').device
    assert unit_of(device).identities == (Block(3, 900, 1),)
    (device,) = settings(
        'host = "192.0.2.1"', serial='serial = { function = 4, address = 910, type = "string", count = 8 }'
    ).device
    assert unit_of(device).identities == (Block(4, 910, 8),)


def test_probes_are_the_first_register_of_each_length_and_parts_of_registers_come_last(settings):
    (device,) = settings('host = "192.0.2.1"').device
    probes = unit_of(device).probes
    assert set(probes) == {Block(3, 0, 4), Block(3, 10, 2), Block(3, 0, 1)}
    assert probes[-1] == Block(3, 0, 1)
