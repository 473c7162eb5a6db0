"""What is known of devices beyond their registers: who says so, what they do by it, and that the page lists it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.maps import load_map, map_names, sunspec_models
from gateway.plan import limits_of, plan_blocks
from simulators.config import PlantSettings
from simulators.control import Order, ask
from simulators.devices.catalogue import CATALOGUE
from simulators.devices.report import render
from simulators.devices.table import COUNTER, decoded, words_of, wraps_at
from simulators.errors import ControlError
from simulators.faults import Fault, FaultBoard
from simulators.frames import MOST_REGISTERS, Request, TcpFraming
from simulators.ledger import Ledger
from simulators.modbus import Devices
from simulators.roster import build_site
from tests.gateway.conftest import HandClock
from tests.simulators.test_maps_and_images import name_of

PAGE = Path(__file__).parents[2] / "docs" / "simulated-devices.md"
SINCE = datetime(2025, 12, 28, 3, 3, 20, tzinfo=UTC)
"""200 s after a full five minutes."""
SINCE_MS = int(SINCE.timestamp() * 1000)
LATER_MS = SINCE_MS + 3_600_000
BENCH = {each.name: each for each in build_site("bench", "1", SINCE_MS - 3_600_000).instruments}
MAPS = [*map_names(), *(f"sunspec/{model}@40070" for model in sunspec_models())]
SHEETS = [pytest.param(device.sheet, id=name) for name, device in CATALOGUE.items()]


def test_the_page_is_what_the_devices_say_of_themselves():
    assert PAGE.read_text(encoding="utf-8") == render()


@pytest.mark.parametrize("sheet", SHEETS)
def test_what_differs_from_the_default_has_a_source_and_the_other_way_round(sheet):
    assert (sheet.most_registers != MOST_REGISTERS) == bool(sheet.most_source.text)
    assert (sheet.response_s != 0) == bool(sheet.response_source.text)
    assert (sheet.saves_every_s is not None) == bool(sheet.saves_source.text)
    assert any(row.modulus is not None for row in sheet.rows) == bool(sheet.wraps_source.text)


@pytest.mark.parametrize("sheet", SHEETS)
def test_where_it_is_known_where_one_counter_of_energy_wraps_it_is_known_of_the_other(sheet):
    known = {
        row.shows: wraps_at(row) is not None for row in sheet.rows if COUNTER in row.shows and row.shows.endswith("_wh")
    }
    assert len(set(known.values())) <= 1


@pytest.mark.parametrize("map_name", MAPS)
def test_no_request_that_the_gateway_plans_is_larger_than_what_the_device_gives(map_name):
    device_map = load_map(map_name)
    most = CATALOGUE[name_of(map_name)].sheet.most_registers
    assert max(block.count for block in plan_blocks(device_map.registers, limits_of(device_map))) <= most


@pytest.mark.parametrize(
    ("name", "most", "code"),
    [("eastron-sdm630", 80, 3), ("carlo-gavazzi-em340", 50, 3), ("saia-burgess-ale3", 20, 2), ("multical-403", 80, 2)],
)
def test_a_device_gives_as_many_registers_as_it_can_and_answers_more_with_its_exception(tmp_path, name, most, code):
    instrument = BENCH[name]
    first = instrument.sheet.runs[0][0]
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        devices = Devices(("bench", "desk"), [instrument], HandClock(LATER_MS), ledger, FaultBoard())

        def answer(count):
            request = Request(1, instrument.unit_id, instrument.function, first, count)
            return devices.answer(request, TcpFraming(), tells_absent=True).frame[7:]

        more = answer(most + 1)
        whole = answer(min(most, instrument.sheet.runs[0][1]))
    assert more == bytes([instrument.function | 0x80, code])
    assert whole[0] == instrument.function


def shown_wh(name, at_ms, *faults):
    image = BENCH[name].image(at_ms, faults)
    row = next(row for row in image.sheet.rows if row.shows == "energy_import_total_wh")
    return decoded(row, image.block(row.address, words_of(row))[0])


def test_a_device_loses_what_it_counted_since_it_last_saved():
    fault = Fault(kind="step-back", start=SINCE)
    lost = shown_wh("janitza-umg96rm", LATER_MS) - shown_wh("janitza-umg96rm", LATER_MS, fault)
    since_saved = shown_wh("janitza-umg96rm", SINCE_MS) - shown_wh("janitza-umg96rm", SINCE_MS - 200_000)
    assert lost == pytest.approx(since_saved, abs=2)
    assert since_saved > 50


def test_a_device_that_was_just_saved_loses_nothing():
    fault = Fault(kind="step-back", start=SINCE - timedelta(seconds=200))
    assert shown_wh("janitza-umg96rm", LATER_MS, fault) == shown_wh("janitza-umg96rm", LATER_MS)


@pytest.mark.parametrize(("name", "amount"), [("janitza-umg96rm", 600), ("janitza-b23", None)])
def test_a_step_back_of_a_given_amount_or_of_a_device_of_which_nothing_is_known_takes_the_amount(name, amount):
    fault = Fault(kind="step-back", start=SINCE, amount=amount)
    lost = shown_wh(name, LATER_MS) - shown_wh(name, LATER_MS, fault)
    assert lost == pytest.approx(shown_wh(name, SINCE_MS) - shown_wh(name, SINCE_MS - 600_000), abs=2)


@pytest.mark.parametrize(
    ("name", "ends_wh", "within_wh"),
    [("siemens-pac1600", 2**32, 0), ("siemens-pac2200", 10**12, 0.001), ("schneider-pm5100", 2**63, 2048)],
)
def test_a_counter_goes_on_from_0_at_its_modulus(name, ends_wh, within_wh):
    at_start = Fault(kind="rollover", start=SINCE, amount=4096)
    assert shown_wh(name, SINCE_MS, at_start) == pytest.approx(ends_wh - 4096, abs=within_wh, rel=0)
    counted = shown_wh(name, LATER_MS) - shown_wh(name, SINCE_MS)
    assert counted > 4096
    assert shown_wh(name, LATER_MS, at_start) == pytest.approx(counted - 4096, abs=within_wh + 2, rel=0)


@pytest.mark.parametrize(
    ("plant", "fault", "told"),
    [
        (
            "solar",
            {"kind": "rollover", "device": "ac-bus"},
            "'ac-bus' would show nothing of 'rollover': that needs a device of which it",
        ),
        ("solar", {"kind": "scale", "device": "ac-bus"}, "needs a device with scale factors"),
        ("solar", {"kind": "reset", "device": "weather"}, "needs a device with counters"),
        ("transformer-stations", {"kind": "rollover"}, "no device of the plant would show anything"),
    ],
)
def test_a_fault_that_nobody_would_see_is_refused_in_a_plan(plant, fault, told):
    fault = {"start": "2025-12-28T03:00:00Z", **fault}
    with pytest.raises(ValueError, match=told):
        PlantSettings.model_validate({"plant": plant, "project": "p", "site": "s", "fault": [fault]})


def test_a_fault_that_nobody_would_see_is_refused_while_the_plant_runs(modbus_plant):
    plant = modbus_plant("solar")
    with pytest.raises(ControlError, match="'ac-bus' would show nothing of 'scale'"):
        plant.fault("scale", "ac-bus")
    plant.fault("rollover")  # the inverters show it
    assert [each.kind for each in ask(plant.settings.control_socket, Order(do="list")).faults["solar"]] == ["rollover"]
