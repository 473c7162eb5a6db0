"""In: a seed and an instant. Out: a heat-only boiler of 1.2 MW, coal: its heat, burner and electricity.

The load follows the degrees below 18 °C. The burner runs in cycles of six hours: on for the share of the cycle that
the load asks for, then off until the next one begins, so a state lasts hours and never less than a quarter of an
hour. The pump always runs; heat is flow × temperature difference × 1.163 kWh/(m3 K).
"""

from functools import lru_cache

from simulators.integral import MinuteIntegral, minute_of, prepare_together
from simulators.noise import smooth_noise, unit_noise
from simulators.plants.solar import ambient_temperature_degc
from simulators.plants.states import BurnerState, ElectricState, HeatState

RATED_HEAT_W = 1_200_000.0
RATED_ELECTRIC_POWER_W = 22_000.0
"""Nameplate of fans, stoker and pump together, never exceeded [W]."""

_CYCLE_MINUTES = 360
_SHORTEST_STATE_MINUTES = 20
_ROOM_DEGC = 18.0
_DESIGN_DEGC = -38.0
_WATER_WH_PER_M3_K = 1_163.0
_HEAT_COUNTER_WH = 1_234_567_000.0
_VOLUME_COUNTER_M3 = 48_321.37
_ELECTRIC_COUNTER_WH = 98_765_432.0
_MINUTE_MS = 60_000


class HeatOnlyBoiler:
    """One boiler of a district of Ulaanbaatar."""

    def __init__(self, seed: str, origin_ms: int) -> None:
        """Fix the weather.

        Args:
            seed: two boilers with the same seed are the same boiler.
            origin_ms: where the counters begin [ms since the Unix epoch].
        """
        self._seed = seed
        self._firing_minutes = lru_cache(maxsize=16)(self._firing_minutes_of)
        self._heat_wh = MinuteIntegral(origin_ms, self._heat_w)
        self._volume_m3 = MinuteIntegral(origin_ms, self._flow_m3_per_h)
        self._electric_wh = MinuteIntegral(origin_ms, self._electric_w)
        self._running_h = MinuteIntegral(origin_ms, lambda at_ms: float(self._fires(at_ms)))

    def heat_out(self, at_ms: int) -> HeatState:
        """The heat meter in the hot-water circuit."""
        minute_ms = minute_of(at_ms)
        heat_w, flow_m3_per_h = self._heat_w(minute_ms), self._flow_m3_per_h(minute_ms)
        return_degc = 48 + 6 * smooth_noise(self._seed, "return", at_ms, 2 * 3_600_000)
        return HeatState(
            flow_m3_per_h=flow_m3_per_h,
            heat_power_w=heat_w,
            supply_temperature_degc=return_degc + heat_w / (_WATER_WH_PER_M3_K * flow_m3_per_h),
            return_temperature_degc=return_degc,
            heat_total_wh=_HEAT_COUNTER_WH + self._heat_wh.at(at_ms),
            volume_total_m3=_VOLUME_COUNTER_M3 + self._volume_m3.at(at_ms),
        )

    def burner(self, at_ms: int) -> BurnerState:
        """The burner as its controller reports it."""
        return BurnerState(running=self._fires(minute_of(at_ms)))

    def auxiliaries(self, at_ms: int) -> ElectricState:
        """The electricity meter of fans, stoker and pump."""
        voltage_v = 226 + 8 * smooth_noise(self._seed, "volt", at_ms, 300_000)
        return ElectricState(
            active_power_w=self._electric_w(minute_of(at_ms)),
            energy_import_total_wh=_ELECTRIC_COUNTER_WH + self._electric_wh.at(at_ms),
            energy_export_total_wh=0.0,
            voltages_v=(voltage_v, voltage_v + 1.3, voltage_v - 0.9),
            power_shares=(0.35, 0.33, 0.32),
            power_factor=0.86,
            frequency_hz=49.97 + 0.06 * smooth_noise(self._seed, "hz", at_ms, 120_000),
        )

    def heat_wh(self, start_ms: int, end_ms: int) -> float:
        """Heat delivered between two instants [Wh]."""
        return self._heat_wh.at(end_ms) - self._heat_wh.at(start_ms)

    def running_h(self, start_ms: int, end_ms: int) -> float:
        """How long the burner fired between two instants [h]."""
        return self._running_h.at(end_ms) - self._running_h.at(start_ms)

    def prepare(self, until_ms: int) -> None:
        """Compute the counters up to an instant [ms since the Unix epoch]."""
        prepare_together((self._heat_wh, self._volume_m3, self._electric_wh, self._running_h), until_ms)

    def _fires(self, minute_ms: int) -> bool:
        cycle, minute = divmod(minute_ms // _MINUTE_MS, _CYCLE_MINUTES)
        return minute < self._firing_minutes(cycle)

    def _firing_minutes_of(self, cycle: int) -> int:
        middle_ms = (cycle * _CYCLE_MINUTES + _CYCLE_MINUTES // 2) * _MINUTE_MS
        air_degc = ambient_temperature_degc(self._seed, middle_ms)
        load = (_ROOM_DEGC - air_degc) / (_ROOM_DEGC - _DESIGN_DEGC)
        draught = 0.94 + 0.12 * unit_noise(self._seed, "cycle", cycle)  # stokers do not hit the load exactly
        longest = _CYCLE_MINUTES - _SHORTEST_STATE_MINUTES
        return min(longest, max(_SHORTEST_STATE_MINUTES, round(_CYCLE_MINUTES * load * draught)))

    def _heat_w(self, minute_ms: int) -> float:
        if not self._fires(minute_ms):
            return 0.0
        return RATED_HEAT_W * (0.90 + 0.09 * smooth_noise(self._seed, "fire", minute_ms, 1_800_000))

    def _flow_m3_per_h(self, minute_ms: int) -> float:
        return 16.6 + 0.6 * smooth_noise(self._seed, "flow", minute_ms, 900_000)

    def _electric_w(self, minute_ms: int) -> float:
        share = 0.80 + 0.15 * smooth_noise(self._seed, "fan", minute_ms, 600_000) if self._fires(minute_ms) else 0.18
        return RATED_ELECTRIC_POWER_W * share
