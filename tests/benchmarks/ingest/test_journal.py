"""What the journal costs to read, from its own file and from a closed month, to check, to close and to copy."""

import time

import pydantic_core
import pytest
from benchkit import fleet

from ingest.backup import back_up
from ingest.config import IngestSettings
from ingest.intake import Intake
from ingest.store import closing
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from ingest.store.readings import collect
from metering.keys import KeyEntry, KeyRing, Role

_NOW_MS = 1_790_812_800_000  # 2026-10-01
_LATER_MS = _NOW_MS + 62 * 86_400_000
_POINTS = 20
_ROUNDS = 5


@pytest.fixture
def filled(tmp_path, sizes):
    """Fills a journal with records of 20 points and some slots; gives its settings and how many readings it holds."""

    def fill(slots):
        settings = IngestSettings(data_dir=tmp_path / f"slots-{slots}")
        count = sizes.of(1000, 30) if slots > 1 else sizes.of(10_000, 100)
        signer = fleet.signer_of(0)
        ring = KeyRing([KeyEntry(id=signer.name, role=Role.GATEWAY, public_key=str(signer.verifier))])
        sent = list(fleet.records(0, count, _POINTS, slots, _NOW_MS))
        with Journal.open(settings.journal_path, _NOW_MS) as journal:
            intake = Intake(journal, 0)
            topic = f"sakugen/v1/{signer.name}/log"
            for at in range(0, len(sent), 256):
                intake.take([(topic, data) for data in sent[at : at + 256]], ring, _NOW_MS)
        return settings, count * _POINTS * slots

    return fill


def _best(work, clock=time.perf_counter):
    """The shortest of some runs [s], and what the last one gave."""
    took = []
    for _ in range(_ROUNDS):
        began = clock()
        made = work()
        took.append(clock() - began)
    return min(took), made


def _decoded(reader, readings, clock=time.perf_counter):
    def decode():
        return collect((row.data for row in reader.records(fleet.SITE, 0, 1 << 60)), judged=True)

    took_s, evidence = _best(decode, clock)
    assert sum(len(series) for series in evidence.by_key.values()) == readings
    return took_s


@pytest.mark.parametrize("slots", [60, 1])
def test_journal_to_arrays_of_every_series(filled, report, slots):
    settings, readings = filled(slots)
    reader = JournalReader(settings.journal_path)
    took_s = _decoded(reader, readings)
    target = {"at_least": 5.0} if slots > 1 else {}
    report.add("journal to arrays, one process", readings / took_s / 1e6, "M readings/s", **target)
    report.add(
        "the same by its CPU time", readings / _decoded(reader, readings, time.process_time) / 1e6, "M readings/s"
    )
    rows_s, rows = _best(lambda: [row.data for row in reader.records(fleet.SITE, 0, 1 << 60)])
    report.add("rows from SQLite alone", readings / rows_s / 1e6, "M readings/s")
    texts = [data[: data.index(b"\n")] for data in rows]
    parse_s, _ = _best(lambda: sum(len(pydantic_core.from_json(text)) for text in texts))
    report.add("JSON alone, to objects", readings / parse_s / 1e6, "M readings/s", compared=True)
    whole_s, _ = _best(lambda: collect(rows))
    report.add("with every rule of a record, as for a bundle", readings / whole_s / 1e6, "M readings/s")
    report.note(f"{len(rows) - 1} records of {_POINTS} points and {slots} slots, {sum(map(len, rows)) / 1e6:.1f} MB.")


def test_a_month_closed_checked_read_and_copied(filled, report):
    settings, readings = filled(60)
    path = settings.journal_path
    size_mb = path.stat().st_size / 1e6
    opened_s, _ = _best(lambda: Journal.open(path, _NOW_MS).__exit__(None, None, None))
    report.add("opened, checked whole", size_mb / opened_s, "MB/s")
    began = time.perf_counter()
    verified = closing.build(path, closing.next_month(path, _LATER_MS))
    report.add("a month written, flushed, read back", size_mb / (time.perf_counter() - began), "MB/s")
    report.add("its file", verified.month.size_bytes / readings, "bytes a reading")
    steps = []
    with Journal.open(path, _NOW_MS) as journal:
        with journal.transaction():
            journal.closed.add(verified, _NOW_MS)
        while journal.closed.to_sweep():
            began = time.perf_counter()
            with journal.transaction():
                journal.closed.sweep(16)
            steps.append(time.perf_counter() - began)
    report.add("16 rows swept, median", 1e3 * sorted(steps)[len(steps) // 2], "ms")
    report.add("16 rows swept, longest", 1e3 * max(steps), "ms")
    reader = JournalReader(path)
    report.add("closed month to arrays", readings / _decoded(reader, readings) / 1e6, "M readings/s")
    began = time.perf_counter()
    assert back_up(settings, settings.data_dir / "backup").months == 1
    report.add("backup, each record and the month checked", size_mb / (time.perf_counter() - began), "MB/s")
    report.note(f"A journal of {size_mb:.0f} MB; {size_mb * 1e6 / readings:.1f} bytes a reading before it was closed.")
