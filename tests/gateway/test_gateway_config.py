"""A configuration that is wrong says where, what stands there and what is allowed, before anything starts."""

import re

import pytest

from gateway.birth import birth_body
from gateway.buses import BusSettings
from gateway.config import SAMPLE, GatewaySettings
from gateway.entries import birth_to_json
from gateway.sealing import Place, Stamp, birth_maker
from metering.clock import ClockState
from metering.config import ConfigError, parse_toml
from metering.keys import new_signer
from metering.record import RecordRef, build
from metering.ulid import new_ulid


def faults_of(text: str) -> list[str]:
    with pytest.raises(ConfigError, match=r"gateway\.toml:\d+: ") as raised:
        parse_toml(text, GatewaySettings, "gateway.toml")
    return [str(fault) for fault in raised.value.faults]


def line_of(text: str, needle: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if needle in line)


def test_the_sample_is_a_valid_file():
    settings = parse_toml(SAMPLE, GatewaySettings, "gateway.toml")
    assert settings.device[0].group[0].points[0].point == "ac-bus"


def test_the_sample_shows_every_key_and_its_true_default():
    uncommented = re.sub(r"^# (\w+ = |\[)", r"\1", SAMPLE, flags=re.MULTILINE)
    settings = parse_toml(uncommented, GatewaySettings, "gateway.toml")

    def keys(model) -> set[str]:
        return set(type(model).model_fields)

    shown = set(re.findall(r"^(\w+) = ", uncommented, flags=re.MULTILINE)) | {
        "broker",
        "tls",
        "clock",
        "metrics",
        "device",
        "group",
    }
    models = (
        settings,
        settings.broker,
        settings.broker.tls,
        settings.metrics,
        settings.device[0],
        settings.device[0].group[0],
    )
    on_a_bus = {"bus"}  # the other half of the sample: the next test
    assert set().union(*(keys(model) for model in models)) - on_a_bus <= shown
    plain = parse_toml(SAMPLE, GatewaySettings, "gateway.toml")
    skipped = {"broker", "metrics", "device"}
    assert settings.model_dump(exclude=skipped) == plain.model_dump(exclude=skipped)
    kept = {"device": {"__all__": {"timeout_s"}}}  # its default is what the map says
    assert settings.model_dump(include={"device"}, exclude=kept) == plain.model_dump(include={"device"}, exclude=kept)
    assert (settings.broker.port, settings.broker.protocol) == (plain.broker.port, plain.broker.protocol)


BUSES = re.sub(r"^## ?", "", SAMPLE, flags=re.MULTILINE).replace('host = "192.0.2.10"\n', "")


def test_the_sample_of_buses_is_valid_and_shows_every_key():
    settings = parse_toml(BUSES, GatewaySettings, "gateway.toml")
    assert settings.bus_of(settings.device[0]).path == "/dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0"
    assert set().union(*(bus.model_fields_set for bus in settings.bus)) == set(BusSettings.model_fields)


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ('bus = "cabinet"', 'bus = "cupboard"', "unknown bus; allowed: cabinet, substation"),
        ('bus = "cabinet"', 'host = "192.0.2.20"\nport = 802', "bus 'substation' leads there; say bus instead of host"),
        (
            'bus = "cabinet"',
            'bus = "cabinet"\nhost = "192.0.2.1"',
            "bus 'cabinet' says where this device is; remove one",
        ),
        ('bus = "cabinet"', 'bus = "cabinet"\nport = 502', "bus 'cabinet' says where this device is; remove one"),
        ('bus = "cabinet"', "", "needs either bus = the name of a .*, or host"),
        ("# unit_id = 1", "unit_id = 0", "on a serial line a unit id lies between 1 and 247"),
        ("baud = 9600", "baud = 12", "should be greater than or equal to 300"),
        ("baud = 9600", "", "a bus of this kind needs 'baud'"),
        (
            "baud = 9600",
            "baud = 9600\nport = 502",
            "belongs to a bus of kind 'tcp' or 'rtu-over-tcp' or 'tls'; remove it",
        ),
        ('parity = "N"', 'parity = "none"', "Input should be 'N', 'E' or 'O'"),
        ('kind = "rtu"', 'kind = "serial"', "Input should be 'tcp', 'tls', 'rtu' or 'rtu-over-tcp'"),
        ('name = "substation"', 'name = "cabinet"', "used twice; each bus needs a name of its own"),
        ('kind = "tls"', 'kind = "tcp"', "belongs to a bus of kind 'tls'; remove it"),
        (', key_file = "keys/gw-solar.pem.key" }', " }", "cert_file and key_file belong together"),
    ],
)
def test_a_bus_that_cannot_be_meant_is_reported_with_its_line_and_what_would_do(good, bad, says):
    assert good in BUSES
    text = BUSES.replace(good, bad, 1)
    (fault,) = faults_of(text)
    assert re.search(says, fault), fault
    assert 1 < int(fault.split(":")[1]) <= len(text.splitlines())


