"""In: a seed and an instant. Out: a distribution transformer near Hanoi, seen by a meter on its low-voltage side.

What matters is whether the transformer is energised: it is, except in the planned outages, when voltage, current and
frequency are zero. The meter's own supply is taken to outlast the outage, so that it answers zero volts; a meter fed
from the measured voltage would not answer at all.
"""

import math
from collections.abc import Sequence

from metering.interval import Interval
from simulators.integral import MinuteIntegral, minute_of
from simulators.noise import smooth_noise, unit_noise
from simulators.plants.states import ElectricState

_COUNTER_WH = 123_456_700.0
_UTC_OFFSET_H = 7
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class TransformerStation:
    """One station: a transformer, its outages, and the load behind it."""

    def __init__(self, seed: str, origin_ms: int, outages: Sequence[Interval] = ()) -> None:
        """Fix the load and the outages.

        Args:
            seed: two stations with the same seed are the same station.
            origin_ms: where the counters begin [ms since the Unix epoch].
            outages: when the transformer is not energised; they begin and end on whole minutes.
        """
        self._seed = seed
        self._outages = tuple(outages)
        self._counter_wh = _COUNTER_WH * (1 + 3 * unit_noise(seed, "counter", 0))
        self._energy_wh = MinuteIntegral(origin_ms, self._load_w)

    def low_voltage_side(self, at_ms: int) -> ElectricState:
        """The meter on the low-voltage side."""
        minute_ms = minute_of(at_ms)
        energised = self._energised(minute_ms)
        return ElectricState(
            active_power_w=self._load_w(minute_ms),
            energy_import_total_wh=self._counter_wh + self._energy_wh.at(at_ms),
            energy_export_total_wh=0.0,
            voltages_v=(self._voltage_v(1, at_ms), self._voltage_v(2, at_ms), self._voltage_v(3, at_ms))
            if energised
            else (0.0, 0.0, 0.0),
            power_shares=(0.36, 0.31, 0.33),
            power_factor=0.92,
            frequency_hz=49.95 + 0.1 * smooth_noise(self._seed, "hz", at_ms, 120_000) if energised else 0.0,
        )

    def energised_h(self, start_ms: int, end_ms: int) -> float:
        """How long the transformer was energised between two instants [h]."""
        dark_ms = sum(max(0, min(end_ms, outage.end_ms) - max(start_ms, outage.start_ms)) for outage in self._outages)
        return (end_ms - start_ms - dark_ms) / _HOUR_MS

    def prepare(self, until_ms: int) -> None:
        """Compute the counter up to an instant [ms since the Unix epoch]."""
        self._energy_wh.prepare(until_ms)

    def _energised(self, at_ms: int) -> bool:
        return not any(at_ms in outage for outage in self._outages)

    def _load_w(self, minute_ms: int) -> float:
        if not self._energised(minute_ms):
            return 0.0
        hour = (minute_ms % _DAY_MS) / _HOUR_MS + _UTC_OFFSET_H
        evening = math.exp(-(((hour % 24) - 19.5) ** 2) / 6)
        daytime = math.exp(-(((hour % 24) - 11.0) ** 2) / 18)
        wobble = 0.9 + 0.2 * smooth_noise(self._seed, "load", minute_ms, 600_000)
        return (6_500 + 14_000 * evening + 7_500 * daytime) * wobble

    def _voltage_v(self, phase: int, at_ms: int) -> float:
        sag = 5 * (self._load_w(minute_of(at_ms)) / 20_000)
        slow = 4 * smooth_noise(self._seed, f"slow{phase}", at_ms, 900_000)
        fast = 0.8 * unit_noise(self._seed, f"fast{phase}", at_ms // 1_000)
        return 229 - sag + slow + fast
