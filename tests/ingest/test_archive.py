"""Which months are archived, when, and what becomes of files that are late, missing or changed."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ingest.archive import OPEN_FOR_MS, archive
from ingest.errors import ArchiveError
from ingest.intake import Intake
from ingest.store.archive import Archive
from ingest.store.archive_files import ArchiveFolder
from ingest.store.archive_layout import interval_of, month_of, months_in
from ingest.store.archive_write import _scaled
from ingest.store.journal import Journal
from ingest.store.merge import holes
from ingest.store.reader import JournalReader
from metering.interval import Interval
from sakugen.cli.ingest import app

NEW_YEAR_SLOT, FEBRUARY_SLOT = 800, 3776  # 2026-01-01, 2026-02-01
FEBRUARY_MS, MARCH_MS = interval_of("2026-02").start_ms, interval_of("2026-03").start_ms
ENERGY = ("ac", "energy_export_total_wh")


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def take(journal, gateway):
    """`take()` journals what the gateway made so far."""

    def take(sent=None, path=journal):
        with Journal.open(path, FEBRUARY_MS) as opened:
            Intake(opened, 10_000).take(
                [(gateway.topic, one) for one in sent or gateway.made], gateway.ring, FEBRUARY_MS
            )

    return take


@pytest.fixture
def target(tmp_path):
    return Archive(ArchiveFolder(str(tmp_path / "archive")))


def run(journal, target, now_ms=MARCH_MS + OPEN_FOR_MS):
    told = []
    archive(JournalReader(journal), target, now_ms, told.append)
    return [(one.month, one.again) for one in told]


def files(target):
    return sorted(path for path in Path(target.folder.url).rglob("*") if path.is_file())


def parquet(target):
    return {path.name: path.read_bytes() for path in files(target) if path.suffix == ".parquet"}


def energies(target, until_ms=MARCH_MS):
    return target.evidence("demo", 0, until_ms).series(*ENERGY).value.tolist()


# --- which months ----------------------------------------------------------------------------------------------------


def test_a_month_is_archived_when_a_week_has_passed_since_its_end_and_no_earlier(journal, gateway, take, target):
    gateway.birth()
    gateway.readings(NEW_YEAR_SLOT - 1, NEW_YEAR_SLOT)
    take()
    assert run(journal, target, FEBRUARY_MS + OPEN_FOR_MS - 1) == [("2025-12", False)]
    with pytest.raises(ArchiveError, match=r"through 2025-12, not yet 2026-01: run `sakugen ingest archive`"):
        target.evidence("demo", 0, FEBRUARY_MS)
    assert run(journal, target, FEBRUARY_MS + OPEN_FOR_MS) == [("2026-01", False)]
    assert energies(target, FEBRUARY_MS) == [8_990_000, 9_000_000]


def test_a_second_run_finds_nothing_to_do(journal, gateway, take, target):
    gateway.birth()
    gateway.readings(NEW_YEAR_SLOT - 1, NEW_YEAR_SLOT)
    take()
    assert len(run(journal, target)) == 2
    before = {path: path.stat().st_mtime_ns for path in files(target) if path.suffix == ".parquet"}
    assert run(journal, target) == []
    assert before == {path: path.stat().st_mtime_ns for path in files(target) if path.suffix == ".parquet"}


def test_late_readings_give_a_month_another_generation_beside_the_first(journal, gateway, take, target):
    gateway.birth()
    gateway.readings(1)
    gateway.readings(NEW_YEAR_SLOT + 1)
    take()
    assert run(journal, target) == [("2025-12", False), ("2026-01", False)]
    first, manifest = parquet(target), target.folder.manifest("demo")
    gateway.new_stream()
    gateway.birth()
    gateway.readings(2)
    take()
    assert run(journal, target) == [("2025-12", True)]
    assert set(first) < set(parquet(target))
    again = target.folder.manifest("demo")
    assert again.months["2026-01"] == manifest.months["2026-01"]
    assert again.months["2025-12"].evidence != manifest.months["2025-12"].evidence
    assert energies(target)[:2] == [1_010_000, 1_020_000]


def test_what_a_gateway_says_later_of_itself_makes_no_month_another_one(journal, gateway, take, target):
    gateway.birth()
    gateway.readings(1)
    gateway.readings(FEBRUARY_SLOT + 200)
    take()
    run(journal, target)
    gateway.birth(serial="exchanged")
    gateway.readings(FEBRUARY_SLOT + 201)
    gateway.new_stream()
    gateway.birth()
    gateway.readings(FEBRUARY_SLOT + 202)
    take()
    assert run(journal, target) == [("2026-02", True)]


def test_a_month_without_readings_has_no_files_and_its_neighbours_do(journal, gateway, take, target):
    gateway.birth()
    gateway.readings(NEW_YEAR_SLOT - 1)
    gateway.readings(FEBRUARY_SLOT)
    take()
    assert run(journal, target) == [("2025-12", False), ("2026-02", False)]
    assert list(target.folder.manifest("demo").months) == ["2025-12", "2026-02"]


def test_a_project_of_which_nothing_was_archived_is_named(target):
    with pytest.raises(ArchiveError, match="holds nothing of project demo"):
        target.evidence("demo", 0, MARCH_MS)


# --- the same records, the same bytes --------------------------------------------------------------------------------


def test_the_same_records_give_the_same_bytes_whatever_way_they_came(journal, gateway, take, target, tmp_path):
    gateway.birth()
    gateway.readings(1, 2, 3)
    gateway.gap(4, 6)
    gateway.readings(NEW_YEAR_SLOT, NEW_YEAR_SLOT + 1, energy=[None, 7])
    gateway.new_stream()
    gateway.birth()
    gateway.readings(2, 9)
    take()
    other = Archive(ArchiveFolder(str(tmp_path / "other")))
    for one in range(len(gateway.made)):  # one by one, the later stream first, all of it twice
        take([gateway.made[one - 2], gateway.made[one]], tmp_path / "slow.sqlite")
    take(gateway.made, tmp_path / "slow.sqlite")
    run(journal, target)
    run(tmp_path / "slow.sqlite", other)
    assert parquet(target) == parquet(other)
    assert len(parquet(target)) == 6
    assert target.folder.manifest("demo") == other.folder.manifest("demo")


def test_a_file_is_named_by_its_content_and_the_manifest_names_it(journal, gateway, take, target):
    gateway.birth()
    gateway.readings(1)
    take()
    run(journal, target)
    entry = target.folder.manifest("demo").months["2025-12"]
    for file in (entry.readings, entry.polls, entry.births):
        data = (Path(target.folder.url) / "demo" / file.path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file.sha256
        assert file.sha256 in file.path
        assert len(data) == file.size_bytes
    assert entry.size_bytes == sum(len(data) for data in parquet(target).values())


# --- missing, changed, broken off ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["readings", "polls", "births"])
def test_a_file_with_one_bit_changed_is_never_read(journal, gateway, take, target, kind):
    gateway.birth()
    gateway.readings(1)
    take()
    run(journal, target)
    path = next(path for path in files(target) if path.parent.name == kind)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match=f"{kind}/2025-12.*not the ones the manifest names"):
        target.evidence("demo", 0, MARCH_MS)


@pytest.mark.parametrize("kind", ["readings", "polls", "births"])
def test_a_file_that_was_removed_is_named_and_made_again(journal, gateway, take, target, kind):
    gateway.birth()
    gateway.readings(1)
    take()
    run(journal, target)
    path = next(path for path in files(target) if path.parent.name == kind)
    before = path.read_bytes()
    path.unlink()
    with pytest.raises(ArchiveError, match=f"{kind}/2025-12.*cannot be read"):
        target.evidence("demo", 0, MARCH_MS)
    assert run(journal, target) == [("2025-12", True)]
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["", "[]", '{"type": "sakugen.archive/2"}'])
def test_a_manifest_of_another_kind_is_refused(journal, gateway, take, target, text):
    gateway.birth()
    gateway.readings(1)
    take()
    run(journal, target)
    (Path(target.folder.url) / "demo" / "manifest.json").write_text(text)
    with pytest.raises(ArchiveError, match=r"manifest\.json: no manifest of an archive"):
        target.evidence("demo", 0, MARCH_MS)


def test_what_was_broken_off_before_the_manifest_does_not_count_and_is_done_again(
    journal, gateway, take, target, monkeypatch
):
    gateway.birth()
    gateway.readings(1)
    take()

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as fake:
        fake.setattr("ingest.store.archive_files.ArchiveFolder.put_manifest", fail)
        with pytest.raises(OSError, match="No space"):
            run(journal, target)
    assert target.folder.manifest("demo") is None
    assert run(journal, target) == [("2025-12", False)]


def test_a_file_is_flushed_before_it_has_its_name_and_its_folder_after(journal, gateway, take, target, monkeypatch):
    gateway.birth()
    gateway.readings(1)
    take()
    steps = []
    flush, rename = os.fsync, Path.rename

    def seen_fsync(number):
        steps.append("folder" if Path(f"/proc/self/fd/{number}").resolve().is_dir() else "file")
        flush(number)

    def seen_rename(self, to):
        steps.append("name")
        return rename(self, to)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(Path, "rename", seen_rename)
    run(journal, target)
    assert steps == ["file", "name", "folder"] * 5  # three files, a manifest for the month, one for how far it goes
    assert not [path for path in files(target) if path.name.endswith(".part")]


def test_a_folder_that_cannot_be_written_is_named(journal, gateway, take, tmp_path):
    gateway.birth()
    gateway.readings(1)
    take()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArchiveError, match="cannot be written"):
        run(journal, Archive(ArchiveFolder(str(tmp_path / "file"))))


# --- how it is packed ------------------------------------------------------------------------------------------------


def test_values_are_written_in_register_steps_and_null_where_there_is_none(journal, gateway, take, target):
    gateway.birth()
    gateway.readings(1, 2, 3, energy=[10, None, 30])
    take()
    run(journal, target)
    table = pq.read_table(next(path for path in files(target) if path.parent.name == "readings"))
    rows = [row for row in table.to_pylist() if row["measurand"] == ENERGY[1]]
    assert [row["scaled"] for row in rows] == [1, None, 3]
    assert {row["scale"] for row in rows} == {10_000}
    names = [(row["measurand"], row["point"], row["time_ms"]) for row in table.to_pylist()]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0, 0], 1),
        ([-6, 9], 3),
        ([-(2**63), 0], 1),
        ([2**63 - 1, 0], 2**63 - 1),
        ([8] * 300 + [4], 4),
        ([8] * 300 + [3], 1),
    ],
)
def test_scaling_values_loses_nothing_of_them(values, scale):
    value = np.array(values, np.int64)
    scaled, found = _scaled(value, np.ones(len(value), np.bool_))
    assert found == scale
    assert np.array_equal(scaled * found, value)


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_a_series_is_found_in_whatever_row_groups_it_lies(journal, gateway, take, target, monkeypatch, rows):
    monkeypatch.setattr("ingest.store.archive_write._ROW_GROUP_ROWS", rows)
    gateway.birth()
    gateway.readings(1, 2, 3, 4, 5, energy=[1, 2, None, 4, 5])
    gateway.new_stream()
    gateway.birth()
    gateway.readings(5, 6, energy=[5, 6])
    take()
    run(journal, target)
    groups = {
        path.parent.name: pq.read_metadata(path).num_row_groups for path in files(target) if "parquet" in path.name
    }
    assert groups["readings"] == (2 if rows < 7 else 1)
    series = target.series("demo", *ENERGY, 0, MARCH_MS)
    assert series.value.tolist() == [1000, 2000, 0, 4000, 5000, 6000]
    assert target.series("demo", "ac", "active_power_w", 0, MARCH_MS).value.tolist() == [
        50_000,
        50_000,
        0,
        *[50_000] * 3,
    ]


def test_measurands_of_one_group_share_their_polls_until_one_of_them_differs(journal, gateway, take, target):
    gateway.birth()
    gateway.readings(1, 2)
    take()
    run(journal, target)
    assert target.folder.manifest("demo").months["2025-12"].polls.rows == 2
    gateway.new_stream()
    power = [{"point": "ac", "measurand": "active_power_w", "quantum": "mW", "register": "active_power"}]
    gateway.birth(points=power)
    gateway.gap(3, 4)
    take()
    run(journal, target)
    assert target.folder.manifest("demo").months["2025-12"].polls.rows == 2 + 3


# --- months ----------------------------------------------------------------------------------------------------------


def test_a_month_ends_where_the_next_begins_also_over_the_years_end():
    for month, following in (("2025-12", "2026-01"), ("2024-02", "2024-03"), ("2025-02", "2025-03")):
        span = interval_of(month)
        assert month_of(span.start_ms) == month_of(span.end_ms - 1) == month
        assert interval_of(following).start_ms == span.end_ms
    assert interval_of("2024-02").length_ms == 29 * 86_400_000
    assert months_in(Interval(FEBRUARY_MS - 1, MARCH_MS)) == ["2026-01", "2026-02"]
    assert months_in(Interval(FEBRUARY_MS, FEBRUARY_MS)) == []


@pytest.mark.parametrize(
    ("slots", "missing"), [([10, 20, 30], []), ([5, 15, 25], [10, 20]), ([10, 20, 40], [30]), ([7], [])]
)
def test_a_due_slot_is_missed_even_when_rows_are_as_far_apart_as_they_should_be(slots, missing):
    time_ms = np.array(slots, np.int64)
    where, found = holes(time_ms, np.zeros(len(slots), np.int32), [10])
    assert found.tolist() == missing
    assert np.insert(time_ms, where, found).tolist() == sorted(slots + missing)


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_tells_what_it_wrote_and_then_that_all_is_up_to_date(journal, gateway, take, tmp_path):
    gateway.birth()
    gateway.readings(1)
    (tmp_path / "data").mkdir()
    take(path=tmp_path / "data" / "journal.sqlite")
    (tmp_path / "ingest.toml").write_text(f'data_dir = "{tmp_path / "data"}"\n')
    command = ["archive", "--config", str(tmp_path / "ingest.toml")]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    assert first.output.startswith("demo 2025-12: 2 readings, ")
    assert CliRunner().invoke(app, command).output == f"{tmp_path / 'data' / 'archive'} is up to date\n"
    assert (tmp_path / "data" / "archive" / "demo" / "manifest.json").is_file()
    elsewhere = CliRunner().invoke(app, [*command, "--to", f"file://{tmp_path}/elsewhere", "--json"])
    (month,) = json.loads(elsewhere.output)
    assert (month["project"], month["month"], month["readings"], month["again"]) == ("demo", "2025-12", 2, False)
    assert (tmp_path / "elsewhere" / "demo" / "manifest.json").is_file()
