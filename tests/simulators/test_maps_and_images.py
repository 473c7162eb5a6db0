"""The device maps of the gateway against the register images of the simulators, pair by pair.

Both were typed from public sources, and neither from the other: where they agree, an address, a type, an order of
words, a step and a sign were typed right twice.
"""

from dataclasses import replace

import pytest

from gateway.maps import load_map, map_names, sunspec_models
from metering.decode import Block, decode, decode_identity, resolution, words_at
from metering.quality import Quality
from simulators.devices.catalogue import CATALOGUE
from simulators.devices.quantities import columns_of, image_of, quantities
from simulators.devices.table import overlaps
from simulators.plants.states import BurnerState, ElectricState, HeatState, InverterState, SteamState

SERIAL = "2031415"
SEEN = {
    ElectricState: ElectricState(
        active_power_w=-15_432.1,
        energy_import_total_wh=123_456_789.9,
        energy_export_total_wh=98_765_432.1,
        voltages_v=(229.8, 231.3, 233.7),
        power_shares=(0.45, 0.35, 0.2),
        power_factor=0.95,
        frequency_hz=49.9,
    ),
    InverterState: InverterState(
        active_power_w=54_321.0,
        energy_total_wh=345_678_900.0,
        phase_voltage_v=231.3,
        frequency_hz=50.2,
        dc_voltage_v=712.0,
        cabinet_temperature_degc=41.5,
        producing=True,
    ),
    HeatState: HeatState(16.65, 1_135_500.0, 110.5, 50.25, 1_234_567_999.0, 48_321.37),
    SteamState: SteamState(3_210.0, 2_345_000.0, 0.9, 175.4, 60.0, 765_432.0, 543_210_000.0),
    BurnerState: BurnerState(running=True),
}
NAMED_OTHERWISE = {"sunspec_103", "burner_controller", "schneider_iem3000"}
"""Maps of a kind of device or of a series, where the nameplate of a simulated one says more."""
WITHOUT_A_SIGN = {"bg-ds100", "saia-burgess-ale3"}
"""What they show while they export is not known; both sides read power as unsigned."""
MAPS = [*map_names(), *(f"sunspec/{model}@40070" for model in sunspec_models())]


def name_of(map_name):
    return map_name.partition("@")[0].replace("/", "-").replace("_", "-")


def readable(image, function, address, count):
    block = image.block(address, count)
    answers = function in {image.sheet.function, image.sheet.also}
    assert answers, f"no function {function} at {address}"
    assert block is not None, f"{count} registers at {address} cannot be read"
    return block[0].tolist()


def as_read(register, image):
    """The words of a register and of its scale register, in one request as the gateway asks."""
    places = [(register.address, register.words)]
    if register.scale_register is not None:
        places.append((register.scale_register.address, 1))
    first = min(address for address, _ in places)
    count = max(address + words for address, words in places) - first
    words = readable(image, register.function, first, count)
    blocks = [Block(register.function, first, count)]
    own = words_at(blocks, words, register.function, register.address, register.words)
    scale = None if len(places) == 1 else words_at(blocks, words, register.function, places[1][0], 1)[0]
    return own, scale


def rounds_to(sheet, register):
    """To what the device itself rounds a float [quanta]."""
    row = next(row for row in sheet.rows if row.address == register.address)
    return (row.resolution or 0) * row.step * register.measurand.quanta_per_unit


@pytest.mark.parametrize("map_name", MAPS)
def test_every_map_decodes_from_the_image_of_its_device_what_the_instrument_sees(map_name):
    device_map, device = load_map(map_name), CATALOGUE[name_of(map_name)]
    state = SEEN[device.shows]
    if name_of(map_name) in WITHOUT_A_SIGN:
        state = replace(state, active_power_w=-state.active_power_w)
    image = image_of(device.sheet, state, SERIAL)
    seen = quantities(device.shows, columns_of(state))
    wrong = {}
    for register in device_map.registers:
        words, scale_word = as_read(register, image)
        expected = float(seen[register.measurand.name][0]) * register.measurand.quanta_per_unit
        if register.orientation == "export-positive" and device.shows is ElectricState:
            expected = -expected
        found = decode(register, words, scale_word)
        step = max(resolution(register, words, scale_word) or 0, rounds_to(device.sheet, register))
        if isinstance(found, Quality) or abs(found - expected) > step:
            wrong[register.name] = (found, expected)
    assert not wrong


@pytest.mark.parametrize("map_name", [name for name in MAPS if load_map(name).identity is not None])
def test_every_device_tells_the_model_and_the_serial_number_that_its_map_asks_for(map_name):
    identity, device = load_map(map_name).identity, CATALOGUE[name_of(map_name)]
    image = image_of(device.sheet, SEEN[device.shows], SERIAL)
    probe = identity.probe
    found = decode_identity(probe, readable(image, probe.function, probe.address, probe.count))
    assert found in identity.expect if identity.expect else not isinstance(found, Quality)
    if (serial := identity.serial) is not None:
        told = decode_identity(serial, readable(image, serial.function, serial.address, serial.count))
        assert str(told) == SERIAL


def test_a_device_has_the_make_and_the_model_of_its_map():
    for map_name in map_names():
        if map_name not in NAMED_OTHERWISE:
            device_map, sheet = load_map(map_name), CATALOGUE[name_of(map_name)].sheet
            assert (sheet.make, sheet.model) == (device_map.make, device_map.model)


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_two_values_of_a_device_stand_in_one_register(name):
    sheet = CATALOGUE[name].sheet
    assert overlaps(sheet) == []
    assert sum(count for _, count in sheet.runs) == len(sheet.addresses)


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name.startswith("sunspec-")])
def test_a_sunspec_chain_has_no_hole_from_its_marker_to_its_end(name):
    (run,) = CATALOGUE[name].sheet.runs
    assert run[0] == 40_000
