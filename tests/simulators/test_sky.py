"""The sun, the clear sky and the air: against pvlib's numbers, and against the normals that went in.

The figures of pvlib 0.16.1 are of `solarposition.get_solarposition` and of `clearsky.ineichen` with
`irradiance.get_extra_radiation`, at 47.9° N, 106.9° E, 1,300 m, the place's Linke turbidity of the day.
"""

import numpy as np
import pytest

from metering.interval import DAY_MS
from simulators.plants.climate import air_degc, sunshine, wet_bulb_degc, wind_m_per_s
from simulators.plants.places import ADDU, CENTRAL_THAILAND, HANOI, MONGOLIAN_STEPPE
from simulators.plants.sky import clear_sky, light_on_plane, sun
from simulators.plants.steam import heat_wh_per_kg, saturation_degc

YEAR = 1_735_689_600_000 + np.arange(0, 365 * DAY_MS, 600_000, dtype=np.int64)


@pytest.mark.parametrize(
    ("at_ms", "elevation_deg", "level_w_per_m2", "beam_w_per_m2"),
    [
        pytest.param(1_742_529_600_000, 40.687, 708.3, 967.4, id="2025-03-21T04:00Z"),
        pytest.param(1_750_478_400_000, 63.268, 958.4, 934.2, id="2025-06-21T04:00Z"),
        pytest.param(1_766_300_400_000, 12.962, 199.1, 826.3, id="2025-12-21T07:00Z"),
    ],
)
def test_sun_and_clear_sky_agree_with_pvlib(at_ms, elevation_deg, level_w_per_m2, beam_w_per_m2):
    at = np.array([at_ms], np.int64)
    sine, _, _ = sun(47.9, 106.9, at)
    level, beam, _ = clear_sky(MONGOLIAN_STEPPE, at, sine)
    # Spencer's formulas are good to a sixth of a degree.
    assert np.degrees(np.arcsin(sine[0])) == pytest.approx(elevation_deg, abs=0.17)
    assert level[0] == pytest.approx(level_w_per_m2, rel=0.005)
    assert beam[0] == pytest.approx(beam_w_per_m2, rel=0.005)


def test_a_clear_year_agrees_with_pvlib():
    sine, _, _ = sun(47.9, 106.9, YEAR)
    level, beam, _ = clear_sky(MONGOLIAN_STEPPE, YEAR, sine)
    assert level.sum() / 6_000 == pytest.approx(1_911.4, rel=0.005)  # kWh/m2
    assert beam.sum() / 6_000 == pytest.approx(3_359.5, rel=0.005)


def test_over_a_year_clouds_leave_what_angstrom_and_prescott_say():
    sine, _, _ = sun(ADDU.latitude_deg, ADDU.longitude_deg, YEAR)
    clear, _, _ = clear_sky(ADDU, YEAR, sine)
    level = np.mean([light_on_plane(ADDU, str(seed), YEAR, 0).global_w_per_m2.mean() for seed in range(6)])
    share = np.mean(ADDU.sunshine_shares)
    # (0.25 + 0.50 n/N) / 0.75 of the clear sky; six years of weather leave 3 %.
    assert level / clear.mean() == pytest.approx((0.25 + 0.50 * share) / 0.75, rel=0.03)


def test_a_plane_tilted_to_the_equator_gets_more_in_winter_and_a_flat_one_in_the_tropics_hardly_less():
    assert light_on_plane(MONGOLIAN_STEPPE, "1", YEAR, 40).plane_w_per_m2.mean() > 1.2 * (
        light_on_plane(MONGOLIAN_STEPPE, "1", YEAR, 0).plane_w_per_m2.mean()
    )
    flat, tilted = (light_on_plane(ADDU, "1", YEAR, tilt).plane_w_per_m2.mean() for tilt in (0, 10))
    assert tilted == pytest.approx(flat, rel=0.02)


def test_at_night_no_light_falls_on_any_plane():
    sine, _, _ = sun(47.9, 106.9, YEAR)
    light = light_on_plane(MONGOLIAN_STEPPE, "1", YEAR, 40)
    assert light.plane_w_per_m2[sine < 0].max() == 0
    assert light.plane_w_per_m2.min() >= 0
    assert light.plane_w_per_m2.max() < 1_400


@pytest.mark.parametrize(
    "climate", [MONGOLIAN_STEPPE, HANOI, CENTRAL_THAILAND, ADDU], ids=lambda each: str(each.latitude_deg)
)
def test_the_normals_come_out_again(climate):
    years = [air_degc(climate, str(seed), YEAR).mean() for seed in range(8)]
    assert np.mean(years) == pytest.approx(np.mean(climate.temperatures_degc), abs=0.5)
    sunny = np.mean([sunshine(climate, str(seed), YEAR).mean() for seed in range(8)])
    assert sunny == pytest.approx(np.mean(climate.sunshine_shares), abs=0.02)
    wind = np.mean([wind_m_per_s(climate, str(seed), YEAR).mean() for seed in range(8)])
    assert wind == pytest.approx(climate.wind_m_per_s, rel=0.05)


def test_afternoons_are_warmest_and_dawns_coldest():
    air = air_degc(CENTRAL_THAILAND, "1", YEAR)
    hour = (YEAR / 3_600_000 + CENTRAL_THAILAND.longitude_deg / 15) % 24
    by_hour = [air[(hour >= each) & (hour < each + 1)].mean() for each in range(24)]
    assert int(np.argmax(by_hour)) in (13, 14, 15)
    assert int(np.argmin(by_hour)) in (4, 5, 6)
    assert max(by_hour) - min(by_hour) == pytest.approx(CENTRAL_THAILAND.daily_swing_k, rel=0.15)


def test_wet_bulb_agrees_with_the_worked_example_of_its_source():
    # Stull (2011): 20 °C and 50 % give 13.7 °C.
    class Half:
        relative_humidity = 0.5

    assert wet_bulb_degc(Half, np.array([20.0]))[0] == pytest.approx(13.7, abs=0.05)


def test_steam_agrees_with_the_steam_table():
    # IAPWS-IF97 at 0.9 MPa: 175.35 °C, 2,773.0 kJ/kg; water of 80 °C: 335.0 kJ/kg.
    at = np.array([0.9])
    assert saturation_degc(at)[0] == pytest.approx(175.35, abs=0.5)
    assert heat_wh_per_kg(at, np.array([80.0]))[0] == pytest.approx((2_773.0 - 335.0) / 3.6, rel=0.001)
