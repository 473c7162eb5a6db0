"""The replay of measured power; it runs where the package with the measurements is installed."""

import os
from importlib.util import find_spec

import pytest

from metering.interval import DAY_MS, HOUR_MS
from simulators.errors import MeasuredDataError
from simulators.plants.solar import MONGOLIA_FARM, SolarPlant
from simulators.plants.solar_measured import measured_output

ORIGIN_MS = 1_766_505_600_000  # 2025-12-24T00:00+08:00
is_installed = find_spec("pvanalytics") is not None
installed = pytest.mark.skipif(
    not is_installed and os.environ.get("SAKUGEN_REQUIRE_REAL") != "1", reason="pip install 'sakugen[simulators-data]'"
)


@pytest.mark.real
@installed
def test_measured_power_peaks_at_one_around_noon_and_is_nothing_at_night():
    output = measured_output()
    day = [output(ORIGIN_MS + minute * 60_000) for minute in range(2 * 1_440)]
    assert max(day) == 1.0
    assert output(ORIGIN_MS) == output(ORIGIN_MS + 2 * HOUR_MS) == 0.0
    assert output(ORIGIN_MS + 13 * HOUR_MS) > 0.3


@pytest.mark.real
@installed
def test_the_two_measured_days_are_replayed_in_turn():
    output = measured_output()
    noons = [output(ORIGIN_MS + 13 * HOUR_MS + day * DAY_MS) for day in range(4)]
    assert noons[:2] == noons[2:]
    assert noons[0] != noons[1]


@pytest.mark.real
@installed
def test_measured_energy_of_a_day_is_the_file_s_scaled_to_the_plant():
    plant = SolarPlant("1", ORIGIN_MS, measured_output())
    plant_wh = sum(plant.exported_wh(ORIGIN_MS + day * DAY_MS, ORIGIN_MS + (day + 1) * DAY_MS) for day in range(2))
    # Summed from the file by hand: 33,674 and 35,551 power-hours over both days, at a peak of 4,628.5.
    assert plant_wh / sum(MONGOLIA_FARM.inverters_w) == pytest.approx(
        (33_674 + 35_551) / 4_628.5, rel=0.03
    )  # losses 1.5 %, own use, night


@pytest.mark.skipif(is_installed, reason="the package is installed")
def test_without_the_package_the_message_says_what_to_install():
    with pytest.raises(MeasuredDataError, match="simulators-data"):
        measured_output()
