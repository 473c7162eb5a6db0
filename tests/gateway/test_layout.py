"""What a whole configuration asks of its lines: devices of a bus share it, and its speed decides what is cheap."""

import tomllib

import pytest

from gateway.config import SAMPLE, GatewaySettings
from gateway.layout import lay_out
from metering.decode import Block

MAP = """
schema = "sakugen.devicemap/1"
make = "Test"
model = "M1"
tier = "unverified"
[access]
max_words = 60
readable = [{ function = 3, first = 0, last = 49 }, { function = 3, first = 50, last = 99 }]
turnaround_ms = 20
[[source]]
title = "made up"
read = "nothing"
""" + "".join(
    f'[[register]]\nname = "{name}"\nmeasurand = "{name}"\nfunction = 3\naddress = {at}\ntype = "u16"\n'
    for at, name in ((0, "voltage_l1_v"), (30, "voltage_l2_v"), (49, "voltage_l3_v"), (50, "frequency_hz"))
)


@pytest.fixture
def laid(tmp_path):
    (tmp_path / "m1.toml").write_text(MAP)

    def lay(bus: str, place: str, interval_s: int = 60, devices: int = 1):
        names = ("voltage_l1_v", "voltage_l2_v", "voltage_l3_v", "frequency_hz")
        text = SAMPLE.partition("[[device]]")[0] + bus
        for unit in range(1, devices + 1):
            points = ", ".join(f'{{ point = "p{unit}", measurand = "{name}" }}' for name in names)
            text += f"""
[[device]]
name = "meter-{unit}"
map = "{tmp_path / "m1.toml"}"
{place}
unit_id = {unit}
meter = {{ make = "Test", model = "M1", serial = "{unit}" }}
group = [{{ name = "all", interval_s = {interval_s}, points = [{points}] }}]
"""
        return lay_out(GatewaySettings.model_validate(tomllib.loads(text)))

    return lay


RTU = '[[bus]]\nname = "cabinet"\nkind = "rtu"\npath = "/dev/ttyUSB0"\nbaud = {}\nparity = "E"\n'


def test_over_tcp_a_hole_is_cheap_and_two_readable_ranges_stay_apart(laid):
    (part,) = laid("", 'host = "192.0.2.1"')
    assert part.group.blocks == (Block(3, 0, 50), Block(3, 50, 1))
    assert (part.hole_words, part.line) == (47, "192.0.2.1:502")
    assert part.load.busy_ms == 2 * 21.0


def test_on_a_slow_line_a_hole_costs_more_than_a_request(laid):
    (part,) = laid(RTU.format(1200), 'bus = "cabinet"')
    assert part.group.blocks == (Block(3, 0, 1), Block(3, 30, 1), Block(3, 49, 1), Block(3, 50, 1))
    assert part.hole_words == 0
    # Four times 15 bytes of 11 bits, and two silences of 3.5 of them.
    assert part.load.busy_ms == pytest.approx(4 * (15 + 7) * 11 / 1.2)


def test_on_a_fast_line_with_a_slow_device_the_hole_is_read(laid):
    (part,) = laid(RTU.format(115_200), 'bus = "cabinet"')
    assert part.group.blocks == (Block(3, 0, 50), Block(3, 50, 1))


def test_devices_on_one_bus_share_its_time_and_too_many_are_refused(laid):
    parts = laid(RTU.format(9600), 'bus = "cabinet"', devices=5)
    assert {part.line for part in parts} == {"cabinet"}
    with pytest.raises(ValueError, match=r"cabinet cannot carry its poll groups: every 1 s they take 1\.\d+ s"):
        laid(RTU.format(9600), 'bus = "cabinet"', interval_s=1, devices=9)


def test_two_units_behind_one_address_share_its_line(laid):
    first, second = laid("", 'host = "192.0.2.1"', devices=2)
    assert first.line == second.line == "192.0.2.1:502"
