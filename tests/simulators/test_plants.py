"""Physics: reproducible, monotone, and the counters are the integrals of the power shown."""

import math
from itertools import pairwise

import numpy as np
import pytest

from metering.interval import DAY_MS, HOUR_MS
from simulators.errors import TooEarlyError
from simulators.plants.heat_only_boiler import RATED_ELECTRIC_POWER_W, RATED_HEAT_W, HeatOnlyBoiler
from simulators.plants.plant import MINUTE_MS
from simulators.plants.sky import sun
from simulators.plants.solar import MONGOLIA_FARM, SolarPlant
from simulators.plants.transformer_station import TransformerStation
from simulators.roster import DEVICES, OUTAGE, build_site

ORIGIN_MS = 1_766_505_600_000  # 2025-12-24T00:00+08:00
NOON_MS = ORIGIN_MS + 13 * HOUR_MS


@pytest.mark.parametrize("plant", DEVICES)
def test_the_same_seed_gives_the_same_registers_in_whatever_order_they_are_asked_for(plant):
    instants = [ORIGIN_MS + step * 3_333_333 for step in range(40)]
    forward, backward = build_site(plant, "7", ORIGIN_MS), build_site(plant, "7", ORIGIN_MS)
    for one, other in zip(forward.instruments, backward.instruments, strict=True):
        earlier_first = [one.image(at_ms).registers for at_ms in instants]
        later_first = [other.image(at_ms).registers for at_ms in reversed(instants)]
        assert earlier_first == later_first[::-1]


@pytest.mark.parametrize("plant", [plant for plant, devices in DEVICES.items() if devices])
def test_another_seed_is_another_plant(plant):
    one, other = build_site(plant, "7", ORIGIN_MS), build_site(plant, "8", ORIGIN_MS)
    assert one.instruments[-1].image(NOON_MS).registers != other.instruments[-1].image(NOON_MS).registers


@pytest.mark.parametrize("plant", DEVICES)
def test_an_instrument_has_the_same_addresses_by_day_and_night(plant):
    for instrument in build_site(plant, "7", ORIGIN_MS).instruments:
        assert instrument.image(NOON_MS).registers.keys() == instrument.image(ORIGIN_MS).registers.keys()


def test_counters_never_go_down_and_begin_far_above_zero():
    solar, boiler = SolarPlant("1", ORIGIN_MS), HeatOnlyBoiler("1", ORIGIN_MS)
    station = TransformerStation("1", ORIGIN_MS)
    counters = {
        "export": lambda at_ms: solar.ac_bus(at_ms).energy_export_total_wh,
        "import": lambda at_ms: solar.ac_bus(at_ms).energy_import_total_wh,
        "inverter": lambda at_ms: solar.inverter(1, at_ms).energy_total_wh,
        "heat": lambda at_ms: boiler.heat_out(at_ms).heat_total_wh,
        "volume": lambda at_ms: boiler.heat_out(at_ms).volume_total_m3,
        "auxiliaries": lambda at_ms: boiler.auxiliaries(at_ms).energy_import_total_wh,
        "station": lambda at_ms: station.low_voltage_side(at_ms).energy_import_total_wh,
    }
    for name, counter in counters.items():
        values = [counter(ORIGIN_MS + step * 700_001) for step in range(250)]
        assert values == sorted(values), name
        assert values[-1] > values[0], name
        assert values[0] > 10_000, name


def test_a_counter_is_the_integral_of_the_power_that_is_shown():
    plant = SolarPlant("1", ORIGIN_MS)
    minutes = [NOON_MS + step * MINUTE_MS for step in range(90)]
    shown_wh = sum(plant.inverter(0, at_ms).active_power_w / 60 for at_ms in minutes)
    counted_wh = (
        plant.inverter(0, minutes[-1] + MINUTE_MS).energy_total_wh - plant.inverter(0, minutes[0]).energy_total_wh
    )
    assert counted_wh == pytest.approx(shown_wh, rel=1e-9)
    half_minute_wh = plant.inverter(0, NOON_MS + 30_000).energy_total_wh - plant.inverter(0, NOON_MS).energy_total_wh
    assert half_minute_wh == pytest.approx(plant.inverter(0, NOON_MS).active_power_w / 120, rel=1e-6)


