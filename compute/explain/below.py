"""What stands below each amount that was asked for: the workings and a question in, steps in quanta out.

Records are read only for the readings of one hour, after it is known which ones they are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from compute.declared import Declared
from compute.engine import Workings
from compute.explain.amounts import counted_step
from compute.explain.ledger import Ledger, Link
from compute.explain.pair import Between
from compute.explain.question import Question
from compute.explain.readings import Told
from compute.explain.records import Asked, Telling, tellings
from compute.explain.step import Fact, Step
from compute.measure import Measured
from compute.project import PointSettings
from compute.rulesets import Ruleset
from compute.sources import counter_readings
from compute.task import Task
from compute.track import believed_of, pairs_in, track_of
from compute.vintages import Vintage
from ingest.store.series import Series
from metering.interval import Interval
from metering.measurands import measurand

RecordsOf = Callable[[int, int], Iterable[bytes]]
"""Gives the records that speak of slots from one instant up to another [ms], and the births before them."""
Place = tuple[str, str]
"""Parameter and point."""

_ALWAYS = Fraction(1)


@dataclass(frozen=True, slots=True)
class _Opened:
    """One parameter at one point, measured again in the engine's own way to see the pairs."""

    one: Measured
    task: Task
    point: PointSettings
    series: tuple[Series, ...]
    ledger: Ledger
    links: tuple[Link, ...]
    """The pairs that touch the hour that was asked for."""

    @property
    def place(self) -> Place:
        return self.one.spec.parameter, self.one.point

    def readings(self, hour: Interval) -> set[Asked]:
        """The readings that will be shown."""
        slots = {slot for link in self.links for slot in (link.earlier_slot_ms, link.later_slot_ms)}
        shown = set()
        for series in self.series:
            inside = series.time_ms[(series.time_ms >= hour.start_ms) & (series.time_ms < hour.end_ms)]
            here = slots.union(inside.tolist())
            shown |= {(series.point, series.measurand, int(slot)) for slot in here}
        return shown


def counted_steps(
    workings: Workings,
    period_id: str,
    rules: Ruleset,
    question: Question,
    records: RecordsOf,
    declared: Sequence[Declared],
) -> Mapping[Place, tuple[Step, ...]]:
    """Explain what was counted of each amount that was asked for, one step a vintage.

    Args:
        workings: the engine's.
        period_id: the period.
        rules: that it was computed with.
        question: how far down, and which way.
        records: where the evidence was collected from.
        declared: the project's declared values.
    """
    wanted = [one for one in workings.measured if question.wants(one.spec.parameter, one.point)]
    opened = [_open(workings, one, period_id, rules, question.hour) for one in wanted]
    found = _records(opened, question.hour, records)
    told = Told(workings.amended.project, workings.amended.evidence, found, tuple(declared))
    return {each.place: _steps(each, told, rules, question) for each in opened}


def _open(workings: Workings, one: Measured, period_id: str, rules: Ruleset, hour: Interval | None) -> _Opened:
    project, evidence = workings.amended.project, workings.amended.evidence
    vintages = tuple(Vintage(each.year, each.interval) for each in workings.result.vintages)
    fraction = workings.fixed.factors[one.point].get("energised_fraction", _ALWAYS)
    task = Task(project, evidence, period_id, vintages, rules, fraction)
    point = next(each for each in project.point if each.id == one.point)
    series = tuple(evidence.series(one.point, name) for name in one.spec.measurands)
    ledger = Ledger(track_of(task, one.spec, series, point), vintages)
    links = () if hour is None else tuple(ledger.links(pairs_in(task, one.spec, series, point, hour)))
    return _Opened(one, task, point, series, ledger, links)


def _records(opened: list[_Opened], hour: Interval | None, records: RecordsOf) -> Mapping[Asked, tuple[Telling, ...]]:
    if hour is None:
        return {}
    asked = {reading for each in opened for reading in each.readings(hour)}
    slots = [slot for _, _, slot in asked]
    return tellings(records(min(slots), max(slots) + 1), asked) if slots else {}


def _steps(each: _Opened, told: Told, rules: Ruleset, question: Question) -> tuple[Step, ...]:
    spec = each.one.spec
    counter = None
    if spec.kind == "counter":
        counter = counter_readings(each.task.project, each.series[0], supply_loss=rules.supply_loss)
    between = Between(
        told=told,
        spec=spec,
        point=each.point,
        rules=rules,
        series=each.series,
        believed=believed_of(each.task, spec, each.point),
        counter=counter,
        unit="ms" if counter is None else measurand(spec.measurands[0]).quantum,
        inputs=_energised(each) if spec.kind == "energised" else (),
    )
    return tuple(
        counted_step(between, each.ledger.entries(index), vintage.interval, question, each.links)
        for index, vintage in enumerate(each.task.vintages)
    )


def _energised(each: _Opened) -> tuple[Fact, ...]:
    return (
        Fact("nominal_voltage_v", each.point.nominal_voltage_v or "", "V"),
        Fact("energised above this share of it", each.task.fraction),
    )