def test_two_buses_that_lead_to_one_place_and_two_units_of_one_number_are_refused():
    text = BUSES.replace(
        'name = "substation"',
        'name = "other"\nkind = "rtu-over-tcp"\nhost = "192.0.2.20"\nport = 802\n[[bus]]\nname = "x"',
    )
    assert "bus 'other' leads there already; two masters disturb each other" in faults_of(text)[0]
    second = SECOND.replace('host = "192.0.2.11"', 'bus = "cabinet"').replace("ac-bus", "grid")
    (fault,) = faults_of(BUSES + second)
    assert "device 'revenue-meter' has the same bus, unit id and map" in fault


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        (
            'map = "schneider_iem3000"',
            'map = "schneider"',
            "unknown device map 'schneider'; allowed: .*schneider_iem3000",
        ),
        ("interval_s = 900", "interval_s = 700", r"= 700: must divide a day \(86400 s\)"),
        ("interval_s = 900", "interval_s = 0", "= 0: Input should be greater than 0"),
        ("interval_s = 900", 'interval_s = "often"', "= 'often': Input should be a valid integer"),
        ("energy_export_total_wh", "energy_export_wh", "unknown measurand; allowed: active_power_w"),
        (
            "energy_export_total_wh",
            "heat_total_j",
            "'schneider_iem3000' has no register for it; allowed: active_power_w",
        ),
        ("# unit_id = 1", "unit_id = 300", "= 300: Input should be less than or equal to 255"),
        ("# port = 502", "prot = 502", "unknown key; allowed here: .*port"),
        ('site = "mongolia-farm"', 'site = "ingest"', "'ingest' cannot be a site"),
        ('site = "mongolia-farm"', 'site = "Mongolia Farm"', "should match pattern"),
        ('gateway = "gw-solar"', "", "missing; this key is required"),
        ("ack_keys = [", "ack_keys = [] # [", "must not be empty"),
        ('ack_keys = ["', 'ack_keys = ["x', "the hash .* does not belong to this key"),
    ],
)
def test_a_wrong_value_is_reported_with_its_line_and_what_is_allowed(good, bad, says):
    text = SAMPLE.replace(good, bad, 1)
    (fault,) = faults_of(text)
    assert re.search(says, fault), fault
    if bad:
        assert fault.startswith(f"gateway.toml:{line_of(text, bad)}: ")


SECOND = """
[[device]]
name = "second"
map = "schneider_iem3000"
host = "192.0.2.11"
meter = { make = "Schneider Electric", model = "iEM3155", serial = "2" }
[[device.group]]
name = "energy"
interval_s = 900
points = [{ point = "ac-bus", measurand = "energy_export_total_wh" }]
"""


def test_a_point_and_measurand_used_twice_name_both_places():
    (fault,) = faults_of(SAMPLE + SECOND)
    assert "device[2].group[1].points[1].point = 'ac-bus'" in fault
    assert "is already read by revenue-meter/energy" in fault


def test_the_same_point_may_have_two_measurands():
    text = SAMPLE + SECOND.replace("energy_export_total_wh", "active_power_w")
    assert len(parse_toml(text, GatewaySettings, "gateway.toml").device) == 2


def test_two_devices_at_one_address_or_of_one_name_are_refused():
    other_point = SECOND.replace("ac-bus", "grid")
    assert "used twice" in faults_of(SAMPLE + other_point.replace('"second"', '"revenue-meter"'))[0]
    assert (
        "'revenue-meter' has the same host, port, unit id and map"
        in faults_of(SAMPLE + other_point.replace(".11", ".10"))[0]
    )


