"""Register images against words computed here: by hand or with struct, never with the simulators' own encoder."""

import math
import struct

import pytest

from simulators.devices import burner_controller, carlo_gavazzi_em340, multical_403, schneider_iem3000, sunspec_103
from simulators.devices.quantities import image_of
from simulators.plants.states import BurnerState, ElectricState, HeatState, InverterState

METER = ElectricState(
    active_power_w=-7_500.0,
    energy_import_total_wh=123_456_789.9,
    energy_export_total_wh=35_974_123_456.2,
    voltages_v=(229.8, 230.5, 231.0),
    power_shares=(0.5, 0.25, 0.25),
    power_factor=1.0,
    frequency_hz=49.98,
)
INVERTER = InverterState(
    active_power_w=2_765_432.0,
    energy_total_wh=12_345_678_905.0,
    phase_voltage_v=398.44,
    frequency_hz=50.02,
    dc_voltage_v=1_083.2,
    cabinet_temperature_degc=-7.3,
    producing=True,
)
HEAT = HeatState(
    flow_m3_per_h=16.6582,
    heat_power_w=1_135_513.8,
    supply_temperature_degc=110.5,
    return_temperature_degc=50.25,
    heat_total_wh=1_234_567_999.0,
    volume_total_m3=48_321.379,
)


def at(image, address, count=1):
    return [image[place] for place in range(address, address + count)]


def float32(words):
    return struct.unpack(">f", struct.pack(">2H", *words))[0]


def test_iem3000_energy_is_a_64_bit_integer_of_whole_wh_high_word_first():
    image = image_of(schneider_iem3000.SHEET, METER, "S1").registers
    # 123,456,789 = 0x075B_CD15; 35,974,123,456 = 0x0008_6039_8FC0, more than 32 bits hold
    assert at(image, 0x0C83, 4) == [0x0000, 0x0000, 0x075B, 0xCD15]
    assert at(image, 0x0C87, 4) == [0x0000, 0x0008, 0x6039, 0x8FC0]


def test_iem3000_power_is_float_kw_and_negative_while_exporting():
    image = image_of(schneider_iem3000.SHEET, METER, "S1").registers
    assert at(image, 0x0BF3, 2) == [0xC0F0, 0x0000]  # -7.5
    assert at(image, 0x0BED, 2) == [0xC070, 0x0000]  # -3.75, half of it on the first phase


def test_iem3000_voltage_current_and_frequency_are_floats():
    image = image_of(schneider_iem3000.SHEET, METER, "S1").registers
    assert float32(at(image, 0x0BD5, 2)) == 230.5
    assert float32(at(image, 0x0BB7, 2)) == pytest.approx(3_750 / 229.8)
    assert float32(at(image, 0x0C25, 2)) == pytest.approx(49.98)


def test_em340_numbers_have_their_low_word_first():
    image = image_of(carlo_gavazzi_em340.SHEET, METER, "S1").registers
    assert at(image, 0x00, 6) == [2298, 0, 2305, 0, 2310, 0]
    assert at(image, 0x28, 2) == [0xDB08, 0xFFFE]  # -75,000 = 0xFFFE_DB08
    assert at(image, 0x34, 2) == [0xD687, 0x0012]  # 1,234,567 = 0x0012_D687, in 0.1 kWh
    assert at(image, 0x4E, 2) == [0x3732, 0x1571]  # 359,741,234 = 0x1571_3732
    assert at(image, 0x33) == [500]  # 49.98 Hz, in 0.1 Hz


def test_em340_current_is_in_milliamperes():
    image = image_of(carlo_gavazzi_em340.SHEET, METER, "S1").registers
    assert at(image, 0x0C, 2) == [round(3_750 / 229.8 * 1000), 0]


def test_multical_numbers_are_floats_in_the_units_of_its_m_bus_telegram():
    image = image_of(multical_403.SHEET, HEAT, "S1").registers
    assert at(image, 0, 2) == [0x4682, 0x2400]  # 16,658 L/h
    assert at(image, 4, 2) == [0x448D, 0xF000]  # 1,135.5 kW
    assert at(image, 6, 2) == [0x42DD, 0x0000]  # 110.5 °C
    assert at(image, 8, 2) == [0x4249, 0x0000]  # 50.25 °C
    assert at(image, 14, 2) == [0x4271, 0x0000]  # 60.25 K
    assert at(image, 20, 2) == [0x4996, 0xB438]  # 1,234,567 kWh, the one not yet full left out
    assert at(image, 48, 2) == at(image, 20, 2)
    assert at(image, 52, 2) == [0x473C, 0xC15F]  # 48,321.37 m3


