"""In: a seed and a day. Out: power from the waste heat of cement kilns: turbine, its own use, and the kilns' exhaust.

Each kiln has a boiler at the preheater and one at the clinker cooler; heat is clinker × what one tonne's exhaust gives
up between entering and leaving the boiler. The turbine is sized for the heat of all kilns at their nominal rate.

References:
    IFC (2014), "Waste Heat Recovery for the Cement Sector": preheater exhaust of 300 to 380 °C, cooler air of 250 to
        400 °C; 25 to 45 kWh/t of clinker; the cement plant draws about as much as it gets back three times.
    VDI Heat Atlas (2010), part D: exhaust gas 1.05 kJ/(kg K), air 1.02 kJ/(kg K) near 300 °C.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import FloatArray, IntArray
from simulators.plants.mains import electric
from simulators.plants.operation import around, available
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import ElectricState, FlowState, WeightState

_EXHAUST_WH_PER_KG_K = 1.05 / 3.6
_AIR_WH_PER_KG_K = 1.02 / 3.6


@dataclass(frozen=True, slots=True)
class WasteHeatSite:
    """What the kilns and the turbine are; every number is their own."""

    kilns: int = 4
    clinker_t_per_h: float = 330.0
    """Of one kiln [t/h]."""
    availability: float = 0.85
    """Of a kiln: relining takes some weeks a year, trips the rest."""
    exhaust_kg_per_kg: float = 2.0
    """Preheater exhaust per clinker."""
    exhaust_degc: float = 340.0
    exhaust_out_degc: float = 210.0
    """The raw mill still needs it hot."""
    air_kg_per_kg: float = 1.0
    """Cooler air that goes to the boiler, per clinker."""
    air_degc: float = 330.0
    air_out_degc: float = 105.0
    rated_w: float = 28_000_000.0
    """Of the turbine generators [W]."""
    auxiliary_share: float = 0.07
    """Of the output: feed pumps, condenser fans."""
    standby_w: float = 60_000.0
    """Lubrication, control, lighting, always [W]."""
    water_m3_per_mwh: float = 0.06
    """Make-up water per heat of the boilers [m3/MWh]."""

    def heat_wh_per_kg(self) -> float:
        """What the two boilers of a kiln take from a kilogram of clinker's gases [Wh/kg]."""
        exhaust = self.exhaust_kg_per_kg * _EXHAUST_WH_PER_KG_K * (self.exhaust_degc - self.exhaust_out_degc)
        return exhaust + self.air_kg_per_kg * _AIR_WH_PER_KG_K * (self.air_degc - self.air_out_degc)

    def nominal_heat_w(self) -> float:
        """Of all kilns at their nominal rate [W]."""
        return self.kilns * self.clinker_t_per_h * 1_000 * self.heat_wh_per_kg()


class WasteHeatRecovery(Plant):
    """Instruments `generator`, `auxiliary`, `cooling-water`, `kiln-1` …, the clinker scales."""

    def __init__(self, seed: str, origin_ms: int, site: WasteHeatSite | None = None) -> None:
        """Fix the kilns' stops; arguments as in `Plant`, and what the plant is."""
        super().__init__(seed, origin_ms)
        self.site = site or WasteHeatSite()
        self._kilns = tuple(f"kiln-{number}" for number in range(1, self.site.kilns + 1))
        self.instruments = {
            "generator": ElectricState,
            "auxiliary": ElectricState,
            "make-up-water": FlowState,
            **dict.fromkeys(self._kilns, WeightState),
        }

    @property
    def rated_w(self) -> float:
        """The rating of electricity [W]."""
        return self.site.rated_w

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: clinker, heat, electricity."""
        del before
        site, seed = self.site, self.seed
        clinker = {
            kiln: available(seed, kiln, at_ms, site.availability, 72)
            * 1_000
            * around(seed, f"{kiln}.feed", at_ms, site.clinker_t_per_h, 0.06 * site.clinker_t_per_h, 7_200_000)
            for kiln in self._kilns
        }
        heat_w: FloatArray = sum((self._heat_w(kiln, each, at_ms) for kiln, each in clinker.items()), np.zeros(1_440))
        power_w = np.minimum(site.rated_w, site.rated_w / site.nominal_heat_w() * heat_w)
        water_m3_per_h = site.water_m3_per_mwh * heat_w / 1e6
        return {
            "generator": electric(seed, at_ms, -power_w, nominal_v=6_300 / np.sqrt(3)),
            "auxiliary": electric(seed, at_ms, site.auxiliary_share * power_w + site.standby_w),
            "make-up-water": {"flow_m3_per_h": water_m3_per_h, "temperature_degc": np.full(at_ms.shape, 29.0)},
            **{kiln: {"flow_kg_per_h": each} for kiln, each in clinker.items()},
            TRUTH: {"heat_w": heat_w},
        }

    def _heat_w(self, kiln: str, clinker_kg_per_h: FloatArray, at_ms: IntArray) -> FloatArray:
        """What the two boilers of a kiln take [W]."""
        site = self.site
        exhaust_k = (
            around(self.seed, f"{kiln}.exhaust", at_ms, site.exhaust_degc, 12, 1_800_000) - site.exhaust_out_degc
        )
        air_k = around(self.seed, f"{kiln}.air", at_ms, site.air_degc, 25, 1_800_000) - site.air_out_degc
        return clinker_kg_per_h * (
            site.exhaust_kg_per_kg * _EXHAUST_WH_PER_KG_K * exhaust_k + site.air_kg_per_kg * _AIR_WH_PER_KG_K * air_k
        )
