"""A period up to now, month by month: months that are over are measured once and kept, the open one every time.

In: a journal and what was kept of it. Out: what the period amounts to so far, the same to the bit as if everything were
read at once. New records name the months that they speak of, and those alone are read again. Where a series says
nothing for longer than `MARGIN_MS` across the end of a month, or the same all that time, or nothing at all of the open
one, or where something was declared, which may change any month, everything is read.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np

from compute.amounts import cuts_of
from compute.declared import Declared
from compute.engine import ALWAYS, ENGINE, Workings, evidence_window, main_jobs, vintages_until, work_out
from compute.fixed import resolve
from compute.hours import HourAmounts, HourResult, hourly
from compute.joining import joined
from compute.law import Law
from compute.partials import Key, Month, Partials, Seen, SeriesPart
from compute.project import PeriodSettings, ProjectSettings
from compute.result import Result
from compute.review import Job, further_jobs
from compute.rulesets import Ruleset, ruleset
from compute.segments import Segment
from compute.sources import may_be_frozen
from compute.task import Stretch, Task
from compute.track import law_of, segment_of
from compute.vintages import midnight_ms
from ingest.store.census import take
from ingest.store.reader import JournalReader, StoredRecord
from ingest.store.readings import Evidence, bind
from ingest.store.series import Binding, Series
from ingest.store.sources import JournalSource, cut
from metering.interval import DAY_MS, HOUR_MS, Interval

MARGIN_MS = 2 * DAY_MS
"""So much beside a month is read with it: what its first and last readings are worth may stand there [ms]."""
_SETTLED_MS = 3 * DAY_MS
"""So long after its end a month is measured with the open one: late readings are the rule then [ms]."""
_BATCH = 512
_BESIDE = ("birth", "horizon")


@dataclass(frozen=True, slots=True)
class SoFar:
    """What a period amounts to up to now."""

    result: Result
    hours: tuple[HourResult, ...]


def compute_so_far(
    project: ProjectSettings, reader: JournalReader, period: PeriodSettings, declared: Sequence[Declared] = ()
) -> SoFar | None:
    """Compute a period up to the last whole hour that a later reading can confirm.

    Args:
        project: the project.
        reader: ingest's journal.
        period: one of the project's periods.
        declared: its declared values.

    Returns:
        The result and what each hour gave, or None when no hour of the period is over yet.
    """
    window = evidence_window(project, period)
    evidence = JournalSource(reader).evidence(project.id, window.start_ms, window.end_ms)
    until_ms = _until(project, period, evidence)
    if until_ms is None:
        return None
    held = len(reader.held(project.id))
    workings = work_out(project, evidence, period, ruleset(), declared=declared, until_ms=until_ms, held=held)
    return _hours(project, workings)


class Follower:
    """Computes periods of one journal's projects again and again."""

    def __init__(self, reader: JournalReader, partials: Partials) -> None:
        """Keep the parts; nothing is opened.

        Args:
            reader: the journal.
            partials: what is kept of it, opened.
        """
        self._reader = reader
        self._partials = partials
        self.read: list[Interval] = []
        """The stretches that were read since `look`, for whoever wants to know."""

    @property
    def has_journal(self) -> bool:
        """Whether ingest has made the journal."""
        return self._reader.path.exists()

    def look(self) -> None:
        """Forget what new records have changed.

        Raises:
            JournalError: when the journal cannot be read.
        """
        self.read.clear()
        seen = self._partials.seen()
        anew = seen is None or not self._is_same(seen)
        if seen is None or anew:
            last_id = take(self._reader.path).last_id
            newest = self._reader.after(last_id - 1, 1)
            seen = Seen(self._reader.journal_id, last_id, newest[0].digest if newest else "", 0)
        touched: dict[str, list[tuple[int, int]]] = {}
        while batch := self._reader.after(seen.id, _BATCH):
            anew |= _touch(touched, batch)
            seen = replace(seen, id=batch[-1].id, digest=batch[-1].digest)
        while replays := self._reader.replayed_after(seen.replay, _BATCH):
            anew |= _touch(touched, (stored for _, stored in replays))
            seen = replace(seen, replay=replays[-1][0])
        self._partials.look(seen, touched, anew=anew)

    def _is_same(self, seen: Seen) -> bool:
        if seen.journal != self._reader.journal_id:
            return False
        there = self._reader.after(seen.id - 1, 1)
        return bool(there) and (there[0].id, there[0].digest) == (seen.id, seen.digest) if seen.id else True

    def so_far(
        self, project: ProjectSettings, period: PeriodSettings, declared: Sequence[Declared] = ()
    ) -> SoFar | None:
        """As `compute_so_far`; what is over and did not change is not read again."""
        months = None if declared else self._months(project, period)
        if months is None:
            self.read.append(evidence_window(project, period))
            return compute_so_far(project, self._reader, period, declared)
        return months.so_far(len(self._reader.held(project.id)))

    def _months(self, project: ProjectSettings, period: PeriodSettings) -> "_Months | None":
        window = evidence_window(project, period)
        newest_ms = self._reader.newest_slot_ms(project.id)
        parts = _parts(project, window, newest_ms or 0)
        if len(parts) < 2:
            return None
        *over, now = parts
        open_evidence = self._evidence(project, _with_margin(now, window))
        known: list[Month] = []
        fresh: dict[Interval, Evidence] = {}
        for part in over:
            month = self._partials.month(project.id, part.start_ms, part.end_ms)
            if month is None:
                fresh[part] = self._evidence(project, _with_margin(part, window))
                month = month_of(project, fresh[part], part)
                self._partials.put(project.id, part.start_ms, part.end_ms, month, {})
            known.append(month)
        series = _joined_series(open_evidence, (*known, month_of(project, open_evidence, now)), parts)
        until_ms = _until(project, period, open_evidence)
        if series is None or until_ms is None or until_ms <= now.start_ms:
            return None
        digest = hashlib.sha256("".join([*(month.inputs for month in known), open_evidence.digest]).encode())
        evidence = replace(open_evidence, by_key=dict(open_evidence.by_key) | series, digest=digest.hexdigest())
        return _Months(self, project, period, evidence, tuple(over), now, until_ms, fresh)

    def segments(self, project: ProjectSettings, window: Interval, part: Interval, work: "_Work") -> list[Segment]:
        """What each job amounts to in a stretch: as it was kept, or measured anew."""
        laws = [law_digest(project, work.rules, job, law, part) for job, law in zip(work.jobs, work.laws, strict=True)]
        names = [(spec.parameter, point.id) for spec, point in work.jobs]
        found = [
            self._partials.segment(project.id, part.start_ms, part.end_ms, name, law)
            for name, law in zip(names, laws, strict=True)
        ]
        if any(segment is None for segment in found):
            evidence = work.fresh.get(part) or self._evidence(project, _with_margin(part, window))
            segments = work.measured(project, evidence, part)
            month = month_of(project, evidence, part)
            kept = dict(zip(names, zip(laws, segments, strict=True), strict=True))
            self._partials.put(project.id, part.start_ms, part.end_ms, month, kept)
            return segments
        return [segment for segment in found if segment is not None]

    def _evidence(self, project: ProjectSettings, span: Interval) -> Evidence:
        self.read.append(span)
        return JournalSource(self._reader).evidence(project.id, span.start_ms, span.end_ms)


