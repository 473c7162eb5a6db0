"""In: a seed and a day. Out: wind turbines, the grid meter behind them, and a mast.

References:
    IEC 61400-12-1:2017: power curves are for air of 1.225 kg/m3; wind is scaled with the cube root of the density.
    Burton et al. (2011), "Wind Energy Handbook", sections 2.6 (power law of the wind's profile) and 3.2 (Betz' limit).
    `climate.wind_m_per_s`: a Weibull distribution.
"""

from dataclasses import dataclass, replace

import numpy as np

from simulators.noise import FloatArray, IntArray
from simulators.plants.climate import Climate, air_degc, wind_m_per_s
from simulators.plants.mains import electric
from simulators.plants.operation import available
from simulators.plants.places import MONGOLIAN_STEPPE
from simulators.plants.plant import TRUTH, Before, Fields, Minutes, Plant
from simulators.plants.sky import light_on_plane
from simulators.plants.states import ElectricState, WeatherState

_REFERENCE_DENSITY_KG_PER_M3 = 1.225


_RIDGE = replace(MONGOLIAN_STEPPE, wind_m_per_s=5.5)


@dataclass(frozen=True, slots=True)
class WindSite:
    """What the turbines and their ridge are; every number is their own."""

    climate: Climate = _RIDGE
    turbines: int = 5
    rated_w: float = 2_000_000.0
    rotor_m: float = 100.0
    hub_m: float = 80.0
    profile_exponent: float = 0.14
    """One seventh: open, flat ground."""
    power_coefficient: float = 0.42
    """Below the rating, transmission and generator included."""
    cut_in_m_per_s: float = 3.0
    cut_out_m_per_s: float = 25.0
    wake_loss: float = 0.06
    availability: float = 0.96
    collection_loss: float = 0.02
    own_use_w: float = 40_000.0
    """Of the farm; blades and oil are heated in winter."""


class WindFarm(Plant):
    """Instruments `turbine-1` …, `grid`, `mast`."""

    def __init__(self, seed: str, origin_ms: int, site: WindSite | None = None) -> None:
        """Fix the wind; arguments as in `Plant`, and what the turbines are."""
        super().__init__(seed, origin_ms)
        self.site = site or WindSite()
        self._turbines = tuple(f"turbine-{number}" for number in range(1, self.site.turbines + 1))
        self.instruments = {**dict.fromkeys(self._turbines, ElectricState), "grid": ElectricState, "mast": WeatherState}

    @property
    def rated_w(self) -> float:
        """The rating of electricity [W]."""
        return self.site.turbines * self.site.rated_w

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: wind at the hub, power curve, losses."""
        del before
        site, seed = self.site, self.seed
        air = air_degc(site.climate, seed, at_ms)
        wind = wind_m_per_s(site.climate, seed, at_ms)
        hub = wind * (site.hub_m / 10) ** site.profile_exponent
        pressure_pa = 101_325 * (1 - 2.25577e-5 * site.climate.altitude_m) ** 5.25588
        density = pressure_pa / (287.05 * (air + 273.15))
        one_w = turbine_w(hub * (density / _REFERENCE_DENSITY_KG_PER_M3) ** (1 / 3), site) * (1 - site.wake_loss)
        turbines: dict[str, Fields] = {}
        total_w = np.zeros(at_ms.shape)
        for turbine in self._turbines:
            power_w = one_w * available(seed, turbine, at_ms, site.availability, 24)
            turbines[turbine] = electric(seed, at_ms, -power_w, nominal_v=690 / np.sqrt(3))
            total_w = total_w + power_w
        net_w = total_w * (1 - site.collection_loss) - site.own_use_w
        return {
            **turbines,
            "grid": electric(seed, at_ms, -net_w, nominal_v=35_000 / np.sqrt(3)),
            "mast": {
                "irradiance_w_per_m2": light_on_plane(site.climate, seed, at_ms, 0).global_w_per_m2,
                "ambient_temperature_degc": air,
                "wind_speed_m_per_s": wind,
            },
            TRUTH: {"hub_wind_m_per_s": hub, "air_kg_per_m3": density},
        }


def turbine_w(wind: FloatArray, site: WindSite) -> FloatArray:
    """The power curve at the reference density [W], for the wind at the hub [m/s]."""
    swept_m2 = np.pi / 4 * site.rotor_m**2
    by_rotor_w = 0.5 * _REFERENCE_DENSITY_KG_PER_M3 * swept_m2 * site.power_coefficient * wind**3
    turns = (wind >= site.cut_in_m_per_s) & (wind < site.cut_out_m_per_s)
    return np.asarray(np.minimum(site.rated_w, by_rotor_w) * turns, dtype=np.float64)
