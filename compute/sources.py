"""Which readings may count: evidence and the declared meters in, arrays for the kernels out.

A reading counts when its quality is ok, the gateway's clock was synchronised, and it came from the meter that
`project.toml` declares for that point and time. What does not count is skipped, which only makes the pairs around it
longer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from compute.errors import EvidenceError
from compute.intervals import Codes, CounterReadings, Ints
from compute.project import MeterSettings, ProjectSettings
from compute.rulesets import FrozenVoltage
from ingest.store.scale_words import scale_steps
from ingest.store.series import Binding, Series
from metering.devicemap import Register
from metering.findings import Finding, Severity
from metering.interval import Interval
from metering.measurands import INT64_MAX, measurand
from metering.quality import VALUED, Quality

NOWHERE = -1
_SHOWN_SPANS = 10  # in a finding's evidence; the count says how many readings there are


@dataclass(frozen=True, slots=True)
class Samples:
    """What was sampled: 1 in the state, 0 not in it, or a power [mW]; -1 unknown. Arrays of one length, by slot."""

    time_ms: Ints
    answer_ms: Ints
    state: Ints
    interval_ms: int
    """The longest interval between due slots [ms]; 0 without samples."""


@dataclass(frozen=True, slots=True)
class Believed:
    """What readings of a state are believed."""

    least: int | None = None
    """The lowest that can be [quanta]; None = anything can."""
    most: int | None = None
    """The highest that can be [quanta]; None = anything can."""
    frozen: FrozenVoltage | None = None


EVERYTHING = Believed()


def declared_meter(project: ProjectSettings, series: Series) -> Ints:
    """For each row, the place of its meter among the point's declared meters, or `NOWHERE` when it is another."""
    placed = np.full(len(series), NOWHERE, np.int64)
    for index, (rows, same) in enumerate(_stays(project, series)):
        if same.all():  # the rule
            placed[rows] = index
        else:
            placed[rows][same[series.binding[rows]]] = index
    return placed


def undeclared_rows(project: ProjectSettings, series: Series) -> NDArray[np.bool_]:
    """Mark the rows that another meter than the point's declared ones gave."""
    marked = np.ones(len(series), np.bool_)
    for rows, same in _stays(project, series):
        if same.all():  # the rule
            marked[rows] = False
            continue
        for place in np.flatnonzero(same):
            marked[rows] &= series.binding[rows] != place
    return marked


def _stays(project: ProjectSettings, series: Series) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
    # For each declared meter, the rows of the time that it stood there, and which bindings read it.
    for meter in project.meters_of(series.point):
        start_ms, end_ms = installed_ms(meter)
        first = int(np.searchsorted(series.time_ms, start_ms))
        end = len(series) if end_ms is None else int(np.searchsorted(series.time_ms, end_ms))
        yield slice(first, end), np.array([is_meter(bound, meter) for bound in series.bindings], np.bool_)


def installed_ms(meter: MeterSettings) -> tuple[int, int | None]:
    """When a meter was installed and when it was taken away, if it was [ms]."""
    until = meter.installed_until
    start_ms = int(meter.installed_from.timestamp() * 1000)
    return start_ms, None if until is None else int(until.timestamp() * 1000)


def is_meter(bound: Binding, meter: MeterSettings) -> bool:
    """Say whether a binding reads a declared meter."""
    seen = bound.meter
    return (seen.make, seen.model, seen.serial) == (meter.make, meter.model, meter.serial)


def refuse_unsorted(series: Series) -> None:
    """Refuse a series that is not what `Series` promises; every sum over it would look fine and be wrong.

    Raises:
        EvidenceError: when a slot does not come after the one before.
    """
    rises = series.time_ms[1:] > series.time_ms[:-1]
    if not rises.all():
        wrong = int(np.argmin(rises))
        earlier_ms, later_ms = (int(series.time_ms[row]) for row in (wrong, wrong + 1))
        raise EvidenceError(
            f"point {series.point!r}, {series.measurand}: slot {later_ms} ms stands behind slot {earlier_ms} ms;"
            " whoever makes a series sorts it by slot and merges repeats"
        )


def usable_rows(project: ProjectSettings, series: Series) -> Codes:
    """Mark the rows that may count with 1."""
    good = (series.quality == Quality.OK) & series.synced & ~undeclared_rows(project, series)
    return np.asarray(good, np.uint8)


