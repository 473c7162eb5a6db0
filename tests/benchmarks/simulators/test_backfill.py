"""A site-year of 1-minute readings of twenty measurands through the real outbox, broker and ingest."""

import asyncio
import threading
import tomllib
from datetime import UTC, datetime

import tomli_w

from gateway.config import GatewaySettings
from ingest.config import IngestSettings
from ingest.service import run as run_ingest
from ingest.store.reader import JournalReader
from metering.clock import ClockConfig, monotonic_s
from metering.config import load_toml
from metering.interval import DAY_MS, Interval
from sakugen.backfill import backfill
from sakugen.demo.layout import Ports, write_layout
from sakugen.demo.sites import SITES
from simulators.config import SimulatorSettings

_START = datetime(2025, 1, 2, tzinfo=UTC)
_OF_METER = ("energy_export_total_wh", "energy_import_total_wh", "active_power_w", "voltage_l1_v", "voltage_l2_v")
_OF_INVERTER = ("energy_export_total_wh", "active_power_w", "inverter_state", "voltage_l1_v", "frequency_hz")


def _settings(folder, broker, free_port):
    plants = {site.project: free_port() for site in SITES}
    ports = Ports(broker=broker.port, registry=free_port(), console=free_port(), plants=plants)
    layout = write_layout(folder, ports, ClockConfig())
    path = layout.config("gateway-demo-solar")
    table = tomllib.loads(path.read_text())
    for device in table["device"]:
        names = _OF_METER if device["name"] == "ac-bus" else _OF_INVERTER
        points = [{"point": device["name"], "measurand": name} for name in names]
        device["group"] = [{"name": "all", "interval_s": 60, "points": points}]
    path.write_text(tomli_w.dumps(table))
    path = layout.config("simulators")
    path.write_text(
        tomli_w.dumps(tomllib.loads(path.read_text()) | {"counters_from": datetime(2025, 1, 1, tzinfo=UTC)})
    )
    return layout, load_toml(layout.config("gateway-demo-solar"), GatewaySettings), load_toml(path, SimulatorSettings)


def test_a_site_year_goes_through_the_real_pipeline(tmp_path, broker, free_port, report, sizes):
    layout, gateway, simulators = _settings(tmp_path, broker, free_port)
    days = sizes.of(365, 2)
    start_ms = int(_START.timestamp() * 1000)
    stop = threading.Event()
    ingest = threading.Thread(target=run_ingest, args=(load_toml(layout.config("ingest"), IngestSettings), stop))
    ingest.start()
    began_s = monotonic_s()
    filled = asyncio.run(backfill(gateway, simulators, Interval(start_ms, start_ms + days * DAY_MS)))
    took_s = monotonic_s() - began_s
    stop.set()
    ingest.join()
    heads = [head.head for head in JournalReader(layout.journal).heads()]
    assert sum(heads) == filled.records + 1, "the birth and every record of readings"
    assert filled.readings == days * 1440 * 20
    report.add("a site-year of 20 measurands, minute by minute", took_s * 365 / days, "s", at_most=60)
    report.add("readings a second", filled.readings / took_s / 1e6, "M/s")
    report.add("records", filled.records, "")
    report.note("decoded, signed, in the outbox, published, journalled, acknowledged; nothing lost.")
