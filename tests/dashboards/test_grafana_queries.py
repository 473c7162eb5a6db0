"""Every panel's query, run against a real influxd that holds known readings; the numbers are worked out here."""

import json
import re
from collections import defaultdict
from itertools import accumulate, pairwise
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from dashboards.grafana import build

pytestmark = pytest.mark.real

MINUTE, HOUR = 60_000, 3_600_000
START_MS = 1_767_189_600_000  # 2025-12-31T14:00:00Z
SLOTS = [START_MS + index * 15 * MINUTE for index in range(24)]
END_MS = START_MS + 6 * HOUR
INTERVAL_MS = 30 * MINUTE

FARM, HEAT, GRID = "mongolia-farm", "ulaanbaatar-heat", "hanoi-grid"
SITES = {FARM: ["ac-bus", "inverter-1"], HEAT: ["boiler-aux", "burner", "heat-out"], GRID: ["station-1"]}


def known_readings():
    """Make {(site, point, field): {slot: value}}: a gap of ninety minutes, a reset, a stopped burner, an outage."""
    readings = defaultdict(dict)
    for index, slot in enumerate(SLOTS):
        if not 8 <= index < 14:
            readings[FARM, "ac-bus", "energy_export_total_wh"][slot] = 1_000_000.0 + 1_500 * index
        readings[FARM, "inverter-1", "active_power_w"][slot] = 6_000.0 - 125 * index
        readings[FARM, "inverter-1", "energy_export_total_wh"][slot] = 500_000.0 + 250 * index
        since_reset = index if index < 10 else index - 10
        readings[HEAT, "boiler-aux", "energy_import_total_wh"][slot] = 8_000.0 + 64 * since_reset
        readings[HEAT, "burner", "burner_state"][slot] = float(index % 8 < 5)
        readings[HEAT, "heat-out", "heat_total_j"][slot] = 9.0e11 + 2.5e8 * index
        readings[HEAT, "heat-out", "heat_power_w"][slot] = 300_000.0 + 512 * index
        readings[HEAT, "heat-out", "supply_temperature_degc"][slot] = 80.0 + index / 8
        readings[HEAT, "heat-out", "return_temperature_degc"][slot] = 60.0 - index / 8
        for phase in (1, 2, 3):
            energised = 0.0 if index in {16, 17} else 228.0 + phase + index / 4
            readings[GRID, "station-1", f"voltage_l{phase}_v"][slot] = energised
    return dict(readings)


READINGS = known_readings()
REDUCTIONS = {
    "solar": {START_MS + at * HOUR: 0.25 * at for at in range(6) if at != 3},
    "boiler": {START_MS + at * HOUR: 1.5 - at for at in range(6)},
}
PER_HOUR, IN_SUM = "Emission reductions, per hour [tCO2e]", "Emission reductions, in sum [tCO2e]"


def line_protocol():
    return "\n".join(
        f"reading,point={point},site={site} {field}={value!r} {slot}"
        for (site, point, field), values in READINGS.items()
        for slot, value in values.items()
    )


def reduction_lines():
    return "".join(
        f"\nreduction,project={project} reduction_tco2e={value!r},provisional=true {hour}"
        for project, values in REDUCTIONS.items()
        for hour, value in values.items()
    )


# --- what each panel must show, from the readings alone


def buckets(values, width_ms):
    """Group values by interval: {start of the interval: values in time order}."""
    grouped = defaultdict(list)
    for slot in sorted(values):
        grouped[slot - slot % width_ms].append(values[slot])
    return grouped


def every_interval(shown, otherwise):
    return {at: shown.get(at, otherwise) for at in range(START_MS, END_MS, INTERVAL_MS)}


def mean(values):
    return every_interval({at: sum(group) / len(group) for at, group in buckets(values, INTERVAL_MS).items()}, None)


def count(values):
    return every_interval({at: len(group) for at, group in buckets(values, INTERVAL_MS).items()}, 0)


def last(values):
    return {at: group[-1] for at, group in buckets(values, INTERVAL_MS).items()}


def hourly_increase(values):
    lasts = [(at, group[-1]) for at, group in sorted(buckets(values, HOUR).items())]
    steps = [(at, value - before) for (_, before), (at, value) in pairwise(lasts)]
    return {at: step for at, step in steps if step >= 0}


CREDITED = ("energy_export_total_wh", "energy_import_total_wh", "heat_total_j", "burner_state", "voltage_l1_v")
EXPECTED = {
    "Where readings are missing": [(count, field) for field in CREDITED],
    "Active power": [(mean, "active_power_w")],
    "Energy out of the site, per hour": [(hourly_increase, "energy_export_total_wh")],
    "Energy into the site, per hour": [(hourly_increase, "energy_import_total_wh")],
    "Heat delivered, per hour": [(hourly_increase, "heat_total_j")],
    "Heat power": [(mean, "heat_power_w")],
    "Supply and return temperature": [(mean, "supply_temperature_degc"), (mean, "return_temperature_degc")],
    "Burner": [(last, "burner_state")],
    "Phase voltages": [(mean, f"voltage_l{phase}_v") for phase in (1, 2, 3)],
}


