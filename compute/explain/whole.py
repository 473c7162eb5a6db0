"""All levels together: a project, its evidence and a question in, an explanation out."""

from collections.abc import Sequence

from compute.declared import Declared
from compute.engine import work_out
from compute.explain.amounts import amount_step
from compute.explain.below import RecordsOf, counted_steps
from compute.explain.question import Question, local_text
from compute.explain.step import Explanation
from compute.explain.tonnes import emissions_step, period_step, reduction_step, vintage_step
from compute.project import PeriodSettings, ProjectSettings
from compute.result import Result
from compute.rulesets import Ruleset
from ingest.store.readings import Evidence
from metering.clock import utc_text


def explain(
    project: ProjectSettings,
    evidence: Evidence,
    period: PeriodSettings,
    rules: Ruleset,
    question: Question,
    records: RecordsOf,
    *,
    declared: Sequence[Declared] = (),
    held: int = 0,
) -> Explanation:
    """Compute a period and explain it.

    Args:
        project: as for `compute.engine.compute`.
        evidence: as there.
        period: as there.
        rules: as there.
        question: how far down, and which way.
        records: where the evidence was collected from; asked only for the readings of one hour.
        declared: as for `compute.engine.compute`.
        held: as there.

    Raises:
        ConfigError: as `compute.engine.compute` does.
        ComputeError: as `compute.engine.compute` does.
        RecordError: when `records` gives bytes that are not a record.
    """
    workings = work_out(project, evidence, period, rules, declared=declared, held=held)
    counted = counted_steps(workings, period.id, rules, question, records, declared)
    vintages = []
    for index, vintage in enumerate(workings.result.vintages):
        points = []
        for place, one in enumerate(workings.measured):
            below = counted.get((one.spec.parameter, one.point))
            amount = amount_step(one, index, workings.result.findings, () if below is None else (below[index],))
            points.append(emissions_step(index, place, workings, project, amount))
        vintages.append(vintage_step(vintage, reduction_step(vintage, workings, project, tuple(points))))
    return Explanation(
        about=_about(workings.result),
        creditable=workings.result.creditable,
        blocked_by=tuple(f"{why.code} {why.where}: {why.what}" for why in workings.result.blocked_by),
        step=period_step(period.id, tuple(vintages), workings),
        asked=_asked(question, project),
    )


def _about(result: Result) -> dict[str, str]:
    return {
        "project": result.project,
        "title": result.title,
        "period": result.period,
        "time_zone": result.time_zone,
        "start_utc": utc_text(result.interval.start_ms),
        "end_utc": utc_text(result.interval.end_ms),
        "methodology": result.methodology,
        "methodology_version": result.methodology_version,
        "methodology_sha256": result.methodology_digest,
        "engine": result.engine,
        "ruleset": result.ruleset,
        "input_sha256": result.input_digest,
        "evidence_sha256": result.evidence_digest,
    }


def _asked(question: Question, project: ProjectSettings) -> dict[str, str]:
    asked = {"parameter": question.parameter, "point": question.point}
    if question.hour_ms is not None:
        asked["hour"] = local_text(question.hour_ms, project)
    return {name: value for name, value in asked.items() if value is not None}
