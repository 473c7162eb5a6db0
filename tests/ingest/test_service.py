"""Ingest as a process, against a real broker: the rows of the crash table that are its own."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ingest import quarantine
from ingest.intake import Intake
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from metering import record


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "data" / "journal.sqlite"


def stored(journal):
    with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as connection:
        rows = [row[0] for row in connection.execute("SELECT bytes FROM records ORDER BY stream, seq")]
    connection.close()
    return rows


def records(gateway, count):
    return [gateway.birth()] + [gateway.readings(slot) for slot in range(1, count)]


def test_records_are_stored_and_acknowledged(broker, start_ingest, connect, gateway, journal, wait_until):
    running = start_ingest(broker.port)
    line = connect(broker.port)
    sent = records(gateway, 60)
    line.send(*sent)
    wait_until(lambda: line.through() == 60)
    assert line.acks[-1].streams[gateway.stream].digest == record.digest_of(sent[-1])
    assert stored(journal) == sent
    assert f"journal={JournalReader(journal).journal_id}" in running.ready
    assert running.stop() == 0
    wait_until(lambda: line.online[-1:] and b"false" in line.online[-1])


def test_acks_within_a_run_count_up(broker, start_ingest, connect, gateway, wait_until):
    start_ingest(broker.port)
    line = connect(broker.port)
    for data in records(gateway, 5):
        line.send(data)
        wait_until(lambda: line.through() == gateway.made.index(data) + 1)  # noqa: B023 - waited for at once
    numbers = [found.n for found in line.acks]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("point", ["before-commit", "after-commit", "after-ack"])
def test_killed_at_any_point_nothing_is_lost_or_doubled(
    broker, start_ingest, connect, gateway, journal, wait_until, point
):
    running = start_ingest(broker.port, kill_at=point)
    line = connect(broker.port)
    sent = records(gateway, 5)
    line.send(*sent)
    assert running.process.wait(10) == -signal.SIGKILL
    before = stored(journal)
    assert before == ([] if point == "before-commit" else sent[: len(before)])
    if point == "after-commit":
        assert before
        assert line.acks == []
    if point == "after-ack":
        wait_until(lambda: line.through() == len(before))
    start_ingest(broker.port)
    # The kept session delivers again what had no PUBACK; the gateway sends again what had no ack.
    line.send(*sent[max(0, line.through()) :])
    wait_until(lambda: line.through() == 5)
    assert stored(journal) == sent
    assert JournalReader(journal).incidents() == []


def test_what_came_while_ingest_was_away_is_delivered_to_the_kept_session(
    broker, start_ingest, connect, gateway, journal, wait_until
):
    start_ingest(broker.port).stop()
    line = connect(broker.port)
    sent = records(gateway, 3)
    line.send(*sent)
    start_ingest(broker.port)
    wait_until(lambda: line.through() == 3)
    assert stored(journal) == sent


def test_each_start_says_that_it_is_online_and_tells_every_known_gateway_where_it_stands(
    broker, start_ingest, connect, gateway, wait_until
):
    running = start_ingest(broker.port)
    line = connect(broker.port)
    line.send(*records(gateway, 2))
    wait_until(lambda: line.through() == 2)
    first = line.acks[-1]
    running.stop()
    start_ingest(broker.port)
    wait_until(lambda: line.acks[-1].run > first.run)
    wait_until(lambda: b"true" in line.online[-1])
    assert line.acks[-1].journal == first.journal


def test_a_broker_that_restarts_is_found_again(broker, start_ingest, connect, gateway, wait_until):
    start_ingest(broker.port)
    broker.stop()
    broker.start()
    line = connect(broker.port)
    wait_until(lambda: any(b"true" in payload for payload in line.online))
    line.send(*records(gateway, 2))
    wait_until(lambda: line.through() == 2)


def test_a_restored_journal_says_less_and_takes_the_rest_again(
    broker, start_ingest, connect, gateway, journal, tmp_path, wait_until
):
    sent = records(gateway, 6)
    running = start_ingest(broker.port)
    line = connect(broker.port)
    line.send(*sent[:3])
    wait_until(lambda: line.through() == 3)
    running.stop()
    shutil.copy(journal, tmp_path / "copy")
    running = start_ingest(broker.port)
    line.send(*sent[3:])
    wait_until(lambda: line.through() == 6)
    newest = line.acks[-1]
    running.stop()
    shutil.copy(tmp_path / "copy", journal)
    start_ingest(broker.port)
    line.send(sent[5])  # whatever it sends next shows it how far the journal is
    wait_until(lambda: line.through() == 3)
    assert line.acks[-1].journal == newest.journal
    assert line.acks[-1].run > newest.run
    line.send(gateway.horizon(5, record.digest_of(sent[3])), *sent[4:])
    wait_until(lambda: line.through() == 6)
    assert [(hole.first_seq, hole.last_seq) for hole in JournalReader(journal).holes()] == [(4, 4)]


@pytest.mark.real
def test_a_journal_restored_where_the_clock_went_back_still_draws_a_run_above_the_last_one(
    mosquitto, start_ingest, connect, gateway, journal, tmp_path, wait_until
):
    sent = records(gateway, 4)
    Journal.open(journal, 0).__exit__(None, None, None)
    shutil.copy(journal, tmp_path / "copy")
    running = start_ingest(mosquitto.port)
    line = connect(mosquitto.port)
    line.send(*sent)
    wait_until(lambda: line.through() == 4)
    newest = line.acks[-1]
    assert running.stop() == 0
    shutil.copy(tmp_path / "copy", journal)
    running = start_ingest(mosquitto.port, clock_start="2020-01-01T00:00:00Z")
    line.send(*sent)
    wait_until(lambda: line.through() == 4 and line.acks[-1].run > newest.run)
    wait_until(lambda: line.acks[-1].run.encode() in line.online[-1])
    again = line.acks[-1].run
    assert running.stop() == 0
    start_ingest(mosquitto.port, clock_start="2020-01-01T00:00:00Z")
    wait_until(lambda: line.acks[-1].run > again)


@pytest.mark.parametrize("run", ["7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "zzz", "0Z", ""])
def test_a_run_that_nobody_can_have_drawn_changes_nothing(broker, start_ingest, connect, gateway, wait_until, run):
    line = connect(broker.port)
    line.send(json.dumps({"online": False, "run": run}).encode(), topic="sakugen/v1/ingest/main/online", retain=True)
    wait_until(lambda: line.online)
    start_ingest(broker.port)
    line.send(gateway.birth())
    wait_until(lambda: line.through() == 1)
    assert line.acks[-1].run.startswith("01")


def test_garbage_and_foreign_records_do_not_stop_it(
    broker, start_ingest, connect, gateway, new_gateway, journal, wait_until
):
    start_ingest(broker.port)
    line = connect(broker.port)
    sent = records(gateway, 2)
    line.send(b"", b"\xff" * 1000, sent[0][:-5], new_gateway("gw-9").birth(), sent[0])
    line.send(sent[1], topic="sakugen/v1/farm/gw-9/log")
    line.send(sent[1])
    wait_until(lambda: line.through() == 2)
    assert stored(journal) == sent
    assert line.acks[-1].refused == 4


def test_a_newly_enrolled_gateway_needs_no_restart(broker, start_ingest, connect, gateway, tmp_path, wait_until):
    start_ingest(broker.port, wait=False)
    (tmp_path / "keys.toml").write_text("")
    line = connect(broker.port)
    wait_until(lambda: line.online)
    (tmp_path / "keys.toml").write_text(gateway.ring.to_toml())
    birth = gateway.birth()

    def sent_again_until_it_is_taken():
        line.send(birth)
        return line.through() == 1

    wait_until(sent_again_until_it_is_taken)


def test_what_is_held_is_looked_at_again_when_ingest_starts(broker, start_ingest, gateway, journal, monkeypatch):
    with monkeypatch.context() as older, Journal.open(journal, 0) as opened:
        older.setattr("metering.record.MEASURANDS", {})
        messages = [(gateway.topic, data) for data in (gateway.birth(), gateway.readings(1))]
        Intake(opened, 10_000).take(messages, gateway.ring, 0)
    assert len(JournalReader(journal).all_held()) == 2
    start_ingest(broker.port)
    assert JournalReader(journal).all_held() == []


def test_a_second_ingest_on_the_same_journal_says_who_has_it(broker, start_ingest):
    first = start_ingest(broker.port)
    second = start_ingest(broker.port, wait=False)
    assert second.process.wait(10) == 1
    assert f"process {first.process.pid}" in second.log.read_text()


@pytest.mark.real
def test_against_mosquitto_a_second_ingest_with_the_same_name_makes_the_first_one_exit(
    mosquitto, start_ingest, journal, tmp_path
):
    first = start_ingest(mosquitto.port)
    config = first.config.read_text().replace(str(tmp_path / "data"), str(tmp_path / "other"))
    (tmp_path / "second.toml").write_text(config)
    second = subprocess.Popen(
        [sys.executable, first.process.args[1], str(tmp_path / "second.toml"), "never"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert first.process.wait(10) == 1
        assert "another client connected" in first.log.read_text()
        (row,) = quarantine.rows(journal)
        assert (row.what, row.gateway, row.stream) == ("incident", "main", JournalReader(journal).journal_id)
        assert row.reason.startswith("two-journals: another client connected")
    finally:
        second.terminate()
        second.wait(10)
        second.stdout.close()


@pytest.mark.real
@pytest.mark.parametrize("protocol", [4, 5])
def test_against_mosquitto_records_are_stored_and_acknowledged(
    mosquitto, start_ingest, connect, gateway, journal, wait_until, protocol
):
    running = start_ingest(mosquitto.port, protocol=protocol)
    line = connect(mosquitto.port)
    sent = records(gateway, 300)
    line.send(*sent[:150])
    wait_until(lambda: line.through() == 150)
    running.process.kill()
    running.process.wait()
    line.send(*sent[150:])
    start_ingest(mosquitto.port, protocol=protocol)
    wait_until(lambda: line.through() == 300)
    assert stored(journal) == sent


def test_a_new_journal_has_another_name_and_succeeds_nothing(tmp_path):
    with Journal.open(tmp_path / "a", 1) as one, Journal.open(tmp_path / "b", 1) as other:
        assert one.journal_id != other.journal_id
        assert other.succeeds is None


def _most_memory_mb(pid):
    (line,) = (found for found in Path(f"/proc/{pid}/status").read_text().splitlines() if found.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


@pytest.mark.real
def test_a_message_of_100_mb_costs_no_memory_and_the_true_records_still_go_in(
    mosquitto, start_ingest, connect, gateway, journal, wait_until
):
    running = start_ingest(mosquitto.port)
    line = connect(mosquitto.port)
    sent = records(gateway, 3)
    line.send(sent[0], bytes(100_000_000), bytes(1_500_000), *sent[1:])
    wait_until(lambda: line.through() == 3, 30)
    assert stored(journal) == sent
    assert [(row.reason, row.size_bytes) for row in JournalReader(journal).refusals()] == [("too-long", 1_500_000)]
    assert _most_memory_mb(running.process.pid) < 160
