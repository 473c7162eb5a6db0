"""compute's provisional results on their way into InfluxDB; the file is written by compute's own writer."""

import sqlite3
import threading

import pytest

from compute.results import ResultsWriter
from ingest.config import InfluxSettings
from ingest.errors import InfluxError, ResultsError
from ingest.forward import Forwarder
from ingest.intake import Intake
from ingest.results import Results, lines_of_results
from ingest.store.influx import open_writer
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from metering.clock import SystemClock
from metering.interval import HOUR_MS

HOUR = 490_000 * HOUR_MS


@pytest.fixture
def results(tmp_path):
    """`results(until_ms, *rows)`: what compute would have put for two projects; its own writer makes the tables."""
    path = tmp_path / "results.sqlite"
    with ResultsWriter(path):
        pass

    def put(until_ms: int, *rows: tuple[str, int, str, str, str, bool]):
        with sqlite3.connect(path) as file:
            file.execute("DELETE FROM vintage")
            file.execute("DELETE FROM state")
            for project in {row[0] for row in rows}:
                file.execute("INSERT INTO state VALUES (?, 'p1', ?, 1, '[]', '')", (project, until_ms))
            file.executemany(
                "INSERT INTO vintage VALUES (?1, 'p1', ?2, ?3, ?4, '0', ?5, ?5, 0, ?6, '', 7)",
                [list(row) for row in rows],
            )
            file.execute("INSERT INTO state VALUES ('broken', '', 0, 0, '[]', 'no meter')")
        file.close()
        return path

    return put


def test_an_hours_result_is_the_sum_over_the_vintages_of_its_period(results):
    path = results(
        HOUR + 5, ("solar", 2025, "1.5", "0.25", "1.25", False), ("solar", 2026, "2.0", "0.5", "1.500000001", True),
        ("boiler", 2026, "4", "5", "-1", False),
    )  # fmt: skip
    boiler = "reference_tco2e=4.0,project_tco2e=5.0,reduction_tco2e=-1.0,provisional=false"
    solar = "reference_tco2e=3.5,project_tco2e=0.75,reduction_tco2e=2.750000001,provisional=true"
    assert lines_of_results(path).decode().splitlines() == [
        f"reduction,project=boiler {boiler} {HOUR}",
        f"reduction,project=solar {solar} {HOUR}",
    ]


def test_an_hour_that_is_computed_again_replaces_its_result_and_one_that_is_the_same_is_not_sent(results, serve_influx):
    server = serve_influx("v2.7.12")
    path = results(HOUR, ("solar", 2026, "1", "0", "1", True))
    results_forwarder = Results(path, open_writer(InfluxSettings(url=server.url)))
    results_forwarder.step()
    results_forwarder.step()
    assert len(server.requests) == 1
    results(HOUR + 60_000, ("solar", 2026, "2", "0", "2", True))
    results_forwarder.step()
    results(HOUR + HOUR_MS, ("solar", 2026, "3", "0", "3", True))
    results_forwarder.step()
    found = {key: line.split(b",")[2] for key, line in server.lines.items()}
    assert found == {
        b"reduction,project=solar %d" % HOUR: b"reduction_tco2e=2.0",
        b"reduction,project=solar %d" % (HOUR + HOUR_MS): b"reduction_tco2e=3.0",
    }


def test_nothing_is_sent_before_anything_was_computed(tmp_path, results, serve_influx):
    server = serve_influx("v2.7.12")
    Results(tmp_path / "none.sqlite", open_writer(InfluxSettings(url=server.url))).step()
    Results(results(0), open_writer(InfluxSettings(url=server.url))).step()
    assert server.requests == []


def test_a_file_of_another_kind_is_said_once_and_keeps_nothing_waiting(tmp_path, serve_influx, caplog):
    (tmp_path / "results.sqlite").write_text("no database at all" * 100)
    with pytest.raises(ResultsError, match="cannot be read as compute's results"):
        lines_of_results(tmp_path / "results.sqlite")
    forwarder = Results(tmp_path / "results.sqlite", open_writer(InfluxSettings(url=serve_influx("v2.7.12").url)))
    forwarder.step()
    forwarder.step()
    assert caplog.text.count("results are not forwarded") == 1


def test_what_influxdb_does_not_take_now_is_sent_later(results, serve_influx):
    server = serve_influx("v2.7.12")
    forwarder = Results(
        results(HOUR, ("solar", 2026, "1", "0", "1", True)), open_writer(InfluxSettings(url=server.url))
    )
    server.answers = [(503, {})]
    with pytest.raises(InfluxError, match="503"):
        forwarder.step()
    forwarder.step()
    assert len(server.lines) == 1


def test_the_forwarder_sends_results_beside_readings(results, serve_influx, tmp_path, gateway, wait_until):
    with Journal.open(tmp_path / "journal.sqlite", 0) as journal:
        messages = [(gateway.topic, data) for data in (gateway.birth(), gateway.readings(1))]
        Intake(journal, 10_000).take(messages, gateway.ring, 1_766_600_000_000)
    server = serve_influx("v2.7.12")
    writer = open_writer(InfluxSettings(url=server.url))
    compute = Results(results(HOUR, ("solar", 2026, "1", "0", "1", True)), writer)
    reader = JournalReader(tmp_path / "journal.sqlite")
    forwarder = Forwarder(reader, writer, tmp_path / "forward.sqlite", SystemClock(), compute)
    stop = threading.Event()
    thread = threading.Thread(target=forwarder.run, args=(stop,))
    thread.start()
    wait_until(lambda: len(server.lines) == 2)
    stop.set()
    thread.join()
    assert sorted(key.split(b",")[0] for key in server.lines) == [b"reading", b"reduction"]
