"""The journal file: one writer, many readers, nothing lost."""

import sqlite3

import pytest

from ingest.errors import JournalError, JournalInUseError
from ingest.intake import Intake
from ingest.store.journal import Journal, StreamKey
from ingest.store.reader import JournalReader

NOW_MS = 1_766_600_000_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "journal.sqlite"


def test_a_journal_keeps_its_name(path):
    with Journal.open(path, NOW_MS) as journal:
        name = journal.journal_id
    with Journal.open(path, NOW_MS + 1) as journal:
        assert journal.journal_id == name
    assert JournalReader(path).journal_id == name


def test_a_journal_killed_while_it_was_made_gets_its_name_at_the_next_start(path):
    with Journal.open(path, NOW_MS) as journal:
        journal._db.execute("DELETE FROM meta")
    with Journal.open(path, NOW_MS) as journal:
        assert len(journal.journal_id) == 26


def test_a_second_writer_is_turned_away_and_told_who_writes(path):
    import os

    with Journal.open(path, NOW_MS), pytest.raises(JournalInUseError, match=f"process {os.getpid()}"):
        Journal.open(path, NOW_MS)
    Journal.open(path, NOW_MS).__exit__(None, None, None)


def test_a_file_of_another_kind_is_no_journal(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE x (y)")
    connection.close()
    with pytest.raises(JournalError, match="no Sakugen journal"):
        Journal.open(path, NOW_MS)
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal.open(path, NOW_MS)


@pytest.mark.parametrize("checked_bytes", [1_000_000_000, 0])
def test_a_damaged_journal_is_found_at_the_start_before_anything_is_added(
    path, gateway, slot_ms, monkeypatch, checked_bytes
):
    monkeypatch.setattr("ingest.store.opening._CHECK_WHOLE_BYTES", checked_bytes)
    records = [gateway.birth()] + [gateway.readings(slot) for slot in range(1, 100)]
    with Journal.open(path, NOW_MS) as journal:
        Intake(journal, 10_000).take([(gateway.topic, data) for data in records], gateway.ring, NOW_MS)
        roots = dict(journal._db.execute("SELECT name, rootpage FROM sqlite_master"))
    Journal.open(path, NOW_MS).__exit__(None, None, None)
    healthy = path.read_bytes()
    for table in ("heads", "records"):
        at = (roots[table] - 1) * 4096
        path.write_bytes(healthy[:at] + b"\xa5" * 4096 + healthy[at + 4096 :])
        if table == "heads" or checked_bytes:
            with pytest.raises(JournalError, match="backup"):
                Journal.open(path, NOW_MS)
            continue
        Journal.open(path, NOW_MS).__exit__(None, None, None)


def test_a_newer_journal_is_left_alone(path):
    with Journal.open(path, NOW_MS) as journal:
        journal._db.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="version 99"):
        Journal.open(path, NOW_MS)


def test_a_transaction_that_fails_leaves_nothing(path, gateway):
    with Journal.open(path, NOW_MS) as journal:
        key = StreamKey("farm", "gw-1", gateway.stream)

        def write_and_fail(failure):
            with journal.transaction():
                journal.incident("x", key, 1, "x", NOW_MS)
                failure()

        with pytest.raises(ZeroDivisionError, match="division"):
            write_and_fail(lambda: 1 // 0)
        with pytest.raises(JournalError, match="cannot be written"):
            write_and_fail(lambda: journal._db.execute("INSERT INTO nowhere VALUES (1)"))
    assert JournalReader(path).incidents() == []


def test_every_commit_is_fsynced_and_in_wal_mode(path):
    with Journal.open(path, NOW_MS) as journal:
        assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_readers_read_while_the_writer_writes_and_cannot_write(path, gateway, slot_ms):
    with Journal.open(path, NOW_MS) as journal:
        intake, reader = Intake(journal, 10_000), JournalReader(path)
        intake.take([(gateway.topic, gateway.birth())], gateway.ring, NOW_MS)
        rows = reader.records("demo", slot_ms(0), slot_ms(100))
        assert next(rows).kind == "birth"
        for slot in range(1, 4):
            intake.take([(gateway.topic, gateway.readings(slot))], gateway.ring, NOW_MS)
        assert len(list(reader.records("demo", slot_ms(0), slot_ms(100)))) == 4
        with pytest.raises(JournalError, match="readonly"):
            reader._journal.query("DELETE FROM records")


def test_a_reader_pages_through_more_rows_than_one_page_in_order(path, gateway, slot_ms, monkeypatch):
    monkeypatch.setattr("ingest.store.rows.PAGE_ROWS", 3)
    records = [gateway.birth()] + [gateway.readings(slot) for slot in range(1, 11)]
    with Journal.open(path, NOW_MS) as journal:
        Intake(journal, 10_000).take([(gateway.topic, data) for data in records], gateway.ring, NOW_MS)
    reader = JournalReader(path)
    assert [row.data for row in reader.records("demo", slot_ms(0), slot_ms(100))] == records
    some = [row.seq for row in reader.records("demo", slot_ms(4), slot_ms(6))]
    assert some == [1, 5, 6]
    assert [row.id for row in reader.after(9, 5)] == [10, 11]


def test_between_two_records_of_an_interval_none_is_left_out(path, gateway, slot_ms):
    """The clock was set back for a while: a gap that lies before the interval stands between readings within it."""
    records = [gateway.birth(), gateway.readings(4), gateway.gap(1, 2, "clock-behind"), gateway.readings(5)]
    with Journal.open(path, NOW_MS) as journal:
        Intake(journal, 10_000).take([(gateway.topic, data) for data in records], gateway.ring, NOW_MS)
    assert [row.seq for row in JournalReader(path).records("demo", slot_ms(4), slot_ms(6))] == [1, 2, 3, 4]
    assert [row.seq for row in JournalReader(path).records("demo", slot_ms(5), slot_ms(6))] == [1, 4]


def test_a_missing_journal_is_said_to_be_missing(path):
    with pytest.raises(JournalError, match="cannot be read"):
        JournalReader(path).projects()


def test_the_latest_reading_of_each_measurand_is_found(path, gateway, slot_ms):
    records = [gateway.birth(), gateway.readings(1, 2), gateway.readings(3, 4, energy=[5, None], quality=3)]
    with Journal.open(path, NOW_MS) as journal:
        Intake(journal, 10_000).take([(gateway.topic, data) for data in records], gateway.ring, NOW_MS)
    reader = JournalReader(path)
    assert reader.projects() == ["demo"]
    power, energy = reader.latest("demo")
    assert (power.measurand, energy.measurand) == ("active_power_w", "energy_export_total_wh")
    assert (energy.time_ms, energy.value, energy.quality.label) == (slot_ms(4), None, "sentinel")
    assert reader.latest("another") == []
    assert reader.heads()[0].head == 3
