"""In: a seed and a day. Out: trucks with digital tachographs: speed, distance, fuel.

A truck drives tours in the day shift, in stints of town and highway with stops. Fuel is what turns the engine and what
the wheels ask for: rolling, air, and speeding up again after each stop.

References:
    Ross (1997), "Fuel efficiency and the physics of automobiles", Contemporary Physics 38(6): fuel = friction × speed
        of the engine × displacement + power at the wheels / indicated efficiency.
    Bosch Automotive Handbook: rolling resistance 0.006 to 0.01 and drag coefficient 0.6 to 0.8 for trucks.
    `operation` for diesel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.noise import FloatArray, IntArray, draw, smooth, uniform
from simulators.plants.climate import Climate
from simulators.plants.operation import DIESEL_WH_PER_L, available, in_hours
from simulators.plants.places import HANOI
from simulators.plants.plant import MINUTE_MS, TRUTH, Before, Fields, Minutes, Plant
from simulators.plants.states import VehicleState

_AIR_KG_PER_M3 = 1.18  # at 25 °C
_STINT_MINUTES = 25


@dataclass(frozen=True, slots=True)
class FleetSite:
    """What the trucks and their drivers are; every number is their own."""

    climate: Climate = HANOI
    trucks: int = 12
    mass_kg: float = 11_000.0
    """With the mean load [kg]."""
    rolling: float = 0.008
    drag_m2: float = 0.7 * 7.0
    """Drag coefficient × front [m2]."""
    idle_l_per_h: float = 2.0
    engine_efficiency: float = 0.42
    """Indicated, from fuel to the crank shaft."""
    driveline_efficiency: float = 0.90
    highway_km_per_h: float = 62.0
    town_km_per_h: float = 27.0
    stops_per_km: float = 0.5
    """In town, down to standstill and up again."""
    braking_share: float = 0.7
    """Of the kinetic energy before a stop that the brakes eat: an anticipating driver rolls."""
    used_days_share: float = 0.92


class Fleet(Plant):
    """Instruments `truck-1` … `truck-12`."""

    def __init__(self, seed: str, origin_ms: int, site: FleetSite | None = None) -> None:
        """Fix the tours; arguments as in `Plant`, and what the fleet is."""
        super().__init__(seed, origin_ms)
        self.site = site or FleetSite()
        self._trucks = tuple(f"truck-{number}" for number in range(1, self.site.trucks + 1))
        self.instruments = dict.fromkeys(self._trucks, VehicleState)
        self.counters_at_origin = {
            (truck, field): start * draw(f"{seed}/{truck}", field)
            for truck in self._trucks
            for field, start in (("distance_total_km", 300_000.0), ("fuel_total_l", 60_000.0))
        }

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day of all trucks."""
        del before
        trucks = {truck: self._truck(f"{self.seed}/{truck}", at_ms) for truck in self._trucks}
        distance = np.sum([each["speed_km_per_h"] for each in trucks.values()], axis=0)
        fuel = np.sum([each["fuel_flow_l_per_h"] for each in trucks.values()], axis=0)
        return {**trucks, TRUTH: {"distance_km": distance, "fuel_l": fuel}}

    def _truck(self, seed: str, at_ms: IntArray) -> Fields:
        site = self.site
        begins_h = 6 + 2 * draw(seed, "begins")
        on_tour = in_hours(site.climate, at_ms, begins_h, begins_h + 10, 6)
        on_tour = on_tour * available(seed, "use", at_ms, site.used_days_share, 24)
        stint = uniform(seed, "stint", at_ms // (_STINT_MINUTES * MINUTE_MS))
        parked, town = stint < 0.3, stint < 0.6
        target = np.where(parked, 0.0, np.where(town, site.town_km_per_h, site.highway_km_per_h))
        speed = on_tour * target * (0.8 + 0.4 * smooth(seed, "traffic", at_ms, 240_000))
        # Unloading takes the engine off for most of a stint.
        ignition = (on_tour > 0) & ~(parked & (stint < 0.22))
        return {
            "speed_km_per_h": speed,
            "fuel_flow_l_per_h": fuel_l_per_h(site, speed, town=town) * ignition,
            "ignition": ignition,
        }


def fuel_l_per_h(site: FleetSite, speed_km_per_h: FloatArray, *, town: NDArray[np.bool_]) -> FloatArray:
    """What an engine that runs burns.

    Args:
        site: truck and driver.
        speed_km_per_h: over the ground.
        town: whether the truck stops and starts.
    """
    speed = speed_km_per_h / 3.6
    resistance_n = site.rolling * site.mass_kg * 9.81 + 0.5 * _AIR_KG_PER_M3 * site.drag_m2 * speed**2
    braked_n = np.where(town, site.stops_per_km / 1_000 * site.braking_share * 0.5 * site.mass_kg * speed**2, 0.0)
    wheels_w = (resistance_n + braked_n) * speed
    burnt_w = wheels_w / (site.engine_efficiency * site.driveline_efficiency)
    return np.asarray(site.idle_l_per_h + burnt_w / DIESEL_WH_PER_L, dtype=np.float64)
