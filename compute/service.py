"""Compute as a process: once for a period, or again and again for the console.

In: project files, what was declared beside them, and ingest's journal, opened read-only. Out: a `Result`, or
provisional results in results.sqlite.
Stopping it loses nothing, because everything it writes can be computed anew.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from compute.config import ComputeSettings
from compute.declared import Declared, declared_beside
from compute.engine import compute, evidence_window, work_out
from compute.errors import PeriodError
from compute.hours import HourAmounts, HourResult, hourly
from compute.project import PeriodSettings, ProjectSettings, load_project
from compute.result import Blocked, Result
from compute.results import ResultsWriter
from compute.rulesets import ruleset
from ingest.store.reader import JournalReader
from ingest.store.sources import JournalSource, Source
from metering.clock import Clock, utc_text
from metering.errors import SakugenError
from metering.interval import HOUR_MS


def compute_once(
    project: ProjectSettings,
    period: PeriodSettings,
    source: Source,
    *,
    held: int,
    now_ms: int,
    declared: Sequence[Declared] = (),
) -> Result:
    """Compute one monitoring period of one project.

    Args:
        project: the project.
        period: one of its periods.
        source: where its readings are taken from; one with a caveat gives a result that is not creditable.
        held: how many records are held and could not be used.
        now_ms: the time now [ms since the Unix epoch].
        declared: its declared values.

    Raises:
        ConfigError: when a declared value does not fit the project.
        PeriodError: when the period is not over.
        JournalError: when the journal cannot be read.
        ArchiveError: when the archive cannot be read.
        InfluxError: when InfluxDB cannot be read.
        ComputeError: when the project cannot be computed.
    """
    ends_ms = project.interval_of(period).end_ms
    if ends_ms > now_ms:
        raise PeriodError(
            f"period {period.id!r} of project {project.id} ends at {utc_text(ends_ms)} and it is {utc_text(now_ms)}: it"
            " reaches into the future; `sakugen compute run --follow` shows what it amounts to so far"
        )
    window = evidence_window(project, period)
    evidence = source.evidence(project.id, window.start_ms, window.end_ms)
    return _marked(compute(project, evidence, period, ruleset(), declared=declared, held=held), source)


def _marked(result: Result, source: Source) -> Result:
    # What the source says of itself keeps the result from being creditable.
    if source.caveat is None:
        return result
    blocked = (*result.blocked_by, Blocked("source-unsigned", source.caveat, "source"))
    return replace(result, blocked_by=tuple(sorted(blocked, key=lambda why: (why.code, why.where, why.what))))


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
    slots = [int(series.time_ms[-1]) for series in evidence.by_key.values() if len(series)]
    span = project.interval_of(period)
    until_ms = min((max(slots, default=0) - 1) // HOUR_MS * HOUR_MS, span.end_ms)
    if until_ms <= span.start_ms:
        return None
    held = len(reader.held(project.id))
    workings = work_out(project, evidence, period, ruleset(), declared=declared, until_ms=until_ms, held=held)
    amounts = [HourAmounts(one.spec, one.point, one.hours, one.late) for one in workings.measured]
    return SoFar(workings.result, hourly(workings.result, project.method, amounts, workings.fixed.factors))


def main(settings: ComputeSettings) -> None:
    """Keep provisional results up to date until SIGTERM or SIGINT.

    Raises:
        ConfigError: when a project file has faults.
        ResultsError: when results.sqlite cannot be used.
    """
    asyncio.run(_main(settings))


async def _main(settings: ComputeSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, stop)


async def run(settings: ComputeSettings, stop: asyncio.Event) -> None:
    """Compute all projects again and again.

    Args:
        settings: the configuration.
        stop: ends it after the round that is under way.

    Raises:
        ConfigError: when a project file has faults; nothing is started then.
        ResultsError: when results.sqlite cannot be used.
    """
    projects = tuple(load_project(path) for path in settings.projects)
    reader = JournalReader(settings.journal)
    clock = settings.clock.build()
    with ResultsWriter(settings.results) as writer:
        sys.stdout.write(f"ready compute {len(projects)} projects results={settings.results}\n")
        sys.stdout.flush()
        while not stop.is_set():
            for path, project in zip(settings.projects, projects, strict=True):
                await asyncio.to_thread(_refresh, path, project, reader, writer, clock)
            await _pause(stop, settings.every_s)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _refresh(
    project_file: Path, project: ProjectSettings, reader: JournalReader, writer: ResultsWriter, clock: Clock
) -> None:
    # One project's trouble is told and never stops another's.
    if not reader.path.exists():
        return
    try:
        declared = declared_beside(project_file, project.id)  # each time anew: values are declared while it runs
        for period in project.period:
            found = compute_so_far(project, reader, period, declared)
            if found is not None:
                provisional = found.result.interval.end_ms < project.interval_of(period).end_ms
                writer.put(found.result, found.hours, provisional=provisional, computed_ms=clock.now_ms())
    except SakugenError as error:
        writer.trouble(project.id, str(error))
