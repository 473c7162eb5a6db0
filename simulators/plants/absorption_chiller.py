"""In: a seed and a day. Out: an absorption chiller on waste steam: cooling, steam, a little gas, and its pumps.

The waste steam of the factory comes first; what it does not cover a gas burner adds.

References:
    COMNET, "Commercial Buildings Energy Modeling Guidelines", default curve of DOE-2 for double-effect absorption
        chillers: HIR-FPLR = 0.013994 + 1.240449 r - 0.914883 r² + 0.660441 r³.
    `steam` for the heat in steam.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import FloatArray, IntArray
from simulators.plants.chiller import W_PER_USRT
from simulators.plants.climate import Climate, air_degc
from simulators.plants.cooling import cooling_load
from simulators.plants.mains import electric
from simulators.plants.operation import around
from simulators.plants.places import JAVA
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import ElectricState, GasState, HeatState, SteamState
from simulators.plants.steam import heat_wh_per_kg, saturation_degc
from simulators.plants.water import water_side


@dataclass(frozen=True, slots=True)
class AbsorptionSite:
    """What the chiller and its factory are; every number is their own."""

    climate: Climate = JAVA
    rated_w: float = 500 * W_PER_USRT
    """Cooling capacity [W]."""
    heat_cop: float = 1.40
    """Cooling per heat at full load; double effect."""
    pressure_mpa: float = 0.8
    """Of the waste steam, absolute [MPa]."""
    balance_degc: float = 18.0
    """The air below which only machines need cooling."""
    design_degc: float = 35.0
    """The air at which the load is the capacity."""
    base_share: float = 0.4
    """Of the capacity, asked for by machines."""
    waste_steam_kg_per_h: float = 1_600.0
    """What the factory has to spare, on average [kg/h]."""
    burner_efficiency: float = 0.85
    gas_mj_per_nm3: float = 36.0
    """Net calorific value."""
    pumps_w: float = 9_000.0
    """Solution, refrigerant and purge pump [W]."""


class AbsorptionChiller(Plant):
    """Instruments `chilled-water`, `steam`, `gas`, `pumps`."""

    def __init__(self, seed: str, origin_ms: int, site: AbsorptionSite | None = None) -> None:
        """Fix the weather; arguments as in `Plant`, and what the chiller is."""
        super().__init__(seed, origin_ms)
        self.site = site or AbsorptionSite()
        self.instruments = {
            "chilled-water": HeatState,
            "steam": SteamState,
            "gas": GasState,
            "pumps": ElectricState,
        }

    @property
    def rated_w(self) -> float:
        """The rating of cooling [W]."""
        return self.site.rated_w

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: load, heat, where the heat comes from."""
        del before
        site, seed = self.site, self.seed
        air = air_degc(site.climate, seed, at_ms)
        load = cooling_load(air, np.ones(at_ms.shape), site.balance_degc, site.design_degc, site.base_share)
        load = np.clip(load * around(seed, "process", at_ms, 1, 0.1, 1_800_000), 0.05, 1.0)
        heat_w = site.rated_w / site.heat_cop * heat_share(load)
        pressure_mpa = around(seed, "pressure", at_ms, site.pressure_mpa, 0.02, 900_000)
        feed_degc = around(seed, "feed", at_ms, 80, 5, 7_200_000)
        wh_per_kg = heat_wh_per_kg(pressure_mpa, feed_degc)
        spare_kg_per_h = around(seed, "spare", at_ms, site.waste_steam_kg_per_h, 300, 3_600_000)
        steam_kg_per_h = np.minimum(spare_kg_per_h, heat_w / wh_per_kg)
        gas_w = np.maximum(0.0, heat_w - steam_kg_per_h * wh_per_kg) / site.burner_efficiency
        return {
            "chilled-water": water_side(site.rated_w * load, site.rated_w, 7.0 + 0 * load, 5.0, cools=True),
            "steam": {
                "flow_kg_per_h": steam_kg_per_h,
                "heat_power_w": steam_kg_per_h * wh_per_kg,
                "pressure_mpa": pressure_mpa,
                "temperature_degc": saturation_degc(pressure_mpa),
                "feed_water_degc": feed_degc,
            },
            "gas": {
                "flow_nm3_per_h": gas_w * 3.6e-3 / site.gas_mj_per_nm3,
                "pressure_kpa": around(seed, "line", at_ms, 200, 5, 600_000),
                "temperature_degc": air,
                "methane_share": np.full(at_ms.shape, 0.9),
            },
            "pumps": electric(seed, at_ms, np.full(at_ms.shape, site.pumps_w)),
            TRUTH: {"heat_w": heat_w, "gas_w": gas_w},
        }


def heat_share(load: FloatArray) -> FloatArray:
    """Heat taken as a share of that at full load."""
    return np.asarray(0.013994 + 1.240449 * load - 0.914883 * load**2 + 0.660441 * load**3, dtype=np.float64)
