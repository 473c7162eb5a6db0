"""Faults that need to know the registers: no value, a counter that wraps, other scale factors."""

from datetime import UTC, datetime

import pytest

from gateway.maps import load_map, map_names
from metering.decode import decode
from metering.quality import Quality
from simulators.devices.catalogue import CATALOGUE
from simulators.faults import Fault, FaultBoard
from simulators.frames import Request, TcpFraming
from simulators.ledger import Ledger
from simulators.modbus import Devices
from simulators.roster import build_site
from tests.gateway.conftest import HandClock
from tests.simulators.test_maps_and_images import MAPS, as_read, name_of

SINCE = datetime(2025, 12, 28, 3, tzinfo=UTC)
SINCE_MS = int(SINCE.timestamp() * 1000)
LATER_MS = SINCE_MS + 3_600_000
BENCH = {each.name: each for each in build_site("bench", "1", SINCE_MS - 3_600_000).instruments}
SCALED = [name for name, device in CATALOGUE.items() if device.sheet.coarser is not None]


def under(name, kind, at_ms=LATER_MS, amount=None):
    return BENCH[name].image(at_ms, [Fault(kind=kind, start=SINCE, amount=amount)])


@pytest.mark.parametrize("map_name", MAPS)
def test_a_device_without_a_value_says_so_in_its_own_word_or_shows_nothing(map_name):
    image = under(name_of(map_name), "no-value")
    for register in load_map(map_name).registers:
        found = decode(register, *as_read(register, image))
        if register.sentinels or register.type.is_float:
            assert found is Quality.SENTINEL, register.name
        else:
            assert found == 0, register.name


def test_maps_that_know_a_word_for_no_value_are_among_those_compared():
    assert sum(any(one.sentinels for one in load_map(name).registers) for name in map_names()) >= 5


@pytest.mark.parametrize(
    ("name", "map_name", "measurand"),
    [
        ("siemens-pac1600", "siemens_pac1600", "energy_import_total_wh"),
        ("sunspec-103", "sunspec/103@40070", "energy_export_total_wh"),
        ("sunspec-203", "sunspec/203@40070", "energy_import_total_wh"),
    ],
)
def test_a_counter_that_nears_its_end_goes_on_and_wraps_to_what_is_over(name, map_name, measurand):
    register = load_map(map_name).register_for(measurand)

    def wh(image):
        return decode(register, *as_read(register, image)) / 1000

    counted = wh(BENCH[name].image(LATER_MS)) - wh(BENCH[name].image(SINCE_MS))
    assert counted > 5_000
    assert wh(under(name, "rollover", SINCE_MS)) == 2**32 - 1000
    assert wh(under(name, "rollover", LATER_MS)) == pytest.approx(counted - 1000, abs=2)


@pytest.mark.parametrize("name", SCALED)
def test_changed_scale_factors_change_the_words_and_not_the_values(name):
    plain, changed = BENCH[name].image(LATER_MS), under(name, "scale")
    device_map = load_map(f"sunspec/{name[8:]}@40070")
    for register in device_map.registers:
        before, after = as_read(register, plain), as_read(register, changed)
        if register.scale_register is None:
            assert before == after
            continue
        assert after[1] == (before[1] + 1) % 2**16, register.name
        coarse = register.step * 10 ** ((after[1] + 2**15) % 2**16 - 2**15)
        assert abs(decode(register, *after) - decode(register, *before)) <= coarse, register.name


def test_a_device_without_scale_factors_or_a_known_end_goes_on_as_ever():
    plain = BENCH["schneider-iem3000"].image(LATER_MS).registers
    assert under("schneider-iem3000", "scale").registers == plain
    assert under("schneider-iem3000", "rollover").registers == plain


def test_a_device_that_takes_its_time_to_answer_takes_it_and_others_answer_at_once(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        devices = Devices(("bench", "desk"), list(BENCH.values()), HandClock(LATER_MS), ledger, FaultBoard())
        delays = {
            name: devices.answer(
                Request(1, BENCH[name].unit_id, BENCH[name].function, CATALOGUE[name].sheet.runs[0][0], 2),
                TcpFraming(),
                tells_absent=True,
            ).delay_s
            for name in ("eastron-sdm630", "schneider-iem3000")
        }
    assert delays == {"eastron-sdm630": 0.06, "schneider-iem3000": 0.0}
