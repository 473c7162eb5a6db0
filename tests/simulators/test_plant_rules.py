"""One rule of physics at a time: what changes when one thing about a plant or its place changes."""

from dataclasses import replace

import numpy as np
import pytest

from metering.interval import DAY_MS, HOUR_MS
from simulators.plants.climate import air_degc, monthly
from simulators.plants.gas_cogeneration import CogenerationSite, GasCogeneration
from simulators.plants.heat_only_boiler import BoilerSite, HeatOnlyBoiler
from simulators.plants.operation import available, in_hours
from simulators.plants.places import MONGOLIAN_STEPPE
from simulators.plants.plant import MINUTE_MS, TRUTH
from simulators.plants.sky import light_on_plane
from simulators.plants.small_hydro import SmallHydro
from simulators.plants.solar import MONGOLIA_FARM, SolarPlant, array_w, inverted_w
from simulators.plants.transmission_line import LineSite, line_loss_w
from simulators.plants.waste_to_energy import WasteSite, WasteToEnergy
from simulators.plants.wind import WindFarm, WindSite

ORIGIN_MS = 1_735_689_600_000  # 2025-01-01, a Wednesday
DAY = ORIGIN_MS + np.arange(1_440, dtype=np.int64) * MINUTE_MS
YEAR = ORIGIN_MS + np.arange(0, 365 * DAY_MS, 600_000, dtype=np.int64)
STEPPE = MONGOLIAN_STEPPE
ONE = np.ones(1)


def test_snow_lights_up_a_steep_plane_and_not_a_flat_one():
    white, black = (replace(STEPPE, albedo=(albedo,) * 12) for albedo in (0.7, 0.0))
    steep = [light_on_plane(place, "1", YEAR, 60).plane_w_per_m2.sum() for place in (white, black)]
    flat = [light_on_plane(place, "1", YEAR, 0).plane_w_per_m2.sum() for place in (white, black)]
    # Half of what the ground throws back reaches a wall, a quarter a plane of 60°.
    level = light_on_plane(black, "1", YEAR, 60).global_w_per_m2.sum()
    assert steep[0] - steep[1] == pytest.approx(0.7 * 0.25 * level)
    assert flat[0] == flat[1]


def test_south_of_the_equator_modules_face_north():
    south = replace(STEPPE, latitude_deg=-35.0)
    june = YEAR[(YEAR > ORIGIN_MS + 151 * DAY_MS) & (YEAR < ORIGIN_MS + 181 * DAY_MS)]
    tilted, flat = (light_on_plane(south, "1", june, tilt).plane_w_per_m2.sum() for tilt in (40, 0))
    assert tilted > 1.3 * flat


def test_days_scatter_about_the_month_s_mean_as_the_place_says():
    noise = replace(STEPPE, daily_swing_k=0.0)
    scatter = np.concatenate(
        [air_degc(noise, str(seed), YEAR) - monthly(STEPPE.temperatures_degc, YEAR) for seed in range(6)]
    )
    assert scatter.std() == pytest.approx(STEPPE.weather_k, rel=0.05)


def test_dust_grows_until_it_rains():
    light, air = np.full(1_440, 800.0), np.full(1_440, 25.0)
    rainy, dry = (replace(MONGOLIA_FARM, rainy_days_share=share) for share in (1.0, 0.0))
    clean_w, dusty_w = (array_w(site, "1", DAY, light, air, ONE) for site in (rainy, dry))
    # Kimber: 0.15 % a day; nobody lets it go on for more than 60 days.
    assert dusty_w[0] / clean_w[0] == pytest.approx(1 - 60 * 0.0015)


def test_hot_modules_give_less_by_their_coefficient():
    light = np.full(1_440, 1_000.0)
    cold_w, hot_w = (array_w(MONGOLIA_FARM, "1", DAY, light, np.full(1_440, degc), ONE)[0] for degc in (-10.0, 30.0))
    # Both are 1000 / (25 + 6.84) = 31.4 K above the air.
    cell_degc = np.array([-10.0, 30.0]) + 1_000 / 31.84
    expected = 1 - 0.0038 * (cell_degc - 25)
    assert hot_w / cold_w == pytest.approx(expected[1] / expected[0])


def test_an_inverter_clips_at_its_rating_and_sleeps_below_a_hundredth():
    power = inverted_w(np.array([0.0, 5.0, 500.0, 2_000.0]), 1_000.0, 0.96)
    assert power[0] == power[1] == 0
    assert power[2] == pytest.approx(500 * 0.96 * (0.9858 - 0.0162 * 0.48 - 0.0059 / 0.48) / 0.9637)
    assert power[3] == 1_000.0


def test_an_inverter_that_stands_gives_nothing_for_a_day():
    broken = SolarPlant("1", ORIGIN_MS, site=replace(MONGOLIA_FARM, outage_days_share=1.0))
    assert broken.amount("inverter-1", "energy_total_wh", ORIGIN_MS, ORIGIN_MS + 3 * DAY_MS) == 0
    sound = SolarPlant("1", ORIGIN_MS, site=replace(MONGOLIA_FARM, outage_days_share=0.0))
    assert sound.amount("inverter-1", "energy_total_wh", ORIGIN_MS, ORIGIN_MS + 3 * DAY_MS) > 1e6


