"""The journal and real databases: what is stopped, wiped or of another make; then the comparison of both."""

import http.client
import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from ingest.config import InfluxSettings
from ingest.errors import InfluxError
from ingest.forward import Forwarder
from ingest.intake import Intake
from ingest.store.influx import LazyWriter, TwoWriter
from ingest.store.influx_query import InfluxReader
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from metering.clock import SystemClock
from metering.interval import Interval

pytestmark = pytest.mark.real
NOW_MS = 1_766_600_000_000


def sakugen(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sakugen", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def ask(port: int, method: str, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        return connection.getresponse().read()
    finally:
        connection.close()


def query(port: int, text: str) -> list:
    answer = json.loads(ask(port, "POST", f"/query?db=sakugen&epoch=ms&q={quote(text)}"))
    return answer["results"][0].get("series", [{"values": []}])[0]["values"]


@pytest.fixture
def plant(tmp_path, gateway):
    """A journal with a day of readings, one of them twice and unequal, and its configuration."""
    with Journal.open(tmp_path / "data" / "journal.sqlite", NOW_MS) as journal:
        records = [gateway.birth(), *[gateway.readings(*range(at, at + 10)) for at in range(0, 90, 10)]]
        gateway.new_stream()
        records += [gateway.birth(), gateway.readings(30, 31, energy=[1300, 7])]
        Intake(journal, 10_000).take([(gateway.topic, data) for data in records], gateway.ring, NOW_MS)

    def configure(port: int) -> Path:
        config = tmp_path / "ingest.toml"
        config.write_text(f'data_dir = "{tmp_path / "data"}"\n[influxdb]\nurl = "http://127.0.0.1:{port}"\n')
        return config

    return configure


def forward(tmp_path, writer) -> None:
    reader = JournalReader(tmp_path / "data" / "journal.sqlite")
    with Forwarder(reader, writer, tmp_path / "data" / "forward.sqlite", SystemClock()) as forwarder:
        while forwarder.step():
            pass


def reconcile(config) -> tuple[int, dict]:
    done = sakugen("reconcile", "--config", config, "--start", "2025-12-22", "--end", "2025-12-26", "--json")
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_influxdb_stopped_for_the_whole_run_and_started_afterwards_gets_all_of_it(
    influxd, broker, start_ingest, connect, gateway, wait_until
):
    influxd.stop()
    running = start_ingest(broker.port, influx_port=influxd.port)
    line = connect(broker.port)
    line.send(gateway.birth(), *[gateway.readings(*range(at, at + 10)) for at in range(0, 500, 10)])
    wait_until(lambda: line.through() == 51)
    running.stop()
    influxd.start()
    start_ingest(broker.port, influx_port=influxd.port)
    wait_until(lambda: len(query(influxd.port, "SELECT active_power_w FROM reading")) == 500, 30)


def test_influxdb_that_was_wiped_is_filled_again_and_then_equals_the_journal(influxd, plant, tmp_path):
    config = plant(influxd.port)
    forward(tmp_path, LazyWriter(InfluxSettings(url=f"http://127.0.0.1:{influxd.port}")))
    assert reconcile(config)[0] == 0
    influxd.stop()
    shutil.rmtree(tmp_path / "influxd")
    influxd.start()
    status, told = reconcile(config)
    assert (status, told["equal"], sum(row["missing"] for row in told["days"])) == (1, False, 179)
    done = sakugen("ingest", "run", "--config", config, "--rebuild", "2025-12-22")
    assert (done.returncode, "not taken" in done.stdout) == (0, True), done.stderr
    status, told = reconcile(config)
    assert (status, told["equal"]) == (0, True)
    assert sum(row["influxdb"] for row in told["days"]) == sum(row["journal"] for row in told["days"]) == 179
    assert len(query(influxd.port, "SELECT energy_export_total_wh FROM reading")) == 89


def test_what_is_in_conflict_is_told_apart_and_is_no_difference(influxd, plant, tmp_path):
    config = plant(influxd.port)
    forward(tmp_path, LazyWriter(InfluxSettings(url=f"http://127.0.0.1:{influxd.port}")))
    status, told = reconcile(config)
    assert (status, sum(row["conflicts"] for row in told["days"])) == (0, 1)
    assert sum(row["influxdb"] for row in told["days"]) == 180  # it keeps the value that came first


def test_a_value_that_somebody_changed_or_added_in_influxdb_is_a_difference_and_said_in_a_table(
    influxd, plant, tmp_path, slot_ms
):
    config = plant(influxd.port)
    writer = LazyWriter(InfluxSettings(url=f"http://127.0.0.1:{influxd.port}"))
    forward(tmp_path, writer)
    writer.write(b"reading,point=ac,site=farm active_power_w=51.0 %d\n" % slot_ms(5))
    writer.write(b"reading,point=ac,site=farm frequency_hz=50.0 %d\n" % slot_ms(5))
    writer.write(b"reading,point=ac,site=farm active_power_w=51.0 %d\n" % slot_ms(250))  # of a day without readings
    status, told = reconcile(config)
    assert status == 1
    assert (sum(row["unequal"] for row in told["days"]), sum(row["extra"] for row in told["days"])) == (1, 2)
    shown = sakugen("reconcile", "--config", config, "--start", "2025-12-22", "--end", "2025-12-26")
    assert (shown.returncode, "Differences" in shown.stdout) == (1, True)
    assert "2 of them differ" in shown.stdout


def test_victoria_metrics_takes_what_is_written_to_the_v2_endpoint(victoria_metrics, plant, tmp_path, wait_until):
    plant(0)
    url = f"http://127.0.0.1:{victoria_metrics.port}"
    forward(tmp_path, TwoWriter(InfluxSettings(url=url, api="2")))

    def exported() -> dict[str, int]:
        text = ask(victoria_metrics.port, "GET", "/api/v1/export?match[]=%7Bsite%3D%22farm%22%7D").decode()
        rows = [json.loads(line) for line in text.splitlines()]
        return {row["metric"]["__name__"]: len(set(row["timestamps"])) for row in rows}

    wait_until(lambda: exported() == {"reading_active_power_w": 90, "reading_energy_export_total_wh": 90}, timeout_s=30)


def test_a_database_without_influxql_cannot_be_compared_and_says_so(victoria_metrics, plant):
    settings = InfluxSettings(url=f"http://127.0.0.1:{victoria_metrics.port}")
    with pytest.raises(InfluxError, match="InfluxQL"):
        InfluxReader(settings).readings("farm", "ac", Interval(0, 1))
