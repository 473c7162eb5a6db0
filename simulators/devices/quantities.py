"""What an instrument sees in, the quantities that its registers can show out, under the names of measurands.

Names are those of `metering.measurands`; a quantity that no project needs yet, such as the power of one phase, is
named in the same manner.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np

from simulators.devices.table import FloatArray, Image, Quantities, Sheet, image
from simulators.plants.states import BurnerState, ElectricState, HeatState, InverterState, State, SteamState

Columns = Mapping[str, FloatArray]
"""The fields of a state, one value an instant; three rows where there are three phases."""

_J_PER_WH = 3600.0
_BAR_PER_MPA, _ATMOSPHERE_BAR = 10.0, 1.01325
_MPPT, _SLEEPING = 4.0, 2.0
"""SunSpec's states of an inverter."""
_INVERTER_EFFICIENCY = 0.985
_POWER_FACTOR = 0.995


def columns_of(state: State) -> Columns:
    """One state as columns of one instant."""
    made = {name: np.asarray(value, np.float64) for name, value in asdict(state).items()}
    return {name: value[..., None] for name, value in made.items()}


def quantities(kind: type[State], columns: Columns) -> Quantities:
    """Everything that a device with such an instrument can show.

    Args:
        kind: the instrument's kind of state.
        columns: its fields.
    """
    return _OF[kind](columns) if kind in _OF else columns


def image_of(sheet: Sheet, state: State, serial: str) -> Image:
    """The registers of a device whose instrument sees this.

    Args:
        sheet: the device.
        state: at one instant.
        serial: its serial number.
    """
    return image(sheet, quantities(type(state), columns_of(state)), serial)


def _electric(seen: Columns) -> Quantities:
    power, factor = seen["active_power_w"], seen["power_factor"]
    powers = power * seen["power_shares"]
    # No current where there is no voltage.
    currents = _ratio(np.abs(powers), seen["voltages_v"] * factor)
    reactive = np.sqrt(1 - np.square(factor)) / factor
    return {
        "active_power_w": power,
        "reactive_power_var": power * reactive,
        "apparent_power_va": np.abs(power) / factor,
        "power_factor": factor,
        "frequency_hz": seen["frequency_hz"],
        "energy_import_total_wh": seen["energy_import_total_wh"],
        "energy_export_total_wh": seen["energy_export_total_wh"],
        "reactive_energy_import_total_varh": seen["energy_import_total_wh"] * reactive,
        "reactive_energy_export_total_varh": seen["energy_export_total_wh"] * reactive,
        **{f"voltage_l{phase}_v": values for phase, values in enumerate(seen["voltages_v"], 1)},
        **{f"current_l{phase}_a": values for phase, values in enumerate(currents, 1)},
        **{f"active_power_l{phase}_w": values for phase, values in enumerate(powers, 1)},
    }


def _inverter(seen: Columns) -> Quantities:
    apparent_va = seen["active_power_w"] / _POWER_FACTOR
    phase_a = apparent_va / 3 / seen["phase_voltage_v"]
    dc_w = seen["active_power_w"] / _INVERTER_EFFICIENCY
    return {
        "active_power_w": seen["active_power_w"],
        "apparent_power_va": apparent_va,
        "energy_export_total_wh": seen["energy_total_wh"],
        "frequency_hz": seen["frequency_hz"],
        "current_a": phase_a * 3,
        **{f"voltage_l{phase}_v": seen["phase_voltage_v"] for phase in (1, 2, 3)},
        **{f"current_l{phase}_a": phase_a for phase in (1, 2, 3)},
        "dc_power_w": dc_w,
        "dc_voltage_v": seen["dc_voltage_v"],
        "dc_current_a": _ratio(dc_w, seen["dc_voltage_v"]),
        "cabinet_temperature_degc": seen["cabinet_temperature_degc"],
        "inverter_state": _state_of(seen["producing"]),
    }


def _state_of(producing: FloatArray) -> FloatArray:
    state: FloatArray = np.where(producing > 0, _MPPT, _SLEEPING)
    return np.where(np.isnan(producing), np.nan, state)


def _heat(seen: Columns) -> Quantities:
    return {
        **seen,
        "heat_total_j": seen["heat_total_wh"] * _J_PER_WH,
        "temperature_difference_k": seen["supply_temperature_degc"] - seen["return_temperature_degc"],
    }


def _steam(seen: Columns) -> Quantities:
    return {
        **seen,
        "supply_temperature_degc": seen["temperature_degc"],
        "pressure_bar_gauge": seen["pressure_mpa"] * _BAR_PER_MPA - _ATMOSPHERE_BAR,
        "heat_total_j": seen["heat_total_wh"] * _J_PER_WH,
    }


def _burner(seen: Columns) -> Quantities:
    return {"burner_state": seen["running"]}


_OF: Mapping[type[State], Callable[[Columns], Quantities]] = {
    ElectricState: _electric,
    InverterState: _inverter,
    HeatState: _heat,
    SteamState: _steam,
    BurnerState: _burner,
}


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    shape = np.broadcast_shapes(above.shape, below.shape)
    ratio: FloatArray = np.divide(above, below, out=np.zeros(shape), where=~(below <= 0))
    return ratio
