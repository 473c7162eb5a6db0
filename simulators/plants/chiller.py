"""In: a seed and a day. Out: a centrifugal chiller: its electricity, chilled water and cooling water.

Electricity per cooling follows the load and the temperatures of both waters, by the curves of building simulation.

References:
    ANSI/ASHRAE/IES 90.1 and COMNET, "Commercial Buildings Energy Modeling Guidelines", default curves of DOE-2 for
        water-cooled centrifugal chillers: EIR-FT (with temperatures in °F) and EIR-FPLR.
    AHRI 550/590: rating point, chilled water 44 °F out, cooling water 85 °F in.
    Stull (2011), in `climate`: wet bulb; a cooling tower comes within a few kelvin of it.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import FloatArray, IntArray
from simulators.plants.climate import Climate, air_degc, wet_bulb_degc
from simulators.plants.cooling import cooling_load
from simulators.plants.mains import electric
from simulators.plants.operation import around, in_hours
from simulators.plants.places import JAVA
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import ElectricState, HeatState
from simulators.plants.water import water_side

W_PER_USRT = 3_516.85


@dataclass(frozen=True, slots=True)
class ChillerSite:
    """What the chiller and its building are; every number is their own."""

    climate: Climate = JAVA
    rated_w: float = 500 * W_PER_USRT
    """Cooling capacity [W]."""
    cop: float = 6.2
    """At the rating point."""
    chilled_degc: float = 7.0
    """Chilled water, leaving."""
    tower_approach_k: float = 4.0
    """Cooling water above the wet bulb [K]."""
    first_h: float = 6.0
    last_h: float = 22.0
    days_a_week: int = 7
    balance_degc: float = 18.0
    """The air below which only machines and lamps need cooling."""
    design_degc: float = 35.0
    """The air at which the load is the capacity."""
    base_share: float = 0.35
    """Of the design load, asked for by machines and lamps."""
    smallest_load: float = 0.15
    """Of the capacity; below it the chiller stands."""


class Chiller(Plant):
    """Instruments `chiller` (electricity), `chilled-water`, `cooling-water`."""

    def __init__(self, seed: str, origin_ms: int, site: ChillerSite | None = None) -> None:
        """Fix the weather; arguments as in `Plant`, and what the chiller is."""
        super().__init__(seed, origin_ms)
        self.site = site or ChillerSite()
        self.instruments = {"chiller": ElectricState, "chilled-water": HeatState, "cooling-water": HeatState}

    @property
    def rated_w(self) -> float:
        """The rating of cooling [W]."""
        return self.site.rated_w

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: load, condenser, electricity."""
        del before
        site, seed = self.site, self.seed
        air = air_degc(site.climate, seed, at_ms)
        in_use = in_hours(site.climate, at_ms, site.first_h, site.last_h, site.days_a_week)
        load = cooling_load(air, in_use, site.balance_degc, site.design_degc, site.base_share) * around(
            seed, "people", at_ms, 1, 0.08, 1_800_000
        )
        load = np.where(load < site.smallest_load, 0.0, np.minimum(1.0, load))
        tower_degc = np.maximum(18.0, wet_bulb_degc(site.climate, air) + site.tower_approach_k * load)
        cooling_w = site.rated_w * load
        power_w = np.where(
            load > 0, site.rated_w / site.cop * electricity_share(load, site.chilled_degc, tower_degc), 0
        )
        chilled = water_side(cooling_w, site.rated_w, site.chilled_degc + 0 * load, 5.0, cools=True)
        return {
            "chiller": electric(seed, at_ms, power_w),
            "chilled-water": chilled,
            "cooling-water": water_side(cooling_w + power_w, 1.2 * site.rated_w, tower_degc, 5.0, cools=False),
            TRUTH: {"cooling_w": cooling_w},
        }


def electricity_share(load: FloatArray, chilled_degc: float, tower_degc: FloatArray) -> FloatArray:
    """Electricity as a share of that at the rating point, for a load as a share of the capacity."""
    chilled_f, tower_f = 1.8 * chilled_degc + 32, 1.8 * tower_degc + 32
    by_temperature = (
        0.51777196
        - 0.00400363 * chilled_f
        + 0.00002028 * chilled_f**2
        + 0.00698793 * tower_f
        + 0.00008290 * tower_f**2
        - 0.00015467 * chilled_f * tower_f
    )
    by_load = 0.17149273 + 0.58820208 * load + 0.23737257 * load**2
    return np.asarray(by_temperature * by_load, dtype=np.float64)
