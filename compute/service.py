"""Compute as a process: once for a period, or again and again for the console.

In: project files and ingest's journal, opened read-only. Out: a `Result`, or provisional results in results.sqlite.
Stopping it loses nothing, because everything it writes can be computed anew.
"""

import asyncio
import signal
import sys
from pathlib import Path

from compute.config import ComputeSettings
from compute.engine import compute, evidence_window
from compute.project import PeriodSettings, ProjectSettings, load_project
from compute.result import Result
from compute.results import ResultsWriter
from compute.rulesets import ruleset
from ingest.store.reader import JournalReader
from ingest.store.readings import Evidence, collect
from metering.clock import Clock
from metering.errors import SakugenError
from metering.interval import HOUR_MS


def compute_once(project_file: Path, journal_path: Path, period_id: str | None = None) -> Result:
    """Compute one monitoring period of one project.

    Args:
        project_file: its project.toml.
        journal_path: ingest's journal.
        period_id: the period; None = the project's first.

    Raises:
        ConfigError: when the project file has faults.
        PeriodError: when the project does not declare the period.
        JournalError: when the journal cannot be read.
        ComputeError: when the project cannot be computed.
    """
    project = load_project(project_file)
    period = project.period_named(period_id)
    reader = JournalReader(journal_path)
    return compute(project, _evidence(reader, project, period), period, ruleset(), held=len(reader.held(project.id)))


def compute_so_far(project: ProjectSettings, reader: JournalReader, period: PeriodSettings) -> Result | None:
    """Compute a period up to the last whole hour that a later reading can confirm.

    Args:
        project: the project.
        reader: ingest's journal.
        period: one of the project's periods.

    Returns:
        The result, or None when no hour of the period is over yet.
    """
    evidence = _evidence(reader, project, period)
    slots = [int(series.time_ms[-1]) for series in evidence.by_key.values() if len(series)]
    span = project.interval_of(period)
    until_ms = min((max(slots, default=0) - 1) // HOUR_MS * HOUR_MS, span.end_ms)
    if until_ms <= span.start_ms:
        return None
    return compute(project, evidence, period, ruleset(), until_ms=until_ms, held=len(reader.held(project.id)))


def _evidence(reader: JournalReader, project: ProjectSettings, period: PeriodSettings) -> Evidence:
    window = evidence_window(project, period)
    return collect((stored.data for stored in reader.records(project.id, window.start_ms, window.end_ms)), judged=True)


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
            for project in projects:
                await asyncio.to_thread(_refresh, project, reader, writer, clock)
            await _pause(stop, settings.every_s)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


def _refresh(project: ProjectSettings, reader: JournalReader, writer: ResultsWriter, clock: Clock) -> None:
    # One project's trouble is told and never stops another's.
    if not reader.path.exists():
        return
    try:
        for period in project.period:
            result = compute_so_far(project, reader, period)
            if result is not None:
                provisional = result.interval.end_ms < project.interval_of(period).end_ms
                writer.put(result, provisional=provisional, computed_ms=clock.now_ms())
    except SakugenError as error:
        writer.trouble(project.id, str(error))
