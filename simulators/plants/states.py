"""What an instrument sees at one instant: the words between a plant (physics) and a device (registers).

Counters are not computed by plants: `plant.Plant` integrates the value that `COUNTERS` names over time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class State:
    """The base of all states."""

    COUNTERS: ClassVar[Mapping[str, str]] = {}
    """Its counters, and the field whose positive values each counts over hours; with a minus, the negative ones."""
    RIPPLES: ClassVar[tuple[str, ...]] = ()
    """The fields that change from second to second."""


@dataclass(frozen=True, slots=True)
class InverterState(State):
    """A three-phase inverter."""

    COUNTERS: ClassVar[Mapping[str, str]] = {"energy_total_wh": "active_power_w"}

    active_power_w: float
    """AC output [W]."""
    energy_total_wh: float
    """Lifetime AC output [Wh]."""
    phase_voltage_v: float
    """Phase to neutral [V]."""
    frequency_hz: float
    """Grid frequency [Hz]."""
    dc_voltage_v: float
    """DC input; 0 at night [V]."""
    cabinet_temperature_degc: float
    """Inside the cabinet [°C]."""
    producing: bool
    """Whether it tracks the maximum power point; asleep otherwise."""


@dataclass(frozen=True, slots=True)
class ElectricState(State):
    """A three-phase electricity meter; power into the site is positive."""

    COUNTERS: ClassVar[Mapping[str, str]] = {
        "energy_import_total_wh": "active_power_w",
        "energy_export_total_wh": "-active_power_w",
    }
    RIPPLES: ClassVar[tuple[str, ...]] = ("voltages_v",)

    active_power_w: float
    """Import positive, export negative [W]."""
    energy_import_total_wh: float
    """Into the site [Wh]."""
    energy_export_total_wh: float
    """Out of the site [Wh]."""
    voltages_v: tuple[float, float, float]
    """Phase to neutral [V]."""
    power_shares: tuple[float, float, float]
    """How the power divides between the phases; the sum is 1."""
    power_factor: float
    """Total power factor."""
    frequency_hz: float
    """Grid frequency [Hz]."""

    def phase_powers_w(self) -> tuple[float, float, float]:
        """Active power of each phase [W]."""
        first, second, third = self.power_shares
        return (self.active_power_w * first, self.active_power_w * second, self.active_power_w * third)

    def currents_a(self) -> tuple[float, float, float]:
        """Current of each phase [A]; none where there is no voltage."""
        first, second, third = (
            abs(power) / (voltage * self.power_factor) if voltage > 0 else 0.0
            for power, voltage in zip(self.phase_powers_w(), self.voltages_v, strict=True)
        )
        return (first, second, third)


@dataclass(frozen=True, slots=True)
class HeatState(State):
    """A heat meter in a hot-water circuit, or in a chilled-water one, where it counts what the water takes up."""

    COUNTERS: ClassVar[Mapping[str, str]] = {"heat_total_wh": "heat_power_w", "volume_total_m3": "flow_m3_per_h"}

    flow_m3_per_h: float
    """Volume flow [m3/h]."""
    heat_power_w: float
    """Heat delivered or, in chilled water, taken up [W]."""
    supply_temperature_degc: float
    """Leaving the boiler [°C]."""
    return_temperature_degc: float
    """Coming back [°C]."""
    heat_total_wh: float
    """Heat delivered since installation [Wh]."""
    volume_total_m3: float
    """Water passed since installation [m3]."""


@dataclass(frozen=True, slots=True)
class BurnerState(State):
    """A burner as its controller sees it."""

    running: bool
    """Whether the burner fires."""


@dataclass(frozen=True, slots=True)
class GasState(State):
    """A gas meter with a volume corrector, and an analyser of methane beside it."""

    COUNTERS: ClassVar[Mapping[str, str]] = {"volume_total_nm3": "flow_nm3_per_h"}

    flow_nm3_per_h: float
    """Flow at 0 °C and 101.325 kPa [Nm3/h]."""
    pressure_kpa: float
    """Absolute pressure in the line [kPa]."""
    temperature_degc: float
    """Of the gas in the line [°C]."""
    methane_share: float
    """Volume share of methane."""
    volume_total_nm3: float
    """Since installation, at 0 °C and 101.325 kPa [Nm3]."""


@dataclass(frozen=True, slots=True)
class SteamState(State):
    """A vortex meter with pressure and temperature compensation; energy is against feed water."""

    COUNTERS: ClassVar[Mapping[str, str]] = {"mass_total_kg": "flow_kg_per_h", "heat_total_wh": "heat_power_w"}

    flow_kg_per_h: float
    """Mass flow [kg/h]."""
    heat_power_w: float
    """Flow × (enthalpy of the steam - enthalpy of the feed water) [W]."""
    pressure_mpa: float
    """Absolute pressure [MPa]."""
    temperature_degc: float
    """Of the steam [°C]."""
    feed_water_degc: float
    """Of the feed water [°C]."""
    mass_total_kg: float
    """Since installation [kg]."""
    heat_total_wh: float
    """Since installation [Wh]."""


@dataclass(frozen=True, slots=True)
class FlowState(State):
    """A meter of water, oil or another liquid."""

    COUNTERS: ClassVar[Mapping[str, str]] = {"volume_total_m3": "flow_m3_per_h"}

    flow_m3_per_h: float
    """Volume flow [m3/h]."""
    temperature_degc: float
    """Of the liquid [°C]."""
    volume_total_m3: float
    """Since installation [m3]."""


@dataclass(frozen=True, slots=True)
class WeightState(State):
    """A belt weigher or a scale at a feeder."""

    COUNTERS: ClassVar[Mapping[str, str]] = {"mass_total_kg": "flow_kg_per_h"}

    flow_kg_per_h: float
    """Mass flow [kg/h]."""
    mass_total_kg: float
    """Since installation [kg]."""


@dataclass(frozen=True, slots=True)
class WeatherState(State):
    """A weather station."""

    irradiance_w_per_m2: float
    """In the plane of the modules [W/m2]."""
    ambient_temperature_degc: float
    """Of the air in the shade [°C]."""
    wind_speed_m_per_s: float
    """At the height of the anemometer [m/s]."""


@dataclass(frozen=True, slots=True)
class BatteryState(State):
    """A battery as its management system reports it."""

    COUNTERS: ClassVar[Mapping[str, str]] = {
        "charged_total_wh": "active_power_w",
        "discharged_total_wh": "-active_power_w",
    }

    charge_share: float
    """State of charge, from 0 to 1."""
    active_power_w: float
    """At the AC terminals: charging positive, discharging negative [W]."""
    charged_total_wh: float
    """Taken from the AC side [Wh]."""
    discharged_total_wh: float
    """Given to the AC side [Wh]."""


@dataclass(frozen=True, slots=True)
class FlareState(State):
    """A flare as its controller sees it."""

    temperature_degc: float
    """Of the flame [°C]."""
    burning: bool
    """Whether a flame is seen."""


@dataclass(frozen=True, slots=True)
class VehicleState(State):
    """A truck as its digital tachograph and its CAN bus report it."""

    COUNTERS: ClassVar[Mapping[str, str]] = {"distance_total_km": "speed_km_per_h", "fuel_total_l": "fuel_flow_l_per_h"}

    speed_km_per_h: float
    """Over the ground [km/h]."""
    fuel_flow_l_per_h: float
    """What the engine burns [L/h]."""
    ignition: bool
    """Whether the engine runs."""
    distance_total_km: float
    """The odometer [km]."""
    fuel_total_l: float
    """Burnt since the engine was new [L]."""
