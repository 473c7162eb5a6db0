"""The main job through a real mosquitto into a real influxd; InfluxDB then tells the same story as the journal."""

import asyncio
import csv
import io
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.config import IngestSettings
from ingest.forward import Forwarder
from ingest.store.influx import LazyWriter
from ingest.store.reader import JournalReader
from ingest.store.readings import collect
from metering.clock import SystemClock
from metering.config import load_toml
from metering.interval import DAY_MS
from metering.measurands import INT64_MAX, MEASURANDS
from metering.quality import Quality
from sakugen.demo.run import run
from sakugen.demo.sites import SITES

pytestmark = pytest.mark.real
DATABASE = "sakugen"

Rows = dict[tuple[str, str, int], float]
"""(point, measurand, slot [ms]) → value [unit]."""


def in_journal(journal: Path, project: str) -> Rows:
    evidence = collect(each.data for each in JournalReader(journal).records(project, 0, INT64_MAX))
    rows: Rows = {}
    for point, name in evidence.by_key:
        series = evidence.series(point, name)
        for slot_ms, value, quality in zip(series.time_ms, series.value, series.quality, strict=True):
            if quality == Quality.OK:
                rows[point, name, int(slot_ms)] = int(value) / MEASURANDS[name].quanta_per_unit
    return rows


def in_influxdb(port: int, site: str) -> Rows:
    query = f"SELECT * FROM reading WHERE site = '{site}'"
    parameters = urllib.parse.urlencode({"db": DATABASE, "epoch": "ms", "q": query})
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/query?{parameters}", headers={"Accept": "application/csv"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        table = csv.DictReader(io.TextIOWrapper(answer, encoding="utf-8"))
        return {
            (row["point"], name, int(row["time"])): float(text)
            for row in table
            for name, text in row.items()
            if name in MEASURANDS and text
        }


def test_every_good_reading_of_the_journal_is_in_influxdb_with_the_same_float64(
    mosquitto: Any, influxd: Any, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    mosquitto.stop()
    table = {"url": f"http://127.0.0.1:{influxd.port}", "bucket": DATABASE}
    said: list[str] = []
    report = asyncio.run(run(tmp_path / "run", 40.0, said.append, lambda _: None, broker=mosquitto, influxdb=table))
    assert report.faults == []
    # Ingest was ended when everything was acknowledged, which waits for no InfluxDB: the next start goes on from here.
    settings = load_toml(tmp_path / "run/config/ingest.toml", IngestSettings)
    assert settings.influxdb is not None
    cursor = settings.data_dir / "forward.sqlite"
    reader = JournalReader(settings.journal_path)
    with Forwarder(reader, LazyWriter(settings.influxdb), cursor, SystemClock()) as forwarder:
        while forwarder.step():
            pass
    for site in SITES:
        committed = in_journal(tmp_path / "run/ingest/journal.sqlite", site.project)
        assert len(committed) > 14 * DAY_MS // 900_000
        assert in_influxdb(influxd.port, site.site) == committed
