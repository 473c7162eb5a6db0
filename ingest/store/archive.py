"""The archive: closed months of a project as Parquet, for compute and for any other software.

In go readings that `collect` made from the journal, out come the same series again, bit for bit, a hundred times as
fast. Months are calendar months in UTC; a month that changed, because readings came late, has new files.
"""

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from ingest.errors import ArchiveError
from ingest.store.archive_files import ArchiveFolder
from ingest.store.archive_fill import THREADS, fill
from ingest.store.archive_layout import (
    BirthsMeta,
    BoundPart,
    FileEntry,
    Manifest,
    MonthEntry,
    interval_of,
    months_in,
)
from ingest.store.archive_read import ArchivedMonth, bind_again, births_of
from ingest.store.archive_write import PYARROW, month_files
from ingest.store.readings import Evidence, Excluded, Run
from ingest.store.series import Binding, Series, empty_series
from metering import record
from metering.devicemap import DeviceMap, parse_device_map
from metering.interval import Interval


class Archive:
    """Reads and writes one archive; a reader of others' archives never calls `put`."""

    caveat = None

    def __init__(self, folder: ArchiveFolder) -> None:
        """Keep where it is.

        Args:
            folder: where its files are.
        """
        self.folder = folder
        self._maps: dict[str, DeviceMap] = {}
        self._bindings: dict[tuple[BoundPart, str], Binding] = {}

    def evidence(self, project: str, start_ms: int, end_ms: int) -> Evidence:
        """Give the readings of an interval (`Source.evidence`).

        Raises:
            ArchiveError: when a month of it is not archived yet, or a file cannot be read.
        """
        span = Interval(start_ms, end_ms)
        entries = self._entries(project, span)
        months = self._opened(project, entries)
        by_key = fill(months, sorted({key for month in months for key in month.keys()}), span)  # noqa: SIM118 - no dict
        told = [births_of(self.folder.file(project, entry.births)) for entry in entries.values()]
        births, horizons = _parsed(data for records, _ in told for data in records)
        return Evidence(
            births=births,
            maps={digest: self._map(digest, births) for birth in births for digest in birth.device_maps},
            digest=_digest(entries.values()),
            runs=_runs(meta for _, meta in told),
            excluded=_excluded(meta for _, meta in told),
            horizons=horizons,
            by_key=by_key,
        )

    def series(self, project: str, point: str, measurand: str, start_ms: int, end_ms: int) -> Series:
        """Read one series of `evidence` without the others; without rows when there are none.

        Raises:
            ArchiveError: as `evidence`.
        """
        span, key = Interval(start_ms, end_ms), (point, measurand)
        months = self._opened(project, self._entries(project, span))
        return fill(months, [key], span).get(key) or empty_series(*key)

    def put(
        self,
        manifest: Manifest,
        month: str,
        evidence: Evidence,
        births: Iterable[bytes],
        records: str,
    ) -> Manifest:
        """Write a month's files; they count when the manifest that this gives is put.

        Args:
            manifest: of the project, so far.
            month: the month.
            evidence: of all records that speak of the month.
            births: the births that its readings were read with, and horizons, as exact bytes.
            records: SHA-256 over the digests of all records that were looked at.

        Raises:
            ArchiveError: when a file cannot be written.
        """
        files = month_files(evidence, births, interval_of(month))
        entry = MonthEntry(
            evidence=evidence.digest,
            records=records,
            readings=self.folder.put_file(manifest.project, "readings", month, *files.readings),
            polls=self.folder.put_file(manifest.project, "polls", month, *files.polls),
            births=self.folder.put_file(manifest.project, "births", month, *files.births),
        )
        return manifest.model_copy(update={"months": manifest.months | {month: entry}, "pyarrow": PYARROW})

    def _entries(self, project: str, span: Interval) -> dict[str, MonthEntry]:
        manifest = self.folder.manifest(project)
        if manifest is None:
            raise ArchiveError(f"{self.folder.url} holds nothing of project {project}: run `sakugen ingest archive`")
        wanted = months_in(span)
        if wanted and wanted[-1] > manifest.through:
            raise ArchiveError(
                f"{self.folder.url} holds project {project} through {manifest.through}, not yet {wanted[-1]}: run"
                " `sakugen ingest archive` when that month is over, or read the journal"
            )
        return {month: manifest.months[month] for month in wanted if month in manifest.months}

    def _opened(self, project: str, entries: Mapping[str, MonthEntry]) -> list[ArchivedMonth]:
        """Open months, as many at a time as there are threads: reading and digests hold no lock."""

        def opened(named: tuple[str, MonthEntry]) -> ArchivedMonth:
            month, entry = named
            readings, polls = (self.folder.file(project, file) for file in (entry.readings, entry.polls))
            return ArchivedMonth(interval_of(month), readings, polls, partial(self._binding, project, entry.births))

        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(opened, entries.items()))

    def _binding(self, project: str, births: FileEntry, bound: BoundPart, name: str) -> Binding:
        found = self._bindings.get((bound, name))
        if found is None:
            if bound.map not in self._maps:
                self._map(bound.map, _parsed(births_of(self.folder.file(project, births))[0])[0])
            register = self._maps[bound.map].register(name)
            if register is None:
                raise ArchiveError(f"{self.folder.where(project, births)}: no register {name!r} in map {bound.map}")
            found = self._bindings[bound, name] = bind_again(bound, register)
        return found

    def _map(self, digest: str, births: Iterable[record.Birth]) -> DeviceMap:
        if digest not in self._maps:
            text = next(birth.device_maps[digest] for birth in births if digest in birth.device_maps)
            self._maps[digest] = parse_device_map(text, f"device map {digest}")
        return self._maps[digest]


def _digest(entries: Iterable[MonthEntry]) -> str:
    # What was computed from: the evidence of each month, not the journal's name for the same records together.
    return hashlib.sha256("".join(entry.evidence for entry in entries).encode()).hexdigest()


def _parsed(records: Iterable[bytes]) -> tuple[tuple[record.Birth, ...], tuple[record.Horizon, ...]]:
    every = [record.parse(data) for data in dict.fromkeys(records)]
    births = [one for one in every if isinstance(one, record.Birth) and one.mode == "live"]
    births.sort(key=lambda birth: (birth.stream, birth.site, birth.gateway, birth.seq))
    return tuple(births), tuple(one for one in every if isinstance(one, record.Horizon))


def _runs(metas: Iterable[BirthsMeta]) -> tuple[Run, ...]:
    """Runs of neighbouring months that share a record are one run."""
    joined: list[Run] = []
    for run in sorted((run for meta in metas for run in meta.runs), key=lambda run: (*_home(run), run.first, run.last)):
        last = joined[-1] if joined else None
        if last is not None and _home(last) == _home(run) and run.first <= last.last:
            joined[-1] = last if run.last <= last.last else replace(run, first=last.first)
        else:
            joined.append(run)
    return tuple(joined)


def _home(run: Run) -> tuple[str, str, str]:
    return run.stream, run.site, run.gateway


def _excluded(metas: Iterable[BirthsMeta]) -> tuple[Excluded, ...]:
    every = {one for meta in metas for one in meta.excluded}
    return tuple(sorted(every, key=lambda one: (one.stream, one.seq, one.reason)))
