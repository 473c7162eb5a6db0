"""In: a seed and a day. Out: a work bench with instruments of every kind, which all see the same small plant.

For developers of readers and for integrators before they travel: it is there that every device can be asked at once, so
nothing in it is the physics of a plant. Its load rises and falls once in two hours.
"""

from collections.abc import Mapping

import numpy as np

from metering.interval import HOUR_MS
from simulators.noise import FloatArray, IntArray
from simulators.plants.mains import electric, frequency_hz
from simulators.plants.plant import Before, Fields, Minutes, Plant
from simulators.plants.states import (
    BatteryState,
    BurnerState,
    ElectricState,
    FlareState,
    FlowState,
    GasState,
    HeatState,
    InverterState,
    State,
    SteamState,
    VehicleState,
    WeatherState,
    WeightState,
)

_FULL_W = 40_000.0
_WATER_WH_PER_M3_K = 1_163.0


class Bench(Plant):
    """Any instruments, each of a kind."""

    def __init__(self, seed: str, origin_ms: int, instruments: Mapping[str, type[State]]) -> None:
        """Fix what is on the bench; arguments as in `Plant`, and the kind of each instrument."""
        super().__init__(seed, origin_ms)
        self.instruments = instruments

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: the same for all instruments of a kind."""
        del before
        load = 0.6 + 0.4 * np.sin(2 * np.pi * at_ms / (2 * HOUR_MS))
        seen = _others(self.seed, at_ms, load)
        seen[ElectricState] = electric(self.seed, at_ms, _FULL_W * load)
        return {name: seen[kind] for name, kind in self.instruments.items()}


def _others(seed: str, at_ms: IntArray, load: FloatArray) -> dict[type[State], Fields]:
    one = np.ones(at_ms.shape)
    heat_w = _FULL_W * load
    return {
        InverterState: {
            "active_power_w": _FULL_W * load,
            "phase_voltage_v": 231.0 * one,
            "frequency_hz": frequency_hz(seed, at_ms),
            "dc_voltage_v": 700.0 * one,
            "cabinet_temperature_degc": 25 + 15 * load,
            "producing": load > 0,
        },
        HeatState: {
            "flow_m3_per_h": heat_w / (20 * _WATER_WH_PER_M3_K),
            "heat_power_w": heat_w,
            "supply_temperature_degc": 70.0 * one,
            "return_temperature_degc": 50.0 * one,
        },
        SteamState: {
            "flow_kg_per_h": 2_000 * load,
            "heat_power_w": 1_400_000 * load,
            "pressure_mpa": 0.8 * one,
            "temperature_degc": 170.4 * one,
            "feed_water_degc": 60.0 * one,
        },
        GasState: {
            "flow_nm3_per_h": 100 * load,
            "pressure_kpa": 130.0 * one,
            "temperature_degc": 20.0 * one,
            "methane_share": 0.6 * one,
        },
        FlowState: {"flow_m3_per_h": 10 * load, "temperature_degc": 15.0 * one},
        WeightState: {"flow_kg_per_h": 1_500 * load},
        WeatherState: {
            "irradiance_w_per_m2": 800 * load,
            "ambient_temperature_degc": 10 + 15 * load,
            "wind_speed_m_per_s": 5 * load,
        },
        BatteryState: {"charge_share": 0.5 * one, "active_power_w": _FULL_W * (load - 0.6)},
        FlareState: {"temperature_degc": 900 * load, "burning": load > 0},
        VehicleState: {"speed_km_per_h": 60 * load, "fuel_flow_l_per_h": 18 * load, "ignition": load > 0},
        BurnerState: {"running": load > 0},
    }
