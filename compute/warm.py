"""Compile every kernel before it is needed, and keep the code where `compute.cache` says.

In: nothing. Out: nothing but files of compiled code: a few readings of each kind are measured, cut and joined, which
asks for each kernel with the arrays that it is always given.
"""

from datetime import UTC, datetime
from fractions import Fraction

import numpy as np

from compute.arrays import Ints
from compute.frozen import PowerLaw
from compute.intervals import Rate
from compute.joining import joined, settled
from compute.law import Cuts, Law
from compute.measured import counter_segment, sample_segment
from compute.project import MeterSettings
from ingest.store.series import Binding, Meter, Series
from ingest.store.sources import rows_of
from metering.measurands import measurand
from metering.registers import Register, WordType

_SLOT_MS = 900_000
_COUNTER, _POWER = "energy_export_total_wh", "active_power_w"
_METER = MeterSettings(
    point="warm", make="none", model="none", serial="none", installed_from=datetime(1970, 1, 1, tzinfo=UTC),
    accuracy_class="none",
)  # fmt: skip


def warm() -> None:
    """Compile all kernels; takes up to a minute the first time, and nothing when all are there already."""
    # Rises, stands still for four hours, steps back, rises.
    value = np.array([*range(100), *([99] * 16), 50, *range(51, 150)], np.int64) * 1000
    counter, power = _series(_COUNTER, value), _series(_POWER, np.full(len(value), 1_000_000, np.int64))
    law = _counter_law(counter)
    halves = [slice(0, 108), slice(108, len(value))]
    parts = [counter_segment(rows_of(counter, half), law, rows_of(power, half)) for half in halves]
    settled(joined(parts, law), law)
    for rate in (None, Rate(10**6, 1)):
        samples = Law(law.cuts, rate, _SLOT_MS)
        state = np.ones(len(value), np.int64)
        times = counter.time_ms, counter.received_ms
        joined([sample_segment(times[0][half], times[1][half], state[half], samples) for half in halves], samples)
        samples.possible(_SLOT_MS, 1)


def _series(name: str, value: Ints) -> Series:
    rows = len(value)
    time_ms = np.arange(1, rows + 1, dtype=np.int64) * _SLOT_MS
    register = Register(
        name=name, measurand=measurand(name), function=3, address=0, type=WordType.S64, word_order="big",
        byte_order="big", scale=Fraction(1, 1000), scale_register=None, sentinels=frozenset(), modulus=None,
        reset_source=None, orientation="export-positive",
    )  # fmt: skip
    binding = Binding("warm/all", "warm", Meter("none", "none", "none"), "", register, 0, _SLOT_MS, ())
    return Series(
        "warm", name, time_ms, value, np.zeros(rows, np.uint8), time_ms, time_ms + 20, np.ones(rows, np.bool_),
        np.zeros(rows, np.int32), (binding,), ("",) * rows,
    )  # fmt: skip


def _counter_law(series: Series) -> Law:
    power = PowerLaw(_SLOT_MS, 3_600_000, 1, 10**9, "export-positive", (_METER,))
    return Law(
        Cuts(0, (0, len(series) * _SLOT_MS)), Rate(10**6, 1), _SLOT_MS, is_counter=True, resettable=True,
        registers=(series.bindings[0].register,), meters=(_METER,), still_ms=3_600_000, power=power,
    )  # fmt: skip
