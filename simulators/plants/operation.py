"""In: a seed, minutes, a habit. Out: when something works, shifts and stops, and an engine's fuel at part load.

References:
    IPCC (2006), volume 2, table 1.2: net calorific value of diesel 43.0 MJ/kg; density 0.84 kg/L (EN 590).
"""

import numpy as np

from metering.interval import HOUR_MS
from simulators.noise import FloatArray, IntArray, smooth, uniform
from simulators.plants.climate import Climate, local_hour

DIESEL_WH_PER_L = 43.0e6 * 0.84 / 3_600

_DAY_H = 24
_THURSDAY = 4
"""1 January 1970, counted from Sunday."""


def available(seed: str, series: str, at_ms: IntArray, share: float, spell_h: int) -> FloatArray:
    """1 while a machine can run, 0 in a stop.

    Args:
        seed: of the plant.
        series: the machine.
        at_ms: the minutes [ms since the Unix epoch].
        share: of all time in which it can run, from 0 to 1.
        spell_h: how long one stop takes [h].
    """
    return np.asarray(uniform(seed, f"{series}.stop", at_ms // (spell_h * HOUR_MS)) < share, dtype=np.float64)


def in_hours(climate: Climate, at_ms: IntArray, first_h: float, last_h: float, days_a_week: int = 7) -> FloatArray:
    """1 within working hours, 0 outside.

    Args:
        climate: the place; hours are its mean solar time.
        at_ms: the minutes [ms since the Unix epoch].
        first_h: when work begins [h].
        last_h: when it ends, later on the same day [h].
        days_a_week: from Monday on.
    """
    hour = local_hour(climate, at_ms)
    local_day = np.floor((at_ms / HOUR_MS + climate.longitude_deg / 15) / _DAY_H)
    weekday = (local_day + _THURSDAY - 1) % 7  # Monday is 0
    return np.asarray((hour >= first_h) & (hour < last_h) & (weekday < days_a_week), dtype=np.float64)


def around(seed: str, series: str, at_ms: IntArray, mean: float, half_width: float, step_ms: int) -> FloatArray:
    """A quantity that wanders about its mean.

    Args:
        seed: of the plant.
        series: the quantity.
        at_ms: the minutes [ms since the Unix epoch].
        mean: in whatever unit.
        half_width: how far it goes from the mean at most, in the same unit.
        step_ms: how fast [ms].
    """
    return mean + half_width * (2 * smooth(seed, series, at_ms, step_ms) - 1)


def willans_fuel_w(power_w: FloatArray, rated_w: float, efficiency: float, idle_share: float) -> FloatArray:
    """Fuel of an engine at part load: Willans' line, straight from idling to the rating.

    Args:
        power_w: what it gives; 0 means that it stands [W].
        rated_w: its rating [W].
        efficiency: at the rating.
        idle_share: of the fuel at the rating, taken to turn the engine alone.

    References:
        Willans (1893), Min. Proc. Inst. Civ. Eng. 114; Pachernegg (1969), SAE 690182, for combustion engines.
    """
    full_w = rated_w / efficiency
    return np.where(power_w > 0, full_w * (idle_share + (1 - idle_share) * power_w / rated_w), 0.0)
