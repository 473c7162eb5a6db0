"""In: a seed and an instant. Out: a solar plant of 8.3 MW near Ulaanbaatar: three inverters and one revenue meter.

The sun's height and the clear-sky irradiance are simple geometry of our own, good to a few per cent, which is what a
simulator needs; the clouds are seeded noise. What the revenue meter counts is the inverters' output less 1.5 % for the
transformer and the line, less the plant's own use; at night it imports.

References:
    Kasten and Young (1989), Applied Optics 28(22): relative air mass.
    Meinel and Meinel (1976), Applied Solar Energy: direct irradiance 1361 W/m2 × 0.7^(air mass^0.678).
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial

from simulators.integral import MinuteIntegral, minute_of, prepare_together
from simulators.noise import smooth_noise, unit_noise
from simulators.plants.states import ElectricState, InverterState

INVERTER_RATINGS_W = (2_800_000.0, 2_800_000.0, 2_700_000.0)
PLANT_RATING_W = sum(INVERTER_RATINGS_W)
LOSS_SHARE = 0.015
"""Of the inverters' output, lost in the transformer and the line before the revenue meter."""
OWN_USE_W = 14_000.0
"""Trackers are absent; this is heating, control and lighting [W]."""

LATITUDE_DEG = 47.9
LONGITUDE_DEG = 106.9
TILT_DEG = 45.0

_INVERTER_COUNTERS_WH = (12_345_678_900.0, 12_298_765_400.0, 11_876_543_200.0)
_EXPORT_COUNTER_WH = 35_974_123_456.0
_IMPORT_COUNTER_WH = 187_654_321.0
_DC_RATIO = 1.16
_SYSTEM_EFFICIENCY = 0.93
_GRID_VOLTAGE_V = 35_000 / math.sqrt(3)
_INVERTER_VOLTAGE_V = 690 / math.sqrt(3)

_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000


def sun(at_ms: int) -> tuple[float, float]:
    """Find the sun over the plant.

    Args:
        at_ms: an instant [ms since the Unix epoch].

    Returns:
        The sine of its elevation, and the cosine of the angle at which it meets modules that face south.
    """
    days = at_ms / _DAY_MS
    year_angle = (
        2 * math.pi * ((days - 365.25 * 30) % 365.25) / 365.25
    )  # zero at 2000-01-01, near enough every 1 January
    declination = -math.radians(23.44) * math.cos(year_angle + math.radians(9.9))
    wobble = year_angle - math.radians(80)
    equation_of_time_h = (9.87 * math.sin(2 * wobble) - 7.53 * math.cos(wobble) - 1.5 * math.sin(wobble)) / 60
    solar_hour = (days % 1) * 24 + LONGITUDE_DEG / 15 + equation_of_time_h
    hour_angle = math.radians(15 * (solar_hour - 12))
    latitude, tilt = math.radians(LATITUDE_DEG), math.radians(TILT_DEG)

    def cosine_to(angle: float) -> float:
        return math.sin(declination) * math.sin(angle) + math.cos(declination) * math.cos(angle) * math.cos(hour_angle)

    return cosine_to(latitude), max(0.0, cosine_to(latitude - tilt))


def ambient_temperature_degc(seed: str, at_ms: int) -> float:
    """The air of the Mongolian steppe: cold in January, colder before sunrise [°C]."""
    days = at_ms / _DAY_MS
    season = -math.cos(2 * math.pi * (days - 15) / 365.25)
    day = -math.cos(2 * math.pi * (days + LONGITUDE_DEG / 360 - 0.25))
    weather = smooth_noise(seed, "air", at_ms, 30 * _HOUR_MS) - 0.5
    return -2 + 20 * season + 5 * day + 9 * weather


def clear_sky_w_per_m2(at_ms: int) -> tuple[float, float]:
    """The irradiance on the modules under a clear sky: direct and diffuse [W/m2]."""
    sin_elevation, cos_incidence = sun(at_ms)
    if sin_elevation <= 0.01:
        return 0.0, 0.0
    elevation_deg = math.degrees(math.asin(sin_elevation))
    air_mass = 1 / (sin_elevation + 0.50572 * (6.07995 + elevation_deg) ** -1.6364)
    direct = 1361 * 0.7 ** (air_mass**0.678)
    return direct * cos_incidence, 0.11 * direct


def cloud_cover(seed: str, at_ms: int) -> float:
    """How much of the direct light the clouds keep back, from 0 to 0.85: fair or dull days, with passing clouds."""
    dull = smooth_noise(seed, "day", at_ms, 20 * _HOUR_MS)
    passing = smooth_noise(seed, "cloud", at_ms, 12 * 60_000)
    return min(0.85, max(0.0, 1.5 * (dull - 0.45)) + 0.5 * dull * passing)


