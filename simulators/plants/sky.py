"""In: a place, a tilted plane, minutes. Out: the sun, the clear sky, and the light on the plane under clouds.

References:
    Spencer (1971), Search 2(5): declination, equation of time, distance of the sun.
    Kasten and Young (1989), Applied Optics 28(22): relative air mass.
    Ineichen and Perez (2002), Solar Energy 73(3): clear sky from Linke turbidity, as in pvlib.clearsky.ineichen
        without its enhancement.
    Allen et al. (1998), FAO 56, equation 35: Ångström and Prescott's a = 0.25 and b = 0.50. Behind clouds a
        third of the clear sky's light is left, all of it diffuse: a / (a + b).
    Hay and Davies (1980): diffuse light on a tilted plane. Souka and Safwat (1966): incidence angle modifier.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import FloatArray, IntArray
from simulators.plants.climate import Climate, day_of_year, monthly, sunshine

_BEHIND_CLOUDS = 0.25 / 0.75
_SOLAR_CONSTANT_W_PER_M2 = 1_366.1  # as pvlib.irradiance.get_extra_radiation
_LOWEST_SIN = 0.0105  # half a degree and a little: below it the formulas divide by almost nothing


@dataclass(frozen=True, slots=True)
class Light:
    """What falls on a plane."""

    plane_w_per_m2: FloatArray
    """All light in the plane, less what glass reflects at an angle [W/m2]."""
    global_w_per_m2: FloatArray
    """On the level ground [W/m2]."""


def sun(latitude_deg: float, longitude_deg: float, at_ms: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Find the sun.

    Args:
        latitude_deg: of the place, north positive.
        longitude_deg: of the place, east positive.
        at_ms: the instants [ms since the Unix epoch].

    Returns:
        The sine of its elevation, the declination [rad] and the hour angle [rad].
    """
    angle = 2 * np.pi * day_of_year(at_ms) / 365
    declination = (
        0.006918
        - 0.399912 * np.cos(angle)
        + 0.070257 * np.sin(angle)
        - 0.006758 * np.cos(2 * angle)
        + 0.000907 * np.sin(2 * angle)
        - 0.002697 * np.cos(3 * angle)
        + 0.00148 * np.sin(3 * angle)
    )
    time_min = 229.18 * (
        0.0000075
        + 0.001868 * np.cos(angle)
        - 0.032077 * np.sin(angle)
        - 0.014615 * np.cos(2 * angle)
        - 0.040849 * np.sin(2 * angle)
    )
    hours = (at_ms % 86_400_000) / 3_600_000 + longitude_deg / 15 + time_min / 60
    hour_angle = np.radians(15 * (hours - 12))
    latitude = np.radians(latitude_deg)
    sin_elevation = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    return sin_elevation, declination, hour_angle


def clear_sky(
    climate: Climate, at_ms: IntArray, sin_elevation: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Light under a clear sky: global, direct normal, and direct normal outside the air [W/m2]."""
    angle = 2 * np.pi * day_of_year(at_ms) / 365
    outside = _SOLAR_CONSTANT_W_PER_M2 * (
        1.00011
        + 0.034221 * np.cos(angle)
        + 0.00128 * np.sin(angle)
        + 0.000719 * np.cos(2 * angle)
        + 0.000077 * np.sin(2 * angle)
    )
    up = sin_elevation > _LOWEST_SIN
    sine = np.where(up, sin_elevation, 1.0)
    elevation_deg = np.degrees(np.arcsin(np.minimum(1.0, sine)))
    # The barometric formula of the standard atmosphere corrects the air mass for altitude.
    air_mass = (1 - 2.25577e-5 * climate.altitude_m) ** 5.25588 / (
        sine + 0.50572 * (6.07995 + elevation_deg) ** -1.6364
    )
    turbidity = monthly(climate.linke_turbidity, at_ms)
    fh1, fh2 = np.exp(-climate.altitude_m / 8_000), np.exp(-climate.altitude_m / 1_250)
    cg1, cg2 = 5.09e-5 * climate.altitude_m + 0.868, 3.92e-5 * climate.altitude_m + 0.0387
    level = cg1 * outside * sine * np.exp(-cg2 * air_mass * (fh1 + fh2 * (turbidity - 1)))
    beam = outside * (0.664 + 0.163 / fh1) * np.exp(-0.09 * air_mass * (turbidity - 1))
    most = level * (1 - (0.1 - 0.2 * np.exp(-turbidity)) / (0.1 + 0.882 / fh1)) / sine
    return np.where(up, level, 0.0), np.where(up, np.minimum(beam, most), 0.0), outside


def light_on_plane(climate: Climate, seed: str, at_ms: IntArray, tilt_deg: float) -> Light:
    """The light on a plane that faces the equator, under the place's clouds.

    Args:
        climate: the place.
        seed: of the plant; the clouds follow from it.
        at_ms: the minutes [ms since the Unix epoch].
        tilt_deg: of the plane against the ground.
    """
    sin_elevation, declination, hour_angle = sun(climate.latitude_deg, climate.longitude_deg, at_ms)
    clear, clear_beam, outside = clear_sky(climate, at_ms, sin_elevation)
    shining = sunshine(climate, seed, at_ms)
    level = clear * (_BEHIND_CLOUDS + (1 - _BEHIND_CLOUDS) * shining)
    beam = clear_beam * shining
    sine = np.maximum(_LOWEST_SIN, sin_elevation)
    diffuse = np.maximum(0.0, level - beam * sine)
    # Facing the equator, a plane sees the sun as level ground does at a latitude nearer to it by the tilt.
    tilt = np.radians(tilt_deg)
    turned = np.radians(climate.latitude_deg) - np.copysign(tilt, climate.latitude_deg)
    incidence = np.maximum(
        0.0, np.sin(turned) * np.sin(declination) + np.cos(turned) * np.cos(declination) * np.cos(hour_angle)
    )
    incidence = np.where(sin_elevation > _LOWEST_SIN, incidence, 0.0)
    reflected = np.clip(1 - 0.05 * (1 / np.maximum(incidence, 1e-6) - 1), 0.0, 1.0)
    anisotropy = beam / outside
    around_sun = anisotropy * incidence / sine
    from_sky = diffuse * (around_sun + (1 - anisotropy) * (1 + np.cos(tilt)) / 2)
    from_ground = level * monthly(climate.albedo, at_ms) * (1 - np.cos(tilt)) / 2
    return Light(beam * incidence * reflected + from_sky + from_ground, level)