def counter_readings(project: ProjectSettings, series: Series, *, supply_loss: bool = False) -> CounterReadings:
    """Make the arrays of a counter.

    Args:
        project: whose meters count.
        series: of the counter.
        supply_loss: whether it is asked what the counter loses with its supply.
    """
    placed = declared_meter(project, series)
    registers = list(dict.fromkeys(bound.register for bound in series.bindings))
    return CounterReadings(
        time_ms=series.time_ms,
        request_ms=np.minimum(series.sent_ms, series.received_ms),
        answer_ms=series.received_ms,
        value=series.value,
        step=_steps(series),
        epoch=_epochs(series, placed, registers),
        usable=usable_rows(project, series),
        modulus=counter_modulus(registers),
        resettable=any(register.reset_source is None for register in registers),
        nonvolatile_ms=1000 * max((each.register.nonvolatile_s or 0 for each in series.bindings), default=0)
        if supply_loss
        else 0,
        interval_ms=poll_interval_ms(series),
    )


def _epochs(series: Series, placed: Ints, registers: list[Register]) -> Ints:
    # A new number whenever the meter or the register changes, also when it changes back: no difference spans the
    # change.
    register = np.array([registers.index(bound.register) for bound in series.bindings], np.int64)[series.binding]
    changed = (np.diff(placed, prepend=placed[:1]) != 0) | (np.diff(register, prepend=register[:1]) != 0)
    return np.cumsum(changed, dtype=np.int64)


def counter_modulus(registers: Sequence[Register]) -> int:
    """Say where a counter wraps [quanta]; 0 = unknown."""
    # Only when all readings agree on it: a scale register would change it with every reading.
    moduli = {
        None if register.modulus is None or register.scale_register is not None
        else register.modulus * register.scale * register.measurand.quanta_per_unit
        for register in registers
    }  # fmt: skip
    only = moduli.pop() if len(moduli) == 1 else None
    # Beyond int64 no reading ever gets there: as good as none.
    return int(only) if only is not None and only.denominator == 1 and only <= INT64_MAX else 0


def _steps(series: Series) -> Ints:
    # The words of each reading tell its scale; a reading without words is not usable and needs no step.
    told = scale_steps(series)
    steps = np.zeros(len(series), np.int64) if told is None else told.copy()
    per_unit = measurand(series.measurand).quanta_per_unit
    for place, bound in enumerate(series.bindings):
        register = bound.register
        here = series.binding == place
        if register.scale_register is not None:
            continue
        if register.type.is_float:
            steps[here] = _float_steps(series.value[here], register, per_unit)
        else:
            steps[here] = ceil(register.scale * per_unit)
    return steps


def _float_steps(value: Ints, register: Register, per_unit: int) -> Ints:
    # One unit in the last place of the register at that value, rounded up; float64 is exact enough for a power of two.
    one = float(register.scale * per_unit)
    _, exponent = np.frexp(np.abs(value.astype(np.float64)) / one)
    digits = 24 if register.type.words == 2 else 53
    return np.ceil(one * np.exp2(exponent.astype(np.float64) - digits)).astype(np.int64)


def running_samples(project: ProjectSettings, series: Series, believed: Believed = EVERYTHING) -> Samples:
    """Make the samples of a status: 1 = running."""
    usable = _known(project, series, believed)
    state = np.where(usable, (series.value == 1).astype(np.int64), np.int64(-1))
    return Samples(series.time_ms, series.received_ms, state, poll_interval_ms(series))


def power_samples(project: ProjectSettings, series: Series, believed: Believed = EVERYTHING) -> Samples:
    """Make the samples of a power [mW]; below 0 where it is not known or not believed."""
    usable = _known(project, series, believed) & (series.value >= 0)
    state = np.where(usable, series.value, np.int64(-1))
    return Samples(series.time_ms, series.received_ms, state, poll_interval_ms(series))


