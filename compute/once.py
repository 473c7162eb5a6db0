"""One monitoring period of one project, from wherever its readings are.

In: a project, what was declared beside it, and a source of readings. Out: a `Result`.
"""

from collections.abc import Sequence
from dataclasses import replace

from compute.declared import Declared
from compute.engine import compute, evidence_window
from compute.errors import PeriodError
from compute.project import PeriodSettings, ProjectSettings
from compute.result import Blocked, Result
from compute.rulesets import ruleset
from ingest.store.sources import Source
from metering.clock import utc_text


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