def test_an_instant_before_the_counters_began_is_refused():
    with pytest.raises(TooEarlyError, match="counters_from"):
        SolarPlant("1", ORIGIN_MS).ac_bus(ORIGIN_MS - 1)


def test_the_sun_stands_as_high_as_astronomy_says_at_midwinter_and_midsummer_noon():
    for day_ms, declination_deg in ((1_766_275_200_000, -23.44), (1_782_000_000_000, 23.44)):
        day = day_ms + np.arange(1_440, dtype=np.int64) * MINUTE_MS
        highest = sun(47.9, 106.9, day)[0].max()
        assert math.degrees(math.asin(highest)) == pytest.approx(90 - 47.9 + declination_deg, abs=0.3)


def test_the_solar_plant_sleeps_at_night_and_stays_below_its_rating():
    plant = SolarPlant("1", ORIGIN_MS)
    night = plant.ac_bus(ORIGIN_MS + 2 * HOUR_MS)
    assert night.active_power_w == MONGOLIA_FARM.own_use_w
    assert not plant.inverter(0, ORIGIN_MS + 2 * HOUR_MS).producing
    rating_w = sum(MONGOLIA_FARM.inverters_w)
    peak_w = max(-plant.ac_bus(ORIGIN_MS + step * 10 * MINUTE_MS).active_power_w for step in range(7 * 144))
    assert 0.25 * rating_w < peak_w < rating_w


def test_the_revenue_meter_counts_what_the_inverters_gave_less_losses_and_own_use():
    plant = SolarPlant("1", ORIGIN_MS)
    produced_w = sum(plant.inverter(index, NOON_MS).active_power_w for index in range(3))
    assert produced_w > 0
    delivered_w = produced_w * (1 - MONGOLIA_FARM.line_loss_share) - MONGOLIA_FARM.own_use_w
    assert -plant.ac_bus(NOON_MS).active_power_w == pytest.approx(delivered_w)


def test_burner_states_last_longer_than_a_polling_interval():
    boiler = HeatOnlyBoiler("1", ORIGIN_MS)
    states = [boiler.burner(ORIGIN_MS + step * MINUTE_MS).running for step in range(7 * 1_440)]
    changes = [step for step in range(1, len(states)) if states[step] != states[step - 1]]
    assert min(after - before for before, after in pairwise(changes)) > 15
    assert 0.4 < sum(states) / len(states) < 0.95


def test_heat_is_flow_times_temperature_difference():
    boiler = HeatOnlyBoiler("1", ORIGIN_MS)
    firing = next(at_ms for at_ms in range(NOON_MS, NOON_MS + DAY_MS, HOUR_MS) if boiler.burner(at_ms).running)
    heat = boiler.heat_out(firing)
    difference_k = heat.supply_temperature_degc - heat.return_temperature_degc
    assert heat.heat_power_w == pytest.approx(heat.flow_m3_per_h * difference_k * 1_163)
    assert heat.heat_power_w <= RATED_HEAT_W
    assert boiler.auxiliaries(firing).active_power_w <= RATED_ELECTRIC_POWER_W


def test_the_second_station_is_dark_for_about_an_hour_and_the_others_are_not():
    site = build_site("transformer-stations", "1", ORIGIN_MS)
    assert OUTAGE.length_ms == pytest.approx(HOUR_MS, rel=0.05)
    for number, name in enumerate(DEVICES["transformer-stations"], start=1):
        volts = site.plant.state(name, OUTAGE.start_ms + 20 * MINUTE_MS).voltages_v
        assert (volts == (0.0, 0.0, 0.0)) is (number == 2)
        assert all(200 < each < 245 for each in site.plant.state(name, OUTAGE.end_ms).voltages_v)


def test_energised_time_leaves_out_the_part_of_the_outage_within_the_interval():
    plant = build_site("transformer-stations", "1", ORIGIN_MS).plant
    assert plant.energised_h("station-2", OUTAGE.start_ms - HOUR_MS, OUTAGE.end_ms + HOUR_MS) == pytest.approx(2)
    assert plant.energised_h("station-2", OUTAGE.start_ms - HOUR_MS, OUTAGE.start_ms + 60_000) == pytest.approx(1)
