"""What an instrument sees at one instant: the words between a plant (physics) and a device (registers)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InverterState:
    """A three-phase inverter."""

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
class ElectricState:
    """A three-phase electricity meter; power into the site is positive."""

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
class HeatState:
    """A heat meter in a hot-water circuit."""

    flow_m3_per_h: float
    """Volume flow [m3/h]."""
    heat_power_w: float
    """Heat delivered [W]."""
    supply_temperature_degc: float
    """Leaving the boiler [°C]."""
    return_temperature_degc: float
    """Coming back [°C]."""
    heat_total_wh: float
    """Heat delivered since installation [Wh]."""
    volume_total_m3: float
    """Water passed since installation [m3]."""


@dataclass(frozen=True, slots=True)
class BurnerState:
    """A burner as its controller sees it."""

    running: bool
    """Whether the burner fires."""