def test_a_curtailed_plant_gives_half_and_the_rest_is_known():
    def plant(**changes):
        return SolarPlant("1", ORIGIN_MS, site=replace(MONGOLIA_FARM, outage_days_share=0.0, **changes))

    free, limited = plant(curtailed_hours_share=0.0), plant(curtailed_hours_share=1.0, curtailed_to=0.2)
    span = (ORIGIN_MS + 100 * DAY_MS, ORIGIN_MS + 110 * DAY_MS)
    given, kept = (each.amount("inverter-1", "energy_total_wh", *span) for each in (free, limited))
    assert kept < 0.7 * given
    lost = limited.amount(TRUTH, "curtailed_w", *span)
    names = ("inverter-1", "inverter-2", "inverter-3")
    assert lost == pytest.approx(
        sum(
            each.amount(name, "energy_total_wh", *span) * sign
            for name in names
            for each, sign in ((free, 1), (limited, -1))
        )
    )
    assert free.amount(TRUTH, "curtailed_w", *span) == 0


def test_what_must_stay_in_the_river_stays_in_it():
    plant = SmallHydro("1", ORIGIN_MS)
    for day in range(0, 365, 30):
        minutes = plant.minutes(DAY + day * DAY_MS, {})
        taken = minutes["head-race"]["flow_m3_per_h"] / 3_600
        river = minutes[TRUTH]["river_m3_per_s"]
        assert (taken[taken > 0] <= river[taken > 0] - plant.site.residual_m3_per_s + 1e-9).all()


def test_thin_air_turns_a_rotor_less():
    low = WindSite(climate=replace(WindSite().climate, altitude_m=0.0))
    span = (ORIGIN_MS, ORIGIN_MS + 20 * DAY_MS)
    high_wh, low_wh = (
        WindFarm("1", ORIGIN_MS, site).amount("turbine-1", "energy_export_total_wh", *span) for site in (None, low)
    )
    # Below the rating power goes with density: 1,300 m are a seventh less air.
    assert 0.85 < high_wh / low_wh < 0.97


def test_a_warm_line_loses_more_by_the_coefficient_of_aluminium():
    site = LineSite(rated_rise_k=0.0)
    cold_w, warm_w = (line_loss_w(site, 300.0 * ONE, degc * ONE, 0.09)[0] for degc in (20.0, 30.0))
    assert cold_w == pytest.approx(3 * 300**2 * 0.09 * 60)
    assert warm_w / cold_w == pytest.approx(1.0403)


def test_on_sunday_nobody_works_who_works_six_days():
    greenwich = replace(STEPPE, longitude_deg=0.0)
    noon = ORIGIN_MS + 12 * HOUR_MS + np.arange(7, dtype=np.int64) * DAY_MS  # Wednesday to Tuesday
    assert in_hours(greenwich, noon, 8, 17, 6).tolist() == [1, 1, 1, 1, 0, 1, 1]
    assert in_hours(greenwich, noon, 8, 17, 5).tolist() == [1, 1, 1, 0, 0, 1, 1]
    assert in_hours(greenwich, noon, 13, 17).tolist() == [0] * 7


def test_a_machine_stands_for_whole_spells_and_as_often_as_it_says():
    hours = ORIGIN_MS + np.arange(24_000, dtype=np.int64) * HOUR_MS
    runs = available("1", "engine", hours, 0.9, 12)
    assert runs.mean() == pytest.approx(0.9, abs=0.02)  # 2,000 spells: 3 standard errors are 0.02
    changes = np.flatnonzero(np.diff(runs)) + 1
    assert set((changes + int(hours[0] // HOUR_MS)) % 12) == {0}


def test_rich_waste_gives_no_more_than_the_generator_can():
    rich = WasteToEnergy("1", ORIGIN_MS, WasteSite(waste_mj_per_kg=(20.0,) * 12, availability=1.0))
    power = -rich.columns("generator", DAY)["active_power_w"]
    assert power.max() == power.min() == WasteSite().rated_w


def test_a_banked_fire_burns_coal_without_giving_heat():
    plant = HeatOnlyBoiler("1", ORIGIN_MS)
    heat, coal = plant.columns("heat-out", DAY), plant.columns("coal", DAY)
    banked = heat["heat_power_w"] == 0
    assert banked.any()
    site = BoilerSite()
    expected = site.standby_share * site.rated_heat_w * 3.6e-3 / site.coal_mj_per_kg
    assert coal["flow_kg_per_h"][banked] == pytest.approx(expected)


@pytest.mark.parametrize(("demand", "runs"), [pytest.param(0.4, False, id="low"), pytest.param(0.95, True, id="high")])
def test_engines_stand_below_half_load(demand, runs):
    plant = GasCogeneration("1", ORIGIN_MS, CogenerationSite(electric_demand_share=demand, availability=1.0))
    gives = -plant.columns("generator", DAY)["active_power_w"] > 0
    assert (gives == runs).all()
    assert ((plant.columns("gas", DAY)["flow_nm3_per_h"] > 0) == runs).all()
