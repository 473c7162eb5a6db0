"""A full disk: ingest stops reading, keeps running, says so once, and goes on by itself when there is space."""

import os
import subprocess

import pytest

from ingest.errors import JournalFullError
from ingest.intake import Intake
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader

NOW_MS = 1_766_600_000_000


def test_a_full_journal_stores_nothing_of_a_batch_and_the_same_batch_later(tmp_path, gateway):
    path = tmp_path / "journal.sqlite"
    sent = [gateway.birth()] + [gateway.readings(slot, quality=0) for slot in range(1, 200)]
    with Journal.open(path, NOW_MS) as journal:
        intake, batch = Intake(journal, 10_000), [(gateway.topic, data) for data in sent]
        (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
        journal._db.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(JournalFullError, match="nothing of this was acknowledged") as failure:
            intake.take(batch, gateway.ring, NOW_MS)
        assert failure.value.retryable
        assert JournalReader(path).heads() == []
        journal._db.execute("PRAGMA max_page_count = 1000000")
        assert journal.has_space()
        intake.take(batch, gateway.ring, NOW_MS)
        assert [row.data for row in JournalReader(path).after(0, 1000)] == sent


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 64 MiB under the journal; needs root."""
    folder = tmp_path / "data"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode != 0:
        message = f"no small file system can be mounted: {done.stderr.decode().strip()}"
        if os.environ.get("SAKUGEN_REQUIRE_REAL") == "1":
            pytest.fail(message)
        pytest.skip(message)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder):
    """Take all the space there is."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return filler


@pytest.mark.real
def test_a_little_space_is_no_space_for_a_batch(small_disk):
    with Journal.open(small_disk / "journal.sqlite", NOW_MS) as journal:
        assert journal.has_space()
        filler = fill(small_disk)
        os.truncate(filler, filler.stat().st_size - (1 << 20))
        assert not journal.has_space()


@pytest.mark.real
def test_on_a_full_disk_ingest_reads_no_further_says_so_once_and_goes_on_when_there_is_space(
    small_disk, broker, start_ingest, connect, gateway, wait_until
):
    running = start_ingest(broker.port)
    line = connect(broker.port)
    first = [gateway.birth(), gateway.readings(1)]
    line.send(*first)
    wait_until(lambda: line.through() == 2)
    filler = fill(small_disk)
    line.send(*(gateway.readings(slot) for slot in range(2, 400)))
    wait_until(lambda: "nothing is read until there is space" in running.log.read_text())
    wait_until(lambda: b"false" in line.online[-1])
    told, reached = len(line.online), line.through()
    assert reached < 400
    assert (running.process.poll(), len(line.online), line.through()) == (None, told, reached)
    filler.unlink()
    wait_until(lambda: b"true" in line.online[-1])
    line.send(*gateway.made[line.through() :])
    wait_until(lambda: line.through() == 400, 20)
    reader = JournalReader(small_disk / "journal.sqlite")
    assert [row.data for row in reader.after(0, 1000)] == gateway.made
    text = running.log.read_text()
    assert (text.count("nothing is read"), text.count("the disk takes records again")) == (1, 1)