def energised_samples(
    project: ProjectSettings, phases: tuple[Series, ...], threshold_mv: int, believed: Believed = EVERYTHING
) -> Samples:
    """Make the samples of a supply: energised when every phase voltage is above the threshold [mV].

    A phase known to be low is enough to say no; a phase not known leaves the rest unknown.

    Args:
        project: whose meters count.
        phases: the voltages of the phases.
        threshold_mv: above it a phase is energised [mV].
        believed: which voltages are believed.
    """
    time_ms = np.unique(np.concatenate([phase.time_ms for phase in phases]))
    answer_ms = time_ms.copy()
    unknown = np.zeros(len(time_ms), np.bool_)
    down = np.zeros(len(time_ms), np.bool_)
    for phase in phases:
        usable = _known(project, phase, believed)
        rows = np.searchsorted(time_ms, phase.time_ms)
        known = np.zeros(len(time_ms), np.bool_)
        known[rows] = usable
        unknown |= ~known
        down[rows] |= usable & (phase.value <= threshold_mv)
        answer_ms[rows] = np.maximum(answer_ms[rows], phase.received_ms)
    state = np.where(down, 0, np.where(unknown, -1, 1)).astype(np.int64)
    return Samples(time_ms, answer_ms, state, max(poll_interval_ms(phase) for phase in phases))


def _known(project: ProjectSettings, series: Series, believed: Believed) -> NDArray[np.bool_]:
    usable = usable_rows(project, series) == 1
    return np.asarray(usable & ~impossible_rows(series, believed) & ~frozen_rows(series, believed.frozen), np.bool_)


def impossible_rows(series: Series, believed: Believed) -> NDArray[np.bool_]:
    """Mark the readings of a state whose value cannot be."""
    beyond = np.zeros(len(series), np.bool_)
    if believed.least is not None:
        beyond |= series.value < believed.least
    if believed.most is not None:
        beyond |= series.value > believed.most
    return beyond


def frozen_rows(series: Series, rule: FrozenVoltage | None) -> NDArray[np.bool_]:
    """Mark the ok readings that only repeat one before; the first of them is believed."""
    marked = np.zeros(len(series), np.bool_)
    if rule is not None:
        rows, starts, counts, fine, long = _repeats(series, rule)
        repeats = np.repeat(fine & long, counts)
        repeats[starts] = False
        marked[rows[repeats]] = True
    return marked


def may_be_frozen(series: Series, part: Interval, rule: FrozenVoltage | None) -> bool:
    """Say whether readings beyond those of a series may yet show that some of a stretch were frozen.

    So it is when they say the same from within the stretch to an end of what is known, and not for long enough.

    Args:
        series: the readings of the stretch, and what is known of the time before and behind it.
        part: the stretch.
        rule: when a reading is frozen; None = never.
    """
    if rule is None or len(series) == 0:
        return False
    rows, starts, counts, fine, long = _repeats(series, rule)
    if len(rows) == 0:
        return False
    times_ms = series.time_ms[rows]
    goes_on = fine & ~long
    before = series.time_ms[0] < part.start_ms <= times_ms[counts[0] - 1]
    behind = series.time_ms[-1] >= part.end_ms > times_ms[starts[-1]]
    # The first of them is believed, unless one like it came before.
    first = before and fine[0] and times_ms[0] >= part.start_ms
    return bool((goes_on[0] and before) or first or (goes_on[-1] and behind))


_Repeats = tuple[Ints, Ints, Ints, NDArray[np.bool_], NDArray[np.bool_]]


def _repeats(series: Series, rule: FrozenVoltage) -> _Repeats:
    # The rows of ok readings; where in them each stretch begins that shows one value, and how many it has; whether the
    # register is fine enough that a live value would move, and whether it lasted long enough.
    rows = np.flatnonzero(series.quality == Quality.OK)
    value, time_ms = series.value[rows], series.time_ms[rows]
    starts = np.flatnonzero(np.diff(value, prepend=value[:1] + 1))
    counts = np.diff(starts, append=len(rows))
    rested_ms = time_ms[starts + counts - 1] - time_ms[starts]
    # A supply that is off may rest at 0, which no step is fine enough for.
    fine = value[starts] // rule.least_steps >= _steps(series)[rows][starts]
    return rows, starts, counts, fine, (counts >= rule.least_samples) & (rested_ms >= rule.least_ms)


def poll_interval_ms(series: Series) -> int:
    """The longest time from one due slot to the next [ms]; 0 when nothing was ever read."""
    return max((bound.interval_ms for bound in series.bindings), default=0)


