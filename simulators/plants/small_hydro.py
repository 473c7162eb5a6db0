"""In: a seed and a day. Out: a run-of-river hydropower plant: generator, station use, the head race.

The river's flow is drawn about its monthly means; what must stay in the river and what the turbines cannot take passes
by. Below the least flow the turbines stand.

References:
    P = density × g × flow × head × efficiency.
    RETScreen International (2004), "Small Hydro Project Analysis", efficiency of Francis turbines below
        and above the flow of the peak.
    Langbein and Iseri (1960): daily flows are close to log-normal about the season's.
"""

from dataclasses import dataclass

import numpy as np

from metering.interval import DAY_MS
from simulators.noise import FloatArray, IntArray, normal
from simulators.plants.climate import monthly
from simulators.plants.mains import electric
from simulators.plants.operation import available
from simulators.plants.plant import TRUTH, Before, Minutes, Plant
from simulators.plants.states import ElectricState, FlowState

_WATER_N_PER_M3 = 1_000 * 9.81


@dataclass(frozen=True, slots=True)
class HydroSite:
    """What the river and the plant are; every number is their own."""

    river_m3_per_s: tuple[float, ...] = (3.2, 2.8, 4.0, 7.5, 9.5, 7.0, 5.0, 4.5, 4.4, 5.2, 7.5, 5.0)
    """Monthly means."""
    spread: float = 0.35
    """Standard deviation of the logarithm of the daily flow about the month's."""
    residual_m3_per_s: float = 0.6
    """What must stay in the river."""
    design_m3_per_s: float = 6.0
    head_m: float = 115.0
    """Net of the losses in the pipe."""
    peak_efficiency: float = 0.91
    """Of the turbine, at its best flow."""
    specific_speed: float = 60.0
    """RETScreen's nq."""
    generator_efficiency: float = 0.96
    least_flow_share: float = 0.30
    """Of the design flow; below it the turbine stands."""
    availability: float = 0.96
    station_use_w: float = 35_000.0


class SmallHydro(Plant):
    """Instruments `generator`, `station-use`, `grid`, `head-race`."""

    def __init__(self, seed: str, origin_ms: int, site: HydroSite | None = None) -> None:
        """Fix the river; arguments as in `Plant`, and what the plant is."""
        super().__init__(seed, origin_ms)
        self.site = site or HydroSite()
        self.instruments = {
            "generator": ElectricState,
            "station-use": ElectricState,
            "grid": ElectricState,
            "head-race": FlowState,
        }

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: river, turbine, electricity."""
        del before
        site, seed = self.site, self.seed
        score = normal(seed, "river", at_ms, 5 * DAY_MS)
        # The mean of a log-normal number is e^(spread²/2) times its median.
        river = monthly(site.river_m3_per_s, at_ms) * np.exp(site.spread * score - site.spread**2 / 2)
        usable = np.clip(river - site.residual_m3_per_s, 0.0, site.design_m3_per_s)
        runs = (usable >= site.least_flow_share * site.design_m3_per_s) * available(
            seed, "turbine", at_ms, site.availability, 24
        )
        flow = usable * runs
        hydraulic_w = _WATER_N_PER_M3 * flow * site.head_m
        power_w = hydraulic_w * francis_efficiency(flow / site.design_m3_per_s, site) * site.generator_efficiency
        use_w = np.full(at_ms.shape, site.station_use_w)
        return {
            "generator": electric(seed, at_ms, -power_w, nominal_v=6_300 / np.sqrt(3)),
            "station-use": electric(seed, at_ms, use_w),
            "grid": electric(seed, at_ms, use_w - power_w, nominal_v=33_000 / np.sqrt(3)),
            "head-race": {"flow_m3_per_h": 3_600 * flow, "temperature_degc": np.full(at_ms.shape, 18.0)},
            TRUTH: {"hydraulic_w": hydraulic_w, "river_m3_per_s": river},
        }


def francis_efficiency(flow_share: FloatArray, site: HydroSite) -> FloatArray:
    """Of a Francis turbine, by its flow as a share of the design flow (RETScreen, Francis)."""
    peak_at = 0.65 * site.specific_speed**0.05
    below = 1 - 1.25 * np.maximum(0.0, (peak_at - flow_share) / peak_at) ** (3.94 - 0.0195 * site.specific_speed)
    drop = 0.0072 * site.specific_speed**0.4  # how much lower it is at the design flow
    above = 1 - drop * (np.maximum(0.0, flow_share - peak_at) / (1 - peak_at)) ** 2
    return np.asarray(site.peak_efficiency * np.where(flow_share < peak_at, below, above), dtype=np.float64)
