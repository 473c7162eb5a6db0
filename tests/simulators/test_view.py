"""What running simulators tell of themselves: true and shown values, who asks how often, and the faults that are on."""

import asyncio
import json
import socket
import struct

import pytest

from simulators.config import DEMONSTRATION_PLANTS, PlantSettings
from simulators.control import Order, ask
from simulators.errors import ControlError
from simulators.faults import Fault, FaultBoard
from simulators.frames import Request, TcpFraming
from simulators.ledger import Ledger, count_served
from simulators.modbus import Devices
from simulators.roster import build_site
from simulators.traffic import Rate
from simulators.view import Served, snapshot
from tests.gateway.conftest import HandClock

NOON_MS = 1_766_901_600_000
"""14:00 in Mongolia on 28 December 2025 [ms since the Unix epoch]."""
EXPORTED = Request(1, 10, 3, 0x0C87, 4)


@pytest.fixture
def clock():
    return HandClock(NOON_MS)


@pytest.fixture
def plant(tmp_path, clock):
    """A solar plant that answers whoever calls `plant.devices.answer`."""
    site = build_site("solar", "1/demo", NOON_MS - 86_400_000)
    settings = PlantSettings(plant="solar", project="demo", site="farm", port=15020)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        devices = Devices(("demo", "farm"), site.instruments, clock, ledger, FaultBoard())
        yield Served(settings, devices, "127.0.0.1:15020")


def look(plant, clock, **asked):
    return asyncio.run(snapshot([plant], clock, **asked))


def read(plant, request=EXPORTED, client="192.0.2.1:5000"):
    return plant.devices.answer(request, TcpFraming(), tells_absent=True, client=client)


def value(seen, quantity):
    (device,) = seen.devices
    return next(each for each in device.values if each.quantity == quantity)


def test_a_device_that_is_named_tells_all_its_values_with_their_words(plant, clock):
    seen = look(plant, clock, device="ac-bus")
    exported = value(seen, "energy_export_total_wh")
    assert len(seen.devices[0].values) == 15
    assert exported.address == 0x0C87
    assert int(exported.words.replace(" ", ""), 16) == exported.shown == exported.true > 0
    power = value(seen, "active_power_w")
    words = bytes.fromhex(power.words.replace(" ", ""))
    assert power.shown == pytest.approx(struct.unpack(">f", words)[0] * 1000)


def test_under_a_fault_what_is_shown_differs_from_what_is_true(plant, clock):
    before = look(plant, clock, device="ac-bus")
    plant.devices.faults.add(Fault.model_validate({"kind": "times-ten", "start": "2025-12-28T00:00:00Z"}))
    after = value(look(plant, clock, device="ac-bus"), "active_power_w")
    assert after.true == value(before, "active_power_w").true
    assert after.shown == pytest.approx(10 * after.true)


@pytest.fixture
def bench(tmp_path, clock):
    """Every device there is, with faults that a test adds to `bench.devices.faults`."""
    site = build_site("bench", "1", NOON_MS - 86_400_000)
    with Ledger(tmp_path / "bench.sqlite") as ledger:
        devices = Devices(("demo", "desk"), site.instruments, clock, ledger, FaultBoard())
        yield Served(PlantSettings(plant="bench", project="demo", site="desk"), devices, "127.0.0.1:15020")


def test_of_a_step_back_it_is_told_how_much_it_takes_only_where_the_device_does_not_say(bench, clock):
    bench.devices.faults.add(Fault.model_validate({"kind": "step-back", "start": "2025-12-28T00:00:00Z"}))
    (known,) = look(bench, clock, device="janitza-umg96rm").devices
    (unknown,) = look(bench, clock, device="janitza-b23").devices
    assert [each.faults[0].amount for each in (known, unknown)] == [None, 600]


def test_other_scale_factors_change_the_words_and_not_what_they_say(bench, clock):
    bench.devices.faults.add(Fault.model_validate({"kind": "scale", "start": "2025-12-28T00:00:00Z"}))
    exported = value(look(bench, clock, device="sunspec-103"), "energy_export_total_wh")
    assert exported.shown == pytest.approx(exported.true, abs=10)
    assert int(exported.words.replace(" ", ""), 16) == exported.shown / 10


def test_a_register_was_read_when_all_its_words_were_last_given_to_a_client(plant, clock):
    assert value(look(plant, clock, device="ac-bus"), "energy_export_total_wh").read_ms is None
    read(plant)
    clock.wall_ms += 30_000
    read(plant, Request(2, 10, 3, 0x0C87, 2))  # half of it, and nothing of the import
    seen = look(plant, clock, device="ac-bus")
    assert value(seen, "energy_export_total_wh").read_ms == NOON_MS
    assert value(seen, "energy_import_total_wh").read_ms is None


def test_an_answer_that_does_not_arrive_whole_was_not_given(plant, clock):
    plant.devices.faults.add(Fault(kind="truncated"))
    read(plant)
    seen = look(plant, clock, device="ac-bus")
    assert value(seen, "energy_export_total_wh").read_ms is None
    assert seen.devices[0].requests == 1


def test_it_is_told_who_asked_last_and_how_often(plant, clock):
    for client in ("192.0.2.1:5000", "192.0.2.2:6000"):
        read(plant, client=client)
    read(plant, Request(3, 99, 3, 0, 1))  # nobody has this unit id
    seen = look(plant, clock)
    asked = {each.name: (each.requests, each.last_client, each.last_request_ms) for each in seen.devices}
    assert asked["ac-bus"] == (2, "192.0.2.2:6000", NOON_MS)
    assert asked["weather"] == (0, "", None)
    assert seen.plants[0].requests == 3
    assert (seen.now_ms, seen.factor) == (NOON_MS, 1.0)


