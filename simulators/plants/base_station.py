"""In: a seed and a day. Out: a tri-brid mobile base station off the grid: solar, battery and a small diesel generator.

References:
    `sky` and `solar` for the sun, `storage` for who serves the load, `operation.willans_fuel_w` for diesel.
    Auer et al. (2011), "How much energy is needed to run a wireless network?", IEEE Wireless Communications 18(5): the
        power of a base station is a constant part and one that follows the traffic.
"""

from dataclasses import dataclass, replace

import numpy as np

from simulators.noise import IntArray
from simulators.plants.climate import air_degc, local_hour, wind_m_per_s
from simulators.plants.mains import electric
from simulators.plants.operation import DIESEL_WH_PER_L, willans_fuel_w
from simulators.plants.places import MINDANAO
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.sky import light_on_plane
from simulators.plants.solar import SolarSite, array_w, inverted_w
from simulators.plants.states import BatteryState, ElectricState, FlowState
from simulators.plants.storage import Storage, dispatch

_SOLAR = replace(SolarSite(), climate=MINDANAO, module_power_w=12_000.0, inverters_w=(10_000.0,), tilt_deg=10.0)
_BATTERY = Storage(capacity_wh=40_000.0, power_w=8_000.0, one_way_efficiency=0.95, least_share=0.2)


@dataclass(frozen=True, slots=True)
class BaseStationSite:
    """What the station is; every number is its own."""

    solar: SolarSite = _SOLAR
    idle_w: float = 1_300.0
    traffic_w: float = 700.0
    """At the busiest hour, beside the constant part [W]."""
    battery: Storage = _BATTERY
    genset_w: float = 8_000.0
    genset_efficiency: float = 0.26
    idle_share: float = 0.25
    genset_load_share: float = 0.75
    """It runs at this load and charges the battery with what the station leaves."""


class BaseStation(Plant):
    """Instruments `load`, `solar`, `genset`, `battery`, `fuel`."""

    def __init__(self, seed: str, origin_ms: int, site: BaseStationSite | None = None) -> None:
        """Fix weather and traffic; arguments as in `Plant`, and what the station is."""
        super().__init__(seed, origin_ms)
        self.site = site or BaseStationSite()
        self.instruments = {
            "load": ElectricState,
            "solar": ElectricState,
            "genset": ElectricState,
            "battery": BatteryState,
            "fuel": FlowState,
        }

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: sun, traffic, who serves it."""
        site, seed = self.site, self.seed
        climate = site.solar.climate
        air, wind = air_degc(climate, seed, at_ms), wind_m_per_s(climate, seed, at_ms)
        plane = light_on_plane(climate, seed, at_ms, site.solar.tilt_deg).plane_w_per_m2
        dc_w = array_w(site.solar, seed, at_ms, plane, air, wind)
        possible_w = inverted_w(dc_w, sum(site.solar.inverters_w), site.solar.inverter_efficiency)
        traffic = 0.5 + 0.5 * np.cos(2 * np.pi * (local_hour(climate, at_ms) - 19) / 24)
        load_w = site.idle_w + site.traffic_w * traffic
        charge = before.get("battery", {}).get("charge_share", 0.6)
        least_w = site.genset_load_share * site.genset_w
        served = dispatch(possible_w, load_w, site.battery, charge, least_w, always_on=False)
        fuel_w = willans_fuel_w(served.genset_w, site.genset_w, site.genset_efficiency, site.idle_share)
        return {
            "load": electric(seed, at_ms, load_w),
            "solar": electric(seed, at_ms, served.spilled_w - possible_w),
            "genset": electric(seed, at_ms, -served.genset_w),
            "battery": {"charge_share": served.charge_share, "active_power_w": served.battery_w},
            "fuel": {"flow_m3_per_h": fuel_w / DIESEL_WH_PER_L / 1_000, "temperature_degc": air + 4},
            TRUTH: {"possible_w": possible_w, "spilled_w": served.spilled_w, "fuel_w": fuel_w},
        }
