"""A site-year of 1-minute readings of twenty measurands through the real outbox, broker and ingest."""

import asyncio
import os
import tomllib
from datetime import UTC, datetime

import tomli_w
from benchkit.machine import cpu_s
from benchkit.plant import Part
from benchkit.shown import Difference, compare

from gateway.config import GatewaySettings
from ingest.store.reader import JournalReader
from metering.clock import ClockConfig, monotonic_s
from metering.config import load_toml
from metering.interval import DAY_MS, Interval
from sakugen.backfill import ANSWER_MS, backfill
from sakugen.demo.layout import Ports, write_layout
from sakugen.demo.sites import SITES
from simulators.build import built
from simulators.config import SimulatorSettings

_START_MS = int(datetime(2025, 1, 2, tzinfo=UTC).timestamp() * 1000)
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
    year = Interval(_START_MS, _START_MS + days * DAY_MS)
    ingest = Part("ingest", layout.config("ingest"), tmp_path / "ingest.log")
    ingest.bring_up()
    others = {"ingest": ingest.pid, "the embedded broker": broker._broker._process.pid}
    before = {name: cpu_s(pid) for name, pid in others.items()}
    began_s, began_cpu_s = monotonic_s(), cpu_s(os.getpid())
    filled = asyncio.run(backfill(gateway, simulators, year))
    took_s, took_cpu_s = monotonic_s() - began_s, cpu_s(os.getpid()) - began_cpu_s
    used = {name: cpu_s(pid) - before[name] for name, pid in others.items()}
    ingest.end()
    reader = JournalReader(layout.journal)
    assert sum(head.head for head in reader.heads()) == filled.records + 1, "the birth and every record of readings"
    assert filled.readings == days * 1440 * 20
    plant = next(plant for plant in simulators.plants if plant.project == gateway.project)
    found = compare(reader, gateway.project, built(simulators, plant), year, ANSWER_MS // 2)
    assert found == Difference(lost=0, doubled=0, wrong=0)
    report.add("a site-year of 20 measurands, minute by minute", took_s * 365 / days, "s", at_most=60)
    report.add("readings a second", filled.readings / took_s / 1e6, "M/s")
    report.add(
        "CPU of plant, registers, decoder, outbox and gateway's line to the broker", took_cpu_s * 365 / days, "s"
    )
    for name, cpu in used.items():
        report.add(f"CPU of {name}", cpu * 365 / days, "s")
    report.add("records", filled.records, "")
    report.add("readings", filled.readings, "")
    report.add("lost, doubled or wrong", found.lost + found.doubled + found.wrong, "", at_most=0)
    report.note("decoded, signed, in the outbox, published, journalled, acknowledged; then each reading compared.")
