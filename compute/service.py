"""Compute as a process: once for a period, or again and again for the console.

In: project files, what was declared beside them, and ingest's journal, opened read-only. Out: a `Result`, or
provisional results in results.sqlite.
Stopping it loses nothing, because everything it writes can be computed anew.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from compute.config import ComputeSettings
from compute.declared import Declared, declared_beside
from compute.engine import compute, evidence_window
from compute.errors import PeriodError
from compute.follow import Follower
from compute.partials import Partials
from compute.project import PeriodSettings, ProjectSettings, load_project
from compute.result import Blocked, Result
from compute.results import ResultsWriter
from compute.rulesets import ruleset
from ingest.store.reader import JournalReader
from ingest.store.sources import Source
from metering.clock import Clock, utc_text
from metering.errors import SakugenError


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
    with ResultsWriter(settings.results) as writer, Partials(settings.partials) as partials:
        follower = Follower(reader, partials)
        sys.stdout.write(f"ready compute {len(projects)} projects results={settings.results}\n")
        sys.stdout.flush()
        while not stop.is_set():
            for path, project in zip(settings.projects, projects, strict=True):
                await asyncio.to_thread(_refresh, path, project, follower, writer, clock)
            await _pause(stop, settings.every_s)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _refresh(
    project_file: Path, project: ProjectSettings, follower: Follower, writer: ResultsWriter, clock: Clock
) -> None:
    # One project's trouble is told and never stops another's.
    if not follower.has_journal:
        return
    try:
        follower.look()
        declared = declared_beside(project_file, project.id)  # each time anew: values are declared while it runs
        for period in project.period:
            found = follower.so_far(project, period, declared)
            if found is not None:
                provisional = found.result.interval.end_ms < project.interval_of(period).end_ms
                writer.put(found.result, found.hours, provisional=provisional, computed_ms=clock.now_ms())
    except SakugenError as error:
        writer.trouble(project.id, str(error))
