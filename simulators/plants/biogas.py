"""In: a seed and a day. Out: the biogas plant of a cannery: digesters, gas engines, steam boilers, and a flare.

Gas follows the wastewater, which follows the harvest. The engines take what they can, the boilers what they want of the
rest, and what is over is burnt in the flare: nothing is vented, and the three meters add up to the gas that is made.

References:
    IPCC (2006), Guidelines for National Greenhouse Gas Inventories, volume 5, table 6.2: Bo = 0.25 kg CH4/kg COD.
    ISO 6976: net calorific value of methane, 35.88 MJ/Nm3; density 0.7175 kg/Nm3.
    `operation.willans_fuel_w` for part load.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import FloatArray, IntArray
from simulators.plants.climate import Climate, monthly
from simulators.plants.mains import electric
from simulators.plants.operation import around, available, in_hours, willans_fuel_w
from simulators.plants.places import MINDANAO
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import ElectricState, FlareState, FlowState, GasState, SteamState
from simulators.plants.steam import heat_wh_per_kg, saturation_degc

METHANE_WH_PER_NM3 = 35.88e6 / 3_600
_METHANE_KG_PER_NM3 = 0.7175
_METHANE_KG_PER_KG_COD = 0.25


@dataclass(frozen=True, slots=True)
class BiogasSite:
    """What the plant and the cannery are; every number is their own."""

    climate: Climate = MINDANAO
    cod_kg_per_day: float = 82_000.0
    """Of all wastewater in a mean month."""
    cod_kg_per_m3: float = 8.0
    """Of the wastewater [kg/m3]."""
    harvest: tuple[float, ...] = (0.9, 0.9, 1.0, 1.1, 1.2, 1.2, 1.1, 1.0, 0.9, 0.9, 0.9, 0.9)
    """Of the mean month, from January on."""
    digested_share: float = 0.85
    """Of the COD, turned to gas."""
    methane_share: float = 0.60
    """Of the biogas' volume."""
    engines: int = 2
    engine_w: float = 1_400_000.0
    efficiency: float = 0.42
    idle_share: float = 0.10
    availability: float = 0.93
    auxiliary_share: float = 0.07
    """Of the engines' output: blowers and pumps."""
    stirrers_w: float = 20_000.0
    """Always [W]."""
    boiler_w: float = 6_000_000.0
    """Gas that the burners can take [W]."""
    boiler_efficiency: float = 0.85
    pressure_mpa: float = 1.0
    """Of the steam, absolute [MPa]."""


class BiogasPlant(Plant):
    """Instruments `wastewater`, three gas meters, `flare`, `generator`, `auxiliary`, `steam`."""

    def __init__(self, seed: str, origin_ms: int, site: BiogasSite | None = None) -> None:
        """Fix the harvest; arguments as in `Plant`, and what the plant is."""
        super().__init__(seed, origin_ms)
        self.site = site or BiogasSite()
        self.instruments = {
            "wastewater": FlowState,
            "engine-gas": GasState,
            "boiler-gas": GasState,
            "flare-gas": GasState,
            "flare": FlareState,
            "generator": ElectricState,
            "auxiliary": ElectricState,
            "steam": SteamState,
        }

    @property
    def rated_w(self) -> float:
        """The rating of its engine [W]."""
        return self.site.engine_w

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: gas, who burns it, what comes of it."""
        del before
        site, seed = self.site, self.seed
        season = monthly(site.harvest, at_ms) * around(seed, "cannery", at_ms, 1, 0.15, 36_000_000)
        cod_kg_per_h = site.cod_kg_per_day / 24 * season
        methane_kg_per_h = cod_kg_per_h * site.digested_share * _METHANE_KG_PER_KG_COD
        made_w = methane_kg_per_h / _METHANE_KG_PER_NM3 * METHANE_WH_PER_NM3
        power_w, engine_w = np.zeros(at_ms.shape), np.zeros(at_ms.shape)
        full_w = site.engine_w / site.efficiency
        for number in range(site.engines):
            runs = available(seed, f"engine{number}", at_ms, site.availability, 12)
            # From fuel to power, Willans' line read backwards; an engine stands below half load.
            share = (np.minimum(1.0, (made_w - engine_w) / full_w) - site.idle_share) / (1 - site.idle_share)
            given_w = site.engine_w * np.where(share >= 0.5, share, 0.0) * runs
            power_w = power_w + given_w
            engine_w = engine_w + willans_fuel_w(given_w, site.engine_w, site.efficiency, site.idle_share)
        wanted_w = site.boiler_w * (0.4 + 0.6 * in_hours(site.climate, at_ms, 5, 23, 6))
        boiler_w = np.minimum(made_w - engine_w, wanted_w)
        flare_w = np.maximum(0.0, made_w - engine_w - boiler_w)
        pressure_mpa = around(seed, "pressure", at_ms, site.pressure_mpa, 0.03, 600_000)
        feed_degc = around(seed, "feed", at_ms, 80, 6, 3_600_000)
        steam_w = site.boiler_efficiency * boiler_w
        return {
            "wastewater": {
                "flow_m3_per_h": cod_kg_per_h / site.cod_kg_per_m3,
                "temperature_degc": around(seed, "water", at_ms, 36, 2, 36_000_000),
            },
            "engine-gas": self._gas(at_ms, engine_w),
            "boiler-gas": self._gas(at_ms, boiler_w),
            "flare-gas": self._gas(at_ms, flare_w),
            "flare": {
                "temperature_degc": np.where(flare_w > 0, around(seed, "flame", at_ms, 900, 60, 600_000), 30.0),
                "burning": flare_w > 0,
            },
            "generator": electric(seed, at_ms, -power_w),
            "auxiliary": electric(seed, at_ms, site.auxiliary_share * power_w + site.stirrers_w),
            "steam": {
                "flow_kg_per_h": steam_w / heat_wh_per_kg(pressure_mpa, feed_degc),
                "heat_power_w": steam_w,
                "pressure_mpa": pressure_mpa,
                "temperature_degc": saturation_degc(pressure_mpa),
                "feed_water_degc": feed_degc,
            },
            TRUTH: {"made_w": made_w, "methane_kg_per_h": methane_kg_per_h, "flare_w": flare_w},
        }

    def _gas(self, at_ms: IntArray, energy_w: FloatArray) -> dict[str, FloatArray]:
        share = around(self.seed, "methane", at_ms, self.site.methane_share, 0.02, 14_400_000)
        return {
            "flow_nm3_per_h": energy_w / METHANE_WH_PER_NM3 / share,
            "pressure_kpa": around(self.seed, "line", at_ms, 112, 2, 600_000),
            "temperature_degc": around(self.seed, "gas", at_ms, 34, 3, 7_200_000),
            "methane_share": share,
        }
