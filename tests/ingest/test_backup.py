"""A backup is of one moment, checked, and taken beside the running writer."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ingest import backup, replay
from ingest.backup import back_up
from ingest.config import IngestSettings
from ingest.errors import BackupError, MonthError
from ingest.intake import Intake
from ingest.store import closing
from ingest.store.journal import Journal
from ingest.store.months import folder_of
from ingest.store.reader import JournalReader

DAY_MS = 86_400_000
MONTH_PROCESS = Path(__file__).with_name("month_process.py")
BESIDE_PROCESS = Path(__file__).with_name("beside_process.py")


@pytest.fixture
def settings(tmp_path):
    return IngestSettings(data_dir=tmp_path / "data")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "backup"


@pytest.fixture
def sent(settings, gateway, slot_ms):
    """Records of one month, which is closed, and one of the next but one."""
    records = [gateway.birth(), *(gateway.readings(slot) for slot in range(1, 20))]
    with Journal.open(settings.journal_path, slot_ms(0)) as journal:
        intake = Intake(journal, 10_000)
        intake.take([(gateway.topic, data) for data in records], gateway.ring, slot_ms(0))
        intake.take([(gateway.topic, gateway.readings(50)), ("t", b"rubbish")], gateway.ring, slot_ms(0) + 62 * DAY_MS)
    now_ms = str(slot_ms(0) + 62 * DAY_MS)
    subprocess.run([sys.executable, MONTH_PROCESS, settings.journal_path, now_ms, "never"], check=True)
    return [*records, gateway.made[-1]]


def everything(path):
    reader = JournalReader(path)
    return (
        reader.after(0, 1000), reader.heads(), reader.months(), reader.refusals(), reader.journal_id,
        list(reader.records("demo", 0, 1 << 60)),
    )  # fmt: skip


def test_a_backup_holds_what_the_journal_and_its_months_hold_and_is_a_journal(settings, folder, sent, slot_ms):
    done = back_up(settings, folder)
    assert (done.records, done.months, done.new_months) == (2, 1, 1)
    assert everything(folder / "journal.sqlite") == everything(settings.journal_path)
    assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*")) == [
        "journal.sqlite",
        "months",
        "months/2025-12.sqlite",
    ]
    with Journal.open(folder / "journal.sqlite", slot_ms(0)) as journal:
        assert journal.begin_run(slot_ms(0)) > ""


def test_the_next_backup_into_the_same_folder_copies_no_month_again_and_checks_it(settings, folder, sent):
    back_up(settings, folder)
    assert back_up(settings, folder).new_months == 0
    (month,) = folder_of(folder / "journal.sqlite").iterdir()
    month.write_bytes(month.read_bytes()[:-1] + b"\xff")
    with pytest.raises(MonthError, match=rf"backup.*{month.name}"):
        back_up(settings, folder)


def test_a_month_that_is_missing_is_named_and_the_backup_before_stays(settings, folder, sent, gateway, slot_ms):
    back_up(settings, folder)
    before = everything(folder / "journal.sqlite")
    (month,) = folder_of(settings.journal_path).iterdir()
    month.unlink()
    shutil.rmtree(folder / "months")
    with pytest.raises(MonthError, match=f"{month.name}: a closed month is missing"):
        back_up(settings, folder)
    assert JournalReader(folder / "journal.sqlite").heads() == before[1]


def test_a_record_whose_bytes_were_changed_is_found_and_the_backup_before_stays(settings, folder, sent):
    back_up(settings, folder)
    before = (folder / "journal.sqlite").read_bytes()
    with Journal.open(settings.journal_path, 0) as journal:
        journal._db.execute("UPDATE records SET bytes = CAST('x' || bytes AS BLOB) WHERE id = 21")
    with pytest.raises(BackupError, match="record 21 of the journal has other bytes"):
        back_up(settings, folder)
    assert (folder / "journal.sqlite").read_bytes() == before


def test_a_record_that_becomes_usable_while_it_is_copied_is_usable_in_the_backup(
    settings, folder, gateway, slot_ms, monkeypatch
):
    add = backup._add
    with Journal.open(settings.journal_path, slot_ms(0)) as journal:
        records = [gateway.birth(), gateway.readings(1)]
        Intake(journal, 0).take([(gateway.topic, data) for data in records], gateway.ring, slot_ms(0))
        journal._db.execute("UPDATE records SET status = 'held', reason = 'shape', project = NULL WHERE seq = 2")

        def copied_and_then_released(*of):
            last_id = add(*of)
            replay.everything(journal, gateway.ring, slot_ms(2))
            return last_id

        monkeypatch.setattr("ingest.backup._add", copied_and_then_released)
        back_up(settings, folder)
    assert everything(folder / "journal.sqlite") == everything(settings.journal_path)
    assert JournalReader(folder / "journal.sqlite").held("demo") == []


def test_a_month_that_is_closed_while_its_records_are_copied_is_in_the_backup_once(
    settings, folder, gateway, slot_ms, monkeypatch
):
    path, add, later_ms = settings.journal_path, backup._add, slot_ms(0) + 62 * DAY_MS
    with Journal.open(path, slot_ms(0)) as journal:
        records = [gateway.birth(), *(gateway.readings(slot) for slot in range(1, 9))]
        Intake(journal, 0).take([(gateway.topic, data) for data in records], gateway.ring, slot_ms(0))
        Intake(journal, 0).take([(gateway.topic, gateway.readings(50))], gateway.ring, later_ms)

        def copied_and_then_closed(*of):
            last_id = add(*of)
            verified = closing.build(path, closing.next_month(path, later_ms))
            with journal.transaction():
                journal.closed.add(verified, later_ms)
                journal.closed.sweep(1000)
            return last_id

        monkeypatch.setattr("ingest.backup._add", copied_and_then_closed)
        back_up(settings, folder)
    copy = folder / "journal.sqlite"
    assert everything(copy) == everything(path)
    with Journal.open(copy, slot_ms(0)) as journal:
        while journal.closed.to_sweep():
            with journal.transaction():
                journal.closed.sweep(1000)
    assert everything(copy) == everything(path)
    assert len(JournalReader(copy)._journal.kept("1", ())) == 2  # the birth and the newest


def test_a_missing_journal_is_not_backed_up_as_an_empty_one(settings, folder):
    with pytest.raises(BackupError, match="cannot be copied"):
        back_up(settings, folder)
    assert not (folder / "journal.sqlite").exists()


def test_a_backup_beside_a_writer_at_full_rate_is_of_one_moment(settings, folder, wait_until):
    path = settings.journal_path
    Journal.open(path, 0).__exit__(None, None, None)
    writer = subprocess.Popen([sys.executable, BESIDE_PROCESS, "write", path, "3"], stdout=subprocess.PIPE)
    try:
        wait_until(lambda: JournalReader(path).heads())
        back_up(settings, folder)
        assert writer.poll() is None
    finally:
        writer.communicate()
    reader = JournalReader(folder / "journal.sqlite")
    heads = {head.head for head in reader.heads()}
    assert len(heads) == 1
    assert len(reader._journal.query("SELECT id FROM records")) == 4 * heads.pop()
