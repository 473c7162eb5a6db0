"""What a device shows under each fault of its values, and that the plant itself goes on as it would have."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from simulators.config import DEMONSTRATION_PLANTS
from simulators.faults import KINDS, Fault
from simulators.ledger import read_ledger
from simulators.plants.states import ElectricState
from simulators.roster import build_site
from simulators.value_faults import serial_of, shown

ORIGIN = datetime(2025, 12, 27, tzinfo=UTC)
SINCE = datetime(2025, 12, 28, 3, tzinfo=UTC)
SINCE_MS = int(SINCE.timestamp() * 1000)
LATER_MS = SINCE_MS + 1_800_000


@pytest.fixture(scope="module")
def seen():
    """What the meter at the bus of a solar plant sees around noon."""
    site = build_site("solar", "1/demo", int(ORIGIN.timestamp() * 1000))
    return partial(site.plant.state, "ac-bus")


def under(seen, at_ms: int, kind: str, amount: float | None = None) -> ElectricState:
    return shown(seen, [Fault(kind=kind, start=SINCE, amount=amount)], at_ms)


def test_without_faults_a_device_shows_what_its_instrument_sees(seen):
    assert shown(seen, (), LATER_MS) == seen(LATER_MS)


def test_a_frozen_device_shows_what_it_showed_then_and_a_stale_one_what_was_true_a_while_ago(seen):
    assert under(seen, LATER_MS, "frozen") == seen(SINCE_MS)
    assert under(seen, LATER_MS, "stale", 900) == seen(LATER_MS - 900_000)


def test_after_a_reset_counters_begin_at_nothing_and_gain_what_really_flows(seen):
    assert under(seen, SINCE_MS, "reset").energy_export_total_wh == 0
    gained = seen(LATER_MS).energy_export_total_wh - seen(SINCE_MS).energy_export_total_wh
    assert under(seen, LATER_MS, "reset").energy_export_total_wh == pytest.approx(gained)
    assert gained > 100_000
    assert under(seen, LATER_MS, "reset").active_power_w == seen(LATER_MS).active_power_w


def test_an_exchanged_meter_begins_at_nothing_and_tells_another_serial_number(seen):
    assert under(seen, SINCE_MS, "exchange").energy_export_total_wh == 0
    assert serial_of("SIM-0001", [Fault(kind="exchange", start=SINCE)]) != "SIM-0001"
    assert serial_of("SIM-0001", [Fault(kind="reset", start=SINCE)]) == "SIM-0001"


def test_a_step_back_takes_what_was_counted_shortly_before(seen):
    lost = seen(SINCE_MS).energy_export_total_wh - seen(SINCE_MS - 600_000).energy_export_total_wh
    back = seen(LATER_MS).energy_export_total_wh - under(seen, LATER_MS, "step-back", 600).energy_export_total_wh
    assert back == pytest.approx(lost)
    assert lost > 10_000


def test_other_transformers_change_the_power_and_what_is_counted_from_then_on(seen):
    half = under(seen, LATER_MS, "ct", 0.5)
    counted = seen(LATER_MS).energy_export_total_wh - seen(SINCE_MS).energy_export_total_wh
    assert half.active_power_w == pytest.approx(seen(LATER_MS).active_power_w / 2)
    assert half.energy_export_total_wh - seen(SINCE_MS).energy_export_total_wh == pytest.approx(counted / 2)
    assert half.voltages_v == seen(LATER_MS).voltages_v


def test_a_firmware_that_shows_ten_times_as_much_does_so_for_power_and_counters(seen):
    ten = under(seen, LATER_MS, "times-ten")
    assert ten.active_power_w == pytest.approx(10 * seen(LATER_MS).active_power_w)
    assert ten.energy_export_total_wh == pytest.approx(10 * seen(LATER_MS).energy_export_total_wh)


def test_faults_of_values_combine_in_the_order_in_which_they_are_given(seen):
    faults = [Fault(kind="reset", start=SINCE), Fault(kind="frozen", start=SINCE + timedelta(minutes=10))]
    assert shown(seen, faults, LATER_MS) == under(seen, SINCE_MS + 600_000, "reset")


@pytest.mark.parametrize("kind", [kind for kind, about in KINDS.items() if about.of_values])
def test_a_fault_of_values_without_a_beginning_is_refused(kind):
    with pytest.raises(ValueError, match="needs `start`"):
        Fault(kind=kind)


def test_what_a_client_reads_is_what_the_faulty_device_shows_and_the_ledger_says_so(settings_in, running):
    fault = {"kind": "exchange", "device": "ac-bus", "start": "2025-12-28T12:30:00+08:00"}
    solar = DEMONSTRATION_PLANTS[0].model_dump() | {"port": 0, "fault": [fault]}
    settings = settings_in(plants=[solar])
    with running(settings) as simulators, simulators.client("demo-solar") as client:
        words = client.read_holding_registers(0x0C87, count=4, device_id=10).registers
    (served,) = read_ledger(settings.ledger)
    # Half an hour at noon of a plant of 8.3 MW.
    assert 0 < int.from_bytes(b"".join(word.to_bytes(2) for word in words)) < 8_300_000 / 2
    assert served.words == b"".join(word.to_bytes(2) for word in words)
