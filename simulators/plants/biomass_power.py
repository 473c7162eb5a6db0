"""In: a seed and a day. Out: a power plant on empty fruit bunches of oil palms: turbine, own use, belt weigher, diesel.

References:
    van Loo and Koppejan (2008), "The Handbook of Biomass Combustion and Co-firing", equation 2.2: net calorific value
        from the gross one of dry matter and moisture.
    EN 12952-15: what a boiler loses with its exhaust and its walls is in the boiler's efficiency.
"""

from dataclasses import dataclass

import numpy as np

from metering.interval import HOUR_MS
from simulators.noise import FloatArray, IntArray, uniform
from simulators.plants.climate import monthly
from simulators.plants.mains import electric
from simulators.plants.operation import around, available
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import ElectricState, FlowState, SteamState, WeightState

_EVAPORATION_MJ_PER_KG = 2.447
_STEAM_WH_PER_KG = (3_214.4 - 440.0) / 3.6  # IAPWS-IF97: 4 MPa and 400 °C, against feed water of 105 °C


@dataclass(frozen=True, slots=True)
class BiomassSite:
    """What the plant is; every number is its own."""

    rated_w: float = 12_000_000.0
    """At the generator [W]."""
    steam_efficiency: float = 0.78
    """Of the boiler, net calorific value."""
    turbine_efficiency: float = 0.30
    """Electricity from steam."""
    dry_mj_per_kg: float = 17.5
    """Gross calorific value of dry matter less the hydrogen's water."""
    moisture: float = 0.48
    """After the press."""
    fuel_share: tuple[float, ...] = (0.92, 0.9, 0.93, 0.96, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.98, 0.95)
    """Of the full feed that the mills can bring, from January on."""
    availability: float = 0.90
    auxiliary_share: float = 0.11
    """Of the output: shredders, fans, pumps."""
    standby_w: float = 96_000.0
    """Always [W]."""
    start_diesel_l_per_h: float = 250.0
    """In the first hour after a stop."""


class BiomassPower(Plant):
    """Instruments `generator`, `auxiliary`, `grid`, `fuel`, `steam`, `diesel`."""

    def __init__(self, seed: str, origin_ms: int, site: BiomassSite | None = None) -> None:
        """Fix stops and fuel; arguments as in `Plant`, and what the plant is."""
        super().__init__(seed, origin_ms)
        self.site = site or BiomassSite()
        self.instruments = {
            "generator": ElectricState,
            "auxiliary": ElectricState,
            "grid": ElectricState,
            "fuel": WeightState,
            "steam": SteamState,
            "diesel": FlowState,
        }

    @property
    def rated_w(self) -> float:
        """The rating of electricity [W]."""
        return self.site.rated_w

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: fuel, steam, electricity; what the grid meter sees is net."""
        del before
        site, seed = self.site, self.seed
        runs = available(seed, "boiler", at_ms, site.availability, 48)
        hour = at_ms // HOUR_MS
        stood = uniform(seed, "boiler.stop", (hour - 1) // 48) >= site.availability
        starting = runs * stood
        load = np.minimum(1.0, monthly(site.fuel_share, at_ms) * around(seed, "feed", at_ms, 0.98, 0.05, 3_600_000))
        power_w = site.rated_w * load * runs
        steam_w = power_w / site.turbine_efficiency
        moisture = around(seed, "moisture", at_ms, site.moisture, 0.05, 36_000_000)
        fuel_w = steam_w / site.steam_efficiency
        auxiliary_w = site.auxiliary_share * power_w + site.standby_w
        return {
            "generator": electric(seed, at_ms, -power_w, nominal_v=11_000 / np.sqrt(3)),
            "auxiliary": electric(seed, at_ms, auxiliary_w),
            "grid": electric(seed, at_ms, auxiliary_w - power_w, nominal_v=20_000 / np.sqrt(3)),
            "fuel": {"flow_kg_per_h": fuel_w * 3.6e-3 / net_mj_per_kg(site.dry_mj_per_kg, moisture)},
            "steam": {
                "flow_kg_per_h": steam_w / _STEAM_WH_PER_KG,
                "heat_power_w": steam_w,
                "pressure_mpa": np.full(at_ms.shape, 4.0),
                "temperature_degc": np.full(at_ms.shape, 400.0),
                "feed_water_degc": np.full(at_ms.shape, 105.0),
            },
            "diesel": {
                "flow_m3_per_h": site.start_diesel_l_per_h / 1_000 * starting,
                "temperature_degc": np.full(at_ms.shape, 30.0),
            },
            TRUTH: {"fuel_w": fuel_w, "running": runs},
        }


def net_mj_per_kg(dry_mj_per_kg: float, moisture: FloatArray) -> FloatArray:
    """Net calorific value of wet fuel [MJ/kg]."""
    return np.asarray(dry_mj_per_kg * (1 - moisture) - _EVAPORATION_MJ_PER_KG * moisture, dtype=np.float64)
