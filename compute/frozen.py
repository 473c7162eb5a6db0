"""The power that says whether a counter that stands still should have moved.

A counter that stands still may be right: at night, or because its steps are coarse. So it is frozen only when another
measurand of the same point shows that it should have moved by two of its steps, and only when that measurand says in
which direction. Where none is read, nothing is said (docs/faults.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from types import MappingProxyType

import numpy as np

from compute.intervals import QUANTA_DIVISORS, Ints
from compute.project import MeterSettings
from compute.rulesets import Ruleset
from compute.sources import poll_interval_ms
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


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """What holds of the power that should move a counter."""

    interval_ms: int
    """Samples further apart do not follow each other [ms]."""
    divisor: int
    """How many mW × ms make one quantum of the counter."""
    least_mw: int
    """Less is none: below its starting current a meter shows power and counts none [mW]."""
    most_mw: int
    direction: str | None
    """The orientation in which a positive power moves the counter; None = it has no sign."""
    meters: tuple[MeterSettings, ...]

    def numbers(self) -> Ints:
        """As the kernels want it."""
        return np.array([self.interval_ms, self.divisor, self.least_mw, self.most_mw], np.int64)


def power_law(
    counter: str, power: Series, rated_w: Fraction, meters: tuple[MeterSettings, ...], rules: Ruleset
) -> PowerLaw | None:
    """Say what holds of the power that should move a counter; None when no rule asks.

    Args:
        counter: one of `POWERS`.
        power: what moves it; only what it was read with is looked at.
        rated_w: the rated power of the point [W].
        meters: of the point.
        rules: the ruleset.
    """
    if rules.frozen is None:
        return None
    rated_mw = rated_w * 1000
    return PowerLaw(
        interval_ms=poll_interval_ms(power),
        divisor=QUANTA_DIVISORS[measurand(counter).quantum],
        least_mw=ceil(rated_mw * rules.frozen.least_power),
        most_mw=min(floor(rated_mw * rules.rated_margin), _MOST_MW),
        direction=POWERS[counter][1],
        meters=meters,
    )


def sign_of(orientation: str | None, direction: str | None) -> int:
    """Say with which sign a power moves the counter; 0 when nobody knows."""
    if direction is None:
        return 1
    if orientation is None:
        return 0
    return 1 if orientation == direction else -1
