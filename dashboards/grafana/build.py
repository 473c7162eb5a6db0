"""In: the panels listed here. Out: `sakugen-overview.json`, byte for byte the same each time.

The dashboard answers two questions in five seconds: does data flow, and from which point are tonnes at risk because it
is silent? As ISA-101 recommends, the picture is grey while all is well, and colour means that something deviates.

Every query is raw InfluxQL, the one language that InfluxDB 1.x, 2.x (through a database mapping) and 3 all answer. The
uids are fixed, so links to the dashboard outlive a new Grafana.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

DASHBOARD_UID = "sakugen-overview"
DATASOURCE_UID = "sakugen-influx"
FILE_NAME = f"{DASHBOARD_UID}.json"

NOMINAL_VOLTAGE_V = 230
"""Phase to neutral [V]. EN 50160 allows ten percent either way; outside of it the voltage panel shows colour."""

_SOURCE = {"type": "influxdb", "uid": DATASOURCE_UID}
_CHOSEN = '"site" =~ /^${site:regex}$/ AND "point" =~ /^${point:regex}$/ AND $timeFilter'
_GREY, _LIGHT_GREY, _DEVIATION, _NONE = "#8e959c", "#c7ccd1", "#f2a900", "transparent"

# One measurand per kind of point that tonnes are computed from: while it arrives, credit accrues.
_CREDITED = {
    "energy_export_total_wh": "energy out",
    "energy_import_total_wh": "energy in",
    "heat_total_j": "heat",
    "burner_state": "burner",
    "voltage_l1_v": "voltage",
}

# Slots are often farther apart than pixels: a line spans an hour without a value and breaks where more is missing.
_LINE = {"lineWidth": 1, "fillOpacity": 0, "showPoints": "auto", "spanNulls": 3_600_000}
_STATE_BARS = {"mergeValues": True, "rowHeight": 0.8}


@dataclass(frozen=True, slots=True)
class Panel:
    """One rectangle of the dashboard."""

    title: str
    kind: str
    """Grafana's panel type, for example "timeseries"; "row" is a heading."""
    width: int = 24
    """Columns of Grafana's grid, which has 24."""
    height: int = 8
    """Rows of Grafana's grid."""
    queries: tuple[tuple[str, str], ...] = ()
    """Pairs of InfluxQL and the name that its series get; an empty name asks for a table."""
    unit: str = ""
    """Grafana's id of the unit, for example "watt"."""
    description: str = ""
    extra: dict[str, object] = field(default_factory=dict)
    """Further fields of Grafana's panel, for example transformations."""
    defaults: dict[str, object] = field(default_factory=dict)
    """Further fields of Grafana's field defaults, for example mappings."""
    overrides: tuple[dict[str, object], ...] = ()


def _trend(expression: str, name: str, every: str = "$__interval", fill: str = "null") -> tuple[str, str]:
    where = f'FROM "reading" WHERE {_CHOSEN} GROUP BY time({every}), "site", "point" fill({fill})'
    return f"SELECT {expression} {where}", f"$tag_site · $tag_point{name}"


def _hourly_increase(measurand: str, name: str = "") -> tuple[str, str]:
    # A counter that goes down leaves no bar instead of a negative one; compute decides what a reset means.
    return _trend(f'non_negative_difference(last("{measurand}"))', name, every="1h", fill="none")


def _line(title: str, unit: str, *queries: tuple[str, str], width: int = 12) -> Panel:
    return Panel(title, "timeseries", width, 8, queries, unit, "", {}, {"custom": _LINE})


def _bars(title: str, unit: str, *queries: tuple[str, str], width: int = 12) -> Panel:
    description = "What the counter gained in each hour, for orientation only; amounts that count come from compute."
    custom = {"drawStyle": "bars", "lineWidth": 0, "fillOpacity": 60, "barAlignment": 1}
    return Panel(title, "timeseries", width, 8, queries, unit, description, {}, {"custom": custom})


