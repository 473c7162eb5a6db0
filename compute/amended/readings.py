"""Register values that somebody read from a display: they become rows where the meter itself said nothing.

A display read by a person is coarser and later than a poll, so it becomes a row only where it cannot raise what is
credited: in a gap, away from the instants that divide vintages, of a meter that was polled, and, when the display shows
less than the register does, only between polled readings of one vintage (where it cancels out) or as the very last one
(which only confirms). Where it contradicts what was polled before or after, the row is of another register, so that
the kernels take nothing for proved on either side of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from compute.amended.rows import Row, with_row
from compute.declared import MeterExchange, MeterName, RegisterReading
from compute.project import ProjectSettings
from compute.sources import installed_ms, usable_rows
from ingest.store.series import Binding, Series
from metering.findings import Finding, Severity
from metering.interval import Interval

EARLY_MS = 60_000
"""How much earlier than noted a value may have stood on the display: a person's watch [ms]."""
LATE_MS = 60_999
"""How much later: the same, and the rest of the second that was noted [ms]."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the display of one counter showed."""

    declared: str
    """The id of the declared value."""
    meter: MeterName
    measurand: str
    slot_ms: int
    value: int
    """Rounded down, as displays do [quanta]."""
    step: int
    """One step of the last digit, rounded up [quanta]."""

    @property
    def from_ms(self) -> int:
        """The earliest that it can have been taken [ms]."""
        return self.slot_ms - EARLY_MS

    @property
    def until_ms(self) -> int:
        """The latest that it can have been taken [ms]."""
        return self.slot_ms + LATE_MS


