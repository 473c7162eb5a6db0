"""Physics of each plant: energy is kept, limits hold, and a year's total is what the field knows of such plants."""

import numpy as np
import pytest

from metering.interval import DAY_MS, HOUR_MS
from simulators.plants.absorption_chiller import AbsorptionChiller, heat_share
from simulators.plants.air_conditioning import AirConditioning, AirConditioningSite
from simulators.plants.base_station import BaseStation
from simulators.plants.biogas import METHANE_WH_PER_NM3, BiogasPlant
from simulators.plants.biomass_power import BiomassPower, net_mj_per_kg
from simulators.plants.chiller import Chiller, ChillerSite, electricity_share
from simulators.plants.fleet import Fleet
from simulators.plants.gas_cogeneration import CogenerationSite, GasCogeneration
from simulators.plants.geothermal import GeothermalBinary
from simulators.plants.heat_only_boiler import BoilerSite, HeatOnlyBoiler
from simulators.plants.led import Lighting
from simulators.plants.microgrid import Microgrid, MicrogridSite
from simulators.plants.operation import willans_fuel_w
from simulators.plants.plant import TRUTH
from simulators.plants.refinery import Refinery
from simulators.plants.small_hydro import HydroSite, SmallHydro, francis_efficiency
from simulators.plants.solar import MONGOLIA_FARM, SolarPlant
from simulators.plants.steam_boiler import SteamBoilers
from simulators.plants.storage import Storage, dispatch
from simulators.plants.transformer_station import Transformer, TransformerStations
from simulators.plants.transmission_line import TransmissionLine
from simulators.plants.waste_heat_recovery import WasteHeatRecovery, WasteHeatSite
from simulators.plants.waste_to_energy import WasteToEnergy
from simulators.plants.wind import WindFarm, WindSite, turbine_w

ORIGIN_MS = 1_735_689_600_000  # 2025-01-01
YEAR_MS = 365 * DAY_MS
YEAR_H = 8_760


class Year:
    """One plant over a year: `year("grid", "energy_export_total_wh")` is what happened in it."""

    def __init__(self, plant):
        self.plant = plant
        self._columns = {}

    def __call__(self, instrument, field):
        return self.plant.amount(instrument, field, ORIGIN_MS, ORIGIN_MS + YEAR_MS)

    def hours(self, instrument):
        """The columns of an instrument, each 61 minutes."""
        if not self._columns:
            self._columns = self._all_columns()
        return self._columns[instrument]

    def _all_columns(self):
        # Week by week for all instruments, so that each day is computed once.
        instants = np.arange(ORIGIN_MS, ORIGIN_MS + YEAR_MS, 61 * 60_000, dtype=np.int64)
        weeks = np.split(instants, np.searchsorted(instants, ORIGIN_MS + np.arange(7, 365, 7) * DAY_MS))
        parts = [{name: self.plant.columns(name, week) for name in self.plant.instruments} for week in weeks]
        return {
            name: {field: np.concatenate([part[name][field] for part in parts], axis=-1) for field in parts[0][name]}
            for name in self.plant.instruments
        }


def year_of(kind, *arguments):
    return Year(kind("1", ORIGIN_MS, *arguments))


def test_a_solar_year_in_mongolia_is_what_solar_plants_there_give():
    year = year_of(SolarPlant)
    # 16.4 MW at Khushig were announced with 23,134 MWh, 10 MW at Darkhan with 14,182: 1,410 and 1,418 Wh per W.
    # A mean year of a simple model is allowed a sixth about them.
    wh_per_w = year("ac-bus", "energy_export_total_wh") / MONGOLIA_FARM.module_power_w
    assert 1_180 < wh_per_w < 1_650
    assert 0 < year(TRUTH, "curtailed_w") < 0.02 * year("ac-bus", "energy_export_total_wh")
    for number, rating_w in enumerate(MONGOLIA_FARM.inverters_w, start=1):
        assert year.hours(f"inverter-{number}")["active_power_w"].max() <= rating_w


