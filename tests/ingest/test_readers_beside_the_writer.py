"""Readers in other processes beside a writer at full rate: no error, no half record, no WAL file without bound."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.store.journal import Journal

PROCESS = Path(__file__).with_name("beside_process.py")
WAL_LIMIT_BYTES = 64 * 1024 * 1024


@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=pytest.mark.soak)])
def test_readers_beside_a_writer_at_full_rate_see_whole_batches_and_let_the_wal_be_truncated(
    tmp_path, seconds, wait_until
):
    path = tmp_path / "journal.sqlite"
    Journal.open(path, 1).__exit__(None, None, None)
    wal = path.with_name(path.name + "-wal")
    sizes = []
    roles = ["write", "read", "read", "read"]
    processes = [
        subprocess.Popen([sys.executable, PROCESS, role, path, str(seconds)], stdout=subprocess.PIPE, text=True)
        for role in roles
    ]

    def ended():
        sizes.append(wal.stat().st_size if wal.exists() else 0)
        return all(process.poll() is not None for process in processes)

    try:
        wait_until(ended, seconds + 30)
    finally:
        for process in processes:
            process.kill()
    counts = [int(process.communicate()[0].split()[-1]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert min(counts) > 0
    assert max(sizes) < WAL_LIMIT_BYTES, f"{counts[0]} records stored"


def test_a_reader_that_stays_keeps_the_writer_waiting_now_and_then_only(tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.store.journal._WAL_BYTES", 100_000)
    path = tmp_path / "journal.sqlite"
    wal = path.with_name(path.name + "-wal")
    with Journal.open(path, 1) as journal:
        waits = []
        journal._db.set_trace_callback(lambda sql: waits.append(sql) if "wal_checkpoint" in sql else None)

        def write(times):
            for number in range(times):
                with journal.transaction():
                    journal.refuse("topic", "test", f"{len(waits)}-{number}", b"x" * 50_000, 1)

        reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchall()
        write(30)
        grown = wal.stat().st_size
        assert grown > 30 * 50_000
        assert 1 <= len(waits) <= 16
        reader.close()
        write(30)
        assert wal.stat().st_size < 300_000
