"""In: a seed and a day. Out: a binary geothermal plant: generator, pumps and fans, brine, non-condensable gas.

Heat is brine × what it gives up between well and reinjection; the cycle makes of it a share of the ideal triangular
cycle between brine and air, so the plant gives less on a hot afternoon. All gas goes back into the ground; what a leak
lets out the vent's meter shows.

References:
    DiPippo (2007), "Ideal thermal efficiency for geothermal binary plants", Geothermics 36: binary plants reach
        58 % ± 4 % of the triangular cycle's (hot - cold) / (hot + cold).
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import IntArray
from simulators.plants.climate import Climate, air_degc
from simulators.plants.mains import electric
from simulators.plants.operation import around, available
from simulators.plants.places import MINDANAO
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import ElectricState, GasState, HeatState

_OF_TRIANGLE = 0.58
_WATER_WH_PER_KG_K = 4.19 / 3.6


@dataclass(frozen=True, slots=True)
class GeothermalSite:
    """What the wells and the plant are; every number is their own."""

    climate: Climate = MINDANAO
    brine_kg_per_s: float = 152.0
    brine_degc: float = 170.0
    reinjection_degc: float = 95.0
    """Colder, and silica would settle in the pipes."""
    rated_w: float = 5_600_000.0
    """At the generator [W]."""
    availability: float = 0.95
    auxiliary_share: float = 0.10
    """Of the rating: feed pumps and air-cooled condensers run as long as it does."""
    standby_w: float = 20_000.0
    """Always [W]."""
    leak_nm3_per_h: float = 0.0
    """Of non-condensable gas that is not reinjected."""


class GeothermalBinary(Plant):
    """Instruments `generator`, `auxiliary`, `grid`, `brine`, `vent`."""

    def __init__(self, seed: str, origin_ms: int, site: GeothermalSite | None = None) -> None:
        """Fix the weather; arguments as in `Plant`, and what the plant is."""
        super().__init__(seed, origin_ms)
        self.site = site or GeothermalSite()
        self.instruments = {
            "generator": ElectricState,
            "auxiliary": ElectricState,
            "grid": ElectricState,
            "brine": HeatState,
            "vent": GasState,
        }

    @property
    def rated_w(self) -> float:
        """The rating of electricity [W]."""
        return self.site.rated_w

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: brine, air, cycle."""
        del before
        site, seed = self.site, self.seed
        runs = available(seed, "turbine", at_ms, site.availability, 48)
        flow_kg_per_h = (
            runs * 3_600 * around(seed, "wells", at_ms, site.brine_kg_per_s, 0.02 * site.brine_kg_per_s, 36_000_000)
        )
        brine_degc = around(seed, "brine", at_ms, site.brine_degc, 1.5, 36_000_000)
        air = air_degc(site.climate, seed, at_ms)
        heat_w = flow_kg_per_h * _WATER_WH_PER_KG_K * (brine_degc - site.reinjection_degc)
        hot_k, cold_k = brine_degc + 273.15, air + 273.15
        power_w = np.minimum(site.rated_w, _OF_TRIANGLE * (hot_k - cold_k) / (hot_k + cold_k) * heat_w)
        auxiliary_w = site.auxiliary_share * site.rated_w * runs + site.standby_w
        density_kg_per_m3 = 897.0  # of water at 170 °C, IAPWS-IF97
        return {
            "generator": electric(seed, at_ms, -power_w, nominal_v=11_000 / np.sqrt(3)),
            "auxiliary": electric(seed, at_ms, auxiliary_w),
            "grid": electric(seed, at_ms, auxiliary_w - power_w, nominal_v=69_000 / np.sqrt(3)),
            "brine": {
                "flow_m3_per_h": flow_kg_per_h / density_kg_per_m3,
                "heat_power_w": heat_w,
                "supply_temperature_degc": brine_degc,
                "return_temperature_degc": np.full(at_ms.shape, site.reinjection_degc),
            },
            "vent": {
                "flow_nm3_per_h": site.leak_nm3_per_h * runs,
                "pressure_kpa": np.full(at_ms.shape, 102.0),
                "temperature_degc": air,
                "methane_share": np.full(at_ms.shape, 0.01),
            },
            TRUTH: {"heat_w": heat_w},
        }
