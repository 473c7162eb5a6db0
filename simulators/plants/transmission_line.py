"""In: a seed and a day. Out: a transmission line with a revenue meter at each end, on a conductor of low loss.

The loss is three phases × current² × resistance, and resistance grows with the conductor's temperature, which the
current and the sun raise above the air's.

References:
    IEC 60889 and IEC 60104: aluminium's resistance grows by 0.403 % a kelvin from 20 °C.
    IEEE 738-2012: a conductor's heat balance; here linear between the air and the rated current's temperature.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import FloatArray, IntArray
from simulators.plants.climate import Climate, air_degc, local_hour
from simulators.plants.mains import electric
from simulators.plants.operation import around
from simulators.plants.places import MONGOLIAN_STEPPE
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import ElectricState

_PER_KELVIN = 0.00403


@dataclass(frozen=True, slots=True)
class LineSite:
    """What the line is; every number is its own."""

    climate: Climate = MONGOLIAN_STEPPE
    line_v: float = 110_000.0
    """Between phases [V]."""
    length_km: float = 60.0
    ohm_per_km: float = 0.0900
    """DC resistance at 20 °C of the low-loss conductor."""
    reference_ohm_per_km: float = 0.1181
    """Of the ACSR that stood there."""
    mean_w: float = 55_000_000.0
    """Received [W]."""
    power_factor: float = 0.95
    rated_a: float = 600.0
    rated_rise_k: float = 40.0
    """Of the conductor above the air, at the rated current [K]."""


class TransmissionLine(Plant):
    """Instruments `sent` and `received`; truth has the loss on this and on the reference conductor."""

    def __init__(self, seed: str, origin_ms: int, site: LineSite | None = None) -> None:
        """Fix weather and load; arguments as in `Plant`, and what the line is."""
        super().__init__(seed, origin_ms)
        self.site = site or LineSite()
        self.instruments = {"sent": ElectricState, "received": ElectricState}

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: load, current, loss."""
        del before
        site, seed = self.site, self.seed
        air = air_degc(site.climate, seed, at_ms)
        hour = local_hour(site.climate, at_ms)
        winter = 1 + 0.012 * (monthly_mean(site.climate) - air)
        daily = 1 + 0.15 * np.cos(2 * np.pi * (hour - 19) / 24)
        received_w = site.mean_w * np.clip(winter, 0.6, 1.5) * daily * around(seed, "grid", at_ms, 1, 0.06, 1_200_000)
        current_a = received_w / (np.sqrt(3) * site.line_v * site.power_factor)
        loss_w = line_loss_w(site, current_a, air, site.ohm_per_km)
        volts = site.line_v / np.sqrt(3)
        return {
            "sent": electric(seed, at_ms, received_w + loss_w, nominal_v=volts, power_factor=site.power_factor),
            "received": electric(seed, at_ms, received_w, nominal_v=volts, power_factor=site.power_factor),
            TRUTH: {
                "loss_w": loss_w,
                "reference_loss_w": line_loss_w(site, current_a, air, site.reference_ohm_per_km),
            },
        }


def monthly_mean(climate: Climate) -> float:
    """The place's annual mean temperature [°C]."""
    return sum(climate.temperatures_degc) / len(climate.temperatures_degc)


def line_loss_w(site: LineSite, current_a: FloatArray, air: FloatArray, ohm_per_km: float) -> FloatArray:
    """Loss of three phases [W]."""
    conductor_degc = air + site.rated_rise_k * (current_a / site.rated_a) ** 2
    ohm = ohm_per_km * site.length_km * (1 + _PER_KELVIN * (conductor_degc - 20))
    return np.asarray(3 * current_a**2 * ohm, dtype=np.float64)
