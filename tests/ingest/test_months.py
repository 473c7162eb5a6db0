"""Closed months: one file each, and everybody reads on as before."""

import sqlite3
from dataclasses import dataclass

import pytest

from ingest import replay
from ingest.errors import MonthError
from ingest.intake import Intake
from ingest.store import closing, months
from ingest.store.journal import Journal
from ingest.store.months import folder_of
from ingest.store.reader import JournalReader
from ingest.validate import Action
from metering import record

DAY_MS = 86_400_000
OCTOBER_MS = 1_790_812_800_000  # 2026-10-01T00:00:00Z
NOVEMBER_MS = OCTOBER_MS + 31 * DAY_MS
LATER_MS = NOVEMBER_MS + 4 * DAY_MS


@dataclass
class Box:
    """A journal with its intake and reader."""

    journal: Journal
    intake: Intake
    reader: JournalReader
    ring: object

    def take(self, gateway, *records, at_ms=OCTOBER_MS):
        return [
            outcome.action
            for outcome in self.intake.take([(gateway.topic, data) for data in records], self.ring, at_ms)
        ]

    def build(self, now_ms=LATER_MS):
        return closing.build(self.journal.path, closing.next_month(self.journal.path, now_ms))

    def list_month(self, verified):
        with self.journal.transaction():
            self.journal.closed.add(verified, LATER_MS)

    def sweep(self, rows=1000):
        while self.journal.closed.to_sweep():
            with self.journal.transaction():
                self.journal.closed.sweep(rows)

    def close(self, now_ms=LATER_MS):
        verified = self.build(now_ms)
        self.list_month(verified)
        self.sweep()
        return folder_of(self.journal.path) / verified.month.name

    def rows(self, sql):
        return self.journal._db.execute(sql).fetchall()


@pytest.fixture
def box(tmp_path, gateway):
    path = tmp_path / "journal.sqlite"
    with Journal.open(path, OCTOBER_MS) as journal:
        yield Box(journal, Intake(journal, 10_000), JournalReader(path), gateway.ring)


@pytest.fixture
def october(box, gateway):
    """Two streams in October, with a held record, a gap and a horizon; a few records in November."""
    box.take(gateway, gateway.birth(), *(gateway.readings(slot) for slot in range(1, 30)))
    box.take(gateway, gateway.gap(30, 33), gateway.horizon(40, "a" * 64))
    gateway.seq, gateway.prev = 39, "a" * 64
    box.take(gateway, gateway.readings(34, 35))
    after = gateway.ref()
    gateway.new_stream()
    box.take(gateway, gateway.birth(after), gateway.readings(36))
    hold(box, 20)
    box.take(gateway, *(gateway.readings(slot) for slot in range(37, 45)), at_ms=NOVEMBER_MS + 5)
    return gateway


def hold(box, row_id):
    """As if a record could not have been used when it came."""
    box.rows(f"UPDATE records SET status = 'held', reason = 'shape' WHERE id = {row_id}")


def all_that_is_read(box, slot_ms):
    reader = box.reader
    by_arrival, cursor = [], 0
    while page := reader.after(cursor, 3, 2000):
        by_arrival += page
        cursor = page[-1].id
    return {
        "arrival": by_arrival,
        "all": list(reader.records("demo", 0, slot_ms(1000))),
        "some": list(reader.records("demo", slot_ms(5), slot_ms(36))),
        "end": list(reader.records("demo", slot_ms(40), slot_ms(42))),
        "overlapping": [reader.overlapping(stored, 1000) for stored in by_arrival],
        "births": [reader.birth_before(stored) for stored in by_arrival],
        "held": reader.held("demo"),
        "latest": reader.latest("demo"),
        "heads": reader.heads(),
    }


def test_while_a_month_is_closed_and_swept_every_reader_reads_what_it_read_before(box, october, slot_ms):
    before = all_that_is_read(box, slot_ms)
    assert len(before["arrival"]) == 43
    assert [len(before[part]) for part in ("all", "some", "end", "held")] == [42, 29, 5, 1]
    verified = box.build()
    assert all_that_is_read(box, slot_ms) == before
    box.list_month(verified)
    assert all_that_is_read(box, slot_ms) == before
    while box.journal.closed.to_sweep():
        with box.journal.transaction():
            box.journal.closed.sweep(5)
        assert all_that_is_read(box, slot_ms) == before
    left = box.rows("SELECT kind FROM records WHERE received_ms < 1793491200000")
    assert sorted(left) == [("birth",), ("birth",), ("horizon",), ("readings",)]
    assert (verified.month.name, verified.month.records) == ("2026-10.sqlite", 34)