def test_a_boiler_burns_its_heat_by_its_efficiency_and_what_keeps_it_hot():
    year = year_of(HeatOnlyBoiler)
    heat_wh, fuel_wh = year("heat-out", "heat_total_wh"), year(TRUTH, "fuel_w")
    assert 0.70 < heat_wh / fuel_wh < BoilerSite().efficiency
    burnt_wh = year("coal", "mass_total_kg") * BoilerSite().coal_mj_per_kg / 3.6e-3
    assert burnt_wh == pytest.approx(fuel_wh)
    # 18 °C less the mean of the normals is 18.7 K, of 56 K at the design point: a third of the rating over a year.
    assert 0.28 < heat_wh / (BoilerSite().rated_heat_w * YEAR_H) < 0.42


def test_a_boiler_fires_more_in_january_than_in_july():
    plant = HeatOnlyBoiler("1", ORIGIN_MS)
    january = plant.running_h(ORIGIN_MS, ORIGIN_MS + 31 * DAY_MS)
    july = plant.running_h(ORIGIN_MS + 181 * DAY_MS, ORIGIN_MS + 212 * DAY_MS)
    assert january > 4 * july


def test_steam_is_fuel_by_the_efficiency_and_water_by_the_blow_down():
    year = year_of(SteamBoilers)
    assert year("steam", "heat_total_wh") / year(TRUTH, "fuel_w") == pytest.approx(0.95, abs=0.02)
    assert year("feed-water", "volume_total_m3") * 950 == pytest.approx(year("steam", "mass_total_kg"))
    assert year("gas", "volume_total_nm3") * 36 / 3.6e-3 == pytest.approx(year(TRUTH, "fuel_w"))


def test_a_transformer_loses_iron_all_the_time_and_copper_by_the_square_of_the_load():
    plant = TransformerStations("1", ORIGIN_MS, {"a": Transformer(outage_hours_share=0.01), "b": Transformer()})
    year = Year(plant)
    energised_h = plant.energised_h("a", ORIGIN_MS, ORIGIN_MS + YEAR_MS)
    assert energised_h == pytest.approx(0.99 * YEAR_H, abs=30)  # 3 standard errors of 8,760 draws
    assert plant.energised_h("b", ORIGIN_MS, ORIGIN_MS + YEAR_MS) == pytest.approx(YEAR_H)
    assert year(TRUTH, "a.no_load_loss_w") == pytest.approx(75.0 * energised_h)
    dark = year.hours("a")["voltages_v"][0] == 0
    assert (year.hours("a")["active_power_w"][dark] == 0).all()
    assert 0 < year(TRUTH, "b.load_loss_w") < year(TRUTH, "b.no_load_loss_w")


def test_a_chiller_takes_its_rated_electricity_at_the_rating_point_and_gives_heat_to_the_tower():
    one = np.ones(1)
    # AHRI: 44 °F and 85 °F; the published curves give 1 there to half a per cent.
    assert electricity_share(one, (44 - 32) / 1.8, (85 - 32) / 1.8 * one)[0] == pytest.approx(1, abs=0.01)
    year = year_of(Chiller)
    cooling, power = year("chilled-water", "heat_total_wh"), year("chiller", "energy_import_total_wh")
    assert year("cooling-water", "heat_total_wh") == pytest.approx(cooling + power)
    assert 0.75 * ChillerSite().cop < cooling / power < 1.3 * ChillerSite().cop


def test_the_heat_meter_in_chilled_water_agrees_with_its_flow_and_temperatures():
    columns = year_of(Chiller).hours("chilled-water")
    warmer_k = columns["return_temperature_degc"] - columns["supply_temperature_degc"]
    assert columns["heat_power_w"] == pytest.approx(columns["flow_m3_per_h"] * 1_163 * warmer_k, abs=1)


def test_an_absorption_chiller_lives_on_steam_first_and_its_cop_stays_near_its_own():
    assert heat_share(np.ones(1))[0] == pytest.approx(1, abs=1e-4)
    year = year_of(AbsorptionChiller)
    steam, gas = year("steam", "heat_total_wh"), year(TRUTH, "gas_w")
    assert year(TRUTH, "heat_w") == pytest.approx(steam + 0.85 * gas)
    assert 0 < gas < 0.2 * steam
    assert 1.2 < year("chilled-water", "heat_total_wh") / year(TRUTH, "heat_w") < 1.6


