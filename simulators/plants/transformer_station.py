"""In: a seed and a day. Out: distribution transformers, each seen by a meter on its low-voltage side.

What carries credit is whether a transformer is energised: it is, except in outages, when voltage, current and frequency
are zero. The meter's own supply is taken to outlast the outage, so that it answers zero volts; a meter fed from the
measured voltage would not answer at all. Its losses are truth that no meter here shows: the iron's all the time, the
copper's with the square of the load.

References:
    IEC 60076-1: no-load loss at rated voltage, load loss at rated current.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from metering.interval import HOUR_MS, Interval
from simulators.noise import IntArray, draw, smooth, uniform
from simulators.plants.climate import Climate, local_hour
from simulators.plants.mains import electric
from simulators.plants.places import HANOI
from simulators.plants.plant import TRUTH, Before, Fields, Minutes, Plant
from simulators.plants.states import ElectricState

_POWER_FACTOR = 0.92


@dataclass(frozen=True, slots=True)
class Transformer:
    """What one transformer is; every number is its own."""

    climate: Climate = HANOI
    rated_va: float = 100_000.0
    no_load_loss_w: float = 75.0
    """Of its test report; an amorphous core [W]."""
    load_loss_w: float = 1_250.0
    """At rated current [W]."""
    outages: tuple[Interval, ...] = ()
    """Planned: when it is not energised; they begin and end on whole minutes."""
    outage_hours_share: float = 0.0
    """Of hours in which the feeder trips, beside the planned ones."""


class TransformerStations(Plant):
    """Several stations, each with one instrument of the same name."""

    def __init__(self, seed: str, origin_ms: int, stations: Mapping[str, Transformer]) -> None:
        """Fix the loads.

        Args:
            seed: two plants with the same seed are the same plant.
            origin_ms: where the counters begin [ms since the Unix epoch].
            stations: the transformers by name.
        """
        super().__init__(seed, origin_ms)
        self.stations = stations
        self.instruments = dict.fromkeys(stations, ElectricState)
        self.counters_at_origin = {
            (name, "energy_import_total_wh"): 123_456_700.0 * (1 + 3 * draw(self._seed_of(name), "counter"))
            for name in stations
        }

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day of all stations."""
        del before
        shown: dict[str, Fields] = {}
        truth: dict[str, Fields] = {}
        for name, transformer in self.stations.items():
            shown[name], truth[name] = _station(self._seed_of(name), at_ms, transformer)
        hidden = {f"{name}.{field}": row for name, fields in truth.items() for field, row in fields.items()}
        return {**shown, TRUTH: hidden}

    def energised_h(self, name: str, start_ms: int, end_ms: int) -> float:
        """How long a transformer was energised between two instants [h]."""
        return self.amount(TRUTH, f"{name}.energised", start_ms, end_ms)

    def _seed_of(self, name: str) -> str:
        return f"{self.seed}/{name}" if name else self.seed


class TransformerStation(TransformerStations):
    """One station alone."""

    def __init__(self, seed: str, origin_ms: int, outages: Sequence[Interval] = ()) -> None:
        """Fix the load and the outages.

        Args:
            seed: two stations with the same seed are the same station.
            origin_ms: where the counters begin [ms since the Unix epoch].
            outages: when the transformer is not energised; they begin and end on whole minutes.
        """
        super().__init__(seed, origin_ms, {"": Transformer(outages=tuple(outages))})

    def low_voltage_side(self, at_ms: int) -> ElectricState:
        """The meter on the low-voltage side."""
        return cast("ElectricState", self.state("", at_ms))


def _station(seed: str, at_ms: IntArray, transformer: Transformer) -> tuple[Fields, Fields]:
    """What the meter shows, and what the transformer loses."""
    energised = uniform(seed, "trip", at_ms // HOUR_MS) >= transformer.outage_hours_share
    for outage in transformer.outages:
        energised &= ~((at_ms >= outage.start_ms) & (at_ms < outage.end_ms))
    hour = local_hour(transformer.climate, at_ms)
    # A village: most at supper, something over noon; shares of the rating that are the station's own.
    evening, daytime = np.exp(-((hour - 19.5) ** 2) / 6), np.exp(-((hour - 11.0) ** 2) / 18)
    wobble = 0.9 + 0.2 * smooth(seed, "load", at_ms, 600_000)
    load_w = transformer.rated_va * (0.065 + 0.14 * evening + 0.075 * daytime) * wobble * energised
    fields = electric(seed, at_ms, load_w, power_factor=_POWER_FACTOR, shares=(0.36, 0.31, 0.33))
    volts = np.stack([smooth(seed, f"slow{phase}", at_ms, 900_000) for phase in (1, 2, 3)])
    fields["voltages_v"] = (229 - 5 * load_w / (0.2 * transformer.rated_va) + 4 * volts) * energised
    fields["frequency_hz"] = fields["frequency_hz"] * energised
    current_share = load_w / (_POWER_FACTOR * transformer.rated_va)
    return fields, {
        "energised": energised,
        "no_load_loss_w": transformer.no_load_loss_w * energised,
        "load_loss_w": transformer.load_loss_w * current_share**2,
    }
