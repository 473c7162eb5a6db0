"""Series of the archive: columns that several of them share, memory that several are cut out of, words they lack."""

from dataclasses import replace

import numpy as np
import pytest

from ingest.intake import Intake
from ingest.store import archive_write
from ingest.store.archive import Archive
from ingest.store.archive_files import ArchiveFolder
from ingest.store.archive_fill import _Memory
from ingest.store.archive_layout import Manifest, interval_of
from ingest.store.archive_write import PYARROW
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from ingest.store.readings import collect
from ingest.store.series import NoWords
from ingest.store.sources import places_in_order_of_use, rows_of

ENERGY, POWER = ("ac", "energy_export_total_wh"), ("ac", "active_power_w")


def read_back(gateway, folder, *months):
    """Evidence of what a gateway sent: as collected, and from an archive of some months."""
    spans = [interval_of(month) for month in months]
    with Journal.open(folder / "journal.sqlite", spans[-1].end_ms) as journal:
        sent = [(gateway.topic, data) for data in gateway.made]
        Intake(journal, 0).take(sent, gateway.ring, spans[-1].end_ms)
    records = JournalReader(folder / "journal.sqlite").records("demo", 0, spans[-1].end_ms)
    evidence = collect(stored.data for stored in records)
    archive = Archive(ArchiveFolder(str(folder / "archive")))
    manifest = Manifest(project="demo", pyarrow=PYARROW, through=months[-1], months={})
    for month in months:
        manifest = archive.put(manifest, month, evidence, gateway.made[:1], "0" * 64)
    archive.folder.put_manifest(manifest)
    return evidence, archive.evidence("demo", spans[0].start_ms, spans[-1].end_ms)


@pytest.fixture
def archived(gateway, tmp_path):
    """Evidence of one month, from an archive."""
    gateway.birth()
    gateway.readings(1, 2, 3)
    gateway.readings(6, 7)
    return read_back(gateway, tmp_path, "2025-12")[1]


@pytest.mark.parametrize("rows", [1, 100], ids=["a-row-group-each", "one-row-group"])
@pytest.mark.parametrize("told", [archive_write._TOLD, {"time_ms"}], ids=["told", "as-older-files"])
@pytest.mark.parametrize("unsynchronised", [(), (2,), (2, 900), (1, 2, 900)])
def test_what_a_file_tells_of_its_columns_beforehand_changes_nothing(
    gateway, tmp_path, monkeypatch, unsynchronised, told, rows
):
    monkeypatch.setattr(archive_write, "_TOLD", told)
    monkeypatch.setattr(archive_write, "_ROW_GROUP_ROWS", rows)
    gateway.birth()
    for slot in (1, 2, 900):  # the last one in January
        free = {"clock": {"state": "holdover", "offset_ms": 5}} if slot in unsynchronised else {}
        gateway.readings(slot, energy=[slot], **free)
    collected, found = read_back(gateway, tmp_path, "2025-12", "2026-01")
    for key, series in collected.by_key.items():
        for name in ("time_ms", "value", "quality", "sent_ms", "received_ms", "synced", "binding"):
            assert np.array_equal(getattr(found.by_key[key], name), getattr(series, name)), (key, name)
    assert int(found.by_key[ENERGY].synced.sum()) == 3 - len(unsynchronised)


def test_what_all_series_share_can_not_be_written_to(gateway, tmp_path):
    gateway.birth()
    gateway.readings(1, 2, 3)
    energy = read_back(gateway, tmp_path, "2025-12")[1].series(*ENERGY)
    for column in (energy.synced, energy.binding):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0


def test_series_that_were_read_together_share_their_times_and_nothing_else(archived):
    energy, power = archived.series(*ENERGY), archived.series(*POWER)
    for name in ("time_ms", "sent_ms", "received_ms", "synced", "binding"):
        assert getattr(energy, name) is getattr(power, name), name
    assert not np.shares_memory(energy.value, power.value)
    assert not np.shares_memory(energy.quality, power.quality)
    assert energy.bindings != power.bindings


def test_no_two_arrays_share_a_byte_whether_a_block_is_full_or_not():
    memory = _Memory(block_bytes=256)
    taken = [memory.take(rows, kind) for rows, kind in ((3, np.int64), (5, np.uint8), (60, np.int32), (99, np.int64))]
    taken.append(memory.take(4, np.bool_))
    for number, array in enumerate(taken):
        array[:] = number % 2
    assert [set(array.tolist()) for array in taken] == [{0}, {1}, {0}, {1}, {False}]
    assert [array.ctypes.data % array.itemsize for array in taken] == [0] * 5


def test_rows_taken_out_of_an_archived_series_keep_their_steps(archived):
    energy = archived.series(*ENERGY)
    stepped = replace(energy, steps=np.arange(len(energy)))
    assert rows_of(stepped, slice(2, 5)).steps.tolist() == [2, 3, 4]
    assert rows_of(stepped, np.array([0, 6])).steps.tolist() == [0, 6]


def test_words_that_are_elsewhere_are_as_many_as_the_rows_and_each_is_empty(archived):
    energy = archived.series(*ENERGY)
    assert len(energy.raw_text) == len(energy) == 7
    assert energy.raw(0) is None
    words = NoWords(5)
    assert [*words, words[-1]] == [""] * 6
    assert len(words[1:3]) == 2
    for beyond in (5, -6):
        with pytest.raises(IndexError):
            words[beyond]


@pytest.mark.parametrize(
    ("places", "numbered", "used"),
    [([1, 1, 0], [0, 0, 1], (1, 0)), ([0, 2, 0, 2], [0, 1, 0, 1], (0, 2)), ([2, 2], [0, 0], (2,))],
)
def test_places_are_numbered_as_rows_first_name_them(places, numbered, used):
    found, order = places_in_order_of_use(np.array(places, np.int32), 3)
    assert (found.tolist(), order) == (numbered, used)
    assert found.dtype == np.int32