def test_air_conditioners_do_better_over_a_season_than_at_full_load():
    year = year_of(AirConditioning)
    power = sum(year(f"floor-{number}", "energy_import_total_wh") for number in (1, 2, 3))
    site = AirConditioningSite()
    full = site.capacity_w / site.full_power_w
    # CSPF of inverter units is one to two times the full-load value.
    assert full < year(TRUTH, "cooling_w") / power < 2 * full


def test_lamps_burn_while_the_shop_is_open_and_a_few_at_night():
    year = year_of(Lighting)
    open_h = year(TRUTH, "open")
    assert open_h == pytest.approx(12 * 365 * 0.99, abs=60)  # a week's worth of closed days either way
    power = year.hours("circuit-1")["active_power_w"]
    assert power.max() < 600 * 28 * 1.01
    assert power.min() == pytest.approx(0.04 * 600 * 28, rel=0.03)


def test_fuel_of_an_engine_is_its_efficiency_at_the_rating_and_never_better_below():
    power = np.array([0.0, 50.0, 100.0])
    fuel = willans_fuel_w(power, 100.0, 0.4, 0.1)
    assert fuel.tolist() == pytest.approx([0.0, 137.5, 250.0])


def test_cogeneration_never_gives_more_than_its_fuel():
    year = year_of(GasCogeneration)
    site = CogenerationSite()
    power, heat = year("generator", "energy_export_total_wh"), year("heat-used", "heat_total_wh")
    fuel = year(TRUTH, "fuel_w")
    assert power / fuel < site.efficiency
    assert heat + year(TRUTH, "dumped_heat_w") == pytest.approx(site.heat_share * fuel)
    assert (power + heat) / fuel < site.efficiency + site.heat_share < 1
    assert year("gas", "volume_total_nm3") * site.gas_mj_per_nm3 / 3.6e-3 == pytest.approx(fuel)


def test_biogas_is_burnt_in_engines_boilers_and_flare_and_nowhere_else():
    year = year_of(BiogasPlant)
    meters = ("engine-gas", "boiler-gas", "flare-gas")
    columns = [year.hours(name) for name in meters]
    burnt_w = sum(each["flow_nm3_per_h"] * each["methane_share"] * METHANE_WH_PER_NM3 for each in columns)
    assert burnt_w.mean() * YEAR_H == pytest.approx(year(TRUTH, "made_w"), rel=0.01)  # sampled each 61 minutes
    assert 0 < year("flare-gas", "volume_total_nm3") < year("engine-gas", "volume_total_nm3")
    flare = year.hours("flare")
    assert (flare["burning"] == (columns[2]["flow_nm3_per_h"] > 0)).all()
    assert (flare["temperature_degc"][flare["burning"]] > 800).all()


def test_a_quarter_of_the_digested_cod_is_methane():
    year = year_of(BiogasPlant)
    cod_kg = year("wastewater", "volume_total_m3") * year.plant.site.cod_kg_per_m3
    assert year(TRUTH, "methane_kg_per_h") == pytest.approx(cod_kg * year.plant.site.digested_share * 0.25)


def test_waste_heat_follows_the_kilns_and_stays_within_the_turbine():
    year = year_of(WasteHeatRecovery)
    site = WasteHeatSite()
    power = year.hours("generator")["active_power_w"]
    assert -power.min() <= site.rated_w
    clinker_t = sum(year(f"kiln-{number}", "mass_total_kg") for number in range(1, 5)) / 1_000
    # IFC (2014): 25 to 45 kWh a tonne where the exhaust is hot and dry; less where the raw mill takes its heat first.
    assert 15 < year("generator", "energy_export_total_wh") / 1_000 / clinker_t < 45
    # Low-grade steam: a sixth of the heat, not a third.
    assert 0.10 < site.rated_w / site.nominal_heat_w() < 0.25


