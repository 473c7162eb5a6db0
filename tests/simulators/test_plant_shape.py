"""What every plant promises, whatever it is: the same bytes again, counters that only count, one shape for all."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from metering.interval import DAY_MS, HOUR_MS
from simulators.noise import normal, share_below, smooth, uniform
from simulators.plants.plant import MINUTE_MS, TRUTH
from simulators.roster import ROSTER

ORIGIN_MS = 1_766_505_600_000 + 17 * MINUTE_MS  # 2025-12-24T00:17+08:00: within a UTC day
INSTANTS = ORIGIN_MS + np.arange(0, 3 * DAY_MS, 4_567_891, dtype=np.int64)


def build(plant, seed="7"):
    return ROSTER[plant].build(seed, ORIGIN_MS, "synthetic")


def fields_of(state):
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}


@pytest.mark.parametrize("plant", ROSTER)
def test_many_instants_at_once_are_equal_to_each_alone_to_the_last_bit(plant):
    together, alone = build(plant), build(plant)
    for instrument, kind in together.instruments.items():
        columns = together.columns(instrument, INSTANTS)
        assert set(columns) == {field.name for field in dataclasses.fields(kind)}
        for index, at_ms in reversed(list(enumerate(INSTANTS.tolist()))):
            shown = fields_of(alone.state(instrument, at_ms))
            values = {name: row[..., index].tolist() for name, row in columns.items()}
            assert shown == {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


@pytest.mark.parametrize("plant", ROSTER)
def test_a_plant_of_another_seed_shows_something_else(plant):
    one, other = build(plant, "7"), build(plant, "8")
    instrument = next(iter(one.instruments))
    assert one.state(instrument, ORIGIN_MS + 30 * HOUR_MS) != other.state(instrument, ORIGIN_MS + 30 * HOUR_MS)


@pytest.mark.parametrize("plant", ROSTER)
def test_no_counter_ever_goes_down_not_even_over_midnight(plant):
    built = build(plant)
    midnight = ORIGIN_MS - ORIGIN_MS % DAY_MS + DAY_MS
    around_midnight = midnight + np.arange(-2_000, 2_000, 7, dtype=np.int64)
    for instrument, kind in built.instruments.items():
        for instants in (INSTANTS, around_midnight):
            columns = built.columns(instrument, instants)
            for counter in kind.COUNTERS:
                assert (np.diff(columns[counter]) >= 0).all(), (instrument, counter)
                assert columns[counter][0] >= 0


@pytest.mark.parametrize("plant", ROSTER)
def test_a_counter_counts_the_positive_or_the_negative_side_of_what_the_same_meter_shows(plant):
    built = build(plant)
    minutes = ORIGIN_MS + np.arange(1_440, dtype=np.int64) * MINUTE_MS
    for instrument, kind in built.instruments.items():
        columns = built.columns(instrument, minutes)
        for counter, value in kind.COUNTERS.items():
            rates = -columns[value[1:]] if value.startswith("-") else columns[value]
            counted = columns[counter][-1] - columns[counter][0]
            shown = np.maximum(0.0, rates[:-1]).sum() / 60
            # A counter of some 1e10 resolves 1e-6 of its unit.
            assert counted == pytest.approx(shown, rel=1e-9, abs=1e-4), (instrument, counter)


@pytest.mark.parametrize("plant", ROSTER)
def test_the_amount_of_an_interval_is_the_difference_of_the_counter(plant):
    built = build(plant)
    start_ms, end_ms = ORIGIN_MS + 5 * HOUR_MS + 1_234, ORIGIN_MS + 2 * DAY_MS + 77
    for instrument, kind in built.instruments.items():
        for counter in kind.COUNTERS:
            before = getattr(built.state(instrument, start_ms), counter)
            after = getattr(built.state(instrument, end_ms), counter)
            assert built.amount(instrument, counter, start_ms, end_ms) == pytest.approx(after - before, abs=1e-4)


@pytest.mark.parametrize("plant", ROSTER)
def test_no_value_is_missing_infinite_or_beyond_its_nature(plant):
    built = build(plant)
    for instrument in built.instruments:
        for name, row in built.columns(instrument, INSTANTS).items():
            assert np.isfinite(row).all(), (instrument, name)
            if "share" in name or name == "power_factor":
                assert ((row >= 0) & (row <= 1)).all(), (instrument, name)
            if name.startswith(("flow", "fuel", "speed", "heat", "pressure", "irradiance", "wind")):
                assert (row >= 0).all(), (instrument, name)


@pytest.mark.parametrize("plant", ROSTER)
def test_every_device_of_the_roster_shows_an_instrument_of_its_plant(plant):
    names = [placed.name for placed in ROSTER[plant].devices]
    assert set(names) <= set(build(plant).instruments)
    assert TRUTH not in names


def test_voltage_changes_from_second_to_second_and_energy_does_not_jump():
    plant = build("solar")
    seconds = ORIGIN_MS + 6 * HOUR_MS + np.arange(30, dtype=np.int64) * 1_000
    columns = plant.columns("ac-bus", seconds)
    assert len(set(columns["voltages_v"][0].tolist())) == 30
    assert len(set(columns["active_power_w"].tolist())) <= 2


def test_noise_has_the_distribution_that_it_promises():
    index = np.arange(200_000, dtype=np.int64)
    flat = uniform("1", "a", index)
    assert flat.mean() == pytest.approx(0.5, abs=0.003)
    assert flat.min() >= 0
    assert flat.max() < 1
    # 200,000 instants a quarter of a step apart are 50,000 independent draws: 3 standard errors are 0.013.
    score = normal("1", "b", index * 250, 1_000)
    assert score.mean() == pytest.approx(0.0, abs=0.014)
    assert score.std() == pytest.approx(1.0, abs=0.014)
    assert (share_below(score) < 0.3).mean() == pytest.approx(0.3, abs=0.007)


def test_series_of_other_names_or_seeds_have_nothing_in_common():
    index = np.arange(10_000, dtype=np.int64)
    one = uniform("1", "a", index)
    for other in (uniform("1", "b", index), uniform("2", "a", index), uniform("1", "a", index + 1)):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.04


@pytest.mark.parametrize("series", [smooth, normal])
def test_an_instant_has_its_number_whatever_is_asked_for_beside_it(series):
    at_ms = np.arange(-5_000, 20_000, 250, dtype=np.int64)
    together = series("1", "a", at_ms, 1_000)
    far = series("1", "a", np.array([at_ms[7], at_ms[90] + 10**9, at_ms[90]]), 1_000)
    assert together[[7, 90]] == pytest.approx(far[[0, 2]], abs=1e-12)
    assert len(set(np.round(together, 9).tolist())) > 90


def test_the_numbers_of_a_seed_are_written_down():
    # The same bytes on every run and on every machine: these come out of integers alone.
    assert uniform("1", "a", np.arange(3, dtype=np.int64)).tolist() == [
        0.1009213393144256,
        0.6249777615995005,
        0.5117827758375562,
    ]


@pytest.mark.parametrize("plant", ROSTER)
def test_the_readme_lists_every_plant_with_its_instruments(plant):
    text = (Path(__file__).parents[2] / "simulators" / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith(f"| `{plant}` | ") and "demo-" not in line]
    assert len(rows) == 1
    instruments = list(build(plant).instruments)
    assert instruments[0] in rows[0]
    assert instruments[-1] in rows[0]


DIGESTS = """
import hashlib, numpy as np
from simulators.roster import ROSTER
at = 1_766_505_600_000 + np.arange(0, 86_400_000, 600_000, dtype=np.int64)
for name, entry in ROSTER.items():
    plant, digest = entry.build("7", int(at[0]), "synthetic"), hashlib.sha256()
    for instrument in plant.instruments:
        for row in plant.columns(instrument, at).values():
            digest.update(row.tobytes())
    print(name, digest.hexdigest())
"""


def test_another_process_gets_the_same_bytes_of_every_plant():
    root = Path(__file__).parents[2]
    lines = [
        subprocess.run(
            [sys.executable, "-c", DIGESTS],
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        for seed in ("1", "2")
    ]
    assert lines[0] == lines[1]
    assert len(lines[0]) == len(ROSTER)


def test_counters_begin_at_the_origin_with_what_the_meter_shows_there():
    solar, wind = build("solar"), build("wind")
    assert solar.state("ac-bus", ORIGIN_MS).energy_import_total_wh == 187_654_321.0
    assert 1_000 <= wind.state("grid", ORIGIN_MS).energy_export_total_wh < 10_000
    assert wind.amount("mast", "wind_speed_m_per_s", ORIGIN_MS, ORIGIN_MS) == 0
