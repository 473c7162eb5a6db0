"""Held records that can be used later: when their birth has come after all, and when the software is newer."""

import sqlite3

import pytest

from ingest import replay
from ingest.intake import Intake
from ingest.store.journal import Journal, StreamKey
from ingest.store.reader import JournalReader
from ingest.store.readings import collect
from metering import record
from metering.errors import RecordError
from metering.measurands import MEASURANDS

NOW_MS = 1_766_600_000_000
LATER_MS = NOW_MS + 60_000


@pytest.fixture
def box(tmp_path, gateway):
    return Box(tmp_path / "journal.sqlite", gateway)


class Box:
    def __init__(self, path, gateway) -> None:
        self.path, self._gateway, self.ring = path, gateway, gateway.ring
        self.reader = JournalReader(path)

    def take(self, *records: bytes, gateway=None) -> None:
        sender = gateway or self._gateway
        with Journal.open(self.path, NOW_MS) as journal:
            Intake(journal, 10_000).take([(sender.topic, data) for data in records], sender.ring, NOW_MS)

    def replay(self) -> list[int]:
        with Journal.open(self.path, NOW_MS) as journal:
            return [done.seq for done in replay.everything(journal, self.ring, LATER_MS)]

    def statuses(self) -> dict[int, str | None]:
        return {row.seq: row.reason or row.status for row in self.reader.after(0, -1)}

    def notes(self) -> list[tuple]:
        with sqlite3.connect(self.path) as own:
            rows = own.execute("SELECT record, reason, replayed_ms FROM replays ORDER BY id").fetchall()
        own.close()
        return rows


@pytest.fixture
def older_software(monkeypatch):
    """Software that does not know `active_power_w` yet; leaving it is the update."""

    def begin() -> None:
        monkeypatch.setattr(
            "metering.record.MEASURANDS", {k: v for k, v in MEASURANDS.items() if k != "active_power_w"}
        )

    def end() -> None:
        monkeypatch.setattr("metering.record.MEASURANDS", MEASURANDS)

    return begin, end


def test_what_older_software_held_is_usable_with_newer_software_and_its_bytes_are_the_same(
    box, gateway, older_software, slot_ms
):
    begin, end = older_software
    begin()
    box.take(gateway.birth(), gateway.readings(1, 2), gateway.gap(3, 4))
    assert box.statuses() == {1: "unknown-unit", 2: "birth-held", 3: "birth-held"}
    assert box.replay() == []
    end()
    assert box.replay() == [1, 2, 3]
    rows = box.reader.after(0, -1)
    assert [(row.status, row.reason, row.project) for row in rows] == [("appended", None, "demo")] * 3
    assert [row.data for row in rows] == gateway.made
    assert (rows[1].first_slot_ms, rows[1].last_slot_ms) == (slot_ms(1), slot_ms(2))
    assert box.reader.projects() == ["demo"]
    evidence = collect(row.data for row in box.reader.records("demo", 0, slot_ms(10)))
    assert evidence.series("ac", "active_power_w").time_ms.tolist() == [slot_ms(1), slot_ms(2), slot_ms(3)]
    assert box.notes() == [(1, "unknown-unit", LATER_MS), (2, "birth-held", LATER_MS), (3, "birth-held", LATER_MS)]


def test_a_record_is_replayed_once(box, gateway, older_software):
    begin, end = older_software
    begin()
    box.take(gateway.birth(), gateway.readings(1))
    end()
    assert box.replay() == [1, 2]
    assert box.replay() == []
    assert len(box.notes()) == 2
    box.take(*gateway.made)
    assert len(box.reader.after(0, -1)) == 2


def test_what_still_cannot_be_used_stays_held(box, gateway):
    box.take(gateway.birth(points=[]), gateway.readings(1))
    assert box.statuses() == {1: "appended", 2: "shape"}
    assert box.replay() == []
    assert box.statuses() == {1: "appended", 2: "shape"}
    assert box.notes() == []