def expected_series(rule, field, sites):
    return {
        (site, point): rule(values)
        for (site, point, name), values in READINGS.items()
        if name == field and site in sites
    }


# --- as Grafana asks


def as_regex(choices):
    return choices[0] if len(choices) == 1 else f"({'|'.join(choices)})"


def substituted(query, sites):
    points = [point for site in sites for point in SITES[site]]
    for name, text in {
        "$timeFilter": f"time >= {START_MS}ms and time <= {END_MS - 1}ms",
        "$__interval": f"{INTERVAL_MS // 1000}s",
        "${site:regex}": as_regex(sites),
        "${point:regex}": as_regex(points),
    }.items():
        query = query.replace(name, text)
    assert not re.search(r"\$[\w{]", query), query
    return query


def ask(influxd, query):
    address = f"http://{influxd.host}:{influxd.port}/query?{urlencode({'db': 'sakugen', 'epoch': 'ms', 'q': query})}"
    with urlopen(address, timeout=10) as answer:
        (result,) = json.load(answer)["results"]
    assert "error" not in result, f"{query}: {result}"
    return result.get("series", [])


def drawn(influxd, query):
    """Fetch what a trend shows: {(site, point): {interval: value}}."""
    return {
        (series["tags"]["site"], series["tags"]["point"]): {at: value for at, value in series["values"]}  # noqa: C416
        for series in ask(influxd, query)
    }


@pytest.fixture
def store(influxd):
    base = f"http://{influxd.host}:{influxd.port}"
    create = urlencode({"q": "CREATE DATABASE sakugen"}).encode()
    urlopen(Request(f"{base}/query", data=create), timeout=10).close()
    lines = (line_protocol() + reduction_lines()).encode()
    urlopen(Request(f"{base}/write?db=sakugen&precision=ms", data=lines), timeout=10).close()
    return influxd


def panels():
    return [panel for panel in build.dashboard()["panels"] if panel["type"] != "row"]


def test_every_panel_shows_the_numbers_that_follow_from_the_readings(store):
    for panel in panels():
        if panel["title"] not in EXPECTED:
            continue
        for target, (rule, field) in zip(panel["targets"], EXPECTED[panel["title"]], strict=True):
            shown = drawn(store, substituted(target["query"], list(SITES)))
            assert shown == expected_series(rule, field, SITES), f"{panel['title']}, {field}"


def test_reductions_are_shown_by_hour_and_in_sum(store):
    def shown(title):
        (panel,) = [panel for panel in panels() if panel["title"] == title]
        (target,) = panel["targets"]
        series = ask(store, substituted(target["query"], list(SITES)))
        return {one["tags"]["project"]: {at: value for at, value in one["values"]} for one in series}  # noqa: C416

    assert shown(PER_HOUR) == REDUCTIONS
    totals = shown(IN_SUM)
    for project, hours in REDUCTIONS.items():
        assert list(totals[project].values()) == list(accumulate(hours.values()))


def test_a_gap_of_ninety_minutes_is_shown_as_silence_and_not_as_zero_power(store):
    (silence,) = [panel for panel in panels() if panel["title"] == "Where readings are missing"]
    counts = drawn(store, substituted(silence["targets"][0]["query"], list(SITES)))[FARM, "ac-bus"]
    silent = [at for at, number in counts.items() if number == 0]
    assert silent == [SLOTS[8], SLOTS[10], SLOTS[12]]


def test_a_counter_that_restarts_leaves_no_negative_bar(store):
    (bars,) = [panel for panel in panels() if panel["title"] == "Energy into the site, per hour"]
    increase = drawn(store, substituted(bars["targets"][0]["query"], list(SITES)))[HEAT, "boiler-aux"]
    assert SLOTS[8] not in increase, "the counter restarts in the hour that begins at the ninth slot"
    assert set(increase.values()) == {4 * 64.0}


def test_the_age_table_has_one_row_a_point_with_the_time_of_its_newest_reading(store):
    (table,) = [panel for panel in panels() if panel["title"] == "Age of the last reading"]
    rows = ask(store, substituted(table["targets"][0]["query"], list(SITES)))
    newest = {(row["tags"]["site"], row["tags"]["point"]): values[0] for row in rows for values in row["values"]}
    assert newest == {(site, point): SLOTS[-1] for site, points in SITES.items() for point in points}


def test_a_chosen_site_is_the_only_one_shown(store):
    for panel in panels():
        for target in panel["targets"]:
            series = ask(store, substituted(target["query"], [HEAT]))
            assert {one["tags"].get("site", HEAT) for one in series} <= {HEAT}, panel["title"]


def test_the_variables_offer_the_sites_and_the_points_of_the_chosen_site(store):
    site, point = build.dashboard()["templating"]["list"]
    assert offered(store, site["query"]) == set(SITES)
    assert offered(store, substituted(point["query"], [HEAT])) == set(SITES[HEAT])


def offered(influxd, query):
    return {value for series in ask(influxd, query) for _, value in series["values"]}


def test_no_query_is_left_untested():
    assert {panel["title"] for panel in panels()} == set(EXPECTED) | {"Age of the last reading", PER_HOUR, IN_SUM}
    assert not re.findall(r"\bFROM \\\"(?!reading|reduction)", build.text())
