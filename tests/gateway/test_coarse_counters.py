"""Float counters that have grown too coarse for their plant are warned about, others are not."""

import pytest

from gateway.check import compare
from gateway.coarse import power_for, too_coarse
from gateway.maps import load_map
from gateway.survey import Seen, Survey
from metering.decode import decode, resolution
from metering.quality import Quality

JANITZA, SCHNEIDER, KAMSTRUP = (load_map(name) for name in ("janitza_umg604", "schneider_iem3000", "multical_403"))
POWER_8500_W = [0x4604, 0xD000]


def seen(device_map, measurand, words, device="meter"):
    register = device_map.register_for(measurand)
    value, step = decode(register, words), resolution(register, words)
    assert not isinstance(value, Quality)
    return Seen(
        device=device, group=f"{device}/all", point="ac-bus", register=register, value=value, quality=Quality.OK,
        words=tuple(words), scale_word=None, resolution=step, received_ms=0, took_ms=1,
    )  # fmt: skip


# 1e9 Wh is 0x4E6E6B28 and counts in steps of 64 Wh; 1,000,000 Wh is 0x49742400, in steps of 1/16 Wh.
@pytest.mark.parametrize(
    ("words", "interval_s", "warns"),
    [
        ([0x4E6E, 0x6B28], 1, True),  # 8.5 kW move 2.4 Wh in a second
        ([0x4E6E, 0x6B28], 60, False),  # and 142 Wh in a minute
        ([0x4974, 0x2400], 1, False),
    ],
)
def test_a_step_larger_than_what_the_power_moves_in_a_slot_is_warned_about(words, interval_s, warns):
    counter = seen(JANITZA, "energy_import_total_wh", words)
    power = seen(JANITZA, "active_power_w", POWER_8500_W)
    warning = too_coarse(counter, power, interval_s)
    assert (warning is not None) == warns
    if warns:
        assert "steps of 64 Wh by now, and 8500 W move 2.36 Wh in a slot of 1 s" in warning


def test_power_that_flows_the_other_way_moves_a_counter_as_well():
    counter = seen(JANITZA, "energy_import_total_wh", [0x4E6E, 0x6B28])
    assert too_coarse(counter, seen(JANITZA, "active_power_w", [0xC604, 0xD000]), 60) is None


def test_nothing_is_said_of_integers_or_of_a_plant_that_stands_still():
    power, still = (seen(JANITZA, "active_power_w", words) for words in (POWER_8500_W, [0, 0]))
    assert too_coarse(seen(SCHNEIDER, "energy_import_total_wh", [0, 0, 0x3B9A, 0xCA00]), power, 1) is None
    assert too_coarse(seen(JANITZA, "energy_import_total_wh", [0x4E6E, 0x6B28]), still, 1) is None


# 16,777,216 kWh of heat counts in steps of 2 kWh, 7.2 MJ; 48 kW move 2.88 MJ in a minute.
def test_heat_is_compared_with_the_power_of_heat():
    heat = seen(KAMSTRUP, "heat_total_j", [0x4B80, 0x0000])
    power = seen(KAMSTRUP, "heat_power_w", [0x4240, 0x0000])
    assert power_for(heat) == "heat_power_w"
    assert "steps of 7.2e+06 J" in too_coarse(heat, power, 60)
    assert too_coarse(heat, power, 900) is None


def test_what_no_power_moves_is_compared_with_none():
    assert power_for(seen(KAMSTRUP, "volume_total_m3", [0x4B80, 0x0000])) is None
    assert power_for(seen(JANITZA, "active_power_w", POWER_8500_W)) is None


def test_a_site_check_carries_the_warning_and_stays_good(site_of):
    readings = (
        seen(JANITZA, "energy_import_total_wh", [0x4E6E, 0x6B28]),
        seen(JANITZA, "active_power_w", POWER_8500_W),
    )
    settings = site_of("janitza_umg604", 1, ["energy_import_total_wh", "active_power_w"])
    verdicts = compare(settings, Survey(readings=readings, claims=()), {})
    assert [verdict.ok for verdict in verdicts] == [True, True]
    assert "counts in steps of 64 Wh by now" in verdicts[0].what
    assert verdicts[1].what == "read"


def test_a_power_of_another_device_says_nothing_of_this_counter(site_of):
    readings = (
        seen(JANITZA, "energy_import_total_wh", [0x4E6E, 0x6B28]),
        seen(JANITZA, "active_power_w", POWER_8500_W, device="other"),
    )
    settings = site_of("janitza_umg604", 1, ["energy_import_total_wh", "active_power_w"])
    assert compare(settings, Survey(readings=readings, claims=()), {})[0].what == "read"


@pytest.fixture
def site_of(tmp_path):
    """`site_of(map, interval_s, measurands)` is a site with one meter."""
    from gateway.config import GatewaySettings

    def make(name, interval_s, measurands):
        return GatewaySettings.model_validate(
            {
                "site": "test-site", "gateway": "gw-1", "project": "p", "data_dir": tmp_path,
                "key_file": tmp_path / "key", "broker": {"host": "127.0.0.1"},
                "ack_keys": ["ack+d5b53440+ARMJTpW70lqKUsf0Sk8T5Tj0Fe28oa9Jp0GN/iqy2U7R"],
                "device": [
                    {
                        "name": "meter", "map": name, "host": "127.0.0.1",
                        "meter": {"make": "m", "model": "n", "serial": "1"},
                        "group": [
                            {
                                "name": "all", "interval_s": interval_s,
                                "points": [{"point": "ac-bus", "measurand": each} for each in measurands],
                            }
                        ],
                    }
                ],
            }
        )  # fmt: skip

    return make