def test_a_turbine_takes_less_than_the_river_and_gives_less_than_the_water_holds():
    year = year_of(SmallHydro)
    site = HydroSite()
    flow = year.hours("head-race")["flow_m3_per_h"] / 3_600
    assert flow.max() <= site.design_m3_per_s
    assert (flow[flow > 0] >= site.least_flow_share * site.design_m3_per_s - 1e-9).all()
    assert year("generator", "energy_export_total_wh") < site.peak_efficiency * year(TRUTH, "hydraulic_w")
    grid = year("grid", "energy_export_total_wh") - year("grid", "energy_import_total_wh")
    assert grid == pytest.approx(
        year("generator", "energy_export_total_wh") - year("station-use", "energy_import_total_wh")
    )


def test_a_francis_turbine_is_best_below_its_design_flow():
    shares = np.linspace(0.3, 1.0, 71)
    efficiency = francis_efficiency(shares, HydroSite())
    best = shares[efficiency.argmax()]
    assert efficiency.max() == pytest.approx(HydroSite().peak_efficiency, abs=1e-4)
    assert 0.7 < best < 0.9
    assert efficiency[0] < efficiency[-1] < efficiency.max()


def test_a_wind_turbine_stays_below_betz_and_its_rating():
    site = WindSite()
    wind = np.linspace(0, 30, 301)
    power = turbine_w(wind, site)
    stream_w = 0.5 * 1.225 * np.pi / 4 * site.rotor_m**2 * wind**3
    assert (power <= 16 / 27 * stream_w + 1e-9).all()
    assert power.max() == site.rated_w
    assert power[wind < 3].max() == power[wind >= 25].max() == 0
    year = year_of(WindFarm)
    # Mongolia's wind farms have capacity factors between 0.30 and 0.42.
    assert 0.25 < year("grid", "energy_export_total_wh") / (5 * site.rated_w * YEAR_H) < 0.50


def test_geothermal_electricity_is_a_share_of_the_brine_s_heat_and_falls_with_the_air_s_warmth():
    year = year_of(GeothermalBinary)
    # Binary plants on 150 to 180 °C make 9 to 13 % of the heat into electricity (DiPippo, 2007).
    assert 0.09 < year("generator", "energy_export_total_wh") / year("brine", "heat_total_wh") < 0.13
    hot = GeothermalBinary("1", ORIGIN_MS)
    times = np.arange(ORIGIN_MS, ORIGIN_MS + 60 * DAY_MS, 7 * 60_000, dtype=np.int64)
    power, air = -hot.columns("generator", times)["active_power_w"], hot.columns("vent", times)["temperature_degc"]
    heat = hot.columns("brine", times)["heat_power_w"]
    runs = (heat > 0) & (power < 5_599_000)
    assert np.corrcoef(power[runs] / heat[runs], air[runs])[0, 1] < -0.9
    assert year("vent", "volume_total_nm3") == 0


def test_biomass_is_weighed_with_its_water():
    assert net_mj_per_kg(17.5, np.array([0.0]))[0] == 17.5
    year = year_of(BiomassPower)
    # 12 MW on wet bunches burn some 20 to 30 t/h.
    running_h = year(TRUTH, "running")
    assert 15_000 < year("fuel", "mass_total_kg") / running_h < 32_000
    net = year("grid", "energy_export_total_wh") - year("grid", "energy_import_total_wh")
    assert net == pytest.approx(
        year("generator", "energy_export_total_wh") - year("auxiliary", "energy_import_total_wh")
    )
    assert year("diesel", "volume_total_m3") > 0


def test_a_small_incinerator_gives_some_hundred_kilowatt_hours_a_tonne():
    year = year_of(WasteToEnergy)
    kwh_per_t = year("generator", "energy_export_total_wh") / year("waste", "mass_total_kg")
    assert 150 < kwh_per_t < 400  # BREF (2019): 400 to 700 in large plants, half in small ones
    assert year("diesel", "volume_total_m3") > 0


