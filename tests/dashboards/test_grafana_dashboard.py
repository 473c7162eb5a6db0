"""The dashboard's shape: everything that can be known without a Grafana server."""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from dashboards.grafana import build
from metering.measurands import MEASURANDS

GRAFANA = Path(build.__file__).parent
DASHBOARD = build.dashboard()
PANELS = DASHBOARD["panels"]
DRAWN = [panel for panel in PANELS if panel["type"] != "row"]
QUERIES = [target["query"] for panel in DRAWN for target in panel["targets"]]


def provisioned(kind):
    (document,) = yaml.safe_load_all((GRAFANA / "provisioning" / kind / "sakugen.yaml").read_text("utf-8"))
    return document


def test_the_committed_dashboard_is_what_the_builder_makes():
    assert (GRAFANA / build.FILE_NAME).read_text("utf-8") == build.text()


def test_build_writes_the_dashboard_where_it_is_told(tmp_path):
    written = build.build(tmp_path)
    assert written == tmp_path / "sakugen-overview.json"
    assert json.loads(written.read_text("utf-8")) == DASHBOARD


def test_panel_ids_are_unique():
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_panels_stay_on_the_grid_and_never_overlap():
    cells = {
        panel["id"]: {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        for panel in PANELS
        for place in [panel["gridPos"]]
    }
    assert all(0 <= x < 24 for own in cells.values() for x, _ in own)
    for (first, own), (second, other) in combinations(cells.items(), 2):
        assert not own & other, f"panels {first} and {second} overlap"


def test_every_row_of_panels_fills_the_width():
    rows = {panel["gridPos"]["y"] for panel in PANELS}
    for y in rows:
        assert sum(panel["gridPos"]["w"] for panel in PANELS if panel["gridPos"]["y"] == y) == 24


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_panel_has_a_title(panel):
    assert panel["title"].strip()


@pytest.mark.parametrize("panel", DRAWN, ids=lambda panel: panel["title"])
def test_every_panel_has_a_unit_and_its_queries_have_ids_of_their_own(panel):
    assert panel["fieldConfig"]["defaults"]["unit"]
    letters = [target["refId"] for target in panel["targets"]]
    assert letters
    assert len(set(letters)) == len(letters)


def test_every_source_is_the_provisioned_one():
    (source,) = provisioned("datasources")["datasources"]
    used = {panel["datasource"]["uid"] for panel in DRAWN}
    used |= {target["datasource"]["uid"] for panel in DRAWN for target in panel["targets"]}
    used |= {variable["datasource"]["uid"] for variable in DASHBOARD["templating"]["list"]}
    assert used == {source["uid"]}


def test_the_source_speaks_influxql_with_a_token_that_comes_from_the_environment():
    (source,) = provisioned("datasources")["datasources"]
    assert source["type"] == "influxdb"
    assert "version" not in source["jsonData"], "Flux and SQL would be named here; InfluxQL is what runs everywhere"
    assert source["jsonData"]["dbName"] == "$SAKUGEN_INFLUX_DATABASE"
    assert source["jsonData"]["httpHeaderName1"] == "Authorization"
    assert source["secureJsonData"]["httpHeaderValue1"] == "Token $SAKUGEN_INFLUX_TOKEN"


def test_the_provider_points_at_a_folder_of_dashboards():
    (provider,) = provisioned("dashboards")["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


def test_every_variable_that_is_used_is_defined():
    defined = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    texts = QUERIES + [variable["query"] for variable in DASHBOARD["templating"]["list"]]
    used = {name for text in texts for name in re.findall(r"\$\{(\w+)", text)}
    assert used == defined


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_keeps_to_the_time_range(query):
    assert "$timeFilter" in query


@pytest.mark.parametrize("query", [query for query in QUERIES if 'FROM "reading"' in query])
def test_every_query_of_readings_keeps_to_the_chosen_points(query):
    assert '"site" =~ /^${site:regex}$/' in query
    assert '"point" =~ /^${point:regex}$/' in query


def test_every_field_that_is_asked_for_is_in_the_vocabulary():
    quoted = {name for query in QUERIES for name in re.findall(r'"(\w+)"', query)}
    assert quoted - {"reading", "site", "point", "reduction", "project", "reduction_tco2e"} <= set(MEASURANDS)


def test_grey_is_the_base_and_one_colour_marks_a_deviation():
    colours = set(re.findall(r'"(#[0-9a-f]{6})"', build.text()))
    saturated = {colour for colour in colours if spread(colour) > 16}
    assert saturated == {"#f2a900"}


def spread(colour):
    channels = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return max(channels) - min(channels)
