"""In: a seed and a day. Out: a coal-fired heat-only boiler: its heat, burner, electricity and coal.

The load follows the degrees below the room temperature. The burner runs in cycles: on for the share of the cycle that
the load asks for, then off until the next one begins, so a state lasts hours and never less than a quarter of an
hour. The pump always runs; heat is flow × temperature difference × 1.163 kWh/(m3 K). Coal is heat by the efficiency of
the firing rate, and what keeps the boiler hot between two firings.

References:
    EN 15316-4-1:2017: efficiency between full load and part load is interpolated, stand-by losses are a share of the
        rating.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from simulators.noise import FloatArray, IntArray, smooth, uniform
from simulators.plants.climate import Climate, air_degc
from simulators.plants.mains import electric
from simulators.plants.places import MONGOLIAN_STEPPE
from simulators.plants.plant import MINUTE_MS, TRUTH, Before, Minutes, Plant
from simulators.plants.states import BurnerState, ElectricState, HeatState, WeightState
from simulators.plants.water import WATER_WH_PER_M3_K

RATED_HEAT_W = 1_200_000.0
RATED_ELECTRIC_POWER_W = 22_000.0
"""Nameplate of fans, stoker and pump together, never exceeded [W]."""

_CYCLE_MINUTES = 360
_SHORTEST_STATE_MINUTES = 20
_ROOM_DEGC = 18.0


@dataclass(frozen=True, slots=True)
class BoilerSite:
    """What a boiler is; every number is the boiler's own."""

    climate: Climate = MONGOLIAN_STEPPE
    rated_heat_w: float = RATED_HEAT_W
    rated_electric_power_w: float = RATED_ELECTRIC_POWER_W
    design_degc: float = -38.0
    """The air at which the rating is just enough [°C]."""
    efficiency: float = 0.80
    """At full firing, of the coal's net calorific value."""
    efficiency_at_third: float = 0.74
    """At 30 % firing."""
    standby_share: float = 0.01
    """Of the rating, lost while the fire is banked."""
    coal_mj_per_kg: float = 14.7
    """Net calorific value of the lignite."""
    flow_m3_per_h: float = 16.6
    """What the pump moves."""


_COUNTERS = {
    ("heat-out", "heat_total_wh"): 1_234_567_000.0,
    ("heat-out", "volume_total_m3"): 48_321.37,
    ("boiler-aux", "energy_import_total_wh"): 98_765_432.0,
}


class HeatOnlyBoiler(Plant):
    """One boiler of a district: `heat-out`, `burner`, `boiler-aux` and the scale at the stoker, `coal`."""

    def __init__(self, seed: str, origin_ms: int, site: BoilerSite | None = None) -> None:
        """Fix the weather.

        Args:
            seed: two boilers with the same seed are the same boiler.
            origin_ms: where the counters begin [ms since the Unix epoch].
            site: what the boiler is.
        """
        super().__init__(seed, origin_ms)
        self.site = site or BoilerSite()
        self.instruments = {
            "heat-out": HeatState,
            "burner": BurnerState,
            "boiler-aux": ElectricState,
            "coal": WeightState,
        }
        self.counters_at_origin = _COUNTERS

    @property
    def rated_w(self) -> float:
        """The rating of its heat [W]."""
        return self.site.rated_heat_w

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: cycles, heat, water, electricity, coal."""
        del before
        site, seed = self.site, self.seed
        firing = self._fires(at_ms)
        rate = firing * (0.90 + 0.09 * smooth(seed, "fire", at_ms, 1_800_000))
        heat_w = site.rated_heat_w * rate
        flow_m3_per_h = site.flow_m3_per_h * (1 + 0.035 * smooth(seed, "flow", at_ms, 900_000))
        return_degc = 48 + 6 * smooth(seed, "return", at_ms, 7_200_000)
        fans = np.where(firing, 0.80 + 0.15 * smooth(seed, "fan", at_ms, 600_000), 0.18)
        slope = (site.efficiency - site.efficiency_at_third) / 0.7
        fuel_w = np.where(
            firing, heat_w / (site.efficiency - slope * (1 - rate)), site.standby_share * site.rated_heat_w
        )
        return {
            "heat-out": {
                "flow_m3_per_h": flow_m3_per_h,
                "heat_power_w": heat_w,
                "supply_temperature_degc": return_degc + heat_w / (WATER_WH_PER_M3_K * flow_m3_per_h),
                "return_temperature_degc": return_degc,
            },
            "burner": {"running": firing},
            "boiler-aux": electric(
                seed, at_ms, site.rated_electric_power_w * fans, power_factor=0.86, shares=(0.35, 0.33, 0.32)
            ),
            "coal": {"flow_kg_per_h": fuel_w * 3.6e-3 / site.coal_mj_per_kg},
            TRUTH: {"fuel_w": fuel_w},
        }

    def heat_out(self, at_ms: int) -> HeatState:
        """The heat meter in the hot-water circuit."""
        return cast("HeatState", self.state("heat-out", at_ms))

    def burner(self, at_ms: int) -> BurnerState:
        """The burner as its controller reports it."""
        return cast("BurnerState", self.state("burner", at_ms))

    def auxiliaries(self, at_ms: int) -> ElectricState:
        """The electricity meter of fans, stoker and pump."""
        return cast("ElectricState", self.state("boiler-aux", at_ms))

    def heat_wh(self, start_ms: int, end_ms: int) -> float:
        """Heat delivered between two instants [Wh]."""
        return self.amount("heat-out", "heat_total_wh", start_ms, end_ms)

    def running_h(self, start_ms: int, end_ms: int) -> float:
        """How long the burner fired between two instants [h]."""
        return self.amount("burner", "running", start_ms, end_ms)

    def _fires(self, at_ms: IntArray) -> FloatArray:
        cycle, minute = np.divmod(at_ms // MINUTE_MS, _CYCLE_MINUTES)
        middle_ms = (cycle * _CYCLE_MINUTES + _CYCLE_MINUTES // 2) * MINUTE_MS
        load = (_ROOM_DEGC - air_degc(self.site.climate, self.seed, middle_ms)) / (_ROOM_DEGC - self.site.design_degc)
        draught = 0.94 + 0.12 * uniform(self.seed, "cycle", cycle)  # stokers do not hit the load exactly
        longest = _CYCLE_MINUTES - _SHORTEST_STATE_MINUTES
        firing_minutes = np.clip(np.round(_CYCLE_MINUTES * load * draught), _SHORTEST_STATE_MINUTES, longest)
        return np.asarray(minute < firing_minutes)
