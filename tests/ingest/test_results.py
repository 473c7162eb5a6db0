"""compute's provisional results on their way into InfluxDB; the file is written by compute's own writer."""

import sqlite3
import threading

import pytest

from compute.results import ResultsWriter
from ingest.config import InfluxSettings
from ingest.errors import InfluxError, ResultsError
from ingest.forward import Forwarder
from ingest.intake import Intake
from ingest.results import Results, changed_hours
from ingest.store.influx import open_writer
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from metering.clock import SystemClock
from metering.interval import HOUR_MS

HOUR = 490_000 * HOUR_MS


@pytest.fixture
def results(tmp_path):
    """`results(changed, (project, hour, reference, ...), ...)`: hours that compute put at once; its writer's tables."""
    path = tmp_path / "results.sqlite"
    with ResultsWriter(path):
        pass

    def put(changed: int, *rows: tuple[str, int, str, str, str, bool]):
        with sqlite3.connect(path) as file:
            file.executemany(f"INSERT OR REPLACE INTO hour VALUES (?, ?, ?, ?, ?, ?, '', {changed})", rows)
        file.close()
        return path

    return put


@pytest.fixture
def forward(results, serve_influx):
    """A server, and what forwards results to it."""
    server = serve_influx("v2.7.12")
    return server, Results(results(0), open_writer(InfluxSettings(url=server.url)))


def test_an_hour_is_a_point_with_what_it_gave(results):
    later = HOUR + HOUR_MS
    path = results(7, ("a", HOUR, "3.5", "0.75", "2.750000000", True), ("a", later, "0", "0.25", "-0.25", False))
    found = changed_hours(path, 0)
    assert found.last == 7
    assert found.lines.decode().splitlines() == [
        f"reduction,project=a reference_tco2e=3.5,project_tco2e=0.75,reduction_tco2e=2.75,provisional=true {HOUR}",
        f"reduction,project=a reference_tco2e=0.0,project_tco2e=0.25,reduction_tco2e=-0.25,provisional=false {later}",
    ]
    assert changed_hours(path, 7) is None


def test_an_hour_that_is_computed_again_replaces_its_result_and_one_that_is_the_same_is_not_sent(results, forward):
    server, forwarder = forward
    results(1, ("solar", HOUR, "1", "0", "1", True), ("solar", HOUR + HOUR_MS, "3", "0", "3", True))
    forwarder.step()
    forwarder.step()
    assert len(server.requests) == 1
    again = results(2, ("solar", HOUR, "2", "0", "2", True))
    assert changed_hours(again, 1).lines.count(b"\n") == 1
    forwarder.step()
    found = {key: line.split(b",")[2] for key, line in server.lines.items()}
    assert found == {
        b"reduction,project=solar %d" % HOUR: b"reduction_tco2e=2.0",
        b"reduction,project=solar %d" % (HOUR + HOUR_MS): b"reduction_tco2e=3.0",
    }


def test_hours_that_changed_together_are_sent_together_and_the_others_next(results, forward, monkeypatch):
    monkeypatch.setattr("ingest.results.MOST_HOURS", 2)
    server, forwarder = forward
    for changed in (1, 2, 3):
        rows = [("solar", HOUR + (10 * changed + at) * HOUR_MS, "1", "0", "1", True) for at in range(3)]
        results(changed, *rows)
    for sent in (3, 6, 9, 9):
        forwarder.step()
        assert len(server.lines) == sent
    assert len(server.requests) == 3


def test_hours_that_influxdb_never_takes_are_said_and_do_not_hold_up_the_next(results, forward, caplog):
    server, forwarder = forward
    results(1, ("solar", HOUR, "1", "0", "1", True))
    server.answers = [(400, {})]
    forwarder.step()
    assert "results are not forwarded" in caplog.text
    results(2, ("solar", HOUR + HOUR_MS, "1", "0", "1", True))
    forwarder.step()
    assert list(server.lines) == [b"reduction,project=solar %d" % (HOUR + HOUR_MS)]


def test_nothing_is_sent_before_anything_was_computed(tmp_path, forward):
    server, forwarder = forward
    Results(tmp_path / "none.sqlite", open_writer(InfluxSettings(url=server.url))).step()
    sqlite3.connect(tmp_path / "empty.sqlite").close()
    (tmp_path / "empty.sqlite").touch()
    Results(tmp_path / "empty.sqlite", open_writer(InfluxSettings(url=server.url))).step()
    forwarder.step()
    assert server.requests == []


def test_a_file_of_another_kind_is_said_once_and_keeps_nothing_waiting(tmp_path, serve_influx, caplog):
    (tmp_path / "results.sqlite").write_text("no database at all" * 100)
    with pytest.raises(ResultsError, match="cannot be read as compute's results"):
        changed_hours(tmp_path / "results.sqlite", 0)
    forwarder = Results(tmp_path / "results.sqlite", open_writer(InfluxSettings(url=serve_influx("v2.7.12").url)))
    forwarder.step()
    forwarder.step()
    assert caplog.text.count("results are not forwarded") == 1


def test_what_influxdb_does_not_take_now_is_sent_later(results, forward):
    server, forwarder = forward
    results(1, ("solar", HOUR, "1", "0", "1", True))
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
    compute = Results(results(1, ("solar", HOUR, "1", "0", "1", True)), writer)
    reader = JournalReader(tmp_path / "journal.sqlite")
    forwarder = Forwarder(reader, writer, tmp_path / "forward.sqlite", SystemClock(), compute)
    stop = threading.Event()
    thread = threading.Thread(target=forwarder.run, args=(stop,))
    thread.start()
    wait_until(lambda: len(server.lines) == 2)
    stop.set()
    thread.join()
    assert sorted(key.split(b",")[0] for key in server.lines) == [b"reading", b"reduction"]
