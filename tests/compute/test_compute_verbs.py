"""`sakugen compute` as scripts use it: each source, JSON of a stable shape, errors that say what to do."""

import json
from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from computekit.journals import write_journal
from typer.testing import CliRunner

from compute.pairs import Pair
from compute.vintages import midnight_ms
from ingest.archive import archive
from ingest.forward import Forwarder
from ingest.store.archive import Archive
from ingest.store.archive_files import ArchiveFolder
from ingest.store.influx import OneWriter
from ingest.store.influx_settings import InfluxTarget
from ingest.store.reader import JournalReader
from metering.clock import SystemClock
from metering.config import ConfigError
from metering.findings import Severity
from metering.interval import DAY_MS, Interval
from sakugen.cli.compute import UnknownProjectError
from sakugen.cli.main import app
from sakugen.cli.result_json import plain
from sakugen.history import NoOriginError

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, END_MS = midnight_ms(date(2025, 12, 31), ZONE), midnight_ms(date(2026, 1, 2), ZONE)
SLOTS = tuple(range(START_MS - 30 * HOUR_MS, END_MS + 30 * HOUR_MS, HOUR_MS))
ALWAYS = {
    "type", "creditable", "whole_tonnes", "project", "title", "jcm_reference", "partner_country", "time_zone", "period",
    "interval", "methodology", "methodology_version", "methodology_digest", "engine", "ruleset", "input_digest",
    "evidence_digest", "evidence", "vintages", "monitored", "fixed", "findings", "blocked_by",
}  # fmt: skip
OF_A_VINTAGE = {
    "year", "interval", "reference", "project", "leakage", "reduction", "credited", "corner", "integer", "remainder",
    "issuable",
}  # fmt: skip


@pytest.fixture
def box(tmp_path, project_texts, make_records, shown, monkeypatch):
    """A folder with a journal of one meter at 1 MW, and `box(more)` that writes compute's configuration."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    values = {slot: 10**13 + at * 1_000_000_000 for at, slot in enumerate(SLOTS)}
    records = make_records([shown("bus", "energy_export_total_wh", values, interval_ms=HOUR_MS)])
    write_journal(tmp_path / "journal.sqlite", records, END_MS)
    (tmp_path / "project.toml").write_text(project_texts["solar-pv"](), encoding="utf-8")

    def configured(more=""):
        text = (
            f'journal = "{tmp_path}/journal.sqlite"\nprojects = ["{tmp_path}/project.toml"]\n'
            f'data_dir = "{tmp_path}/compute"\n{more}'
        )
        (tmp_path / "compute.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return configured


def run(folder, *options):
    return CliRunner().invoke(app, ["compute", "run", "--config", str(folder / "compute.toml"), *options])


def computed(folder, *options):
    ended = run(folder, "--json", *options)
    assert ended.exit_code == 0, ended.exception
    return json.loads(ended.stdout)["test"]


def test_json_has_the_same_keys_and_shapes_for_ever(box):
    result = computed(box())
    assert result["type"] == "sakugen.result/1"
    assert set(result) >= ALWAYS
    assert all(set(vintage) >= OF_A_VINTAGE for vintage in result["vintages"])
    first = result["vintages"][0]
    assert (first["year"], first["integer"], result["whole_tonnes"], result["creditable"]) == (2025, 19, 38, True)
    assert first["interval"] == {"start_utc": "2025-12-30T16:00:00Z", "end_utc": "2025-12-31T16:00:00Z"}
    assert first["reduction"] == {
        "low": "19.128000000", "high": "19.128000000", "low_exact": "2391/125", "high_exact": "2391/125",
    }  # fmt: skip
    assert first["remainder"] == {"value": "0.128000000", "exact": "16/125"}
    assert first["corner"] == {"EG@bus": "low"}


def test_json_holds_no_float_and_nothing_else_that_is_inexact():
    assert plain((Severity.INFO, {"b": 1, "a": None}, Pair(0, Fraction(1, 3)), Interval(0, 1000), True)) == [
        "info",
        {"a": None, "b": 1},
        {"low": "0.000000000", "high": "0.333333333", "low_exact": "0/1", "high_exact": "1/3"},
        {"start_utc": "1970-01-01T00:00:00Z", "end_utc": "1970-01-01T00:00:01Z"},
        True,
    ]
    for inexact in (0.5, object()):
        with pytest.raises(TypeError, match="is nothing that a result holds"):
            plain(inexact)


def test_a_table_is_what_people_see(box):
    told = run(box()).stdout
    assert "19.128000000" in told
    assert "not creditable" not in told


def test_the_archive_gives_what_the_journal_gives_but_for_the_name_of_its_evidence(box):
    folder = box('archive = "ARCHIVE"\n')
    box(f'archive = "{folder}/archive"\n')
    target = Archive(ArchiveFolder(f"{folder}/archive"))
    archive(JournalReader(folder / "journal.sqlite"), target, END_MS + 60 * DAY_MS, lambda _: None)
    ours, theirs = computed(folder), computed(folder, "--source", "archive")
    for one in (ours, theirs):
        for name in ("evidence_digest", "input_digest"):
            assert len(one.pop(name)) == 64
    assert theirs == ours


@pytest.mark.real
def test_history_from_influxdb_computes_and_is_not_creditable(box, influxd):
    folder = box(f'[influxdb]\nurl = "http://127.0.0.1:{influxd.port}"\ninterval_s = 3600\n')
    reader = JournalReader(folder / "journal.sqlite")
    writer = OneWriter(InfluxTarget(url=f"http://127.0.0.1:{influxd.port}"))
    with Forwarder(reader, writer, folder / "forward.sqlite", SystemClock()) as forwarder:
        while forwarder.step():
            pass
    (folder / "journal.sqlite").rename(folder / "no-journal-here")
    result = computed(folder, "--source", "influxdb")
    # Nobody knows whether its register can be reset; but after a reset it would show less, so differences stand.
    assert [vintage["integer"] for vintage in result["vintages"]] == [19, 19]
    assert not result["creditable"]
    assert {"source-unsigned", "no-evidence"} <= {why["code"] for why in result["blocked_by"]}
    assert "nothing is signed" in json.dumps(result["blocked_by"])


@pytest.mark.parametrize("source", ["archive", "influxdb"])
def test_a_source_that_is_not_configured_is_said(box, source):
    error = run(box(), "--source", source).exception
    assert isinstance(error, NoOriginError)
    assert f"--source {source}: the configuration has no" in str(error)


def test_only_the_journal_can_be_followed_and_only_known_projects_asked_for(box):
    folder = box()
    ended = run(folder, "--follow", "--source", "archive")
    assert ended.exit_code == 2
    assert "--follow reads the journal" in ended.output
    assert isinstance(run(folder, "--project", "other").exception, UnknownProjectError)


def test_an_unknown_source_key_is_a_fault_with_its_line(box):
    error = run(box('[influxdb]\nhost = "somewhere"\n')).exception
    assert isinstance(error, ConfigError)
    assert "influxdb.host" in str(error)
