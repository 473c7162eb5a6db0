"""In: a seed and a day. Out: inverter air conditioners of a building, metered floor by floor.

The units follow the load line of the test standard; electricity for it is interpolated between full and half capacity,
and falls with the outside air as the standard says.

References:
    ISO 16358-1:2013: load from 0 at 20 °C to full at 35 °C; at 29 °C 1.077 of the capacity and 0.914 of the power.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import FloatArray, IntArray
from simulators.plants.climate import Climate, air_degc, wind_m_per_s
from simulators.plants.mains import electric
from simulators.plants.operation import around, in_hours
from simulators.plants.places import HANOI
from simulators.plants.plant import TRUTH, Before, Fields, Minutes, Plant
from simulators.plants.sky import light_on_plane
from simulators.plants.states import ElectricState, WeatherState


@dataclass(frozen=True, slots=True)
class AirConditioningSite:
    """What the units and the building are; every number is their own."""

    climate: Climate = HANOI
    floors: int = 3
    units_a_floor: int = 40
    capacity_w: float = 5_000.0
    """Of one at 35 °C [W]."""
    full_power_w: float = 1_350.0
    """At full capacity and 35 °C [W]."""
    half_power_w: float = 510.0
    """At half capacity and 35 °C [W]."""
    first_h: float = 7.0
    last_h: float = 22.0
    standby_w: float = 2.0
    """Of one [W]."""


class AirConditioning(Plant):
    """Instruments `floor-1` … (electricity) and `weather`."""

    def __init__(self, seed: str, origin_ms: int, site: AirConditioningSite | None = None) -> None:
        """Fix the weather; arguments as in `Plant`, and what the units are."""
        super().__init__(seed, origin_ms)
        self.site = site or AirConditioningSite()
        self._floors = tuple(f"floor-{number}" for number in range(1, self.site.floors + 1))
        self.instruments = {**dict.fromkeys(self._floors, ElectricState), "weather": WeatherState}

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: load line, occupation, electricity."""
        del before
        site, seed = self.site, self.seed
        air = air_degc(site.climate, seed, at_ms)
        line = np.clip((air - 20) / (35 - 20), 0.0, 1.0)
        open_now = in_hours(site.climate, at_ms, site.first_h, site.last_h)
        cooling_w = np.zeros(at_ms.shape)
        floors: dict[str, Fields] = {}
        for floor in self._floors:
            used = open_now * around(seed, f"{floor}.rooms", at_ms, 0.75, 0.2, 3_600_000)
            one_w = site.capacity_w * line
            power_w = site.units_a_floor * (used * self._power_w(one_w, air) + (1 - used) * site.standby_w)
            cooling_w = cooling_w + site.units_a_floor * used * one_w
            floors[floor] = electric(f"{seed}/{floor}", at_ms, power_w)
        weather = {
            "irradiance_w_per_m2": light_on_plane(site.climate, seed, at_ms, 0).global_w_per_m2,
            "ambient_temperature_degc": air,
            "wind_speed_m_per_s": wind_m_per_s(site.climate, seed, at_ms),
        }
        return {**floors, "weather": weather, TRUTH: {"cooling_w": cooling_w}}

    def _power_w(self, load_w: FloatArray, air: FloatArray) -> FloatArray:
        """Electricity of one unit for a load [W]."""
        site = self.site
        # Straight lines through 29 °C and 35 °C, as the standard's equations are.
        capacity_w = site.capacity_w * (1 + 0.077 / 6 * (35 - air))
        share = np.clip(load_w / capacity_w, 0.0, 1.0)
        at_35_w = np.where(
            share < 0.5,
            2 * share * site.half_power_w,
            site.half_power_w + (2 * share - 1) * (site.full_power_w - site.half_power_w),
        )
        return np.asarray(at_35_w * (1 - 0.086 / 6 * (35 - air)), dtype=np.float64)
