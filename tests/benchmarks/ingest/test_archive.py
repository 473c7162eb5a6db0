"""Closed months as Parquet: bytes a reading, and readings a second written and read, on simulated site-years.

A year of a site is simulated minute by minute, which takes most of the time. What is written is flushed to disk; what
is read is checked against its digest, and is in the cache of the operating system, as just after it was written.
"""

import time
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from benchkit.site_years import ORIGIN_MS, SITE_NAMES, months, site_year

from ingest.store.archive import Archive
from ingest.store.archive_files import ArchiveFolder
from ingest.store.archive_layout import Manifest, months_in
from ingest.store.archive_write import PYARROW

_ROUNDS = 5


@pytest.fixture(scope="module")
def years(sizes):
    interval_ms, slots = (60_000, 525_600) if not sizes.tiny else (900_000, 5_000)
    return {name: site_year(name, interval_ms, slots) for name in SITE_NAMES}


def _written(folder, evidence, births, span):
    archive = Archive(ArchiveFolder(str(folder)))
    project = evidence.births[0].project
    manifest = Manifest(project=project, pyarrow=PYARROW, through="2025-12", months={})
    for month in months_in(span):
        manifest = archive.put(manifest, month, evidence, [births], "0" * 64)
    archive.folder.put_manifest(manifest)
    return manifest


def _readings(evidence):
    return sum(len(series) for series in evidence.by_key.values())


def _timed(work):
    began = time.perf_counter()
    made = work()
    return time.perf_counter() - began, made


def test_bytes_a_reading_and_readings_a_second(years, tmp_path, report):
    total_bytes = total_readings = 0
    took_s = 0.0
    for name, (evidence, birth) in years.items():
        span, readings = months(evidence), _readings(evidence)
        runs = [_timed(partial(_written, tmp_path / f"{name}-{at}", evidence, birth, span)) for at in range(3)]
        size = sum(entry.size_bytes for entry in runs[0][1].months.values())
        polls = sum(entry.polls.size_bytes for entry in runs[0][1].months.values())
        report.add(f"{name}: {len(evidence.by_key)} measurands", size / readings, "bytes a reading", at_most=1.0)
        report.add(f"{name}: of them when and how it was polled", polls / readings, "bytes a reading")
        took_s += min([seconds for seconds, _ in runs])
        total_bytes, total_readings = total_bytes + size, total_readings + readings
    report.add("all three sites", total_bytes / total_readings, "bytes a reading", at_most=1.0)
    report.add("written, flushed", total_readings / took_s / 1e6, "million readings/s", at_least=15)
    _plain(years, tmp_path, report)


def _plain(years, tmp_path, report):
    size, took_s, readings = 0, 0.0, 0
    for name, (evidence, _) in years.items():
        path = tmp_path / f"{name}-plain.parquet"
        seconds, _ = _timed(partial(_write_plain, path, evidence))
        took_s, size, readings = took_s + seconds, size + path.stat().st_size, readings + _readings(evidence)
    report.add("pyarrow's defaults with zstd, value and time alone", size / readings, "bytes a reading", compared=True)
    report.add("written by them", readings / took_s / 1e6, "million readings/s", compared=True)


def _write_plain(path, evidence):
    schema = pa.schema({"name": pa.string(), "time_ms": pa.int64(), "value": pa.int64(), "quality": pa.uint8()})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for (point, measurand), one in evidence.by_key.items():
            names = pa.array(np.full(len(one), f"{point}/{measurand}"))
            writer.write_table(pa.table([names, one.time_ms, one.value, one.quality], schema=schema))


def test_one_measurand_of_a_year_and_all_of_them(years, tmp_path, report):
    evidence, birth = years["demo-transformers"]
    span = months(evidence)
    manifest = _written(tmp_path / "archive", evidence, birth, span)
    key = ("station-2", "active_power_w")
    asked = (manifest.project, *key, span.start_ms, span.end_ms)
    archive = Archive(ArchiveFolder(str(tmp_path / "archive")))
    first_s, series = _timed(lambda: archive.series(*asked))
    assert np.array_equal(series.value, evidence.series(*key).value)
    again_s = min([_timed(lambda: archive.series(*asked))[0] for _ in range(_ROUNDS)])
    report.add("one measurand, the first time", len(series) / first_s / 1e6, "million readings/s")
    report.add("one measurand", len(series) / again_s / 1e6, "million readings/s", at_least=25)
    all_s, whole = _timed(lambda: archive.evidence(manifest.project, span.start_ms, span.end_ms))
    report.add("all measurands as evidence", _readings(whole) / all_s / 1e6, "million readings/s")
    paths = [str(tmp_path / "archive" / manifest.project / one.readings.path) for one in manifest.months.values()]
    wanted = (ds.field("point") == key[0]) & (ds.field("measurand") == key[1])
    plain_s = min(
        [
            _timed(lambda: ds.dataset(paths).to_table(["time_ms", "scaled", "scale", "quality"], filter=wanted))[0]
            for _ in range(_ROUNDS)
        ]
    )
    report.add("the same rows by pyarrow.dataset", len(series) / plain_s / 1e6, "million readings/s", compared=True)
    report.note(f"{len(evidence.by_key)} measurands, {len(series)} slots of one since {ORIGIN_MS} ms; digests checked.")