def test_readings_without_a_birth_are_usable_as_soon_as_it_has_come_after_all(box, gateway):
    birth, readings = gateway.birth(), gateway.readings(1)
    digest = gateway.prev
    later = gateway.readings(2)
    box.take(gateway.horizon(3, digest), later)
    assert box.statuses() == {0: "appended", 3: "no-birth"}
    box.take(birth)
    assert box.statuses() == {0: "appended", 1: "appended", 3: "appended"}
    assert [row[1] for row in box.notes()] == ["no-birth"]
    box.take(readings)
    assert box.statuses()[2] == "appended"


def test_a_birth_of_another_stream_makes_nothing_usable(box, gateway):
    birth, _ = gateway.birth(), gateway.readings(1)
    later_than = gateway.prev
    box.take(gateway.horizon(3, later_than), gateway.readings(2))
    gateway.new_stream()
    box.take(gateway.birth())
    assert box.statuses()[3] == "no-birth"
    assert birth


def test_a_held_first_birth_that_becomes_usable_is_compared_like_any_other(box, gateway, new_gateway, older_software):
    other = new_gateway("gw-2")
    box.take(other.birth(), gateway=other)
    begin, end = older_software
    begin()
    box.take(gateway.birth(), gateway.readings(1))
    after = gateway.ref()
    gateway.new_stream()
    box.take(gateway.birth(after=after | {"seq": 1}))
    assert box.reader.incidents() == []
    end()
    box.replay()
    assert sorted(one.code for one in box.reader.incidents()) == ["beyond-successor", "point-claimed-twice"]


def test_a_dropped_record_that_could_not_be_read_gets_the_place_that_it_stands_for(box, gateway, monkeypatch):
    box.take(gateway.birth())
    prev = gateway.prev
    gateway.readings(1)
    gateway.readings(2)
    dropped = gateway.dropped(2, 3, gateway.prev, prev)
    read = record.parse_body

    def before_there_was_dropping(text: bytes) -> record.Record:
        if b'"kind":"dropped"' in text:
            raise RecordError("shape", "unknown kind")
        return read(text)

    monkeypatch.setattr(record, "parse_body", before_there_was_dropping)
    box.take(dropped)
    assert box.statuses()[2] == "shape"
    monkeypatch.setattr(record, "parse_body", read)
    assert box.replay() == [2]
    with Journal.open(box.path, NOW_MS) as journal:
        key = StreamKey("farm", "gw-1", gateway.stream)
        assert journal.chain(key, [3]) == {3: record.parse(dropped).replaces}


# --- one point, two gateways ---------------------------------------------------------------------------------------


def test_a_point_that_two_gateways_read_is_an_incident(box, gateway, new_gateway):
    other = new_gateway("gw-2")
    box.take(gateway.birth())
    assert box.reader.incidents() == []
    box.take(other.birth(), gateway=other)
    (incident,) = box.reader.incidents()
    assert (incident.code, incident.gateway) == ("point-claimed-twice", "gw-2")
    assert "farm/gw-2 reads what farm/gw-1 reads too: ac/active_power_w, ac/energy_export_total_wh" in incident.what


def test_what_a_test_or_another_project_reads_or_what_is_read_no_more_is_no_claim(box, gateway, new_gateway):
    box.take(gateway.birth())
    tester, stranger, successor = new_gateway("gw-2"), new_gateway("gw-3"), new_gateway("gw-4")
    box.take(tester.birth(mode="test"), gateway=tester)
    stranger.project = "other"
    box.take(stranger.birth(), gateway=stranger)
    box.take(gateway.birth(points=[]))
    box.take(successor.birth(), gateway=successor)
    assert box.reader.incidents() == []


def test_a_gateway_that_starts_again_has_no_rival(box, gateway):
    box.take(gateway.birth())
    after = gateway.ref()
    gateway.new_stream()
    box.take(gateway.birth(after=after))
    assert box.reader.incidents() == []


def test_two_gateways_that_start_again_with_the_same_points_are_no_new_incident(box, gateway, new_gateway):
    other = new_gateway("gw-2")
    box.take(gateway.birth())
    box.take(other.birth(), gateway=other)
    for one in (gateway, other):
        after = one.ref()
        one.new_stream()
        box.take(one.birth(after=after), gateway=one)
    assert len(box.reader.incidents()) == 1
