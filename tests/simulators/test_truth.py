"""True reductions: against sums made here, and split where the civil year ends."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from metering.interval import HOUR_MS, Interval
from simulators.roster import OUTAGE, build_site
from simulators.truth import BoilerParameters, SolarParameters, StationParameters, TransformerParameters, truth

MONGOLIA, VIET_NAM = ZoneInfo("Asia/Ulaanbaatar"), ZoneInfo("Asia/Ho_Chi_Minh")


def period(zone):
    first, end = datetime(2025, 12, 29, tzinfo=zone), datetime(2026, 1, 3, tzinfo=zone)
    return Interval(int(first.timestamp() * 1000), int(end.timestamp() * 1000))


def new_year_ms(zone):
    return int(datetime(2026, 1, 1, tzinfo=zone).timestamp() * 1000)


def test_solar_truth_is_exported_energy_times_the_factor_in_two_vintages(settings_in):
    settings = settings_in()
    vintages = truth(settings, "demo-solar", period(MONGOLIA), MONGOLIA.key, SolarParameters(0.8))
    plant = build_site("solar", "1/demo-solar", settings.counters_from_ms).plant
    start, middle, end = period(MONGOLIA).start_ms, new_year_ms(MONGOLIA), period(MONGOLIA).end_ms
    assert [each.year for each in vintages] == [2025, 2026]
    exported = [plant.ac_bus(at_ms).energy_export_total_wh for at_ms in (start, middle, end)]
    assert vintages[0].reduction_tco2 == pytest.approx((exported[1] - exported[0]) / 1e6 * 0.8, rel=1e-6)
    assert vintages[1].reduction_tco2 == pytest.approx((exported[2] - exported[1]) / 1e6 * 0.8, rel=1e-6)
    assert all(each.reduction_tco2 > 1 and each.project_tco2 == 0 for each in vintages)


def test_boiler_truth_follows_its_equation(settings_in):
    settings = settings_in()
    parameters = BoilerParameters(0.6, 0.8, 0.1, 25_000, 0.8)
    vintages = truth(settings, "demo-boiler", period(MONGOLIA), MONGOLIA.key, parameters)
    boiler = build_site("heat-only-boiler", "1/demo-boiler", settings.counters_from_ms).plant
    start, end = period(MONGOLIA).start_ms, period(MONGOLIA).end_ms
    heat_gj = (boiler.heat_out(end).heat_total_wh - boiler.heat_out(start).heat_total_wh) * 3.6e-6
    minutes = sum(boiler.burner(at_ms).running for at_ms in range(start, end, 60_000))
    expected = (1 / 0.6 - 1 / 0.8) * heat_gj * 0.1 - 0.025 * minutes / 60 * 0.8
    assert sum(each.reduction_tco2 for each in vintages) == pytest.approx(expected, rel=1e-6)
    assert all(each.reduction_tco2 > 1 for each in vintages)


def test_transformer_truth_counts_energised_time_only(settings_in):
    parameters = TransformerParameters((StationParameters(40, 600.0, 250.0),) * 3, 0.5)
    interval = period(VIET_NAM)
    vintages = truth(settings_in(), "demo-transformers", interval, VIET_NAM.key, parameters)
    dark_h = OUTAGE.length_ms / HOUR_MS
    hours = [3 * 72 - dark_h, 3 * 48]
    for vintage, station_h in zip(vintages, hours, strict=True):
        assert vintage.reduction_tco2 == pytest.approx(40 * station_h * 350 / 1e6 * 0.5, rel=1e-9)


def test_parameters_of_another_methodology_are_refused(settings_in):
    with pytest.raises(TypeError, match="SolarParameters are not the parameters of a HeatOnlyBoiler"):
        truth(settings_in(), "demo-boiler", period(MONGOLIA), MONGOLIA.key, SolarParameters(0.8))
