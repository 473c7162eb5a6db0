"""What differs between gateways, journal, archive and InfluxDB, and what does not."""

import numpy as np
import pytest

from ingest.archive import archive
from ingest.intake import Intake
from ingest.reconcile import Places, Slots, compare, days, incomplete_streams, unlike
from ingest.store import influx_query
from ingest.store.archive import Archive
from ingest.store.archive_files import ArchiveFolder
from ingest.store.influx_query import Found
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from metering.interval import DAY_MS, Interval
from metering.quality import Quality

NOW_MS = 1_766_600_000_000
OK, CONFLICT, NO_ANSWER, UNEXPLAINED = Quality.OK, Quality.CONFLICT, Quality.NO_ANSWER, Quality.UNEXPLAINED


def slots(*rows: tuple[int, int, Quality]) -> Slots:
    times, values, codes = zip(*rows, strict=True)
    return Slots(np.array(times), np.array(values), np.array(codes, np.uint8))


def found(pairs: dict[int, float]) -> Found:
    return np.array(list(pairs), np.int64), np.array(list(pairs.values()))


JOURNAL = slots((1, 1500, OK), (2, 2500, OK), (3, 0, CONFLICT), (4, 0, NO_ANSWER), (5, 2**60 + 1, OK))


@pytest.mark.parametrize(
    ("held", "differences"),
    [
        ({1: 1.5, 2: 2.5, 5: (2**60 + 1) / 1000}, {}),
        ({1: 1.5, 2: 2.5, 3: 9.0, 5: (2**60 + 1) / 1000}, {}),
        ({1: 1.5, 5: (2**60 + 1) / 1000}, {"missing": 1}),
        ({1: 1.5, 2: 2.6, 5: (2**60 + 1) / 1000}, {"unequal": 1}),
        ({1: 1.5, 2: 2.5, 4: 1.0, 5: (2**60 + 1) / 1000, 6: 1.0}, {"extra": 2}),
        ({}, {"missing": 3}),
    ],
)
def test_what_influxdb_lacks_has_besides_or_has_otherwise_is_counted_and_conflicts_are_not(held, differences):
    told = compare("active_power_w", JOURNAL, found(held))
    assert told.pop("influxdb") == len(held)
    assert {what: count for what, count in told.items() if count} == differences


def test_an_archive_is_unlike_where_a_value_or_its_reason_is_another_or_a_slot_is_absent():
    assert unlike(JOURNAL, JOURNAL) == 0
    assert unlike(JOURNAL, slots((1, 1500, OK), (2, 2501, OK), (3, 0, NO_ANSWER), (4, 7, NO_ANSWER))) == 3
    assert unlike(JOURNAL, slots(*[(5, 2**60 + 1, OK), (6, 0, UNEXPLAINED)])) == 4


@pytest.fixture
def journal(tmp_path, gateway):
    path = tmp_path / "journal.sqlite"

    def take(*records: bytes) -> JournalReader:
        with Journal.open(path, NOW_MS) as opened:
            Intake(opened, 10_000).take([(gateway.topic, data) for data in records], gateway.ring, NOW_MS)
        return JournalReader(path)

    return take


def test_each_day_of_a_point_is_told_and_days_of_which_nothing_is_known_are_not(journal, gateway, slot_ms):
    last = slot_ms(0) // DAY_MS * DAY_MS
    per_day = DAY_MS // 900_000
    first = (slot_ms(0) - last) // 900_000  # the slot of the day that slot 0 is
    tomorrow = per_day - first
    reader = journal(
        gateway.birth(),
        gateway.readings(0, 1, energy=[1000, None]),
        gateway.readings(tomorrow, tomorrow + 2),
        gateway.gap(tomorrow + 3, tomorrow + 4),
    )
    span = Interval(last - DAY_MS, last + 3 * DAY_MS)
    rows = list(days(Places(reader, None), "demo", span))
    told = [(row.day, row.point, row.journal, row.absent, row.unexplained, row.influxdb, row.archive) for row in rows]
    assert told == [
        ("2025-12-23", "ac", 2, 2, 2 * (tomorrow - 2), None, None),
        ("2025-12-24", "ac", 4, 2, 2, None, None),
    ]
    assert not any(row.differs for row in rows)


def test_an_archive_is_compared_as_far_as_it_was_made(journal, gateway, slot_ms, tmp_path):
    reader = journal(gateway.birth(), gateway.readings(0, 1))
    start_ms = slot_ms(0) // DAY_MS * DAY_MS
    span = Interval(start_ms, start_ms + DAY_MS)
    places = Places(reader, None, Archive(ArchiveFolder(str(tmp_path / "archive"))))
    (unmade,) = days(places, "demo", span)
    assert (unmade.archive, unmade.differs) == (None, False)
    archive(reader, places.archive, start_ms + 60 * DAY_MS, lambda _: None)
    (same,) = days(places, "demo", span)
    assert (same.journal, same.archive, same.archive_differs, same.differs) == (4, 4, 0, False)
    journal(gateway.readings(2))
    (late,) = days(places, "demo", span)
    assert (late.journal, late.archive, late.archive_differs, late.differs) == (6, 4, 2, True)
    last = Interval(start_ms + 60 * DAY_MS, start_ms + 61 * DAY_MS)
    assert list(days(places, "demo", last)) == []


def test_streams_that_are_not_whole_are_told_with_what_they_lack(journal, gateway):
    streams = [gateway.stream]
    journal(gateway.birth(), gateway.readings(1))
    after = gateway.ref()
    gateway.new_stream()
    streams.append(gateway.stream)
    reader = journal(gateway.birth(after=after | {"seq": 5}))
    (one,) = incomplete_streams(Places(reader, None), None)
    assert (one.stream, one.head, one.named, one.lost) == (streams[0], 2, 5, 0)
    gateway.seq, gateway.prev = 9, "e" * 64
    horizon = gateway.horizon(10, "e" * 64)
    journal(horizon, gateway.readings(2))
    gateway.prev = "f" * 64
    journal(gateway.readings(3))
    after = {"stream": "01KD5Z0N000000000000000000", "seq": 7, "digest": "a" * 64}
    gateway.new_stream()
    journal(gateway.birth(after=after))
    told = {one.stream: one for one in incomplete_streams(Places(reader, None), None)}
    assert (told[streams[1]].lost, told[streams[1]].forks) == (8, 1)
    assert (told[after["stream"]].head, told[after["stream"]].named) == (0, 7)
    assert gateway.stream not in told


CSV = b"""name,tags,time,active_power_w,energy_export_total_wh,point,site
reading,,5,1.5,,ac,farm
reading,,6,2,7.25,ac,farm
"""


def test_columns_of_influxdb_become_arrays_without_what_is_not_there():
    columns = influx_query.columns_of(CSV)
    assert {name: [each.tolist() for each in pair] for name, pair in columns.items()} == {
        "active_power_w": [[5, 6], [1.5, 2.0]],
        "energy_export_total_wh": [[6], [7.25]],
    }
    assert influx_query.columns_of(b"") == {}
    assert influx_query.columns_of(b"error\nsomething is wrong\n") == {}