@pytest.mark.parametrize("when", ["before", "built", "listed", "swept"])
def test_a_held_record_can_be_used_later_whenever_its_month_is_closed(box, october, gateway, slot_ms, when):

    def release(now):
        if now == when:
            assert [done.seq for done in replay.everything(box.journal, gateway.ring, LATER_MS)] == [20]

    release("before")
    verified = box.build()
    release("built")
    box.list_month(verified)
    release("listed")
    box.sweep()
    release("swept")
    found = [stored.seq for stored in box.reader.records("demo", slot_ms(1), slot_ms(30))]
    assert found[:31] == list(range(31))
    assert [stored.seq for _, stored in box.reader.replayed_after(0, 10)] == [20]
    assert [stored.id for stored in box.reader.after(0, 1000)] == list(range(1, 44))


def test_a_record_of_a_closed_month_is_known_and_a_contradiction_is_a_fork(box, october, gateway):
    made = list(gateway.made)
    box.close()
    assert box.take(gateway, *made[1:5], at_ms=LATER_MS) == [Action.IGNORE] * 4
    gateway.stream, gateway.seq, gateway.prev = record.parse(made[4]).stream, 4, record.digest_of(made[3])
    assert box.take(gateway, gateway.readings(4, energy=[999_999]), at_ms=LATER_MS) == [Action.FORK]
    assert box.take(gateway, gateway.readings(5), at_ms=LATER_MS) == [Action.FORK]
    assert len(box.reader.after(0, 1000)) == 43


def test_what_replaces_records_of_a_closed_month_is_known_by_the_last_of_them(box, gateway):
    records = [gateway.birth(), *(gateway.readings(slot) for slot in range(1, 6))]
    digests = [record.digest_of(data) for data in records]
    box.take(gateway, *records[:2])
    dropped = gateway.dropped(3, 5, digests[4], digests[1])
    box.take(gateway, dropped)
    gateway.seq, gateway.prev = 5, digests[4]
    box.take(gateway, gateway.readings(5), at_ms=NOVEMBER_MS)
    box.close()
    assert box.take(gateway, gateway.dropped(2, 5, "e" * 64, digests[0])) == [Action.FORK]
    assert box.take(gateway, dropped, records[4]) == [Action.IGNORE, Action.APPEND]


def test_what_comes_next_opens_no_closed_month(box, october, gateway):
    box.close().unlink()
    last = gateway.made[-1]
    assert box.take(gateway, last, gateway.readings(60), at_ms=LATER_MS) == [Action.IGNORE, Action.APPEND]


def test_the_same_records_give_the_same_file(box, october, tmp_path):
    first = box.build()
    path = folder_of(box.journal.path) / first.month.name
    data = path.read_bytes()
    again = box.build()
    assert again == first
    assert path.read_bytes() == data
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_month_that_lacks_a_record_or_has_another_is_not_listed(box, october, monkeypatch):
    rows = closing._rows
    with monkeypatch.context() as faulty:
        faulty.setattr("ingest.store.closing._rows", lambda *of: list(rows(*of))[:-1])
        with pytest.raises(MonthError, match="holds 33 records instead of 34"):
            box.build()
    with monkeypatch.context() as faulty:
        faulty.setattr("ingest.store.months.write", lambda path, of, write=months.write: write(path, of)[::-1])
        with pytest.raises(MonthError, match="what was read back is not what was written"):
            box.build()
    path = box.close()
    with pytest.raises(MonthError, match="does not belong into it"):
        months.verify(path, 5, 9, "", lambda: None)


def test_a_file_that_this_journal_does_not_know_is_never_written_over(box, october):
    folder = folder_of(box.journal.path)
    folder.mkdir()
    (folder / "2026-10.sqlite").write_bytes(b"of a later journal")
    assert box.close().name == "2026-10-2.sqlite"
    assert (folder / "2026-10.sqlite").read_bytes() == b"of a later journal"


def test_a_month_is_closed_some_days_after_its_end_and_only_once(box, october):
    path = box.journal.path
    assert closing.next_month(path, NOVEMBER_MS + closing.CLOSE_AFTER_MS - 1) is None
    assert closing.next_month(path, NOVEMBER_MS + closing.CLOSE_AFTER_MS).label == "2026-10"
    box.close()
    assert closing.next_month(path, LATER_MS) is None
    december = closing.next_month(path, LATER_MS + 31 * DAY_MS)
    assert (december.label, december.first_id, december.last_id) == ("2026-11", 36, 42)


def test_the_newest_record_stays_so_that_numbers_never_come_twice(box, gateway):
    box.take(gateway, gateway.birth(), gateway.readings(1), gateway.readings(2))
    box.close()
    assert [stored.id for stored in box.reader.after(0, 10)] == [1, 2, 3]
    assert closing.next_month(box.journal.path, LATER_MS) is None
    box.take(gateway, gateway.readings(3), at_ms=LATER_MS)
    assert [stored.seq for stored in box.reader.after(0, 10)] == [1, 2, 3, 4]
    assert box.reader.after(0, 10)[-1].id == 4