def _reductions() -> tuple[Panel, Panel]:
    by_hour = 'SELECT {} FROM "reduction" WHERE $timeFilter GROUP BY time(1h), "project" fill(none)'
    description = (
        "What each hour gave, at the end that is credited; provisional, and replaced when late readings come. The "
        "statement counts more carefully at the edges of a period."
    )
    bars: dict[str, object] = {"custom": {"drawStyle": "bars", "lineWidth": 0, "fillOpacity": 60, "barAlignment": 1}}
    line: dict[str, object] = {"custom": _LINE | {"spanNulls": True}}
    each = (by_hour.format('sum("reduction_tco2e")'), "$tag_project")
    summed = (by_hour.format('cumulative_sum(sum("reduction_tco2e"))'), "$tag_project")
    return (
        Panel("Emission reductions, per hour [tCO2e]", "timeseries", 12, 8, (each,), "none", description, {}, bars),
        Panel("Emission reductions, in sum [tCO2e]", "timeseries", 12, 8, (summed,), "none", description, {}, line),
    )


def _states(*states: tuple[int, int | None, str, str]) -> list[object]:
    """Say which values [from, to] are shown as which word in which colour; no upper end means: and above."""
    options = ({"from": low, "to": high, "result": {"text": text, "color": color}} for low, high, text, color in states)
    return [{"type": "range", "options": option} for option in options]


def _last_reading() -> Panel:
    query = f'SELECT * FROM "reading" WHERE {_CHOSEN} GROUP BY "site", "point" ORDER BY time DESC LIMIT 1'  # noqa: S608 - fixed text
    keep = {"id": "filterFieldsByName", "options": {"include": {"names": ["Time", "site", "point"]}}}
    order = {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": "Time", "desc": False}]}}
    names = {"Time": "last reading", "site": "site", "point": "point"}
    rename = {"id": "organize", "options": {"renameByName": names, "indexByName": {"site": 0, "point": 1, "Time": 2}}}
    age: dict[str, object] = {
        "matcher": {"id": "byName", "options": "last reading"},
        "properties": [{"id": "unit", "value": "dateTimeFromNow"}],
    }
    description = "The longest silent comes first. A point that is not listed sent nothing in the whole time range."
    extra: dict[str, object] = {"transformations": [keep, order, rename]}
    return Panel("Age of the last reading", "table", 8, 9, ((query, ""),), "none", description, extra, {}, (age,))


def _silence() -> Panel:
    queries = tuple(_trend(f'count("{name}")', f" · {word}", fill="0") for name, word in _CREDITED.items())
    description = (
        "Each bar is one series that tonnes are computed from. Where it is coloured no good reading arrived, and the "
        "credit of that time is at risk. The newest block is coloured until its first reading arrives."
    )
    mappings = _states((0, 0, "silent", _DEVIATION), (1, None, "arriving", _LIGHT_GREY))
    extra: dict[str, object] = {"interval": "15m", "options": {**_STATE_BARS, "showValue": "never"}}
    defaults: dict[str, object] = {"mappings": mappings}
    return Panel("Where readings are missing", "state-timeline", 16, 9, queries, "short", description, extra, defaults)


def _burner() -> Panel:
    query = _trend('last("burner_state")', "", fill="none")
    mappings = _states((0, 0, "stopped", _LIGHT_GREY), (1, None, "running", _GREY))
    extra: dict[str, object] = {"options": {**_STATE_BARS, "showValue": "auto"}}
    return Panel("Burner", "state-timeline", 12, 8, (query,), "none", "", extra, {"mappings": mappings})


def _temperatures() -> tuple[tuple[str, str], ...]:
    return tuple(_trend(f'mean("{side}_temperature_degc")', f" · {side}") for side in ("supply", "return"))


def _voltage() -> Panel:
    queries = tuple(_trend(f'mean("voltage_l{phase}_v")', f" · L{phase}") for phase in (1, 2, 3))
    low, high = NOMINAL_VOLTAGE_V * 0.9, NOMINAL_VOLTAGE_V * 1.1
    steps = [(None, _DEVIATION), (low, _NONE), (high, _DEVIATION)]
    defaults: dict[str, object] = {
        "custom": _LINE | {"thresholdsStyle": {"mode": "area"}},
        "thresholds": {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]},
    }
    description = f"Colour marks what lies outside {low:g} V to {high:g} V."
    return Panel("Phase voltages", "timeseries", 24, 9, queries, "volt", description, {}, defaults)