def synthetic_output(seed: str, at_ms: int) -> float:
    """The output of the plant as a share of its AC rating, from 0 to 1."""
    direct, diffuse = clear_sky_w_per_m2(at_ms)
    if direct + diffuse <= 0:
        return 0.0
    cover = cloud_cover(seed, at_ms)
    irradiance = direct * (1 - cover) + diffuse * (1 + cover)
    cell_degc = ambient_temperature_degc(seed, at_ms) + 0.03 * irradiance
    share = _DC_RATIO * _SYSTEM_EFFICIENCY * irradiance / 1000 * (1 - 0.0036 * (cell_degc - 25))
    return min(1.0, share) if share > 0.002 else 0.0


class SolarPlant:
    """Three inverters behind one transformer, and the revenue meter on the AC bus."""

    def __init__(self, seed: str, origin_ms: int, output: Callable[[int], float] | None = None) -> None:
        """Fix the weather.

        Args:
            seed: two plants with the same seed are the same plant.
            origin_ms: where the counters begin [ms since the Unix epoch].
            output: the share of the AC rating in the minute that starts at an instant; synthetic by default.
        """
        self._seed = seed
        # Five integrals ask for the minutes of the same day in turn; the weather is worked out once.
        self._output = lru_cache(maxsize=2_000)(output or (lambda at_ms: synthetic_output(seed, at_ms)))
        self._inverters_wh = tuple(
            MinuteIntegral(origin_ms, partial(self._inverter_w, index)) for index in range(len(INVERTER_RATINGS_W))
        )
        self._export_wh = MinuteIntegral(origin_ms, lambda at_ms: max(0.0, self._bus_w(at_ms)))
        self._import_wh = MinuteIntegral(origin_ms, lambda at_ms: max(0.0, -self._bus_w(at_ms)))

    def inverter(self, index: int, at_ms: int) -> InverterState:
        """One of the three inverters, counted from 0."""
        minute_ms = minute_of(at_ms)
        power_w = self._inverter_w(index, minute_ms)
        return InverterState(
            active_power_w=power_w,
            energy_total_wh=_INVERTER_COUNTERS_WH[index] + self._inverters_wh[index].at(at_ms),
            phase_voltage_v=_INVERTER_VOLTAGE_V * (0.99 + 0.02 * smooth_noise(self._seed, "grid", at_ms, 600_000)),
            frequency_hz=self._frequency_hz(at_ms),
            dc_voltage_v=1_050.0 + 60 * smooth_noise(self._seed, f"dc{index}", at_ms, 600_000) if power_w else 0.0,
            cabinet_temperature_degc=ambient_temperature_degc(self._seed, at_ms)
            + 12
            + 22 * power_w / INVERTER_RATINGS_W[index],
            producing=power_w > 0,
        )

    def ac_bus(self, at_ms: int) -> ElectricState:
        """The revenue meter; what the plant exports it shows as negative power."""
        voltage_v = _GRID_VOLTAGE_V * (0.99 + 0.02 * smooth_noise(self._seed, "grid", at_ms, 600_000))
        return ElectricState(
            active_power_w=-self._bus_w(minute_of(at_ms)),
            energy_import_total_wh=_IMPORT_COUNTER_WH + self._import_wh.at(at_ms),
            energy_export_total_wh=_EXPORT_COUNTER_WH + self._export_wh.at(at_ms),
            voltages_v=(voltage_v, voltage_v * 1.001, voltage_v * 0.9985),
            power_shares=(1 / 3, 1 / 3, 1 / 3),
            power_factor=0.995,
            frequency_hz=self._frequency_hz(at_ms),
        )

    def exported_wh(self, start_ms: int, end_ms: int) -> float:
        """What the plant delivered to the grid between two instants [Wh]."""
        return self._export_wh.at(end_ms) - self._export_wh.at(start_ms)

    def prepare(self, until_ms: int) -> None:
        """Compute the counters up to an instant [ms since the Unix epoch]."""
        prepare_together((*self._inverters_wh, self._export_wh, self._import_wh), until_ms)

    def _inverter_w(self, index: int, minute_ms: int) -> float:
        share = self._output(minute_ms)
        if share <= 0:
            return 0.0
        unequal = 0.992 + 0.016 * unit_noise(self._seed, f"inverter{index}", minute_ms // 60_000)
        return INVERTER_RATINGS_W[index] * min(1.0, share * unequal)

    def _bus_w(self, minute_ms: int) -> float:
        """Delivered to the grid in a minute; negative when the plant draws [W]."""
        produced_w = sum(self._inverter_w(index, minute_ms) for index in range(len(INVERTER_RATINGS_W)))
        return produced_w * (1 - LOSS_SHARE) - OWN_USE_W

    def _frequency_hz(self, at_ms: int) -> float:
        return 49.97 + 0.06 * smooth_noise(self._seed, "hz", at_ms, 120_000)
