"""Completeness: how much of a parameter was read, month by month, and what becomes of too little.

In: the readings that count, the gaps between them and the time in doubt. Out: one row per calendar month of the
project's time zone; findings by the ruleset's thresholds; and what keeps the result from being creditable. A register
reading that was declared is a reading, so it ends a gap.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from compute.intervals import Ints
from compute.pairs import Pair
from compute.result import Blocked, MonthValue
from compute.rulesets import Completeness
from compute.vintages import midnight_ms
from metering.clock import utc_text
from metering.findings import Finding, Severity
from metering.interval import DAY_MS, Interval

_CLAUSE = "CDM VVS 245"


@dataclass(frozen=True, slots=True)
class Record:
    """What was read of a parameter in a period."""

    slot_ms: Ints
    """Slots of readings that count, or starts of hours that hold some; in order [ms]."""
    count: Ints
    """How many readings that count there are at each."""
    gaps: Ints
    """Stretches without a reading that counts longer than the poll interval, also at both ends of the period: rows of
    start and end [ms]."""
    doubts: Ints
    """Stretches whose amount is not exact; they may overlap. Rows of start and end [ms]."""
    interval_ms: int
    """From one due slot to the next [ms]; 0 = nothing was ever read."""


def months_of(span: Interval, zone: ZoneInfo) -> tuple[tuple[str, Interval], ...]:
    """Cut a period at the local first of each month: name ("2026-01") and span."""
    first = datetime.fromtimestamp(span.start_ms / 1000, UTC).astimezone(zone).date().replace(day=1)
    months = []
    while (start_ms := midnight_ms(first, zone)) < span.end_ms:
        following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        inside = Interval(max(start_ms, span.start_ms), min(midnight_ms(following, zone), span.end_ms))
        months.append((f"{first.year:04d}-{first.month:02d}", inside))
        first = following
    return tuple(months)


def monthly(record: Record, span: Interval, zone: ZoneInfo) -> tuple[MonthValue, ...]:
    """Say how complete a parameter is in each month of a period."""
    gaps, doubts = record.gaps, _union(record.doubts)
    counted = np.concatenate([[0], np.cumsum(record.count)])
    values = []
    for name, month in months_of(span, zone):
        ends = (month.start_ms, month.end_ms)
        first, end = np.searchsorted(record.slot_ms, ends).tolist()
        usable = int(counted[end] - counted[first])
        due = -(-month.length_ms // record.interval_ms) if record.interval_ms else 0
        doubtful_ms = int(np.sum(np.diff(np.clip(doubts, *ends))))
        values.append(
            MonthValue(
                month=name,
                interval=month,
                coverage=min(Fraction(usable, due), Fraction(1)) if due else Fraction(0),
                substituted_share=Fraction(doubtful_ms, month.length_ms),
                # The whole gap, also where it reaches beyond the month: cut in two, it would look half as long.
                longest_gap_ms=int(np.max(np.diff(gaps[_overlapping(gaps, month)]), initial=0)),
            )
        )
    return tuple(values)


def edges(spans: Iterable[Interval]) -> Ints:
    """Spans as rows: start and end [ms]."""
    return np.array([(span.start_ms, span.end_ms) for span in spans], np.int64).reshape(-1, 2)


def _overlapping(spans: Ints, month: Interval) -> NDArray[np.bool_]:
    shared = np.maximum(spans[:, 0], month.start_ms) < np.minimum(spans[:, 1], month.end_ms)
    return np.asarray(shared, np.bool_)


def _union(spans: Ints) -> Ints:
    """The same time as stretches of which no two overlap."""
    if len(spans) == 0:
        return spans
    spans = spans[np.argsort(spans[:, 0])]
    reached_ms = np.maximum.accumulate(spans[:, 1])
    begins = np.flatnonzero(np.append(True, spans[1:, 0] > reached_ms[:-1]))
    return np.stack([spans[begins, 0], reached_ms[np.append(begins[1:] - 1, -1)]], axis=1)


def completeness_findings(
    point: str, measurand: str, record: Record, months: tuple[MonthValue, ...], rule: Completeness
) -> Iterator[Finding]:
    """Tell the months with too few readings, and the gaps that are too long."""
    for month in months:
        if month.coverage < rule.least_coverage:
            yield Finding(
                code="coverage-low",
                clause=_CLAUSE,
                severity=Severity.WARNING,
                what=f"{_percent(month.coverage)} of the readings due in {month.month} count; at least"
                f" {_percent(rule.least_coverage)} should",
                point=point,
                measurand=measurand,
                interval=month.interval,
                evidence={"coverage": str(month.coverage), "longest_gap_ms": str(month.longest_gap_ms)},
            )
    for gap in _too_long(record, rule):
        yield Finding(
            code="gap-too-long",
            clause=_CLAUSE,
            severity=Severity.BLOCKING,
            what=_gap_text(gap, rule),
            point=point,
            measurand=measurand,
            interval=gap,
        )


def gap_blocks(point: str, record: Record, rule: Completeness) -> Iterator[Blocked]:
    """Say which gaps keep the result from being creditable."""
    for gap in _too_long(record, rule):
        yield Blocked("gap-too-long", f"from {utc_text(gap.start_ms)}: {_gap_text(gap, rule)}", point)


def _too_long(record: Record, rule: Completeness) -> Iterator[Interval]:
    long = record.gaps[:, 1] - record.gaps[:, 0] > rule.longest_gap_ms
    return (Interval(start_ms, end_ms) for start_ms, end_ms in record.gaps[long].tolist())


def _gap_text(gap: Interval, rule: Completeness) -> str:
    days = f"{gap.length_ms / DAY_MS:.1f}"
    return (
        f"no reading counts for {days} days, and at most {rule.longest_gap_ms // DAY_MS} are allowed;"
        " declare what the register showed meanwhile"
    )


@dataclass(frozen=True, slots=True)
class Substituted:
    """The part of a vintage's credited amount that no meter showed: the most possible stands for it."""

    parameter: str
    point: str
    year: int
    interval: Interval
    share: Fraction


def substituted(credited: str, measured: Pair, seen_width: int | Fraction) -> Fraction:
    """Say which share of a credited amount was substituted.

    At the low end only what a meter showed is credited, so nothing is. At the high end it is all that lies above the
    low end, less what comes from a state that was seen at both samples and changed between them.

    Args:
        credited: "low" or "high".
        measured: the amount, before a calibration moves it [any unit].
        seen_width: how much of its width comes from changes that were seen [the same unit].
    """
    if credited == "low" or measured.high <= 0:
        return Fraction(0)
    return max(Fraction(0), Fraction(measured.width - seen_width)) / Fraction(measured.high)


def substituted_findings(parts: tuple[Substituted, ...], rule: Completeness) -> Iterator[tuple[Finding, Blocked]]:
    """Tell the vintages of which too much was substituted, each with what it keeps from being credited."""
    for part in parts:
        if part.share > rule.most_substituted:
            what = (
                f"{_percent(part.share)} of {part.parameter} credited for {part.year} was measured by nobody; at most"
                f" {_percent(rule.most_substituted)} may be"
            )
            yield (
                Finding(
                    code="substituted-too-much",
                    clause=_CLAUSE,
                    severity=Severity.BLOCKING,
                    what=what,
                    point=part.point,
                    interval=part.interval,
                    evidence={"share": str(part.share), "year": str(part.year)},
                ),
                Blocked("substituted-too-much", what, part.point),
            )


def _percent(share: Fraction) -> str:
    return f"{float(share * 100):.1f} %"