def source_findings(
    project: ProjectSettings,
    series: Series,
    span: Interval,
    believed: Believed = EVERYTHING,
    *,
    shows_spans: bool = False,
) -> Iterator[Finding]:
    """Tell which readings of an interval do not count and why, one finding a reason.

    Args:
        project: whose meters count.
        series: the readings.
        span: the interval.
        believed: which readings of a state are believed.
        shows_spans: whether the evidence shows each stretch, and words where they decided.
    """
    first = int(np.searchsorted(series.time_ms, span.start_ms, "left"))
    inside = slice(first, int(np.searchsorted(series.time_ms, span.end_ms, "right")))

    def rows_with(marked: NDArray[np.bool_]) -> Ints:
        return first + np.flatnonzero(marked[inside])

    bad = rows_with(series.quality != Quality.OK)
    for code in np.unique(series.quality[bad]):
        label = Quality(int(code)).label
        rows = bad[series.quality[bad] == code]
        what = f"readings with quality {label}"
        yield _rows_finding(series, rows, f"readings-{label}", "contracts 3", what, shows_spans=shows_spans)
    unsynced = rows_with(~series.synced)
    if len(rows := unsynced[series.quality[unsynced] == Quality.OK]):
        what = "readings taken while the clock was not synchronised"
        yield _rows_finding(series, rows, "clock-unsynchronised", "contracts 6", what, shows_spans=shows_spans)
    if believed != EVERYTHING and len(rows := rows_with(impossible_rows(series, believed))):
        what = "readings of what cannot be; the state is unknown then"
        yield _rows_finding(series, rows, "value-impossible", "contracts 6", what, shows_spans=shows_spans)
    if believed != EVERYTHING and len(rows := rows_with(frozen_rows(series, believed.frozen))):
        what = "readings that repeat the one before to the last digit; the state is unknown then"
        yield _rows_finding(series, rows, "value-frozen", "contracts 6", what, shows_spans=shows_spans)
    elsewhere = rows_with(undeclared_rows(project, series))
    elsewhere = elsewhere[series.quality[elsewhere] == Quality.OK]
    for place, bound in enumerate(series.bindings):
        if len(rows := elsewhere[series.binding[elsewhere] == place]):
            seen = bound.meter
            what = f"readings of a meter that is not declared here then: {seen.make} {seen.model} {seen.serial}"
            yield _rows_finding(series, rows, "meter-not-declared", "contracts 2", what, shows_spans=shows_spans)


def _rows_finding(series: Series, rows: Ints, code: str, clause: str, what: str, *, shows_spans: bool) -> Finding:
    slots = series.time_ms[rows]
    evidence = {"readings": str(len(slots)), "first_ms": str(int(slots[0])), "last_ms": str(int(slots[-1]))}
    if shows_spans:
        evidence |= _spans(series, rows)
    return Finding(
        code=code,
        clause=clause,
        severity=Severity.WARNING,
        what=f"{len(slots)} {what}",
        point=series.point,
        measurand=series.measurand,
        interval=Interval(int(slots[0]), int(slots[-1]) + 1),
        evidence=evidence,
    )


def _spans(series: Series, rows: Ints) -> dict[str, str]:
    # Each stretch of readings that follow each other, and what the first of them was.
    spans = {}
    ends = [*(np.flatnonzero(np.diff(rows) > 1) + 1)[:_SHOWN_SPANS].tolist(), len(rows)][:_SHOWN_SPANS]
    for stretch in np.split(rows[: ends[-1]], ends[:-1]):
        first, last = int(stretch[0]), int(stretch[-1])
        told = f"; the first is {int(series.value[first])}" if series.quality[first] in VALUED else ""
        span = f"{int(series.time_ms[first])}..{int(series.time_ms[last])} ms"
        spans[span] = f"{len(stretch)} readings{told}{words_text(series, first)}"
    return spans


def words_text(series: Series, row: int) -> str:
    """Write the register words of a row for a finding, in hexadecimal; nothing when there are none."""
    raw = series.raw(row)
    if raw is None:
        return ""
    scale = "" if raw.scale_word is None else f" scale {raw.scale_word:04x}"
    return f" (words {' '.join(f'{word:04x}' for word in raw.words)}{scale})"
