"""Counters that stand still although a power says they should not: pairs of a counter in, the same or wider ones out.

A counter that stands still may be right: at night, or because its steps are coarse. So it is frozen only when another
measurand of the same point shows that it should have moved by two of its steps, and only when that measurand says in
which direction. Where none is read, nothing is said (docs/faults.md).
"""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from types import MappingProxyType

import numpy as np

from compute import kernels
from compute.intervals import QUANTA_DIVISORS, CounterReadings, Ints, Pairs
from compute.project import PointSettings, ProjectSettings
from compute.rulesets import Ruleset
from compute.sources import declared_meter, poll_interval_ms, usable_rows
from ingest.store.readings import Evidence
from ingest.store.series import Series
from metering.measurands import measurand

POWERS: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "energy_export_total_wh": ("active_power_w", "export-positive"),
        "energy_import_total_wh": ("active_power_w", "import-positive"),
        "heat_total_j": ("heat_power_w", None),
    }
)
"""COUNTER → the power that moves it, and the orientation in which it does so when positive; None = it has no sign."""

_MOST_MW = 10**13  # of a larger rating no year fits into int64


def widen_frozen(
    readings: CounterReadings,
    pairs: Pairs,
    project: ProjectSettings,
    evidence: Evidence,
    counter: tuple[PointSettings, str],
    rules: Ruleset,
) -> Pairs:
    """Widen what a frozen counter seems to say to [0, the most possible].

    Args:
        readings: of the counter.
        pairs: between its usable readings.
        project: whose meters count.
        evidence: where the power is looked up.
        counter: the point and the measurand of the counter.
        rules: the ruleset.
    """
    point, name = counter
    if rules.frozen is None or name not in POWERS or point.rated_power_w is None:
        return pairs
    power, direction = POWERS[name]
    series = evidence.series(point.id, power)
    if len(series) < 2 or len(pairs.low) == 0:
        return pairs
    rated_mw = Fraction(point.rated_power_w) * 1000
    least_mw = ceil(rated_mw * rules.frozen.least_power)
    most_mw = min(floor(rated_mw * rules.rated_margin), _MOST_MW)
    power_mw = _flowing(project, series, direction, least_mw, most_mw)
    divisor = QUANTA_DIVISORS[measurand(name).quantum]
    starts, ends = readings.time_ms[pairs.first], readings.time_ms[pairs.second]
    before, after = (_energy_until(series, power_mw, divisor, instants) for instants in (starts, ends))
    still = readings.value[pairs.first] == readings.value[pairs.second]
    low, high, code = pairs.low.copy(), pairs.high.copy(), pairs.code.copy()
    kernels.widen_frozen(
        still.astype(np.uint8), ends - starts, after - before,
        np.maximum(readings.step[pairs.first], readings.step[pairs.second]), rules.frozen.least_ms,
        low, high, pairs.limit, code,
    )  # fmt: skip
    return replace(pairs, low=low, high=high, code=code)


def _flowing(project: ProjectSettings, series: Series, direction: str | None, least_mw: int, most_mw: int) -> Ints:
    # Power in the counter's direction [mW]; 0 where it is unknown, too little, or goes the other way.
    usable = usable_rows(series, declared_meter(project, series)) == 1
    signs = np.array([_sign(bound.register.orientation, direction) for bound in series.bindings], np.int64)
    # The counter's rating bounds it before it is turned round: the least int64 has no positive twin.
    power_mw = np.clip(series.value, -most_mw, most_mw) * signs[series.binding]
    return np.asarray(np.where(usable & (power_mw >= least_mw), power_mw, 0), np.int64)


def _sign(orientation: str | None, direction: str | None) -> int:
    if direction is None:
        return 1
    if orientation is None:
        return 0
    return 1 if orientation == direction else -1


def _energy_until(series: Series, power_mw: Ints, divisor: int, instants: Ints) -> Ints:
    # From each sample to the next, the lower of the two powers × time, when they follow each other [quanta].
    span_ms = np.diff(series.time_ms)
    least_mw = np.where(span_ms <= poll_interval_ms(series), np.minimum(power_mw[:-1], power_mw[1:]), 0)
    whole, part = least_mw // divisor, least_mw % divisor
    so_far = np.concatenate([np.zeros(1, np.int64), np.cumsum(whole * span_ms + part * span_ms // divisor)])
    place = np.clip(np.searchsorted(series.time_ms, instants, side="right") - 1, 0, len(span_ms) - 1)
    into_ms = np.clip(instants - series.time_ms[place], 0, span_ms[place])
    return np.asarray(so_far[place] + whole[place] * into_ms + part[place] * into_ms // divisor, np.int64)
