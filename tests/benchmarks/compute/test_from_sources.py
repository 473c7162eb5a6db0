"""From what is stored to a site-year's result: closed months in the archive, signed records in the journal."""

import numpy as np
import pytest
from benchkit.solar_farm import SIGNER, farm, records
from benchkit.turns import in_turns

from compute.engine import compute
from compute.once import compute_once
from compute.rulesets import ruleset
from ingest.intake import Intake
from ingest.store.archive import Archive
from ingest.store.archive_files import ArchiveFolder
from ingest.store.archive_layout import Manifest, months_in
from ingest.store.archive_write import PYARROW
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from ingest.store.sources import JournalSource
from metering.interval import Interval
from metering.keys import KeyEntry, KeyRing, Role

_ROUNDS = 7


def _result(made, source, now_ms):
    return compute_once(made.project, made.period, source, held=0, now_ms=now_ms)


def _comparable(result):
    """What readings decide, without the names that a source gives to its evidence."""
    return result.vintages, result.monitored, result.findings


def _span(made):
    ends = [(int(one.time_ms[0]), int(one.time_ms[-1]) + 1) for one in made.evidence.by_key.values()]
    return Interval(min(first for first, _ in ends), max(end for _, end in ends))


@pytest.fixture
def archive(year, tmp_path):
    """The farm's year in closed months."""
    kept = Archive(ArchiveFolder(str(tmp_path)))
    manifest = Manifest(project="bench", pyarrow=PYARROW, through="2026-02", months={})
    for month in months_in(_span(year)):
        manifest = kept.put(manifest, month, year.evidence, [year.birth], "0" * 64)
    kept.folder.put_manifest(manifest)
    return kept, sum(entry.size_bytes for entry in manifest.months.values())


def test_a_site_year_from_the_archive(year, archive, report):
    kept, size = archive
    span = _span(year)
    took = in_turns(
        _ROUNDS,
        result=lambda: _result(year, kept, span.end_ms),
        series=lambda: kept.evidence("bench", span.start_ms, span.end_ms),
        memory=lambda: compute(year.project, year.evidence, year.period, ruleset()),
    )
    assert _comparable(took["result"].made) == _comparable(took["memory"].made)
    per_s = {name: year.readings / each.median_s / 1e6 for name, each in took.items()}
    report.add("archive to result", per_s["result"], "M readings/s", at_least=60)
    report.add("the best of the turns", year.readings / took["result"].best_s / 1e6, "M readings/s")
    report.add("of it, archive to series", per_s["series"], "M readings/s")
    report.add("evidence in memory to result", per_s["memory"], "M readings/s")
    report.note(
        f"{year.readings / 1e6:.1f} million readings, {size / year.readings:.2f} bytes each, digests checked, in the"
        f" cache of the system; the same result as from memory; medians of {_ROUNDS} turns."
    )


@pytest.mark.parametrize(
    ("together", "slots"), [(20, 25), (1, 25), (1, 1)], ids=["a-logger", "a-group-a-meter", "sealed-each-minute"]
)
def test_a_period_from_the_journal(tmp_path, report, sizes, together, slots):
    days = sizes.of(92, 2) if slots > 1 else sizes.of(10, 1)
    made = farm(points=20, days=days, together=together)
    end_ms = _span(made).end_ms
    ring = KeyRing([KeyEntry(id=SIGNER.name, role=Role.GATEWAY, public_key=str(SIGNER.verifier))])
    sent, size = [*records(made, slots)], 0
    with Journal.open(tmp_path / "journal.sqlite", end_ms) as journal:
        intake = Intake(journal, 0)
        for at in range(0, len(sent), 256):
            share = sent[at : at + 256]
            intake.take([(f"sakugen/v1/{SIGNER.name}/log", data) for data in share], ring, end_ms)
            size += sum(map(len, share))
    source = JournalSource(JournalReader(tmp_path / "journal.sqlite"))
    took = in_turns(
        3,
        result=lambda: _result(made, source, end_ms),
        series=lambda: source.evidence("bench", _span(made).start_ms, end_ms),
    )
    for key, series in took["series"].made.by_key.items():
        assert np.array_equal(series.value, made.evidence.by_key[key].value), key
    target = {"at_least": 5} if (together, slots) == (20, 25) else {}
    report.add("journal to result", made.readings / took["result"].median_s / 1e6, "M readings/s", **target)
    report.add("the same by its CPU time", made.readings / took["result"].median_cpu_s / 1e6, "M readings/s")
    report.add("of it, journal to series", made.readings / took["series"].median_s / 1e6, "M readings/s")
    report.note(
        f"{made.readings / 1e6:.1f} million readings in {len(sent):,} records of {slots} slots,"
        f" {20 // together} groups of {2 * together} values; {size / made.readings:.1f} bytes a reading with words."
    )
