"""Current transformers with another ratio than the meter was told: what it counts and shows is multiplied.

From the change on its values are of another epoch, because the register is another one: no difference spans it.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from compute.amended.rows import during, multiplied, read_with
from compute.declared import CtChange
from ingest.store.series import Binding, Series
from metering.findings import Finding, Severity
from metering.interval import Interval

_MULTIPLIED = ("energy_", "reactive_energy_", "active_power_", "current_")


def apply_ct_change(series: Series, change: CtChange) -> tuple[Series, tuple[Finding, ...]]:
    """Multiply what a meter shows while a transformer has another ratio.

    Raises:
        AmountOverflowError: when int64 cannot hold a value.
    """
    until_ms = None if change.until is None else int(change.until.timestamp() * 1000)
    rows = during(series, int(change.from_.timestamp() * 1000), until_ms) & series.valued
    if series.point != change.point or not series.measurand.startswith(_MULTIPLIED) or not np.any(rows):
        return series, ()
    scaled = read_with(multiplied(series, rows, change.factor), rows, lambda bound: _scaled(bound, change.factor))
    return scaled, tuple(_told(series, scaled, change, np.flatnonzero(rows)))


def _scaled(bound: Binding, factor: Fraction) -> Binding:
    return replace(bound, register=replace(bound.register, scale=bound.register.scale * factor))


def _told(before: Series, after: Series, change: CtChange, rows: np.typing.NDArray[np.intp]) -> Iterator[Finding]:
    first, last = int(rows[0]), int(rows[-1])
    evidence = {"declared": change.id, "factor": str(change.factor), "readings": str(len(rows))}
    for row in dict.fromkeys((first, last)):
        evidence[f"{int(before.time_ms[row])} ms"] = f"{int(before.value[row])} → {int(after.value[row])}"
    yield Finding(
        code="ct-changed",
        clause="contracts 5",
        severity=Severity.WARNING,
        what=f"{len(rows)} readings are multiplied by {change.factor}: the transformer in place has the ratio "
        f"{change.ratio_in_place}, the meter was told {change.ratio_in_meter}",
        point=before.point,
        measurand=before.measurand,
        interval=Interval(int(before.time_ms[first]), int(before.time_ms[last]) + 1),
        evidence=evidence,
    )
