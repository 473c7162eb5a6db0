"""In: a seed and a day. Out: a solar plant: its inverters, its weather station, and the revenue meter on the AC bus.

Light on the modules under clouds (`sky`), module temperature, soiling, the losses of the DC side, inverters that clip,
and the grid operator's curtailment. What the revenue meter counts is the inverters' output less the transformer and the
line, less the plant's own use; at night it imports.

References:
    Faiman (2008), Progress in Photovoltaics 16(4): module temperature with u0 = 25.0, u1 = 6.84.
    Dobos (2014), "PVWatts Version 5 Manual", NREL/TP-6A20-62641: DC power, DC losses and the inverter's efficiency.
    Kimber et al. (2006), IEEE WCPEC-4: soiling grows by 0.15 % a day and rain takes it away.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from metering.interval import DAY_MS, HOUR_MS
from simulators.noise import FloatArray, IntArray, smooth, uniform
from simulators.plants.climate import Climate, air_degc, wind_m_per_s
from simulators.plants.mains import electric, frequency_hz
from simulators.plants.places import MONGOLIAN_STEPPE
from simulators.plants.plant import TRUTH, Before, Fields, Minutes, Plant
from simulators.plants.sky import light_on_plane
from simulators.plants.states import ElectricState, InverterState, WeatherState

_INVERTER_VOLTAGE_V = 690 / math.sqrt(3)
# Dobos (2014), table of losses, without soiling, which has its own model, and availability, which has its own day.
_DC_LOSSES = 1 - math.prod(1 - loss for loss in (0.03, 0.02, 0.02, 0.005, 0.015, 0.01))
_DUST_A_DAY = 0.0015
_LONGEST_DROUGHT_DAYS = 60


@dataclass(frozen=True, slots=True)
class SolarSite:
    """What a solar plant is; every number is the plant's own."""

    climate: Climate = MONGOLIAN_STEPPE
    module_power_w: float = 8_300_000.0
    """Sum of the modules at standard test conditions [W]."""
    inverters_w: tuple[float, ...] = (2_800_000.0, 2_800_000.0, 2_700_000.0)
    """AC ratings [W]."""
    tilt_deg: float = 40.0
    temperature_coefficient_per_k: float = -0.0038
    """Of module power; crystalline silicon."""
    inverter_efficiency: float = 0.96
    """Nominal, as PVWatts."""
    rainy_days_share: float = 0.15
    """Of days with enough rain or wind-blown snow to clean the modules."""
    curtailed_hours_share: float = 0.01
    """Of hours in which the grid operator limits the plant."""
    curtailed_to: float = 0.5
    """Of its AC rating."""
    outage_days_share: float = 0.03
    """Of days on which one inverter stands still; Dobos (2014) has 3 % for availability."""
    line_loss_share: float = 0.015
    """Of the inverters' output, lost in the transformer and the line before the revenue meter."""
    own_use_w: float = 14_000.0
    """Heating, control and lighting [W]."""
    bus_voltage_v: float = 35_000 / math.sqrt(3)
    """Phase to neutral at the revenue meter [V]."""


MONGOLIA_FARM = SolarSite()

_COUNTERS_WH = {
    ("inverter-1", "energy_total_wh"): 12_345_678_900.0,
    ("inverter-2", "energy_total_wh"): 12_298_765_400.0,
    ("inverter-3", "energy_total_wh"): 11_876_543_200.0,
    ("ac-bus", "energy_export_total_wh"): 35_974_123_456.0,
    ("ac-bus", "energy_import_total_wh"): 187_654_321.0,
}
"""The demonstration's meters have been there for years."""


