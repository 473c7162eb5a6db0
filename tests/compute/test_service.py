"""Compute as a process: once from a journal, and again and again into results.sqlite."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from computekit.journals import write_journal

from compute.cache import use_cache_directory
from compute.config import ComputeSettings
from compute.errors import PeriodError, ResultsError
from compute.follow import compute_so_far
from compute.once import compute_once
from compute.project import load_project
from compute.result import Blocked
from compute.results import ResultsWriter, read_results
from compute.service import run
from compute.vintages import midnight_ms
from ingest.store.reader import JournalReader
from ingest.store.sources import JournalSource

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, END_MS = midnight_ms(date(2025, 12, 31), ZONE), midnight_ms(date(2026, 1, 2), ZONE)
SLOTS = tuple(range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS))


@pytest.fixture
def place(tmp_path, project_texts, make_records, shown):
    """A folder with a project file and a journal of one meter at 1 MW."""

    def build(slots=SLOTS):
        values = {slot: 10**13 + at * 1_000_000_000 for at, slot in enumerate(slots)}
        (tmp_path / "project.toml").write_text(project_texts["solar-pv"](), encoding="utf-8")
        records = make_records([shown("bus", "energy_export_total_wh", values, interval_ms=HOUR_MS)])
        write_journal(tmp_path / "journal.sqlite", records, END_MS)
        return tmp_path

    return build


def once(folder, now_ms=END_MS, held=0):
    project = load_project(folder / "project.toml")
    source = JournalSource(JournalReader(folder / "journal.sqlite"))
    return compute_once(project, project.period_named(None), source, held=held, now_ms=now_ms)


def test_once_gives_what_the_journal_proves(place):
    folder = place()
    result = once(folder)
    assert [vintage.integer for vintage in result.vintages] == [19, 19]
    assert [(run.gateway, run.first, run.last) for run in result.evidence] == [("gw", 1, 2)]
    assert {why.code for why in once(folder, held=2).blocked_by} == {"held-evidence"}


def test_a_period_that_is_not_over_is_not_computed_once_and_for_all(place):
    folder = place()
    with pytest.raises(
        PeriodError, match=r"'p1' of project test ends at 2026-01-01T16:00:00Z and it is .*: it reaches"
    ):
        once(folder, END_MS - 1)


class Unsigned(JournalSource):
    """A journal that says of itself that nothing can be credited."""

    caveat = "nothing is signed"


def test_what_a_source_says_against_itself_keeps_its_result_from_being_creditable(place):
    folder = place()
    project = load_project(folder / "project.toml")
    source = Unsigned(JournalReader(folder / "journal.sqlite"))
    result = compute_once(project, project.period[0], source, held=0, now_ms=END_MS)
    assert result == replace(once(folder), blocked_by=(Blocked("source-unsigned", "nothing is signed", "source"),))
    assert not result.creditable


def test_so_far_counts_up_to_the_last_hour_that_a_later_reading_confirms(place):
    folder = place(SLOTS[:8])  # up to 05:00
    project = load_project(folder / "project.toml")
    found = compute_so_far(project, JournalReader(folder / "journal.sqlite"), project.period[0])
    assert found is not None
    result = found.result
    assert result.interval.end_ms == START_MS + 4 * HOUR_MS
    assert result.vintages[0].reduction.exact


def test_before_the_period_there_is_nothing_to_show(place):
    folder = place(SLOTS[:3])
    project = load_project(folder / "project.toml")
    assert compute_so_far(project, JournalReader(folder / "journal.sqlite"), project.period[0]) is None


def test_the_process_keeps_results_up_to_date_until_told_to_stop(place, capsys, wait_until):
    folder = place(SLOTS[:8])
    settings = ComputeSettings(
        journal=folder / "journal.sqlite", projects=(folder / "project.toml",), data_dir=folder / "compute", every_s=0.5
    )

    async def until_there():
        stop = asyncio.Event()
        work = asyncio.create_task(run(settings, stop))
        await asyncio.to_thread(wait_until, lambda: read_results(settings.results), 60)
        stop.set()
        await work

    asyncio.run(until_there())
    assert capsys.readouterr().out.startswith("ready compute 1 projects")
    (shown_result,) = read_results(settings.results)
    assert (shown_result.project, shown_result.period, shown_result.creditable) == ("test", "p1", True)
    (row,) = shown_result.vintages
    assert (row.year, row.reduction_tco2e, row.integer, row.provisional) == (2025, "3.188000000", 3, True)


def test_the_trouble_of_a_project_is_told_and_keeps_what_was_known(place, tmp_path):
    folder = place()
    result = once(folder)
    with ResultsWriter(tmp_path / "results.sqlite") as writer:
        writer.put(result, provisional=False, computed_ms=END_MS)
        writer.put(result, provisional=False, computed_ms=END_MS + 1)
        writer.trouble("test", "the journal is gone")
        writer.trouble("other", "never computed")
    other, known = read_results(tmp_path / "results.sqlite")
    assert (other.trouble, other.vintages) == ("never computed", ())
    assert known.trouble == "the journal is gone"
    assert [(row.year, row.computed_ms, row.provisional) for row in known.vintages] == [
        (2025, END_MS + 1, False),
        (2026, END_MS + 1, False),
    ]


def test_no_results_file_is_no_results_and_a_broken_one_is_said(tmp_path):
    assert read_results(tmp_path / "none.sqlite") == ()
    (tmp_path / "broken.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(ResultsError, match=r"broken\.sqlite: cannot be read as results"):
        read_results(tmp_path / "broken.sqlite")
    with pytest.raises(ResultsError, match="cannot be used for results"), ResultsWriter(tmp_path / "broken.sqlite"):
        pass


def test_the_compiled_code_goes_to_the_data_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    chosen = use_cache_directory(tmp_path / "data")
    assert chosen.parent == tmp_path / "data" / "numba"
    script = "from compute.kernels.rule import possible_amount; print(possible_amount(1000, 1, 1, 1))"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(chosen)}
    found = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=110, check=True
    )
    assert found.stdout == "1001\n"
    assert any(chosen.rglob("*.nbi"))


def test_the_package_itself_imports_no_numba():
    script = "import sys, compute; sys.exit('numba' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_sigterm_ends_the_process_in_order(place):
    folder = place(SLOTS[:8])
    script = (
        "from pathlib import Path\nfrom compute.config import ComputeSettings\nfrom compute.service import main\n"
        f"main(ComputeSettings(journal=Path({str(folder / 'journal.sqlite')!r}),"
        f" projects=(Path({str(folder / 'project.toml')!r}),), data_dir=Path({str(folder / 'compute')!r})))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline().startswith("ready compute")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
