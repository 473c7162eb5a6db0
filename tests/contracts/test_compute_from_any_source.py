"""What compute makes of the archive is what it makes of the journal: amounts, findings, what blocks a credit."""

import re
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from compute.engine import compute, evidence_window
from compute.project import load_project
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from ingest.archive import archive
from tests.compute.computekit.records import Shown, _Stream, records_of
from tests.compute.conftest import _solar_text
from tests.contracts.conftest import NOW_MS, Site
from tests.ingest.conftest import FakeGateway

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, END_MS = midnight_ms(date(2025, 12, 31), ZONE), midnight_ms(date(2026, 1, 2), ZONE)
_WORDS = re.compile(r" \(words [0-9a-f ]+\)")
SLOTS = tuple(range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS))


@pytest.fixture
def site(tmp_path):
    """One meter of 1 MW over a year's end, with a hole, a night without a synchronised clock, and a counter reset."""
    values = {slot: 10**13 + at * 1_000_000_000 for at, slot in enumerate(SLOTS) if at not in {9, 10, 30}}
    values |= {slot: 5_000_000_000 + at for at, slot in enumerate(SLOTS) if at >= 40}
    shown = Shown("bus", "energy_export_total_wh", values, interval_ms=HOUR_MS, unsynced=frozenset(SLOTS[20:23]))
    gateway = FakeGateway(site="site", gateway="gw", signer=_Stream("").signer, made=records_of([shown]))
    site = Site(tmp_path, [gateway])
    site.take()
    for target in (site.disk, site.objects):
        archive(site.reader, target, NOW_MS, lambda _: None)
    (tmp_path / "project.toml").write_text(_solar_text(), encoding="utf-8")
    return site


def test_a_period_computes_to_the_same_result_but_for_the_name_of_its_evidence(site, place):
    project = load_project(site.folder / "project.toml")
    period = project.period[0]
    window = evidence_window(project, period)

    def result_of(source):
        evidence = source.evidence(project.id, window.start_ms, window.end_ms)
        return compute(project, evidence, period, ruleset())

    expected, found = result_of(site.source("journal")), result_of(site.source(place))
    assert len(expected.vintages) == 2
    assert {finding.code for finding in expected.findings} >= {"readings-unexplained", "clock-unsynchronised"}
    assert _comparable(found) == _comparable(expected)


def _comparable(result):
    """Without the name of the evidence, and without raw words, which only the journal has."""
    findings = tuple(
        replace(finding, evidence={key: _WORDS.sub("", text) for key, text in finding.evidence.items()})
        for finding in result.findings
    )
    return replace(result, evidence_digest="", input_digest="", findings=findings)
