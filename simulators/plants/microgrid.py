"""In: a seed and a day. Out: a smart microgrid: solar, battery, diesel generators, and the energy management's log.

References:
    `sky` and `solar` for the sun, `storage` for who serves the load.
    `operation` for diesel and for engines at part load.
"""

from dataclasses import dataclass, replace

import numpy as np

from simulators.noise import IntArray
from simulators.plants.climate import air_degc, local_hour, wind_m_per_s
from simulators.plants.mains import electric
from simulators.plants.operation import DIESEL_WH_PER_L, around, willans_fuel_w
from simulators.plants.places import ADDU
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.sky import light_on_plane
from simulators.plants.solar import SolarSite, array_w, inverted_w
from simulators.plants.states import BatteryState, ElectricState, FlowState, WeatherState
from simulators.plants.storage import Storage, dispatch

_SOLAR = replace(SolarSite(), climate=ADDU, module_power_w=1_600_000.0, inverters_w=(1_500_000.0,), tilt_deg=8.0)
_BATTERY = Storage(capacity_wh=1_200_000.0, power_w=800_000.0, one_way_efficiency=0.95)


@dataclass(frozen=True, slots=True)
class MicrogridSite:
    """What the island has; every number is its own."""

    solar: SolarSite = _SOLAR
    load_w: float = 2_200_000.0
    """Annual mean [W]."""
    battery: Storage = _BATTERY
    gensets_w: float = 4_500_000.0
    genset_efficiency: float = 0.40
    idle_share: float = 0.10
    least_genset_w: float = 1_200_000.0
    """Two sets at 40 % of their rating, never off: they hold voltage and frequency [W]."""


class Microgrid(Plant):
    """Instruments `solar`, `battery-meter`, `gensets`, `feeder`, `battery`, `fuel`, `weather`."""

    def __init__(self, seed: str, origin_ms: int, site: MicrogridSite | None = None) -> None:
        """Fix weather and load; arguments as in `Plant`, and what the island has."""
        super().__init__(seed, origin_ms)
        self.site = site or MicrogridSite()
        self.instruments = {
            "solar": ElectricState,
            "battery-meter": ElectricState,
            "gensets": ElectricState,
            "feeder": ElectricState,
            "battery": BatteryState,
            "fuel": FlowState,
            "weather": WeatherState,
        }

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: sun, load, who serves it."""
        site, seed = self.site, self.seed
        air = air_degc(site.solar.climate, seed, at_ms)
        wind = wind_m_per_s(site.solar.climate, seed, at_ms)
        plane = light_on_plane(site.solar.climate, seed, at_ms, site.solar.tilt_deg).plane_w_per_m2
        rating_w = sum(site.solar.inverters_w)
        possible_w = inverted_w(
            array_w(site.solar, seed, at_ms, plane, air, wind), rating_w, site.solar.inverter_efficiency
        )
        hour = local_hour(site.solar.climate, at_ms)
        # A tropical town: fans and coolers all day, most in the evening.
        shape = 0.88 + 0.10 * np.cos(2 * np.pi * (hour - 14.5) / 24) + 0.22 * np.exp(-((hour - 20) ** 2) / 6)
        load_w = site.load_w * shape / 0.92 * around(seed, "town", at_ms, 1, 0.05, 900_000)
        charge = before.get("battery", {}).get("charge_share", 0.5)
        served = dispatch(possible_w, load_w, site.battery, charge, site.least_genset_w, always_on=True)
        sun_w = possible_w - served.spilled_w
        fuel_w = willans_fuel_w(served.genset_w, site.gensets_w, site.genset_efficiency, site.idle_share)
        volts = 11_000 / np.sqrt(3)
        return {
            "solar": electric(seed, at_ms, -sun_w),
            "battery-meter": electric(seed, at_ms, served.battery_w),
            "gensets": electric(seed, at_ms, -served.genset_w, nominal_v=volts),
            "feeder": electric(seed, at_ms, load_w, nominal_v=volts),
            "battery": {"charge_share": served.charge_share, "active_power_w": served.battery_w},
            "fuel": {
                "flow_m3_per_h": fuel_w / DIESEL_WH_PER_L / 1_000,
                "temperature_degc": air + 4,
            },
            "weather": {"irradiance_w_per_m2": plane, "ambient_temperature_degc": air, "wind_speed_m_per_s": wind},
            TRUTH: {"possible_w": possible_w, "spilled_w": served.spilled_w, "fuel_w": fuel_w},
        }
