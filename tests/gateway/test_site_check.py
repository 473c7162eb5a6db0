"""Reading a site once and comparing it: identity, what is possible, what displays show; the note that says so."""

import asyncio
import json
import struct
import tomllib

import pytest

from gateway.check import Shown, ShownError, compare, hex_of, parse_shown, signed_note
from gateway.config import SAMPLE, GatewaySettings
from gateway.support import REDACTED, dump, redact
from gateway.survey import survey
from metering import note
from metering.clock import SystemClock
from metering.keys import new_signer
from metering.quality import Quality

MAP = """
schema = "sakugen.devicemap/1"
make = "Test"
model = "M1"
tier = "unverified"
[[source]]
title = "made up"
read = "nothing"
[identity]
function = 3
address = 100
type = "u16"
expect = [341, 342]
serial = { function = 3, address = 102, type = "string", count = 3 }
[[register]]
name = "energy"
measurand = "energy_export_total_wh"
function = 3
address = 10
type = "u32"
scale = "100"
[[register]]
name = "voltage"
measurand = "voltage_l1_v"
function = 3
address = 12
type = "u16"
scale = "0.1"
[[register]]
name = "power"
measurand = "active_power_w"
function = 3
address = 20
type = "s16"
scale_register = { address = 21 }
"""
MEASURANDS = ("energy_export_total_wh", "voltage_l1_v", "active_power_w")


@pytest.fixture
def settings(tmp_path, meter) -> GatewaySettings:
    (tmp_path / "m1.toml").write_text(MAP)
    held = meter.registers[1]
    held[10], held[11] = 0x0001, 0x0002  # 65538 x 100 Wh
    held[12] = 2301
    held[20], held[21] = (-25) & 0xFFFF, 1
    held[100] = 341
    for at, word in enumerate(struct.unpack(">3H", b"SN-42\0"), 102):
        held[at] = word
    document = tomllib.loads(SAMPLE) | {"data_dir": str(tmp_path / "data")}
    points = [{"point": "ac-bus", "measurand": name} for name in MEASURANDS]
    document["device"] = [
        {
            "name": "meter-1",
            "map": str(tmp_path / "m1.toml"),
            "host": "127.0.0.1",
            "port": meter.port,
            "meter": {"make": "Test", "model": "M1", "serial": "SN-42"},
            "group": [{"name": "all", "interval_s": 60, "points": points}],
        }
    ]
    return GatewaySettings.model_validate(document)


def read(settings: GatewaySettings):
    return asyncio.run(survey(settings, SystemClock()))


def differing(settings: GatewaySettings, *shown: str) -> list[str]:
    verdicts = compare(settings, read(settings), parse_shown(shown))
    return [f"{one.subject}: {one.what}" for one in verdicts if not one.ok]


def test_each_point_has_its_value_its_own_words_and_its_scale_word(settings):
    energy, voltage, power = read(settings).readings
    assert (energy.value, hex_of(energy.words), energy.scale_word) == (65538 * 100 * 1000, "0001 0002", None)
    assert (voltage.value, hex_of(voltage.words)) == (230_100, "08FD")
    assert (power.value, hex_of(power.words), power.scale_word) == (-250_000, "FFE7", 1)
    assert {seen.quality for seen in (energy, voltage, power)} == {Quality.OK}
    assert energy.resolution == 100_000


def test_a_device_says_what_it_is_and_its_serial_number(settings):
    (claim,) = read(settings).claims
    assert (claim.model, claim.expected, claim.serial) == (341, (341, 342), "SN-42")


def test_a_clean_site_has_no_difference(settings):
    assert differing(settings, "ac-bus/energy_export_total_wh=6553.8kWh", "ac-bus/voltage_l1_v=230") == []


def test_another_model_and_another_serial_number_are_differences(settings, meter):
    meter.registers[1][100] = 400
    meter.registers[1][103] = 0x2D39
    found = differing(settings)
    assert "meter-1: identity is 400; the map is for 341, 342" in found
    assert "meter-1: serial number is SN-92; configured is SN-42" in found


def test_a_voltage_of_a_wrong_scale_is_a_difference(settings, meter, tmp_path):
    (tmp_path / "m1.toml").write_text(MAP.replace('scale = "0.1"', 'scale = "100"'))
    (found,) = differing(settings)
    assert found == "ac-bus/voltage_l1_v: 230100 V: not between 0 and 40000; scale or order may be wrong"


def test_a_display_that_shows_something_else_is_a_difference_with_both_named(settings):
    (found,) = differing(settings, "ac-bus/energy_export_total_wh=6554.9kWh")
    assert found.startswith("ac-bus/energy_export_total_wh: read 6553800 Wh, the display shows 6554.9kWh; 1100 apart")


