"""From a monitored amount in a vintage to months, hours and pairs of readings: the lower half of an explanation."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from compute.explain.ledger import DoubtEntry, Entries, HourEntry, Link
from compute.explain.pair import Between, pair_step, readings_at
from compute.explain.question import Question, local_text
from compute.explain.readings import why_not
from compute.explain.step import Fact, Made, Rule, Step
from compute.measure import Measured
from compute.pairs import Pair, total
from compute.result import MonitoredValue
from metering.clock import utc_text
from metering.findings import Finding
from metering.interval import HOUR_MS, Interval

_CLAUSE = "contracts 6"
_AMOUNT = Rule("what was measured, given as the pair [low, high]; every doubt only widens it", _CLAUSE)
_MEASURED = Rule("whole quanta in the unit of the parameter, exactly", "contracts 1")
_COUNTED = Rule("the hours of the vintage, and what no hour proves", _CLAUSE)
_MONTH = Rule("the hours that begin in this local month", _CLAUSE)
_HOUR = Rule("the pairs of readings whose later one lies in the hour (H, H + 1]", _CLAUSE)
_LATE = Rule(
    "what was measured without a valid calibration moves outwards by the permitted or the found error", "CDM VVS 366"
)
_CHECK = Rule(
    "where main and check meter differ by more than their classes allow, the pair holds what both show", "CDM VVS 366"
)
_LEFT_OUT = Rule("readings that do not count are left out; the pair around them only gets longer", "contracts 3")
_DOUBTS = {
    "vintage-boundary-unproved": "a pair across a boundary is proved for neither side of it: [0, its high end]",
    "period-opening-unproved": "before the first reading nothing is proved: [0, the most that was possible]",
    "period-closing-unproved": "behind the last confirmed reading nothing is proved: [0, the most that was possible]",
    "no-confirmed-reading": "without a confirmed reading nothing is proved: [0, the most that was possible]",
}


def amount_step(one: Measured, index: int, findings: tuple[Finding, ...], below: tuple[Step, ...]) -> Step:
    """Explain a monitored amount in one vintage.

    Args:
        one: the parameter at its point.
        index: which vintage.
        findings: of the result.
        below: what was counted in quanta, where it was asked for.
    """
    name = f"{one.spec.parameter}@{one.point}"
    amount, uncorrected, calibrated = one.amounts[index], one.uncorrected[index], one.calibrated[index]
    facts = tuple(_facts(one.row))
    per_unit = (Fact("quanta per unit", one.spec.quanta_per_unit),)
    steps = [Step("measured", name, _MEASURED, Made.CONVERTED, uncorrected, one.spec.unit, per_unit, below)]
    for kind, rule, before, after, code in (
        ("calibration", _LATE, uncorrected, calibrated, "calibration-late"),
        ("check-meter", _CHECK, calibrated, amount, "check-meter-disagrees"),
    ):
        if before != after:
            told = (finding for finding in findings if finding.code == code and finding.point == one.point)
            moved = Pair(after.low - before.low, after.high - before.high)
            said = tuple(Fact(f"{kind} {place}", finding.what) for place, finding in enumerate(told, start=1))
            steps.append(Step(kind, name, rule, Made.GIVEN, moved, one.spec.unit, said))
    return Step("amount", name, _AMOUNT, Made.SUM, amount, one.spec.unit, facts, tuple(steps))


def _facts(row: MonitoredValue) -> Iterator[Fact]:
    yield Fact("description", row.description)
    yield Fact("monitoring option", row.option)
    yield Fact("source of data", row.source_of_data)
    yield Fact("procedure", row.procedure)
    for meter, accuracy, calibration in zip(row.meters, row.accuracy_classes, row.calibrations, strict=True):
        yield Fact(f"meter {meter}", f"class {accuracy}, calibration {calibration}")
    yield Fact("coverage of the period", row.coverage)
    yield Fact("longest gap", row.longest_gap_ms, "ms")
    yield Fact("share of the period in doubt", row.substituted_share)


def counted_step(
    between: Between, entries: Entries, vintage: Interval, question: Question, links: tuple[Link, ...]
) -> Step:
    """Explain what was counted in one vintage, in quanta.

    Args:
        between: the parameter and its readings.
        entries: what adds up to it.
        vintage: its time.
        question: how far down.
        links: the pairs that touch the hour that is asked for.
    """
    sums = {one.start_ms: one.amount for one in entries.hours}
    starts_ms = {*range(vintage.start_ms, vintage.end_ms, HOUR_MS), *sums}
    hours = [HourEntry(start_ms, sums.get(start_ms, Pair(0, 0))) for start_ms in sorted(starts_ms)]
    project = between.told.project
    steps = [
        _month_step(between, month, list(inside), question, links)
        for month, inside in groupby(hours, key=lambda one: local_text(one.start_ms, project)[:7])
    ]
    steps += [_doubt_step(between, doubt) for doubt in entries.doubts]
    value = total(step.value for step in steps if step.value is not None)
    name = f"{between.spec.parameter}@{between.point.id}"
    return Step("counted", name, _COUNTED, Made.SUM, value, between.unit, steps=tuple(steps))


def _month_step(
    between: Between, month: str, hours: list[HourEntry], question: Question, links: tuple[Link, ...]
) -> Step:
    value = total(one.amount for one in hours)
    facts = (
        Fact("hours", len(hours)),
        Fact("hours in doubt", sum(not one.amount.exact for one in hours)),
    )
    if not question.shows_hours:
        return Step("month", month, _MONTH, Made.SUM, value, between.unit, facts)
    steps = tuple(_hour_step(between, one, question, links) for one in hours)
    return Step("month", month, _MONTH, Made.SUM, value, between.unit, facts, steps)


def _hour_step(between: Between, entry: HourEntry, question: Question, links: tuple[Link, ...]) -> Step:
    name = local_text(entry.start_ms, between.told.project)
    facts = (Fact("from_utc", utc_text(entry.start_ms)), Fact("to_utc", utc_text(entry.start_ms + HOUR_MS)))
    steps: list[Step] = []
    if entry.start_ms == question.hour_ms:
        hour = Interval(entry.start_ms, entry.start_ms + HOUR_MS)
        steps += [pair_step(between, link, hour, after_another=place > 0) for place, link in enumerate(links)]
        steps += _left_out(between, hour)
    return Step("hour", name, _HOUR, Made.SUM, entry.amount, between.unit, facts, tuple(steps))


def _left_out(between: Between, hour: Interval) -> Iterator[Step]:
    # Readings of the hour that no pair speaks of, and why.
    slots = sorted(
        {
            int(series.time_ms[row])
            for series in between.series
            for row in np.flatnonzero((series.time_ms >= hour.start_ms) & (series.time_ms < hour.end_ms))
            if why_not(between.told, series, int(row), between.believed) is not None
        }
    )
    if slots:
        readings = tuple(step for slot in slots for step in readings_at(between, slot))
        yield Step("left-out", f"{len(slots)} slots", _LEFT_OUT, Made.GIVEN, steps=readings)


def _doubt_step(between: Between, doubt: DoubtEntry) -> Step:
    facts = (
        Fact("from_utc", utc_text(doubt.interval.start_ms)),
        Fact("to_utc", utc_text(doubt.interval.end_ms)),
    )
    rule = Rule(_DOUBTS[doubt.code], _CLAUSE)
    return Step("doubt", doubt.code, rule, Made.GIVEN, doubt.amount, between.unit, facts)
