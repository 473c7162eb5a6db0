"""In: a place's monthly normals, a seed, minutes. Out: the air, the wind and the sunshine there.

What enters is a place's own: monthly means as its weather service publishes them. What the weather does around them is
drawn, so that the means come out again.

References:
    Erbs, Klein and Beckman (1983), ASHRAE Journal 25(6): a day's temperature about its monthly mean.
    Stull (2011), "Wet-bulb temperature from relative humidity and air temperature", J. Appl. Meteorol. Climatol. 50.
    Justus et al. (1978), J. Appl. Meteorol. 17: wind speeds have a Weibull distribution.
"""

import math
from dataclasses import dataclass

import numpy as np

from metering.interval import DAY_MS, HOUR_MS
from simulators.noise import FloatArray, IntArray, normal, share_below

_MIDDLE_OF_MONTH = (15.5, 45.0, 74.5, 105.0, 135.5, 166.0, 196.5, 227.5, 258.0, 288.5, 319.0, 349.5)
_DAYS_1970_TO_2000 = 10_957
_WEATHER_STEP_MS = 40 * HOUR_MS
"""Highs and lows pass in days."""
_CLOUD_STEP_MS = 17 * 60_000


@dataclass(frozen=True, slots=True)
class Climate:
    """A place and its normals; every number is the place's own."""

    latitude_deg: float
    longitude_deg: float
    altitude_m: float
    temperatures_degc: tuple[float, ...]
    """Monthly means from January on [°C]."""
    daily_swing_k: float
    """Warmest less coldest hour of a mean day [K]."""
    weather_k: float
    """Standard deviation of days about the monthly mean [K]."""
    sunshine_shares: tuple[float, ...]
    """Hours of bright sunshine as a share of the possible, monthly."""
    linke_turbidity: tuple[float, ...]
    """Monthly, at air mass 2."""
    relative_humidity: float
    """Annual mean, from 0 to 1."""
    wind_m_per_s: float
    """Annual mean, 10 m above the ground [m/s]."""
    albedo: tuple[float, ...]
    """Of the ground, monthly; high while snow lies."""


def day_of_year(at_ms: IntArray) -> FloatArray:
    """Days since the last 1 January, near enough: a mean year has 365.2425 [d]."""
    return np.asarray((at_ms / DAY_MS - _DAYS_1970_TO_2000) % 365.2425, dtype=np.float64)


def monthly(values: tuple[float, ...], at_ms: IntArray) -> FloatArray:
    """Interpolate monthly values between the middles of the months, over the turn of the year."""
    days = np.array([_MIDDLE_OF_MONTH[-1] - 365.2425, *_MIDDLE_OF_MONTH, _MIDDLE_OF_MONTH[0] + 365.2425])
    return np.asarray(np.interp(day_of_year(at_ms), days, np.array([values[-1], *values, values[0]])), dtype=np.float64)


def local_hour(climate: Climate, at_ms: IntArray) -> FloatArray:
    """Mean solar time, from 0 to 24 [h]."""
    return np.asarray((at_ms / HOUR_MS + climate.longitude_deg / 15) % 24, dtype=np.float64)


def air_degc(climate: Climate, seed: str, at_ms: IntArray) -> FloatArray:
    """Temperature of the air [°C]."""
    # Erbs et al. (1983): four harmonics from 00:00 local time, for a swing of 1 K.
    angle = 2 * np.pi * (local_hour(climate, at_ms) - 1) / 24
    day = (
        0.4632 * np.cos(angle - 3.805)
        + 0.0984 * np.cos(2 * angle - 0.360)
        + 0.0168 * np.cos(3 * angle - 0.822)
        + 0.0138 * np.cos(4 * angle - 3.513)
    )
    weather = normal(seed, "air", at_ms, _WEATHER_STEP_MS)
    return monthly(climate.temperatures_degc, at_ms) + climate.daily_swing_k * day + climate.weather_k * weather


def wet_bulb_degc(climate: Climate, air: FloatArray) -> FloatArray:
    """Wet-bulb temperature at the place's mean humidity, equation (1) of Stull (2011) [°C]."""
    percent = 100 * climate.relative_humidity
    wet = (
        air * np.arctan(0.151977 * np.sqrt(percent + 8.313659))
        + np.arctan(air + percent)
        - np.arctan(percent - 1.676331)
        + 0.00391838 * percent**1.5 * np.arctan(0.023101 * percent)
        - 4.686035
    )
    return np.asarray(wet, dtype=np.float64)


def wind_m_per_s(climate: Climate, seed: str, at_ms: IntArray, shape: float = 2.0) -> FloatArray:
    """Wind speed 10 m above the ground: a Weibull distribution about the place's mean [m/s].

    Args:
        climate: the place.
        seed: of the plant.
        at_ms: the minutes [ms since the Unix epoch].
        shape: Weibull's k; 2 where nothing better is known (Rayleigh's distribution).
    """
    # Days, hours and gusts: the squares of the weights sum to 1, so the sum is standard normal again.
    score = (
        0.7 * normal(seed, "wind.days", at_ms, _WEATHER_STEP_MS)
        + 0.65 * normal(seed, "wind.hours", at_ms, 3 * HOUR_MS)
        + 0.295804 * normal(seed, "wind.minutes", at_ms, 300_000)
    )
    rarer = np.maximum(1e-12, share_below(-score))
    # The mean of a Weibull distribution is scale × Γ(1 + 1/k).
    scale = climate.wind_m_per_s / math.gamma(1 + 1 / shape)
    return np.asarray(scale * (-np.log(rarer)) ** (1 / shape), dtype=np.float64)


def sunshine(climate: Climate, seed: str, at_ms: IntArray) -> FloatArray:
    """1 where the sun is out, 0 behind clouds; the mean is the place's monthly share."""
    # Dull days and passing clouds: 0.8² + 0.6² = 1.
    score = 0.8 * normal(seed, "sky", at_ms, _WEATHER_STEP_MS) + 0.6 * normal(seed, "cloud", at_ms, _CLOUD_STEP_MS)
    return (share_below(score) < monthly(climate.sunshine_shares, at_ms)).astype(np.float64)
