"""The vocabulary: names, units and quanta that records, journals and statements rely on."""

import pytest

from metering.errors import UnknownMeasurandError
from metering.measurands import MEASURANDS, Kind, measurand


def test_the_vocabulary_is_what_records_in_the_field_were_written_with():
    # Quanta never change: a stored integer would mean something else. New rows are added here first.
    assert {name: (m.quantum, m.quanta_per_unit) for name, m in MEASURANDS.items()} == {
        "energy_import_total_wh": ("mWh", 1000),
        "energy_export_total_wh": ("mWh", 1000),
        "reactive_energy_import_total_varh": ("mvarh", 1000),
        "reactive_energy_export_total_varh": ("mvarh", 1000),
        "heat_total_j": ("J", 1),
        "volume_total_m3": ("mL", 1_000_000),
        "mass_total_kg": ("g", 1000),
        "operating_time_total_s": ("ms", 1000),
        "active_power_w": ("mW", 1000),
        "heat_power_w": ("mW", 1000),
        "voltage_l1_v": ("mV", 1000),
        "voltage_l2_v": ("mV", 1000),
        "voltage_l3_v": ("mV", 1000),
        "current_l1_a": ("mA", 1000),
        "current_l2_a": ("mA", 1000),
        "current_l3_a": ("mA", 1000),
        "frequency_hz": ("mHz", 1000),
        "supply_temperature_degc": ("mdegC", 1000),
        "return_temperature_degc": ("mdegC", 1000),
        "ambient_temperature_degc": ("mdegC", 1000),
        "flow_m3_per_h": ("mL/h", 1_000_000),
        "irradiance_w_per_m2": ("mW/m2", 1000),
        "burner_state": ("1", 1),
        "inverter_state": ("1", 1),
    }


@pytest.mark.parametrize("name", MEASURANDS)
def test_a_counter_is_called_a_total_and_nothing_else_is(name):
    assert (MEASURANDS[name].kind is Kind.COUNTER) == ("_total_" in name)


@pytest.mark.parametrize("name", [name for name in MEASURANDS if not name.endswith("_state")])
def test_the_unit_is_the_last_part_of_the_name(name):
    unit = MEASURANDS[name].unit.lower().replace("/", "_per_")
    assert name.endswith(f"_{unit}")


@pytest.mark.parametrize("name", MEASURANDS)
def test_units_and_quanta_can_be_typed_on_any_keyboard(name):
    assert (MEASURANDS[name].unit + MEASURANDS[name].quantum).isascii()


def test_a_name_that_is_not_in_the_vocabulary_is_answered_with_those_that_are():
    with pytest.raises(UnknownMeasurandError, match=r"unknown measurand 'energy_wh'; .*energy_export_total_wh"):
        measurand("energy_wh")


def test_people_read_the_nearest_float_of_the_whole_quanta():
    assert measurand("energy_export_total_wh").to_unit(12_345_678) == 12_345.678
    assert measurand("volume_total_m3").to_unit(2**63 - 1) == 9_223_372_036_854.775807


def test_the_table_cannot_be_changed_at_run_time():
    with pytest.raises(TypeError, match="does not support item assignment"):
        MEASURANDS["energy_wh"] = MEASURANDS["heat_total_j"]