def test_multical_quantities_that_it_lacks_are_not_a_number():
    image = image_of(multical_403.SHEET, HEAT, "S1").registers
    assert sorted(image) == list(range(80))
    assert math.isnan(float32(at(image, 2, 2)))


def test_sunspec_chain_leads_from_the_marker_over_both_models_to_the_end():
    image = image_of(sunspec_103.SHEET, INVERTER, "SIM-INV-0001").registers
    assert struct.pack(">2H", *at(image, 40_000, 2)) == b"SunS"
    found, place = [], 40_002
    while image[place] != 0xFFFF:
        found.append((image[place], image[place + 1]))
        place += 2 + image[place + 1]
    assert found == [(1, 66), (103, 50)]
    assert sorted(image) == list(range(40_000, place + 2))
    assert image[place + 1] == 0


def test_sunspec_common_model_names_the_inverter():
    image = image_of(sunspec_103.SHEET, INVERTER, "SIM-INV-0001").registers
    assert struct.pack(">16H", *at(image, 40_002 + 50, 16)).rstrip(b"\0") == b"SIM-INV-0001"
    assert struct.pack(">16H", *at(image, 40_002 + 2, 16)).rstrip(b"\0") == b"Sakugen"


def test_sunspec_values_need_their_scale_factors():
    image = image_of(sunspec_103.SHEET, INVERTER, "SIM-INV-0001").registers
    start = 40_070
    assert at(image, start + 14, 2) == [0x6C06, 2]  # 27,654 × 10^2 W
    assert at(image, start + 16, 2) == [0x138A, 0xFFFE]  # 5,002 × 10^-2 Hz
    assert at(image, start + 24, 3) == [0x4996, 0x02D2, 1]  # 1,234,567,890 × 10^1 Wh
    assert at(image, start + 10, 4) == [0x0F90, 0x0F90, 0x0F90, 0xFFFF]  # 3,984 × 10^-1 V
    assert at(image, start + 29, 2) == [0x2A50, 0xFFFF]  # 10,832 × 10^-1 V
    assert at(image, start + 33) == [0xFFB7]  # -73 × 10^-1 °C
    assert at(image, start + 38) == [4]


def test_sunspec_points_that_the_inverter_lacks_hold_their_own_sentinel():
    image = image_of(sunspec_103.SHEET, INVERTER, "SIM-INV-0001").registers
    start = 40_070
    assert at(image, start + 7, 3) == [0xFFFF] * 3  # phase to phase, uint16
    assert at(image, start + 20, 4) == [0x8000] * 4  # VAr and PF, int16 and sunssf
    assert at(image, start + 34, 3) == [0x8000] * 3  # three temperatures, int16


def test_burner_register_is_one_while_it_fires():
    assert image_of(burner_controller.SHEET, BurnerState(running=True), "S1").registers == {0: 1}
    assert image_of(burner_controller.SHEET, BurnerState(running=False), "S1").registers == {0: 0}


@pytest.mark.parametrize(
    ("image", "unreadable"),
    [
        pytest.param(
            image_of(schneider_iem3000.SHEET, METER, "S1").registers,
            [0x0BB6, 0x0BBD, 0x0BF5, 0x0C82, 0x0C8B],
            id="iEM3000",
        ),
        pytest.param(
            image_of(carlo_gavazzi_em340.SHEET, METER, "S1").registers, [0x06, 0x18, 0x2A, 0x36, 0x50], id="EM340"
        ),
        pytest.param(image_of(multical_403.SHEET, HEAT, "S1").registers, [80], id="MULTICAL 403"),
        pytest.param(image_of(sunspec_103.SHEET, INVERTER, "x").registers, [39_999, 40_124], id="SunSpec 103"),
    ],
)
def test_an_image_leaves_out_what_the_device_cannot_be_asked(image, unreadable):
    assert [place for place in unreadable if place in image] == []
    assert all(0 <= word <= 0xFFFF for word in image.values())
