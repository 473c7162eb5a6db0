"""Other software reads the archive without us: what a page of documentation shows is what works."""

import re
import warnings
from pathlib import Path

import duckdb
import polars as pl
import pytest

from ingest.archive import OPEN_FOR_MS, archive
from ingest.intake import Intake
from ingest.store.archive import Archive
from ingest.store.archive_files import ArchiveFolder
from ingest.store.archive_layout import interval_of
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader

PAGE = Path(__file__).parents[2] / "docs" / "archive.md"
MARCH_MS = interval_of("2026-03").start_ms
WH = [8_000.0, 9_010.0, 9_020.0, 9_030.0, 9_040.0, 38_000.0]
"""What counts, in Wh: a conflict, a gap and the first generation of a month do not."""


@pytest.fixture
def project(tmp_path, gateway):
    """An archived project: two months, one of them in its second generation."""

    def keep():
        with Journal.open(tmp_path / "journal.sqlite", MARCH_MS) as journal:
            Intake(journal, 10_000).take([(gateway.topic, one) for one in gateway.made], gateway.ring, MARCH_MS)
        target = Archive(ArchiveFolder(str(tmp_path / "archive")))
        archive(JournalReader(tmp_path / "journal.sqlite"), target, MARCH_MS + OPEN_FOR_MS, lambda _: None)

    gateway.birth()
    gateway.readings(700)
    gateway.readings(*range(801, 805))
    gateway.gap(805, 900)
    gateway.readings(3700)
    keep()
    gateway.new_stream()
    gateway.birth()
    gateway.readings(803, 3700, energy=[9030, 1])
    keep()
    gateway.new_stream()
    gateway.birth()
    gateway.readings(3701, energy=[38_000])
    keep()
    return tmp_path / "archive" / "demo"


def example(language):
    """The one example of the page in a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return text


def test_duckdb_reads_it_by_the_statements_of_the_page(project, monkeypatch):
    monkeypatch.chdir(project.parent)
    with duckdb.connect() as db:
        rows = db.execute(example("sql")).fetchall()
    assert [row[-1] for row in rows] == WH


@pytest.mark.parametrize("library", ["polars", "dask"])
def test_polars_and_dask_read_it_by_the_lines_of_the_page(project, monkeypatch, library):
    monkeypatch.chdir(project.parent)
    (text,) = [one for one in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if library in one]
    found: dict = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # theirs, of each other
        warnings.simplefilter("ignore", FutureWarning)
        exec(text, found)
    energy = found["energy"]
    wh = energy["wh"].to_list() if isinstance(energy, pl.DataFrame) else energy["wh"].tolist()
    assert wh == WH


def test_polls_tell_when_a_reading_was_asked_for_and_answered(project):
    with duckdb.connect() as db:
        rows = db.execute(
            f"SELECT DISTINCT sent_ms, took_ms, synchronised FROM read_parquet('{project}/readings/2025-12-*.parquet')"
            f" JOIN read_parquet('{project}/polls/2025-12-*.parquet') USING (polls, time_ms)"
        ).fetchall()
    assert rows == [(5, 35, True)]
