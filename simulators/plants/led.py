"""In: a seed and a day. Out: the LED lamps of a shop, on while it is open, with one meter a circuit.

References:
    EN 61000-3-2: power factor of LED drivers above 25 W is at least 0.9.
"""

from dataclasses import dataclass

import numpy as np

from metering.interval import DAY_MS
from simulators.noise import IntArray, uniform
from simulators.plants.climate import Climate
from simulators.plants.mains import electric
from simulators.plants.operation import around, in_hours
from simulators.plants.places import CENTRAL_THAILAND
from simulators.plants.plant import TRUTH, Before, Fields, Minutes, Plant
from simulators.plants.states import ElectricState


@dataclass(frozen=True, slots=True)
class LightingSite:
    """What the lamps and the shop are; every number is their own."""

    climate: Climate = CENTRAL_THAILAND
    circuits: int = 2
    lamps_a_circuit: int = 600
    lamp_w: float = 28.0
    """Of one, driver included [W]."""
    lumen_per_w: float = 105.0
    first_h: float = 10.0
    last_h: float = 22.0
    closed_days_share: float = 0.01
    night_share: float = 0.04
    """Of the lamps, left on for the guard."""
    failed_share: float = 0.01
    """Of the lamps, waiting for their replacement."""


class Lighting(Plant):
    """Instruments `circuit-1` …; truth has the light, and whether the shop is open."""

    def __init__(self, seed: str, origin_ms: int, site: LightingSite | None = None) -> None:
        """Fix the opening days; arguments as in `Plant`, and what the lamps are."""
        super().__init__(seed, origin_ms)
        self.site = site or LightingSite()
        self._circuits = tuple(f"circuit-{number}" for number in range(1, self.site.circuits + 1))
        self.instruments = dict.fromkeys(self._circuits, ElectricState)

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: open or not, lamps, electricity."""
        del before
        site, seed = self.site, self.seed
        opens = uniform(seed, "closed", at_ms // DAY_MS) >= site.closed_days_share
        open_now = in_hours(site.climate, at_ms, site.first_h, site.last_h) * opens
        burning = site.night_share + (1 - site.night_share) * open_now
        circuits: dict[str, Fields] = {}
        total_w = np.zeros(at_ms.shape)
        for circuit in self._circuits:
            lamps = site.lamps_a_circuit * (1 - site.failed_share) * burning
            power_w = lamps * around(seed, f"{circuit}.driver", at_ms, site.lamp_w, 0.01 * site.lamp_w, 1_800_000)
            circuits[circuit] = electric(f"{seed}/{circuit}", at_ms, power_w, power_factor=0.95)
            total_w = total_w + power_w
        return {**circuits, TRUTH: {"light_lm": total_w * site.lumen_per_w, "open": open_now}}