class SolarPlant(Plant):
    """Inverters `inverter-1` … behind one transformer, the revenue meter `ac-bus`, and `weather`."""

    def __init__(
        self,
        seed: str,
        origin_ms: int,
        output: Callable[[int], float] | None = None,
        site: SolarSite = MONGOLIA_FARM,
    ) -> None:
        """Fix the weather.

        Args:
            seed: two plants with the same seed are the same plant.
            origin_ms: where the counters begin [ms since the Unix epoch].
            output: the share of the AC rating in the minute that starts at an instant; from the weather when absent.
            site: what the plant is.
        """
        super().__init__(seed, origin_ms)
        self.site = site
        self._output = output
        self._inverters = tuple(f"inverter-{number}" for number in range(1, len(site.inverters_w) + 1))
        self.instruments = {
            **dict.fromkeys(self._inverters, InverterState),
            "ac-bus": ElectricState,
            "weather": WeatherState,
        }
        self.counters_at_origin = _COUNTERS_WH if site is MONGOLIA_FARM else {}

    @property
    def rated_w(self) -> float:
        """The rating of its modules [W]."""
        return self.site.module_power_w

    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """One day: weather, DC power, what the inverters make of it, what the bus delivers."""
        del before
        site, seed = self.site, self.seed
        air = air_degc(site.climate, seed, at_ms)
        wind = wind_m_per_s(site.climate, seed, at_ms)
        plane = light_on_plane(site.climate, seed, at_ms, site.tilt_deg).plane_w_per_m2
        limit = np.where(self._curtailed(at_ms) > 0, site.curtailed_to, 1.0)
        possible = self._outputs_w(at_ms, plane, air, wind)
        given = [np.minimum(power, rating * limit) for power, rating in zip(possible, site.inverters_w, strict=True)]
        inverters_w = np.sum(given, axis=0)
        bus_w = inverters_w * (1 - site.line_loss_share) - site.own_use_w
        return {
            **{
                name: self._inverter(name, at_ms, power_w, rating_w, air)
                for name, power_w, rating_w in zip(self._inverters, given, site.inverters_w, strict=True)
            },
            "ac-bus": electric(
                seed, at_ms, -bus_w, nominal_v=site.bus_voltage_v, power_factor=0.995, shares=(1 / 3, 1 / 3, 1 / 3)
            ),
            "weather": {"irradiance_w_per_m2": plane, "ambient_temperature_degc": air, "wind_speed_m_per_s": wind},
            TRUTH: {"curtailed_w": np.sum(possible, axis=0) - inverters_w},
        }

    def inverter(self, index: int, at_ms: int) -> InverterState:
        """One of the inverters, counted from 0."""
        return cast("InverterState", self.state(self._inverters[index], at_ms))

    def ac_bus(self, at_ms: int) -> ElectricState:
        """The revenue meter; what the plant exports it shows as negative power."""
        return cast("ElectricState", self.state("ac-bus", at_ms))

    def exported_wh(self, start_ms: int, end_ms: int) -> float:
        """What the plant delivered to the grid between two instants [Wh]."""
        return self.amount("ac-bus", "energy_export_total_wh", start_ms, end_ms)

    def _outputs_w(self, at_ms: IntArray, plane: FloatArray, air: FloatArray, wind: FloatArray) -> list[FloatArray]:
        """What each inverter could give [W]."""
        site = self.site
        if self._output is not None:
            share = np.array([self._output(each) for each in at_ms.tolist()])
            return [rating * share for rating in site.inverters_w]
        dc_w = array_w(site, self.seed, at_ms, plane, air, wind)
        whole_w = sum(site.inverters_w)
        outputs = []
        for name, rating_w in zip(self._inverters, site.inverters_w, strict=True):
            # Modules of one type differ by a per cent or so from row to row.
            unequal = 0.995 + 0.01 * smooth(self.seed, f"{name}.rows", at_ms, HOUR_MS)
            own_w = dc_w * rating_w / whole_w * unequal
            running = uniform(self.seed, f"{name}.outage", at_ms // DAY_MS) >= site.outage_days_share
            outputs.append(inverted_w(own_w, rating_w, site.inverter_efficiency) * running)
        return outputs

    def _inverter(self, name: str, at_ms: IntArray, power_w: FloatArray, rating_w: float, air: FloatArray) -> Fields:
        producing = power_w > 0
        return {
            "active_power_w": power_w,
            "phase_voltage_v": _INVERTER_VOLTAGE_V * (0.99 + 0.02 * smooth(self.seed, "grid", at_ms, 600_000)),
            "frequency_hz": frequency_hz(self.seed, at_ms),
            "dc_voltage_v": np.where(producing, 1_050 + 60 * smooth(self.seed, f"{name}.dc", at_ms, 600_000), 0.0),
            "cabinet_temperature_degc": air + 12 + 22 * power_w / rating_w,
            "producing": producing,
        }

    def _curtailed(self, at_ms: IntArray) -> FloatArray:
        if self._output is not None:  # what was measured was curtailed already, or not
            return np.zeros(at_ms.shape)
        draws = uniform(self.seed, "curtailed", at_ms // HOUR_MS)
        return np.asarray(draws < self.site.curtailed_hours_share, dtype=np.float64)


def array_w(
    site: SolarSite, seed: str, at_ms: IntArray, plane: FloatArray, air: FloatArray, wind: FloatArray
) -> FloatArray:
    """DC power of all modules [W].

    Args:
        site: what the plant is.
        seed: of the plant; the rain follows from it.
        at_ms: the minutes of one day [ms since the Unix epoch].
        plane: light on the modules [W/m2].
        air: its temperature [°C].
        wind: [m/s].
    """
    cell = air + plane / (25.0 + 6.84 * wind)
    hot = 1 + site.temperature_coefficient_per_k * (cell - 25)
    return site.module_power_w * plane / 1_000 * hot * (1 - _DC_LOSSES) * (1 - _soiling(site, seed, at_ms))


def _soiling(site: SolarSite, seed: str, at_ms: IntArray) -> float:
    """Share of the light that dust keeps back: it grows day by day until the next rain."""
    day = int(at_ms[0] // DAY_MS)
    earlier = np.arange(day, day - _LONGEST_DROUGHT_DAYS, -1, dtype=np.int64)
    rain = np.flatnonzero(uniform(seed, "rain", earlier) < site.rainy_days_share)
    return _DUST_A_DAY * (int(rain[0]) if rain.size else _LONGEST_DROUGHT_DAYS)


def inverted_w(dc_w: FloatArray, rating_w: float, nominal: float) -> FloatArray:
    """AC power of an inverter, PVWatts version 5 [W]."""
    # Dobos (2014), equations 11 and 12; 0.9637 is the reference efficiency of the manual.
    dc_rating_w = rating_w / nominal
    load = np.clip(dc_w / dc_rating_w, 1e-3, None)
    efficiency = nominal / 0.9637 * (-0.0162 * load - 0.0059 / load + 0.9858)
    return np.clip(np.where(load > 0.01, dc_w * efficiency, 0.0), 0.0, rating_w)