def panels() -> tuple[Panel, ...]:
    """List the panels in reading order; they are laid out from left to right, row by row."""
    return (
        Panel("Does data flow?", "row"),
        _last_reading(),
        _silence(),
        Panel("What it gives", "row"),
        *_reductions(),
        Panel("Electricity", "row"),
        _line("Active power", "watt", _trend('mean("active_power_w")', ""), width=24),
        _bars("Energy out of the site, per hour", "watth", _hourly_increase("energy_export_total_wh")),
        _bars("Energy into the site, per hour", "watth", _hourly_increase("energy_import_total_wh")),
        Panel("Heat", "row"),
        _bars("Heat delivered, per hour", "joule", _hourly_increase("heat_total_j")),
        _line("Heat power", "watt", _trend('mean("heat_power_w")', "")),
        _line("Supply and return temperature", "celsius", *_temperatures()),
        _burner(),
        Panel("Voltage", "row"),
        _voltage(),
    )


def _placed(items: Sequence[Panel]) -> Iterator[tuple[Panel, dict[str, int]]]:
    """Give each panel its place on the grid of 24 columns: to the right of the last one while there is room."""
    x = y = row_height = 0
    for panel in items:
        height = 1 if panel.kind == "row" else panel.height
        if x + panel.width > 24:
            x, y, row_height = 0, y + row_height, 0
        yield panel, {"x": x, "y": y, "w": panel.width, "h": height}
        x, row_height = x + panel.width, max(row_height, height)


def _panel_json(number: int, panel: Panel, place: dict[str, int]) -> dict[str, object]:
    base: dict[str, object] = {"id": number, "type": panel.kind, "title": panel.title, "gridPos": place}
    if panel.kind == "row":
        return base | {"collapsed": False, "panels": []}
    targets = [
        {"refId": chr(ord("A") + index), "datasource": _SOURCE, "rawQuery": True, "query": text, "alias": alias,
         "resultFormat": "time_series" if alias else "table"}
        for index, (text, alias) in enumerate(panel.queries)
    ]  # fmt: skip
    color = {"mode": "shades", "fixedColor": _GREY}
    defaults = {"unit": panel.unit, "color": color, "noValue": "no reading"} | panel.defaults
    base |= {"datasource": _SOURCE, "targets": targets, "description": panel.description, **panel.extra}
    return base | {"fieldConfig": {"defaults": defaults, "overrides": list(panel.overrides)}}


def _variable(name: str, query: str) -> dict[str, object]:
    everything = {"selected": True, "text": ["All"], "value": ["$__all"]}
    # refresh 2: with the time range, so a new site appears without reloading the page
    return {"name": name, "label": name, "type": "query", "datasource": _SOURCE, "query": query, "definition": query,
            "current": everything, "multi": True, "includeAll": True, "refresh": 2, "sort": 1, "hide": 0}  # fmt: skip


def dashboard() -> dict[str, object]:
    """Make the dashboard as Grafana's JSON model."""
    sites = _variable("site", 'SHOW TAG VALUES FROM "reading" WITH KEY = "site"')
    of_site = 'SHOW TAG VALUES FROM "reading" WITH KEY = "point" WHERE "site" =~ /^${site:regex}$/'
    return {
        "uid": DASHBOARD_UID,
        "title": "Sakugen overview",
        "description": "Does data flow, and where are tonnes at risk? Grey is well; colour is a deviation.",
        "tags": ["sakugen"],
        "schemaVersion": 39,  # Grafana 11; later ones migrate it when they load it
        "editable": False,
        "graphTooltip": 1,  # one crosshair over all panels
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "30s",
        "timezone": "browser",
        "templating": {"list": [sites, _variable("point", of_site)]},
        "annotations": {"list": []},
        "panels": [_panel_json(number, *item) for number, item in enumerate(_placed(panels()), start=1)],
    }


def text() -> str:
    """Write the dashboard as it is committed: sorted keys, two spaces, one newline at the end."""
    return json.dumps(dashboard(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def build(folder: Path | None = None) -> Path:
    """Write the dashboard.

    Args:
        folder: where to; by default beside this file, where Grafana's provisioning looks for it.

    Returns:
        The file that was written.
    """
    target = (folder or Path(__file__).parent) / FILE_NAME
    target.write_text(text(), encoding="utf-8")
    return target
