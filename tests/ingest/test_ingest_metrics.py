"""What people and Prometheus read from a running ingest over HTTP: alive, ready, numbers."""

import http.client
import socket

import pytest

from ingest.config import MetricsSettings
from ingest.errors import MetricsError
from ingest.forward import standing
from ingest.intake import Intake
from ingest.metrics import HUNG_AFTER_S, Metrics, hung, not_ready
from ingest.store import census
from ingest.store.journal import Journal
from ingest.tally import Tally
from metering.clock import SystemClock, monotonic_s

NOW_MS = 1_766_600_000_000


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def scrape(port: int) -> dict[str, float]:
    status, text = ask(port, "/metrics")
    assert status == 200, text
    rows = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in rows}


def test_a_running_ingest_tells_what_it_took_and_how_far_behind_each_gateway_is(
    broker, start_ingest, connect, gateway, free_port, wait_until
):
    port, gone = free_port(), free_port()
    start_ingest(broker.port, metrics_port=port, influx_port=gone)
    assert (ask(port, "/healthz"), ask(port, "/readyz")) == ((200, "ok\n"), (200, "ok\n"))
    line = connect(broker.port)
    line.send(gateway.birth(), gateway.readings(1), b"nonsense", gateway.birth(points=[]), gateway.readings(2))
    wait_until(lambda: line.through() == 4)
    shown = scrape(port)
    assert shown['sakugen_ingest_messages_total{outcome="append"}'] == 3
    assert shown['sakugen_ingest_messages_total{outcome="hold"}'] == 1
    assert shown['sakugen_ingest_messages_total{outcome="refuse"}'] == 1
    whose = '{gateway="gw-1",site="farm"}'
    assert shown[f"sakugen_ingest_held_records{whose}"] == 1
    assert shown[f"sakugen_ingest_refused_messages_total{whose}"] == 1
    assert shown[f"sakugen_ingest_lag_seconds{whose}"] > 0
    assert shown[f"sakugen_ingest_last_record_timestamp_seconds{whose}"] > 1.7e9
    assert 0 < shown["sakugen_ingest_commit_seconds_sum"] / shown["sakugen_ingest_commit_seconds_count"] < 10
    assert shown["sakugen_ingest_acks_total"] > 0
    assert shown['sakugen_ingest_journal_bytes{part="wal"}'] > 0
    assert shown["sakugen_ingest_forward_lag_records"] == 4
    assert shown["sakugen_ingest_waiting_bytes"] == 0
    assert ask(port, "/")[0] == 404


def test_ingest_without_a_broker_is_alive_and_not_ready(start_ingest, free_port, wait_until):
    port = free_port()
    start_ingest(free_port(), wait=False, metrics_port=port)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(answers)
    assert ask(port, "/healthz") == (200, "ok\n")
    assert ask(port, "/readyz") == (503, "there is no connection to the broker\n")
    assert scrape(port)["sakugen_ingest_connected"] == 0


def test_a_main_loop_that_hangs_is_neither_alive_nor_ready(tmp_path, free_port):
    port = free_port()
    tally = Tally(connected=True, stepped_s=monotonic_s() - HUNG_AFTER_S - 1)
    with Metrics(MetricsSettings(port=port), tmp_path / "journal.sqlite", None, tally, SystemClock()):
        for path in ("/healthz", "/readyz"):
            status, text = ask(port, path)
            assert (status, "has not gone round" in text) == (503, True)
        tally.stepped_s = monotonic_s()
        assert ask(port, "/healthz")[0] == ask(port, "/readyz")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/healthz")
    assert hung(tally) is None


def test_a_full_disk_is_alive_and_not_ready():
    tally = Tally(connected=True, disk_full=True, stepped_s=monotonic_s())
    assert hung(tally) is None
    assert "disk is full" in (not_ready(tally) or "")


def test_a_port_that_is_taken_ends_the_start_with_what_to_do(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = MetricsSettings(port=taken.getsockname()[1])
        page = Metrics(settings, tmp_path, None, Tally(), SystemClock())
        with pytest.raises(MetricsError, match=r"\(Address already in use\): choose another port"), page:
            pytest.fail("it listens")


def test_a_journal_that_cannot_be_read_fails_the_scrape_and_shows_no_old_numbers(tmp_path, free_port):
    port = free_port()
    with Metrics(MetricsSettings(port=port), tmp_path / "none.sqlite", None, Tally(), SystemClock()):
        assert ask(port, "/metrics")[0] == 500


def test_the_census_counts_each_gateway_and_what_only_people_can_judge(tmp_path, gateway, new_gateway, slot_ms):
    path, other = tmp_path / "journal.sqlite", new_gateway("gw-2")
    with Journal.open(path, NOW_MS) as journal:
        for one in (gateway, other):
            records = [one.birth(), one.readings(1, 2)]
            Intake(journal, 10_000).take([(one.topic, data) for data in records], one.ring, NOW_MS)
        gateway.prev = "f" * 64
        Intake(journal, 10_000).take([(gateway.topic, gateway.readings(3))], gateway.ring, NOW_MS)
        gateway.new_stream()
        gateway.birth()
        Intake(journal, 10_000).take([(gateway.topic, gateway.horizon(3, "e" * 64))], gateway.ring, NOW_MS + 5)
    found = census.take(path)
    assert [(one.gateway, one.heard_ms, one.newest_slot_ms) for one in found.gateways] == [
        ("gw-1", NOW_MS + 5, slot_ms(2)),
        ("gw-2", NOW_MS, slot_ms(2)),
    ]
    assert (found.last_id, found.forks, found.holes, found.incidents) == (5, 1, 1, 2)


def test_a_forwarder_that_has_not_begun_stands_at_nothing(tmp_path):
    assert standing(tmp_path / "forward.sqlite") == (0, 0)
    (tmp_path / "forward.sqlite").touch()
    assert standing(tmp_path / "forward.sqlite") == (0, 0)