def test_only_faults_that_are_on_are_told_and_devices_with_faults_come_first(plant, clock):
    now = Fault.model_validate(
        {"kind": "slow", "device": "weather", "amount": 3, "start": "2025-12-28T05:00:00Z", "end": "2025-12-28T09:00Z"}
    )
    later = Fault.model_validate({"kind": "silent", "device": "ac-bus", "start": "2026-01-01T00:00:00Z"})
    plant.devices.faults.add(now)
    plant.devices.faults.add(later)
    devices = look(plant, clock).devices
    assert devices[0].name == "weather"
    (fault,) = devices[0].faults
    assert (fault.kind, fault.amount, fault.until_ms) == ("slow", 3, NOON_MS + 10_800_000)
    assert all(not each.faults for each in devices[1:])


def test_values_of_no_more_devices_are_worked_out_than_asked_and_they_are_those_that_say_most(plant, clock):
    devices = look(plant, clock, most=4).devices
    assert [len(each.values) for each in devices] == [2, 2, 2, 2, 0]
    assert [each.quantity for each in devices[3].values] == ["active_power_w", "energy_export_total_wh"]
    assert [each.quantity for each in look(plant, clock, most=5).devices[4].values] == ["irradiance_w_per_m2"]


def test_what_is_not_there_is_refused_with_what_is(plant, clock):
    with pytest.raises(ControlError, match="no device 'nobody'; there are: ac-bus, inverter-1"):
        look(plant, clock, device="nobody")
    with pytest.raises(ControlError, match="no plant of project 'x'; there are: demo"):
        look(plant, clock, project="x")


def test_a_rate_is_of_the_last_ten_to_twenty_seconds_and_never_of_less_than_one():
    rate = Rate(0)
    rate.note(0)
    assert rate.per_second(1) == 1
    for at_ms in range(100, 30_000, 100):
        rate.note(at_ms)
        assert rate.per_second(at_ms) == pytest.approx(10, rel=0.15) or at_ms < 1000
    assert rate.per_second(35_000) < 10
    assert rate.per_second(60_000) == 0


def test_what_happened_more_than_twenty_seconds_ago_is_in_no_rate():
    rate = Rate(0)
    for at_ms in range(10):
        rate.note(at_ms)
    assert rate.per_second(15_000) > 0
    again = Rate(0)
    again.note(0)
    assert again.per_second(20_000) == 0


def test_looking_changes_nothing_that_is_served_and_nothing_in_the_ledger(settings_in, running):
    still = {"kind": "scaled", "start": "2025-12-28T13:00:00+08:00", "anchor_s": 1e9, "factor": 1.0}
    settings = settings_in(clock=still, plants=[DEMONSTRATION_PLANTS[0].model_dump() | {"port": 0}])
    with running(settings) as simulators, simulators.client("demo-solar") as client:
        before = client.read_holding_registers(0x0C87, count=4, device_id=10).registers
        seen = ask(settings.control_socket, Order(do="show", most=99)).seen
        named = ask(settings.control_socket, Order(do="show", device="ac-bus")).seen
        assert client.read_holding_registers(0x0C87, count=4, device_id=10).registers == before
    assert count_served(settings.ledger) == 2
    device = next(each for each in seen.devices if each.name == "ac-bus")
    assert device.place == f"127.0.0.1:{simulators.port('demo-solar')}"
    assert device.last_client.startswith("127.0.0.1:")
    assert int(value(named, "energy_export_total_wh").words.replace(" ", ""), 16) == int.from_bytes(
        b"".join(word.to_bytes(2) for word in before)
    )


def test_of_several_plants_all_are_shown_and_one_can_be_asked_for(settings_in, running):
    settings = settings_in()
    with running(settings):
        everything = ask(settings.control_socket, Order(do="show")).seen
        boiler = ask(settings.control_socket, Order(do="show", project="demo-boiler")).seen
        with pytest.raises(ControlError, match="no device 'nobody'"):
            ask(settings.control_socket, Order(do="show", device="nobody"))
        with pytest.raises(ControlError, match="say which project: demo-solar, demo-boiler, demo-transformers"):
            ask(settings.control_socket, Order(do="begin", kind="silent"))
    assert [each.project for each in everything.plants] == ["demo-solar", "demo-boiler", "demo-transformers"]
    assert len(everything.devices) == 12
    assert {each.project for each in boiler.devices} == {"demo-boiler"}


def test_a_second_process_does_not_take_over_the_socket_and_the_ledger_of_the_first(settings_in, running):
    settings = settings_in()
    with running(settings):
        with pytest.raises(ControlError, match="others run here already"), running(settings):
            pass
        assert ask(settings.control_socket, Order(do="list")).faults.keys() >= {"demo-solar"}
    settings.control_socket.touch()  # as a process that was killed leaves it
    with running(settings):
        assert ask(settings.control_socket, Order(do="list")).faults.keys() >= {"demo-solar"}


def test_what_is_no_order_is_answered_in_words(settings_in, running):
    settings = settings_in()
    with running(settings), socket.socket(socket.AF_UNIX) as line:
        line.connect(str(settings.control_socket))
        line.sendall(b'{"do": "dance"}\n')
        with line.makefile("rb") as answers:
            assert "do: Input should be" in json.loads(answers.readline())["trouble"]