@dataclass(frozen=True, slots=True)
class _Work:
    # What is measured of a period, and by which laws.
    rules: Ruleset
    jobs: tuple[Job, ...]
    tasks: tuple[Task, ...]
    laws: tuple[Law, ...]
    fresh: Mapping[Interval, Evidence]

    def measured(self, project: ProjectSettings, evidence: Evidence, part: Interval) -> list[Segment]:
        segments = []
        for (spec, point), task, law in zip(self.jobs, self.tasks, self.laws, strict=True):
            here = replace(task, project=project, evidence=evidence, stretch=Stretch(part))
            series = tuple(evidence.series(point.id, name) for name in spec.measurands)
            segments.append(segment_of(here, spec, series, point, law))
        return segments


@dataclass(frozen=True, slots=True)
class _Months:
    # A period of which some months are over.
    follower: Follower
    project: ProjectSettings
    period: PeriodSettings
    evidence: Evidence
    over: tuple[Interval, ...]
    now: Interval
    until_ms: int
    fresh: Mapping[Interval, Evidence]

    def so_far(self, held: int) -> SoFar:
        project, window = self.project, evidence_window(self.project, self.period)
        work = self._work()
        parts = [self.follower.segments(project, window, part, work) for part in self.over]
        before = {
            (spec.parameter, point.id): joined(list(of_job), law)
            for (spec, point), law, of_job in zip(work.jobs, work.laws, zip(*parts, strict=True), strict=True)
        }
        workings = work_out(
            project, self.evidence, self.period, work.rules, until_ms=self.until_ms, held=held,
            stretch=Stretch(self.now, before),
        )  # fmt: skip
        return _hours(project, workings)

    def _work(self) -> _Work:
        rules, project = ruleset(), self.project
        vintages = vintages_until(project, self.period, self.until_ms)
        fixed = resolve(project, rules)
        jobs = (*main_jobs(project), *further_jobs(project, rules))
        tasks, laws = [], []
        for spec, point in jobs:
            fraction = fixed.factors[point.id].get("energised_fraction", ALWAYS)
            task = Task(project, self.evidence, self.period.id, vintages, rules, fraction)
            series = tuple(self.evidence.series(point.id, name) for name in spec.measurands)
            tasks.append(task)
            laws.append(law_of(task, spec, series, point, cuts_of(vintages, task.tolerance_ms)))
        return _Work(rules, jobs, tuple(tasks), tuple(laws), self.fresh)


def _touch(touched: dict[str, list[tuple[int, int]]], batch: Iterable[StoredRecord]) -> bool:
    # Notes the slots that records speak of; True when one does not say which.
    unknown = False
    for stored in batch:
        if stored.status != "appended" or stored.kind in _BESIDE or stored.project is None:
            continue
        if stored.first_slot_ms is None or stored.last_slot_ms is None:
            unknown = True
            continue
        span = (stored.first_slot_ms - MARGIN_MS, stored.last_slot_ms + MARGIN_MS)
        touched.setdefault(stored.project, []).append(span)
    return unknown


