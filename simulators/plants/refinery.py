"""In: a seed and a day. Out: the furnaces of a crude unit under better control: crude oil, fuel gas, excess air.

Heat for the crude oil is what it takes to warm it up from the preheat train's end to the column; fuel is that heat by
the furnace's efficiency, which falls with excess air and stack temperature. Better control runs with less excess air.

References:
    API Standard 560 / API RP 532 and Siegert's formula (1888), loss = (stack - air) × (A / O2 term + B), here with
        A = 0.66 and B = 0.009 for natural gas (EN 50379-1 for oxygen measured).
    Perry's Chemical Engineers' Handbook: 2.5 kJ/(kg K) for crude oil near 300 °C, density 860 kg/m3.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import FloatArray, IntArray
from simulators.plants.operation import around, available
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import FlowState, GasState

_OIL_WH_PER_M3_K = 860 * 2.5 / 3.6


@dataclass(frozen=True, slots=True)
class RefinerySite:
    """What the crude unit is; every number is its own."""

    crude_m3_per_h: float = 800.0
    """About 120,000 barrels a day [m3/h]."""
    preheated_degc: float = 265.0
    outlet_degc: float = 360.0
    stack_degc: float = 250.0
    oxygen_percent: float = 2.5
    """In the dry exhaust, under the new control."""
    reference_oxygen_percent: float = 4.5
    """Under the old one."""
    availability: float = 0.96
    gas_mj_per_nm3: float = 40.0
    """Net calorific value of the fuel gas."""


class Refinery(Plant):
    """Instruments `crude`, `fuel-gas`; truth has the fuel that the old control would have taken."""

    def __init__(self, seed: str, origin_ms: int, site: RefinerySite | None = None) -> None:
        """Fix throughput and stops; arguments as in `Plant`, and what the unit is."""
        super().__init__(seed, origin_ms)
        self.site = site or RefinerySite()
        self.instruments = {"crude": FlowState, "fuel-gas": GasState}

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: throughput, duty, fuel."""
        del before
        site, seed = self.site, self.seed
        runs = available(seed, "unit", at_ms, site.availability, 168)
        crude_m3_per_h = runs * around(seed, "rate", at_ms, site.crude_m3_per_h, 0.08 * site.crude_m3_per_h, 36_000_000)
        preheated_degc = around(seed, "preheat", at_ms, site.preheated_degc, 6, 7_200_000)
        duty_w = crude_m3_per_h * _OIL_WH_PER_M3_K * (site.outlet_degc - preheated_degc)
        oxygen = around(seed, "oxygen", at_ms, site.oxygen_percent, 0.5, 600_000)
        reference = around(seed, "oxygen", at_ms, site.reference_oxygen_percent, 1.5, 600_000)
        fuel_w = duty_w / (1 - stack_loss(site.stack_degc, oxygen))
        reference_w = duty_w / (1 - stack_loss(site.stack_degc, reference))
        return {
            "crude": {"flow_m3_per_h": crude_m3_per_h, "temperature_degc": preheated_degc},
            "fuel-gas": {
                "flow_nm3_per_h": fuel_w * 3.6e-3 / site.gas_mj_per_nm3,
                "pressure_kpa": around(seed, "line", at_ms, 350, 15, 600_000),
                "temperature_degc": around(seed, "gas", at_ms, 40, 4, 7_200_000),
                "methane_share": np.full(at_ms.shape, 0.7),
            },
            TRUTH: {"duty_w": duty_w, "fuel_w": fuel_w, "reference_fuel_w": reference_w},
        }


def stack_loss(stack_degc: float, oxygen_percent: FloatArray) -> FloatArray:
    """Heat that leaves by the stack as a share of the fuel, Siegert's formula against air of 25 °C."""
    return np.asarray((stack_degc - 25) * (0.66 / (21 - oxygen_percent) + 0.009) / 100, dtype=np.float64)