def test_an_island_is_served_in_every_minute_and_its_battery_loses_what_it_loses():
    year = year_of(Microgrid)
    hours = {name: year.hours(name)["active_power_w"] for name in ("solar", "battery-meter", "gensets", "feeder")}
    served = -hours["solar"] - hours["gensets"] - hours["battery-meter"]
    assert served == pytest.approx(hours["feeder"], abs=1e-3)
    battery = MicrogridSite().battery
    charged, discharged = year("battery", "charged_total_wh"), year("battery", "discharged_total_wh")
    round_trip = battery.one_way_efficiency**2
    assert discharged == pytest.approx(round_trip * charged, abs=battery.capacity_wh)
    shares = year.hours("battery")["charge_share"]
    assert shares.min() >= battery.least_share - 1e-9
    assert shares.max() <= 1 + 1e-9
    assert (-hours["gensets"]).min() >= MicrogridSite().least_genset_w


def test_a_full_battery_spills_and_an_empty_one_calls_the_generator():
    battery = Storage(capacity_wh=1_000.0, power_w=500.0, one_way_efficiency=0.9)
    minute = np.ones(1)
    full = dispatch(800 * minute, 100 * minute, battery, 1.0, 200.0, always_on=False)
    assert (full.spilled_w[0], full.battery_w[0], full.genset_w[0]) == (700.0, 0.0, 0.0)
    empty = dispatch(0 * minute, 100 * minute, battery, 0.1, 200.0, always_on=False)
    assert empty.genset_w[0] == 200.0
    assert empty.battery_w[0] == 100.0
    half = dispatch(0 * minute, 100 * minute, battery, 0.5, 200.0, always_on=False)
    assert (half.genset_w[0], half.battery_w[0]) == (0.0, -100.0)
    assert half.charge_share[0] == pytest.approx(0.5 - 100 / 60 / 0.9 / 1_000)


def test_a_base_station_never_goes_dark_and_burns_diesel_only_when_sun_and_battery_are_out():
    year = year_of(BaseStation)
    load, sun = year.hours("load")["active_power_w"], -year.hours("solar")["active_power_w"]
    genset, battery = -year.hours("genset")["active_power_w"], year.hours("battery")["active_power_w"]
    assert sun + genset - battery == pytest.approx(load, abs=1e-6)
    alone = year("load", "energy_import_total_wh")
    assert 0 < year("genset", "energy_export_total_wh") < 0.5 * alone


def test_a_line_loses_what_its_two_meters_differ_by_and_less_than_the_old_one():
    year = year_of(TransmissionLine)
    sent, received = year("sent", "energy_import_total_wh"), year("received", "energy_import_total_wh")
    assert sent - received == pytest.approx(year(TRUTH, "loss_w"), rel=1e-6)
    assert 0.01 < (sent - received) / received < 0.05
    assert year(TRUTH, "reference_loss_w") / year(TRUTH, "loss_w") == pytest.approx(0.1181 / 0.0900)


def test_trucks_drive_and_burn_as_trucks_do():
    year = year_of(Fleet)
    litres_per_100_km = 100 * year(TRUTH, "fuel_l") / year(TRUTH, "distance_km")
    assert 14 < litres_per_100_km < 32  # 11 t, town and highway
    columns = year.hours("truck-1")
    assert columns["speed_km_per_h"].max() < 80
    assert (columns["fuel_flow_l_per_h"][~columns["ignition"]] == 0).all()
    assert (columns["speed_km_per_h"][~columns["ignition"]] == 0).all()


def test_better_control_of_a_furnace_saves_about_a_per_cent_and_never_costs():
    year = year_of(Refinery)
    fuel, reference = year(TRUTH, "fuel_w"), year(TRUTH, "reference_fuel_w")
    assert 0.005 < 1 - fuel / reference < 0.03
    assert year(TRUTH, "duty_w") < fuel
    assert year("fuel-gas", "volume_total_nm3") * 40 / 3.6e-3 == pytest.approx(fuel)


def test_a_plant_is_reproducible_from_the_middle_of_a_year():
    early, late = Microgrid("3", ORIGIN_MS), Microgrid("3", ORIGIN_MS)
    instant = ORIGIN_MS + 20 * DAY_MS + 11 * HOUR_MS
    for day in range(20):
        early.state("battery", ORIGIN_MS + day * DAY_MS)
    assert early.state("battery", instant) == late.state("battery", instant)
