"""Closing a month beside the running ingest, and killed at each of its steps."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ingest.intake import Intake
from ingest.store import closing
from ingest.store.journal import Journal
from ingest.store.months import folder_of
from ingest.store.reader import JournalReader
from ingest.upkeep import Upkeep
from metering.clock import SystemClock

DAY_MS = 86_400_000
PROCESS = Path(__file__).with_name("month_process.py")


class FixedClock(SystemClock):
    """Real time, and a wall clock that a test sets."""

    def __init__(self, now_ms):
        super().__init__()
        self.wall_ms = now_ms

    def now_ms(self):
        return self.wall_ms


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def sent(path, gateway, slot_ms):
    """What came in one month, and the first record of the next but one."""
    records = [gateway.birth(), *(gateway.readings(slot) for slot in range(1, 40))]
    with Journal.open(path, slot_ms(0)) as journal:
        intake = Intake(journal, 10_000)
        intake.take([(gateway.topic, data) for data in records], gateway.ring, slot_ms(0))
        intake.take([(gateway.topic, gateway.readings(50))], gateway.ring, slot_ms(0) + 62 * DAY_MS)
    return [*records, gateway.made[-1]]


@pytest.mark.parametrize("step", ["written", "named", "verified", "listed", "sweeping"])
def test_killed_at_any_step_of_closing_a_month_nothing_is_lost_or_doubled(path, sent, slot_ms, step):
    now_ms = str(slot_ms(0) + 62 * DAY_MS)
    died = subprocess.run([sys.executable, PROCESS, path, now_ms, step], check=False)
    assert died.returncode == -signal.SIGKILL
    reader = JournalReader(path)
    assert [stored.data for stored in reader.after(0, 100)] == sent
    assert [stored.data for stored in reader.records("demo", 0, slot_ms(1000))] == sent
    subprocess.run([sys.executable, PROCESS, path, now_ms, "never"], check=True)
    assert [stored.data for stored in reader.after(0, 100)] == sent
    assert [stored.data for stored in reader.records("demo", 0, slot_ms(1000))] == sent
    assert [month.records for month in reader.months()] == [40]
    assert [file.name for file in folder_of(path).iterdir()] == [reader.months()[0].name]
    assert len(reader._journal.kept("1", ())) == 2  # the birth and the newest


def test_a_month_is_closed_beside_the_owner_who_lists_and_sweeps_it(path, sent, slot_ms, wait_until, caplog):
    stop = threading.Event()
    upkeep = Upkeep(path, FixedClock(slot_ms(0) + 62 * DAY_MS), stop)
    reader = JournalReader(path)
    with Journal.open(path, slot_ms(0)) as journal:
        thread = threading.Thread(target=upkeep.run)
        thread.start()

        def settled():
            upkeep.settle(journal)
            return reader.months() and not journal.closed.to_sweep()

        try:
            wait_until(settled)
        finally:
            stop.set()
            thread.join()
    assert [stored.data for stored in reader.after(0, 100)] == sent
    assert upkeep.bad_months == ()


def test_an_ingest_that_ends_does_not_wait_for_a_month_to_be_written(path, sent, slot_ms, monkeypatch):
    stop, found = threading.Event(), closing.next_month

    def find_and_end(*of):
        stop.set()
        return found(*of)

    monkeypatch.setattr("ingest.store.closing.next_month", find_and_end)
    upkeep = Upkeep(path, FixedClock(slot_ms(0) + 62 * DAY_MS), stop)
    upkeep.run()
    with Journal.open(path, slot_ms(0)) as journal:
        upkeep.settle(journal)
    assert JournalReader(path).months() == []
    assert list(folder_of(path).glob("*.sqlite")) == []


def test_missing_and_unknown_months_are_named_at_the_start(path, sent, slot_ms, wait_until, caplog):
    now_ms = slot_ms(0) + 62 * DAY_MS
    subprocess.run([sys.executable, PROCESS, path, str(now_ms), "never"], check=True)
    month = folder_of(path) / JournalReader(path).months()[0].name
    month.rename(month.with_name("another.sqlite"))
    stop = threading.Event()
    upkeep = Upkeep(path, FixedClock(now_ms), stop)
    thread = threading.Thread(target=upkeep.run)
    thread.start()
    try:
        wait_until(lambda: upkeep.bad_months == (month.name,) and "belongs to no month" in caplog.text)
    finally:
        stop.set()
        thread.join()
    assert f"{month.name}: a closed month is missing" in caplog.text


def test_an_ingest_whose_month_is_missing_takes_records_and_says_which(
    broker, start_ingest, connect, gateway, tmp_path, slot_ms, wait_until
):
    path = tmp_path / "data" / "journal.sqlite"
    records = [gateway.birth(), *(gateway.readings(slot) for slot in range(1, 5))]
    with Journal.open(path, slot_ms(0)) as journal:
        Intake(journal, 10_000).take([(gateway.topic, data) for data in records], gateway.ring, slot_ms(0))
    subprocess.run([sys.executable, PROCESS, path, str(slot_ms(0) + 62 * DAY_MS), "never"], check=True)
    (month,) = folder_of(path).iterdir()
    month.unlink()
    running = start_ingest(broker.port)
    line = connect(broker.port)
    line.send(records[2], gateway.readings(9))
    wait_until(lambda: line.through() == 6)
    wait_until(lambda: f"{month.name}: a closed month is missing" in running.log.read_text())