def test_three_ack_keys_are_too_many():
    key = re.search(r'ack_keys = \["(.*)"\]', SAMPLE)[1]
    (fault,) = faults_of(SAMPLE.replace(f'["{key}"]', f'["{key}", "{key}", "{key}"]'))
    assert "at most 2 items" in fault


def test_every_fault_is_reported_not_only_the_first():
    text = SAMPLE.replace("interval_s = 900", "interval_s = 700").replace('map = "schneider_iem3000"', 'map = "x"')
    assert len(faults_of(text)) == 2


SLOW = """
schema = "sakugen.devicemap/1"
make = "Test"
model = "Slow"
tier = "unverified"
[access]
turnaround_ms = 400
[[source]]
title = "made up"
read = "nothing"
[[register]]
name = "energy"
measurand = "energy_export_total_wh"
function = 3
address = 0
type = "u32"
[[register]]
name = "power"
measurand = "active_power_w"
function = 3
address = 100
type = "s32"
"""


def test_a_line_that_cannot_carry_its_groups_is_refused_with_the_greediest_named(tmp_path):
    (tmp_path / "slow.toml").write_text(SLOW)
    points = '{ point = "ac-bus", measurand = "energy_export_total_wh" }'
    text = SAMPLE.replace('map = "schneider_iem3000"', f'map = "{tmp_path}/slow.toml"').replace("= 900", "= 1")
    assert parse_toml(text, GatewaySettings, "gateway.toml").device
    slower = '[[device.group]]\nname = "power"\ninterval_s = 2\npoints = ['
    text += slower + points.replace("energy_export_total_wh", "active_power_w") + "]\n"
    assert parse_toml(text, GatewaySettings, "gateway.toml").device, "0.401 s each second and 0.401 s each other second"
    (fault,) = faults_of(
        text.replace("interval_s = 2", "interval_s = 1").replace(
            points, f"{points}, " + points.replace("ac-bus", "grid").replace("energy_export_total_wh", "active_power_w")
        )
    )
    assert "device[1].group[1].interval_s = 1" in fault
    assert "every 1 s they take 1.2 s of bus time, 'revenue-meter/energy' alone 0.802 s" in fault
    assert "'revenue-meter/energy' fits at one slot every 1.34 s or more" in fault


def test_a_birth_that_would_not_fit_into_a_record_is_refused_with_what_makes_it_large(tmp_path, device_map):
    device = SAMPLE[SAMPLE.index("[[device]]") :].replace("schneider_iem3000", "MAP").replace("ac-bus", "POINT")
    text = SAMPLE[: SAMPLE.index("[[device]]")]
    for number, remarks in enumerate((22_000, 22_000, 22_000, 28_000, 22_000)):
        (tmp_path / f"{number}.toml").write_text(device_map.text + f"# {number}\n" + "# remark\n" * remarks)
        text += device.replace("revenue-meter", f"m{number}").replace("192.0.2.10", f"192.0.2.{number}").replace(
            "MAP", f"{tmp_path}/{number}.toml"
        ).replace("POINT", f"p{number}")  # fmt: skip
    (fault,) = faults_of(text)
    assert f"{line_of(text, '[[device]]')}: device = '5 devices': the birth" in fault
    assert "1000000 fit into a record. 5 device maps take 104" in fault
    assert f"(the largest, '{tmp_path}/3.toml', 252" in fault
    assert "5 points the rest: leave out points, shorten a map, or run a second gateway" in fault
    settings = parse_toml(text.replace("/3.toml", "/2.toml"), GatewaySettings, "gateway.toml")
    maker = birth_maker(birth_body(settings, 1.0), RecordRef(stream=new_ulid(1), seq=10**9, digest="0" * 64))
    stamp = Stamp(ClockState.SYNCHRONISED, -(10**6), 10**12)
    record = build(maker(Place(settings.gateway_id, new_ulid(2), 1, None, stamp)), new_signer(str(settings.gateway_id)))
    assert len(record) - len(birth_to_json(birth_body(settings, 1.0))) < 1_000, (
        "what a record adds is within the margin"
    )