def sighting_of(reading: RegisterReading) -> Sighting:
    """What a declared register reading says."""
    slot_ms = int(reading.at.timestamp() * 1000)
    value = reading.quanta(reading.value)
    return Sighting(reading.id, reading.meter, reading.measurand, slot_ms, value, -int(-reading.step // 1))


def sightings_of(exchange: MeterExchange) -> tuple[Sighting, ...]:
    """What a declared exchange says: the last of the old meter and the first of the new one, for each register."""
    closing_ms = int(exchange.removed_at.timestamp() * 1000) - 1  # the last instant at which the old meter stood there
    opening_ms = int(exchange.installed_at.timestamp() * 1000)
    found = []
    for shown in exchange.register_:
        step, name = -int(-shown.step // 1), shown.measurand
        closing, opening = shown.quanta(shown.closing), shown.quanta(shown.opening)
        found.append(Sighting(exchange.id, exchange.removed, name, closing_ms, closing, step))
        found.append(Sighting(exchange.id, exchange.installed, name, opening_ms, opening, step))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Around:
    """The polled readings around a sighting, by row; None = there is none."""

    before: int | None
    """The last one of its meter at or before it."""
    after: int | None
    """The first one of its meter after it."""
    nothing_later: bool
    """Whether nothing at all is known after it, of any meter and by anybody."""


def add_sightings(
    project: ProjectSettings, polled: Series, sightings: Sequence[Sighting]
) -> tuple[Series, tuple[Finding, ...]]:
    """Make what displays showed rows of a series, where they can be.

    Args:
        project: with the meters that exchanges brought.
        polled: what the meters themselves said.
        sightings: of the same point and measurand.

    Returns:
        The series, and what became of each sighting.
    """
    edges = _edges(project)
    usable = np.flatnonzero(usable_rows(project, polled))
    last_ms = max([*(int(slot) for slot in polled.time_ms[usable[-1:]]), *(one.slot_ms for one in sightings)])
    ordered = [
        (seen, _around(polled, usable, seen, nothing_later=seen.slot_ms >= last_ms))
        for seen in sorted(sightings, key=lambda one: (one.slot_ms, str(one.meter)))
    ]
    usable_ones = [pair for pair in ordered if _refusal(project, polled, *pair, edges) is None]
    doubtful = _doubtful(polled, usable_ones)
    series, findings = polled, []
    for seen, around in ordered:
        agrees = (around.before, around.after) not in doubtful
        series, finding = _add(project, polled, series, seen, around, edges, agrees=agrees)
        findings.append(finding)
    return series, tuple(findings)


def _doubtful(polled: Series, ordered: Sequence[tuple[Sighting, "_Around"]]) -> set[tuple[int | None, int | None]]:
    # Gaps in which some sighting contradicts what was polled, or two contradict each other: none in it is believed,
    # for what is read coarsely cancels out only where all around it is.
    doubtful, last = set(), dict[tuple[int | None, int | None], Sighting]()
    for seen, around in ordered:
        gap = (around.before, around.after)
        before = last.setdefault(gap, seen)
        if not _agrees(polled, around, seen) or before.value >= seen.value + seen.step:
            doubtful.add(gap)
        last[gap] = seen
    return doubtful


def _edges(project: ProjectSettings) -> tuple[int, ...]:
    # Every instant that divides vintages, or begins or ends a period [ms].
    intervals = [vintage.interval for period in project.period for vintage in project.vintages(period)]
    return tuple(sorted({edge for one in intervals for edge in (one.start_ms, one.end_ms)}))


def _around(polled: Series, usable: np.typing.NDArray[np.intp], seen: Sighting, *, nothing_later: bool) -> _Around:
    same = np.array([seen.meter.is_same(bound.meter) for bound in polled.bindings], np.bool_)
    rows = usable[same[polled.binding[usable]]] if len(usable) else usable
    at = int(np.searchsorted(polled.time_ms[rows], seen.slot_ms, side="right"))
    before = int(rows[at - 1]) if at > 0 else None
    after = int(rows[at]) if at < len(rows) else None
    return _Around(before, after, nothing_later)


def _add(
    project: ProjectSettings,
    polled: Series,
    series: Series,
    seen: Sighting,
    around: _Around,
    edges: Sequence[int],
    *,
    agrees: bool,
) -> tuple[Series, Finding]:
    neighbour = around.before if around.before is not None else around.after
    if neighbour is None:
        return series, _unused(series, seen, f"{seen.meter} was never polled for it")
    refusal = _refusal(project, polled, seen, around, edges)
    if refusal is not None:
        return series, _unused(series, seen, refusal)
    bound = polled.bound(neighbour)
    if not agrees:
        what = "a declared register reading, or another in this gap, contradicts the rest; nothing around it is proved"
        # Each is a register of its own: two wrong readings must not vouch for each other. It stands at one instant, for
        # it must not overtake what was polled just before or after it.
        name = f"{bound.register.name} on the display, {seen.declared}"
        series, place = _with_binding(series, replace(bound, register=replace(bound.register, name=name)))
        row = Row(seen.slot_ms, seen.slot_ms, seen.slot_ms, seen.value)
        return with_row(series, row, place), _finding(series, seen, "declared-reading-differs", Severity.WARNING, what)
    if _is_close(polled, around, seen):
        what = "a declared register reading agrees with what was polled then"
        return series, _finding(series, seen, "declared-reading-agrees", Severity.INFO, what)
    what = "a declared register reading stands where nothing was polled"
    series, place = _with_binding(series, bound)
    row = Row(seen.slot_ms, seen.from_ms, seen.until_ms, _raised(series, seen))
    return with_row(series, row, place), _finding(series, seen, "declared-reading-used", Severity.INFO, what)


def _refusal(
    project: ProjectSettings, polled: Series, seen: Sighting, around: _Around, edges: Sequence[int]
) -> str | None:
    if not _stands(project, polled.point, seen):
        return f"{seen.meter} did not stand at this point then"
    if any(seen.from_ms <= edge <= seen.until_ms for edge in edges):
        return "it was taken around the instant that divides two vintages, and no display tells on which side"
    if _went_down(polled, around):
        return "the counter went down between the polled readings around it"
    neighbour = around.before if around.before is not None else around.after
    if neighbour is not None and seen.step <= (polled.step(neighbour) or 0):
        return None
    if around.before is None or (around.after is None and not around.nothing_later):
        return "its display shows less than the register does, and its meter was not polled before and after it"
    if around.after is None:
        return None
    start_ms, end_ms = int(polled.time_ms[around.before]), int(polled.received_ms[around.after])
    if any(start_ms < edge < end_ms for edge in edges):
        return "its display shows less than the register does, and two vintages meet between the readings around it"
    return None


def _stands(project: ProjectSettings, point: str, seen: Sighting) -> bool:
    for meter in project.meters_of(point):
        start_ms, end_ms = installed_ms(meter)
        if seen.meter.is_same(meter) and start_ms <= seen.slot_ms and (end_ms is None or seen.slot_ms < end_ms):
            return True
    return False


def _went_down(polled: Series, around: _Around) -> bool:
    if around.before is None or around.after is None:
        return False
    return int(polled.value[around.before]) > int(polled.value[around.after])


def _is_close(polled: Series, around: _Around, seen: Sighting) -> bool:
    # So close that the order of the two is not known.
    just_before = around.before is not None and int(polled.received_ms[around.before]) >= seen.from_ms
    just_after = around.after is not None and int(polled.sent_ms[around.after]) <= seen.until_ms
    return just_before or just_after


def _agrees(polled: Series, around: _Around, seen: Sighting) -> bool:
    not_less = around.before is None or int(polled.value[around.before]) < seen.value + seen.step
    not_more = around.after is None or seen.value <= int(polled.value[around.after])
    return not_less and not_more


def _raised(series: Series, seen: Sighting) -> int:
    # A display leaves digits away; a counter that was polled before, or read more exactly, cannot have gone back.
    same = np.array([seen.meter.is_same(bound.meter) for bound in series.bindings], np.bool_)
    rows = np.flatnonzero(same[series.binding] & series.valued & (series.time_ms <= seen.slot_ms))
    last = int(series.value[rows[-1]]) if len(rows) else seen.value
    return last if seen.value <= last < seen.value + seen.step else seen.value


def _with_binding(series: Series, bound: Binding) -> tuple[Series, int]:
    if bound in series.bindings:
        return series, series.bindings.index(bound)
    return replace(series, bindings=(*series.bindings, bound)), len(series.bindings)


def _unused(series: Series, seen: Sighting, why: str) -> Finding:
    what = f"a declared register reading is not used: {why}"
    return _finding(series, seen, "declared-reading-unused", Severity.WARNING, what)


def _finding(series: Series, seen: Sighting, code: str, severity: Severity, what: str) -> Finding:
    return Finding(
        code=code,
        clause="contracts 5",
        severity=severity,
        what=what,
        point=series.point,
        measurand=series.measurand,
        interval=Interval(seen.slot_ms, seen.slot_ms + 1),
        evidence={
            "declared": seen.declared,
            "meter": str(seen.meter),
            f"{seen.slot_ms} ms": str(seen.value),
            "step": str(seen.step),
        },
    )
