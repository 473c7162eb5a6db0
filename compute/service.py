"""Compute as a process: provisional results, again and again, for the console.

In: project files, what was declared beside them, and ingest's journal, opened read-only. Out: results.sqlite.
Stopping it loses nothing, because everything it writes can be computed anew.
"""

import asyncio
import signal
import sys
from pathlib import Path

from compute.config import ComputeSettings
from compute.declared import declared_beside
from compute.follow import Follower
from compute.partials import Partials
from compute.project import ProjectSettings, load_project
from compute.results import ResultsWriter
from ingest.store.reader import JournalReader
from metering.clock import Clock
from metering.errors import SakugenError


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
