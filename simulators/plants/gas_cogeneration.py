"""In: a seed and a day. Out: gas engines of a factory: electricity, hot water, gas, and what they use themselves.

The engines follow the factory's demand down to half load and stand below it. Heat is recovered from jacket and exhaust
and used as far as the factory wants it; the rest goes to the radiator. Fuel is electricity + recovered heat + losses.

References:
    `operation.willans_fuel_w` for part load.
    US EPA (2017), "Catalog of CHP Technologies", section 2: what shares of fuel become power and heat.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import IntArray
from simulators.plants.climate import Climate
from simulators.plants.mains import electric
from simulators.plants.operation import around, available, in_hours, willans_fuel_w
from simulators.plants.places import CENTRAL_THAILAND
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import ElectricState, GasState, HeatState
from simulators.plants.water import water_side


@dataclass(frozen=True, slots=True)
class CogenerationSite:
    """What the engines and the factory are; every number is their own."""

    climate: Climate = CENTRAL_THAILAND
    rated_w: float = 7_800_000.0
    """Electricity of all [W]."""
    efficiency: float = 0.465
    """At the rating, of the net calorific value."""
    idle_share: float = 0.10
    """Of the fuel at the rating."""
    heat_share: float = 0.33
    """Of the fuel, recoverable from jacket and exhaust."""
    availability: float = 0.92
    auxiliary_share: float = 0.03
    """Of the output: pumps, fans, radiator."""
    standby_w: float = 15_600.0
    """Of control and heating, always [W]."""
    electric_demand_share: float = 0.95
    """Of the rating, in the day shift."""
    night_share: float = 0.75
    """Of the day's demand, at night."""
    heat_demand_share: float = 0.80
    """Of the recoverable heat at the rating, that the factory wants on average."""
    gas_mj_per_nm3: float = 36.0
    """Net calorific value."""


class GasCogeneration(Plant):
    """Instruments `generator`, `auxiliary`, `heat-used`, `gas`."""

    def __init__(self, seed: str, origin_ms: int, site: CogenerationSite | None = None) -> None:
        """Fix the demand; arguments as in `Plant`, and what the engines are."""
        super().__init__(seed, origin_ms)
        self.site = site or CogenerationSite()
        self.instruments = {
            "generator": ElectricState,
            "auxiliary": ElectricState,
            "heat-used": HeatState,
            "gas": GasState,
        }

    @property
    def rated_w(self) -> float:
        """The rating of electricity [W]."""
        return self.site.rated_w

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: demand, engines, heat."""
        del before
        site, seed = self.site, self.seed
        shift = in_hours(site.climate, at_ms, 7, 23, 6)
        demand = site.electric_demand_share * (site.night_share + (1 - site.night_share) * shift)
        load = np.minimum(1.0, demand * around(seed, "demand", at_ms, 1, 0.08, 900_000))
        runs = available(seed, "engine", at_ms, site.availability, 24) * (load >= 0.5)
        power_w = site.rated_w * load * runs
        fuel_w = willans_fuel_w(power_w, site.rated_w, site.efficiency, site.idle_share)
        recoverable_w = site.heat_share * fuel_w
        rated_heat_w = site.heat_share * site.rated_w / site.efficiency
        wanted_w = rated_heat_w * around(seed, "heat", at_ms, site.heat_demand_share, 0.15, 3_600_000)
        used_w = np.minimum(recoverable_w, wanted_w)
        return {
            "generator": electric(seed, at_ms, -power_w, nominal_v=11_000 / np.sqrt(3)),
            "auxiliary": electric(seed, at_ms, site.auxiliary_share * power_w + site.standby_w),
            "heat-used": water_side(used_w, rated_heat_w, np.full(at_ms.shape, 70.0), 20.0, cools=False),
            "gas": {
                "flow_nm3_per_h": fuel_w * 3.6e-3 / site.gas_mj_per_nm3,
                "pressure_kpa": around(seed, "line", at_ms, 500, 10, 600_000),
                "temperature_degc": around(seed, "gas", at_ms, 29, 3, 7_200_000),
                "methane_share": np.full(at_ms.shape, 0.9),
            },
            TRUTH: {"fuel_w": fuel_w, "dumped_heat_w": recoverable_w - used_w},
        }
