"""In: a seed and a day. Out: once-through gas boilers of a factory: steam, feed water, gas and electricity.

As many boilers fire as the demand asks for, so each fires well; fuel is heat by the efficiency of the firing rate.

References:
    EN 15316-4-1:2017: efficiency between full load and part load is interpolated.
    `steam` for the heat in steam.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import IntArray
from simulators.plants.climate import Climate
from simulators.plants.mains import electric
from simulators.plants.operation import around, in_hours
from simulators.plants.places import CENTRAL_THAILAND
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import ElectricState, FlowState, GasState, SteamState
from simulators.plants.steam import heat_wh_per_kg, saturation_degc


@dataclass(frozen=True, slots=True)
class SteamBoilerSite:
    """What the boilers are; every number is their own."""

    climate: Climate = CENTRAL_THAILAND
    boilers: int = 4
    rated_kg_per_h: float = 2_000.0
    """Steam of one [kg/h]."""
    pressure_mpa: float = 0.8
    """Absolute [MPa]."""
    efficiency: float = 0.96
    """Of one at full firing, of the net calorific value, with an economiser."""
    efficiency_at_third: float = 0.93
    gas_mj_per_nm3: float = 36.0
    """Net calorific value."""
    blow_down_share: float = 0.05
    """Of the feed water."""
    power_w_per_kg_per_h: float = 7.0
    """Fan and feed pump, per steam."""
    standby_w: float = 1_500.0
    """Always [W]."""
    day_share: float = 0.75
    """Of the rating of all, in the day shift; at night a third of it."""


class SteamBoilers(Plant):
    """Instruments `steam`, `feed-water`, `gas` and `boiler-aux`."""

    def __init__(self, seed: str, origin_ms: int, site: SteamBoilerSite | None = None) -> None:
        """Fix the demand; arguments as in `Plant`, and what the boilers are."""
        super().__init__(seed, origin_ms)
        self.site = site or SteamBoilerSite()
        self.instruments = {
            "steam": SteamState,
            "feed-water": FlowState,
            "gas": GasState,
            "boiler-aux": ElectricState,
        }

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: demand, boilers in service, fuel."""
        del before
        site, seed = self.site, self.seed
        shift = in_hours(site.climate, at_ms, 7, 22, 6)
        demand_share = site.day_share * (1 / 3 + 2 / 3 * shift) * around(seed, "demand", at_ms, 1, 0.2, 1_200_000)
        rated_kg_per_h = site.boilers * site.rated_kg_per_h
        steam_kg_per_h = rated_kg_per_h * np.minimum(1.0, demand_share)
        firing = np.ceil(steam_kg_per_h / site.rated_kg_per_h)
        rate = steam_kg_per_h / (firing * site.rated_kg_per_h)
        pressure_mpa = around(seed, "pressure", at_ms, site.pressure_mpa, 0.03, 600_000)
        feed_degc = around(seed, "feed", at_ms, 75, 8, 3_600_000)
        heat_w = steam_kg_per_h * heat_wh_per_kg(pressure_mpa, feed_degc)
        slope = (site.efficiency - site.efficiency_at_third) / 0.7
        fuel_w = heat_w / (site.efficiency - slope * (1 - rate))
        return {
            "steam": {
                "flow_kg_per_h": steam_kg_per_h,
                "heat_power_w": heat_w,
                "pressure_mpa": pressure_mpa,
                "temperature_degc": saturation_degc(pressure_mpa),
                "feed_water_degc": feed_degc,
            },
            "feed-water": {
                "flow_m3_per_h": steam_kg_per_h / (1 - site.blow_down_share) / 1_000,
                "temperature_degc": feed_degc,
            },
            "gas": {
                "flow_nm3_per_h": fuel_w * 3.6e-3 / site.gas_mj_per_nm3,
                "pressure_kpa": around(seed, "line", at_ms, 300, 10, 600_000),
                "temperature_degc": around(seed, "gas", at_ms, 28, 4, 7_200_000),
                "methane_share": np.full(at_ms.shape, 0.9),
            },
            "boiler-aux": electric(seed, at_ms, site.power_w_per_kg_per_h * steam_kg_per_h + site.standby_w),
            TRUTH: {"fuel_w": fuel_w},
        }