def test_a_power_of_the_other_sign_than_the_display_shows_is_a_difference(settings):
    assert differing(settings, "ac-bus/active_power_w=-0.25kW") == []
    (found,) = differing(settings, "ac-bus/active_power_w=0.25kW")
    assert found.startswith("ac-bus/active_power_w: read -250 W, the display shows 0.25kW; 500 apart")


def test_a_counter_that_a_transformer_ratio_multiplies_is_a_difference(settings, meter):
    meter.registers[1][10], meter.registers[1][11] = 0x000A, 0x0014  # ten times 65538
    (found,) = differing(settings, "ac-bus/energy_export_total_wh=6553.8kWh")
    assert "read 65538000 Wh, the display shows 6553.8kWh" in found


def test_a_device_that_does_not_answer_is_a_difference_of_each_of_its_points(settings, free_port):
    device = settings.device[0].model_copy(update={"port": free_port(), "timeout_s": 0.2})
    found = differing(settings.model_copy(update={"device": (device,)}))
    assert found[1:] == [f"ac-bus/{name}: no-answer" for name in MEASURANDS]
    assert found[0].startswith("meter-1: identity is no-answer")


def test_a_refused_register_has_no_words_and_the_reason(settings, meter):
    meter.refused.add(20)
    power = read(settings).readings[2]
    assert (power.value, power.words, power.quality) == (None, None, Quality.EXCEPTION)


@pytest.mark.parametrize(
    ("text", "value", "step"),
    [
        ("a/energy_export_total_wh=123.4kWh", 123_400, 100),
        ("a/energy_export_total_wh=1 MWh", 1_000_000, 1_000_000),
        ("a/energy_export_total_wh=17", 17, 1),
        ("a/heat_total_j=2.5GJ", 2_500_000_000, 100_000_000),
        ("a/heat_total_j=2kWh", 7_200_000, 3_600_000),
        ("a/active_power_w=-1.50kW", -1500, 10),
    ],
)
def test_a_display_is_read_in_the_unit_it_shows(text, value, step):
    (shown,) = parse_shown([text]).values()
    assert shown == Shown(text.partition("=")[2].replace(" ", ""), value, step)


@pytest.mark.parametrize("text", ["", "a=1", "a/b", "a/unknown=1", "a/voltage_l1_v=1kWh", "a/voltage_l1_v=1e3", "/x=1"])
def test_what_cannot_be_read_on_a_display_is_refused_with_an_example(text):
    with pytest.raises(ShownError, match=r"say point/measurand=value|is no unit of"):
        parse_shown([text])


def test_a_display_of_a_point_that_is_not_read_is_refused(settings):
    with pytest.raises(ShownError, match="grid/voltage_l1_v is not read by this gateway; it reads: ac-bus/"):
        differing(settings, "grid/voltage_l1_v=230")


def test_the_signed_comparison_holds_words_values_displays_and_the_map(settings):
    signer, found = new_signer("operator"), read(settings)
    shown = parse_shown(["ac-bus/energy_export_total_wh=6553.8kWh"])
    data = signed_note(settings, found, shown, compare(settings, found, shown), signer)
    parts = note.split(data)
    note.verify(parts, signer.verifier)
    body = json.loads(parts.text)
    assert (body["type"], body["project"], body["mode"]) == ("sakugen.check/1", "demo-solar", "live")
    energy = body["readings"][0]
    assert (energy["words"], energy["quanta"], energy["shown"]) == ("0001 0002", 6_553_800_000, "6553.8kWh")
    assert len(body["maps"]["meter-1"]) == 64
    assert all(verdict["ok"] for verdict in body["verdicts"])
    assert body["ok"] is True


def test_a_dump_for_support_has_no_keys_and_no_passwords(settings):
    broker = settings.broker.model_copy(update={"username": "gw-solar", "password_file": "secret/broker.password"})
    loud = settings.model_copy(update={"broker": broker})
    found = read(settings)
    text = json.dumps(dump(loud, found, compare(settings, found, {})))
    for secret in ("secret", "gw-solar.key", '"gw-solar"', "PRIVATE"):
        assert secret not in text.replace(json.dumps(settings.gateway), "")
    held = json.loads(text)
    assert held["configuration"]["broker"]["username"] == REDACTED
    assert held["plan"] == {"meter-1/all": [[3, 10, 3], [3, 20, 2]]}
    assert held["readings"][0]["words"] == "0001 0002"
    assert held["outbox"].startswith("not read")


def test_what_is_not_set_is_not_said_to_be_left_out():
    assert redact({"key_file": None, "tls": [{"key_file": "x"}]}) == {"key_file": None, "tls": [{"key_file": REDACTED}]}
