"""In: the journal, opened read-only, and compute's results. Out: one snapshot of everything that the page shows.

Whatever cannot be read is said on the page, in its own column; the other columns go on.
"""

from compute.results import ProjectResults, read_results
from dashboards.console.config import ConsoleSettings, ProjectSettings
from dashboards.console.views import (
    GatewayView,
    ProjectView,
    ReadingView,
    Snapshot,
    StreamView,
    TonnesView,
    VintageView,
    age_text,
    civil_text,
    lately_text,
    unit_text,
    value_text,
)
from ingest.store.reader import Head, JournalReader, Latest
from metering.clock import Clock, utc_text
from metering.errors import SakugenError
from metering.quality import Quality

_SHOWN_STREAMS = 3
NO_READINGS: tuple[ReadingView, ...] = ()
NO_TONNES = TonnesView((), creditable=False, blocked_by=(), lately="")


class Sources:
    """Reads what the page shows; holds no connection, so that it never gets in a writer's way."""

    def __init__(self, settings: ConsoleSettings, clock: Clock) -> None:
        """Keep where things are; nothing is opened yet.

        Args:
            settings: the paths and the projects.
            clock: the clock that the plants follow.
        """
        self._settings = settings
        self._clock = clock
        self._reader = JournalReader(settings.journal)
        self._stale_ms = settings.stale_after_s * 1000 * clock.factor
        self._latest: dict[str, tuple[list[Head], list[Latest]]] = {}

    def snapshot(self) -> Snapshot:
        """Read everything once."""
        now_ms = self._clock.now_ms()
        projects = tuple(self._project(project, now_ms) for project in self._settings.project)
        return Snapshot(utc_text(now_ms - now_ms % 1000), self._clock.factor, projects)

    def _project(self, project: ProjectSettings, now_ms: int) -> ProjectView:
        gateway, readings, tonnes = GatewayView(project.gateway, (), 0, 0, ()), NO_READINGS, NO_TONNES
        troubles = []
        try:
            if self._settings.journal.exists():
                heads = self._heads(project)
                gateway = self._gateway(project, heads, now_ms)
                readings = tuple(self._reading(latest, project, now_ms) for latest in self._newest(project.id, heads))
        except SakugenError as error:
            troubles.append(str(error))
        try:
            for results in read_results(self._settings.results):
                if results.project == project.id:
                    tonnes = _tonnes(results)
                    troubles += [results.trouble] if results.trouble else []
        except SakugenError as error:
            troubles.append(str(error))
        trouble = "; ".join(troubles)
        return ProjectView(project.id, project.title, project.site, gateway, readings, tonnes, trouble)

    def _heads(self, project: ProjectSettings) -> list[Head]:
        mine = (project.site, project.gateway)
        return [head for head in self._reader.heads() if (head.site, head.gateway) == mine]

    def _newest(self, project: str, heads: list[Head]) -> list[Latest]:
        # Parsing the newest records costs most of a snapshot, and most seconds bring none.
        known, latest = self._latest.get(project, ([], []))
        if known != heads:
            latest = self._reader.latest(project)
            self._latest[project] = (heads, latest)
        return latest

    def _gateway(self, project: ProjectSettings, heads: list[Head], now_ms: int) -> GatewayView:
        mine = (project.site, project.gateway)
        newest = sorted(heads, key=lambda head: head.stream, reverse=True)[:_SHOWN_STREAMS]
        incidents = [one for one in self._reader.incidents() if (one.site, one.gateway) == mine]
        return GatewayView(
            project.gateway,
            tuple(_stream(head, now_ms) for head in newest),
            len(self._reader.held(project.id)),
            self._reader.refused(*mine),
            tuple(f"{incident.code}: {incident.what}" for incident in incidents),
        )

    def _reading(self, latest: Latest, project: ProjectSettings, now_ms: int) -> ReadingView:
        age_ms = now_ms - latest.time_ms
        return ReadingView(
            latest.point,
            latest.measurand,
            value_text(latest.measurand, latest.value),
            unit_text(latest.measurand),
            civil_text(latest.time_ms, project.time_zone),
            age_text(age_ms),
            latest.quality.label,
            latest.quality != Quality.OK or age_ms > self._stale_ms,
        )


def _stream(head: Head, now_ms: int) -> StreamView:
    return StreamView(head.stream, head.head, age_text(now_ms - head.heard_ms))


def _tonnes(results: ProjectResults) -> TonnesView:
    vintages = tuple(
        VintageView(
            results.period,
            row.year,
            f"{row.integer:,}",
            row.reduction_tco2e,
            row.reduction_high_tco2e,
            row.provisional,
        )
        for row in results.vintages
    )
    lately = lately_text([hour.reduction_tco2e for hour in results.hours])
    return TonnesView(vintages, results.creditable, results.blocked_by, lately)
