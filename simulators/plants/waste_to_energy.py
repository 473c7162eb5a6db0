"""In: a seed and a day. Out: a small incinerator of municipal waste with a turbine.

Waste is weighed at the crane; where it is too lean to burn by itself, diesel helps.

References:
    European Commission (2019), "Best Available Techniques Reference Document for Waste Incineration": boilers of 70 to
        80 %, small steam turbines 12 to 20 %; support burners hold 850 °C.
    IPCC (2006), volume 5, tables 2.3 to 2.5: moisture and carbon of waste in South-East Asia.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import IntArray
from simulators.plants.climate import monthly
from simulators.plants.mains import electric
from simulators.plants.operation import around, available
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import ElectricState, FlareState, FlowState, WeightState


@dataclass(frozen=True, slots=True)
class WasteSite:
    """What the plant and its town's waste are; every number is their own."""

    waste_t_per_day: float = 60.0
    """What the furnace burns when it runs."""
    waste_mj_per_kg: tuple[float, ...] = (7.2, 7.3, 7.2, 7.0, 6.2, 5.6, 5.4, 5.4, 5.7, 6.3, 6.9, 7.1)
    """Net calorific value; the monsoon wets it."""
    boiler_efficiency: float = 0.75
    turbine_efficiency: float = 0.19
    rated_w: float = 700_000.0
    availability: float = 0.85
    auxiliary_share: float = 0.35
    """Of the output: fans, cranes, flue-gas cleaning."""
    standby_w: float = 15_000.0
    """Always [W]."""
    leanest_mj_per_kg: float = 5.5
    """Below it the support burner helps."""
    diesel_mj_per_l: float = 36.0


class WasteToEnergy(Plant):
    """Instruments `waste`, `generator`, `auxiliary`, `diesel`, `furnace`."""

    def __init__(self, seed: str, origin_ms: int, site: WasteSite | None = None) -> None:
        """Fix stops and waste; arguments as in `Plant`, and what the plant is."""
        super().__init__(seed, origin_ms)
        self.site = site or WasteSite()
        self.instruments = {
            "waste": WeightState,
            "generator": ElectricState,
            "auxiliary": ElectricState,
            "diesel": FlowState,
            "furnace": FlareState,
        }

    @property
    def rated_w(self) -> float:
        """The rating of electricity [W]."""
        return self.site.rated_w

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: waste, support fuel, steam, electricity."""
        del before
        site, seed = self.site, self.seed
        runs = available(seed, "furnace", at_ms, site.availability, 72)
        waste_kg_per_h = runs * site.waste_t_per_day / 24 * 1_000 * around(seed, "crane", at_ms, 1, 0.15, 1_800_000)
        mj_per_kg = monthly(site.waste_mj_per_kg, at_ms) * around(seed, "mix", at_ms, 1, 0.12, 14_400_000)
        waste_w = waste_kg_per_h * mj_per_kg / 3.6e-3
        support_w = waste_kg_per_h * np.maximum(0.0, site.leanest_mj_per_kg - mj_per_kg) / 3.6e-3
        heat_w = site.boiler_efficiency * (waste_w + support_w)
        power_w = np.minimum(site.rated_w, site.turbine_efficiency * heat_w)
        return {
            "waste": {"flow_kg_per_h": waste_kg_per_h},
            "generator": electric(seed, at_ms, -power_w),
            "auxiliary": electric(seed, at_ms, site.auxiliary_share * power_w + site.standby_w),
            "diesel": {
                "flow_m3_per_h": support_w * 3.6e-3 / site.diesel_mj_per_l / 1_000,
                "temperature_degc": np.full(at_ms.shape, 30.0),
            },
            "furnace": {
                "temperature_degc": np.where(runs > 0, around(seed, "fire", at_ms, 920, 60, 900_000), 60.0),
                "burning": runs > 0,
            },
            TRUTH: {"waste_w": waste_w, "support_w": support_w},
        }