def test_the_newest_record_stays_even_behind_a_gap_in_the_numbers(box, gateway):
    box.take(gateway, gateway.birth(), *(gateway.readings(slot) for slot in range(1, 6)))
    box.rows("DELETE FROM records WHERE id IN (4, 5)")
    assert closing.next_month(box.journal.path, LATER_MS).last_id == 3


def test_a_clock_that_was_wrong_for_a_while_neither_loses_nor_stops_anything(box, gateway):
    at = [OCTOBER_MS, OCTOBER_MS + 1, 4_102_444_800_000, OCTOBER_MS + 2, 1000, OCTOBER_MS + 3]
    at += [NOVEMBER_MS, NOVEMBER_MS + 1, NOVEMBER_MS - 5, NOVEMBER_MS + 2]
    box.take(gateway, gateway.birth())
    for number, at_ms in enumerate(at, 1):
        box.take(gateway, gateway.readings(number), at_ms=at_ms)
    sent = gateway.made
    for now_ms in (LATER_MS, LATER_MS + 31 * DAY_MS, LATER_MS + 62 * DAY_MS):
        while closing.next_month(box.journal.path, now_ms) is not None:
            box.close(now_ms)
        assert [stored.data for stored in box.reader.after(0, 100)] == sent
    assert box.reader.months()[-1].last_id == len(sent) - 1


@pytest.mark.parametrize("damage", ["missing", "cut", "changed", "empty"])
def test_a_missing_or_changed_month_is_named_and_ingest_goes_on(box, october, gateway, slot_ms, damage, caplog):
    made = list(gateway.made)
    path = box.close()
    data = path.read_bytes()
    middle = data.index(b"\x78\x9c", len(data) // 4) + 40  # within compressed bytes
    if damage == "missing":
        path.unlink()
    else:
        cut = {
            "cut": data[:-1],
            "changed": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "empty": b"",
        }
        path.write_bytes(cut[damage])
    for read in (
        lambda: list(box.reader.records("demo", slot_ms(1), slot_ms(3))),
        lambda: box.reader.after(0, 100),
    ):
        with pytest.raises(MonthError, match=r"2026-10\.sqlite.*backup"):
            read()
    assert len(list(box.reader.records("demo", slot_ms(41), slot_ms(44)))) == 2 + 1 + 3
    assert len(box.reader.after(37, 100)) == 6
    assert box.take(gateway, made[3], gateway.readings(60), at_ms=LATER_MS) == [Action.IGNORE, Action.APPEND]
    if damage != "changed":
        assert "2026-10.sqlite" in caplog.text


def test_a_month_that_gives_other_bytes_than_a_record_has_is_named(box, october, slot_ms):
    path = box.close()
    size = path.stat().st_size
    with sqlite3.connect(path) as file:
        file.execute("UPDATE records SET start = start + 1 WHERE seq = 5")
    file.close()
    assert path.stat().st_size == size
    with pytest.raises(MonthError, match=r"2026-10\.sqlite: the bytes of record 5 were changed.*backup"):
        box.reader.after(0, 100)


def test_a_reader_that_is_within_a_stream_when_its_month_is_closed_reads_all_of_it_once(
    box, october, slot_ms, monkeypatch
):
    monkeypatch.setattr("ingest.store.rows.PAGE_ROWS", 4)
    expected = list(box.reader.records("demo", 0, slot_ms(1000)))
    reading = box.reader.records("demo", 0, slot_ms(1000))
    found = [next(reading) for _ in range(6)]
    box.close()
    assert found + list(reading) == expected


def test_a_journal_of_version_1_is_upgraded_in_place_when_it_is_opened_for_writing(tmp_path, gateway, slot_ms):
    path = tmp_path / "journal.sqlite"
    with Journal.open(path, OCTOBER_MS) as journal:
        Intake(journal, 1).take([(gateway.topic, gateway.birth())], gateway.ring, OCTOBER_MS)
        name = journal.journal_id
        for table in ("months", "month_streams", "replays", "claims"):
            journal._db.execute(f"DROP TABLE {table}")
        journal._db.execute("PRAGMA user_version = 1")
    reader = JournalReader(path)
    assert [stored.seq for stored in reader.after(0, 9)] == [1]
    assert [stored.seq for stored in reader.records("demo", 0, slot_ms(9))] == [1]
    with Journal.open(path, OCTOBER_MS) as journal:
        assert journal.journal_id == name
        assert journal._db.execute("PRAGMA user_version").fetchone() == (2,)
        Intake(journal, 1).take([(gateway.topic, gateway.readings(1))], gateway.ring, OCTOBER_MS)
    assert [stored.seq for stored in reader.after(0, 9)] == [1, 2]
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT COUNT(*) FROM months").fetchone() == (0,)
    db.close()