def _parts(project: ProjectSettings, window: Interval, newest_ms: int) -> tuple[Interval, ...]:
    # The window cut at each local month's start that is over and settled; the last part is still open.
    until_ms = min(newest_ms - _SETTLED_MS, window.end_ms - 1)
    edges = [window.start_ms, *_month_starts(project, window.start_ms, until_ms), window.end_ms]
    return tuple(Interval(start, end) for start, end in pairwise(edges))


def _month_starts(project: ProjectSettings, after_ms: int, until_ms: int) -> Iterator[int]:
    first = min((period.start for period in project.period), default=date(1970, 1, 1)) - timedelta(days=62)
    year, month = first.year, first.month
    while (start_ms := midnight_ms(date(year, month, 1), project.zone)) <= until_ms:
        if start_ms > after_ms:
            yield start_ms
        year, month = year + month // 12, month % 12 + 1


def _with_margin(part: Interval, window: Interval) -> Interval:
    return Interval(
        max(part.start_ms - MARGIN_MS, window.start_ms), max(part.start_ms, min(part.end_ms + MARGIN_MS, window.end_ms))
    )


def month_of(project: ProjectSettings, evidence: Evidence, part: Interval) -> Month:
    """Say what a stretch knows of its series, for those of a project's points."""
    points = {point.id for point in project.point}
    rules = ruleset()
    jobs = (*main_jobs(project), *further_jobs(project, rules))
    freezing = {(point.id, name) for spec, point in jobs if spec.kind == "energised" for name in spec.measurands}
    series: dict[Key, SeriesPart] = {}
    for key, one in evidence.by_key.items():
        inside = cut(one, part.start_ms, part.end_ms)
        if key[0] in points and len(inside):
            names = tuple(binding_digest(bound) for bound in inside.bindings)
            undecided = key in freezing and may_be_frozen(one, part, rules.frozen_voltage)
            series[key] = SeriesPart(names, int(inside.time_ms[0]), int(inside.time_ms[-1]), undecided)
    return Month(evidence.digest, series)


def _joined_series(
    evidence: Evidence, months: tuple[Month, ...], parts: tuple[Interval, ...]
) -> dict[Key, Series] | None:
    # The open month's series with what all months were read with; None when the months cannot be told apart.
    bound = {binding_digest(one): one for one in _bindings(evidence)}
    found: dict[Key, Series] = {}
    for key in {key for month in months for key in month.series}:
        told = [(part, month.series[key]) for part, month in zip(parts, months, strict=True) if key in month.series]
        names = list(dict.fromkeys(name for _, one in told for name in one.bindings))
        apart = any(
            later.first_ms >= before.end_ms + MARGIN_MS or earlier.last_ms < behind.start_ms - MARGIN_MS
            for (before, earlier), (behind, later) in pairwise(told)
        )
        undecided = any(one.undecided for _, one in told)
        if apart or undecided or told[-1][0] != parts[-1] or any(name not in bound for name in names):
            return None
        series = evidence.by_key[key]
        own = [binding_digest(one) for one in series.bindings]
        if any(name not in names for name in own):
            return None
        places = np.array([names.index(name) for name in own], np.int32)
        found[key] = replace(series, binding=places[series.binding], bindings=tuple(bound[name] for name in names))
    return found


def _bindings(evidence: Evidence) -> Iterator[Binding]:
    for birth in evidence.births:
        for rows in bind(birth, evidence.maps).values():
            yield from (binding for _, binding in rows)


def binding_digest(binding: Binding) -> str:
    """Name what readings were read with."""
    return hashlib.sha256(repr(binding).encode()).hexdigest()


def law_digest(project: ProjectSettings, rules: Ruleset, job: Job, law: Law, part: Interval) -> str:
    """Name everything but the readings that decides a segment."""
    spec, point = job
    edges = [edge for edge in law.cuts.edges if edge <= part.end_ms]
    told = (ENGINE, rules.id, project.method.digest, project.model_dump_json(), spec.parameter, point.id)
    text = repr((*told, edges, law.numbers().tolist(), law.registers, law.power))
    return hashlib.sha256(text.encode()).hexdigest()


def _until(project: ProjectSettings, period: PeriodSettings, evidence: Evidence) -> int | None:
    span = project.interval_of(period)
    slots = [int(series.time_ms[-1]) for series in evidence.by_key.values() if len(series)]
    over_ms = max(slots, default=span.start_ms) - 1 - span.start_ms
    until_ms = min(span.start_ms + over_ms // HOUR_MS * HOUR_MS, span.end_ms)
    return until_ms if until_ms > span.start_ms else None


def _hours(project: ProjectSettings, workings: Workings) -> SoFar:
    amounts = [HourAmounts(one.spec, one.point, one.hours, one.late) for one in workings.measured]
    return SoFar(workings.result, hourly(workings.result, project.method, amounts, workings.fixed.factors))
