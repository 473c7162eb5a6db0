"""Rows put into a series, and rows read with something else: arrays in, arrays out, nothing decided here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from compute.errors import AmountOverflowError
from ingest.store.series import ArchivedSeries, Binding, NoWords, Series
from ingest.store.sources import in_order_of_use
from metering.measurands import INT64_MAX
from metering.quality import Quality

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Row:
    """A reading that somebody took from a display."""

    slot_ms: int
    sent_ms: int
    """The earliest that it can have been taken [ms]."""
    received_ms: int
    """The latest [ms]."""
    value: int
    """[quanta]"""


def with_row(series: Series, row: Row, binding: int) -> Series:
    """Put a reading into a series, at the first millisecond from its slot on that has none.

    Args:
        series: at least one row.
        row: the reading.
        binding: the place in `series.bindings` of what it belongs to.
    """
    slot_ms = row.slot_ms
    at = int(np.searchsorted(series.time_ms, slot_ms))
    while at < len(series) and series.time_ms[at] == slot_ms:
        slot_ms, at = slot_ms + 1, at + 1
    if isinstance(series, ArchivedSeries):
        series = replace(series, steps=np.insert(series.steps, at, 0))
    return replace(
        series,
        time_ms=np.insert(series.time_ms, at, slot_ms),
        value=np.insert(series.value, at, row.value),
        quality=np.insert(series.quality, at, int(Quality.OK)),
        sent_ms=np.insert(series.sent_ms, at, row.sent_ms),
        received_ms=np.insert(series.received_ms, at, row.received_ms),
        synced=np.insert(series.synced, at, values=True),
        binding=np.insert(series.binding, at, binding),
        raw_text=_texts_with_one_more(series.raw_text, at),
    )


def _texts_with_one_more(texts: Sequence[str], at: int) -> Sequence[str]:
    if isinstance(texts, NoWords):
        return NoWords(len(texts) + 1)
    return (*texts[:at], "", *texts[at:])


def during(series: Series, start_ms: int, end_ms: int | None) -> Mask:
    """Mark the rows whose slot lies in an interval, whose end may be open [ms]."""
    inside = series.time_ms >= start_ms
    return inside if end_ms is None else inside & (series.time_ms < end_ms)


def read_with(series: Series, rows: Mask, other: Callable[[Binding], Binding]) -> Series:
    """Say that some rows were read with something else.

    Args:
        series: the readings.
        rows: which rows.
        other: what stands in place of each binding that they have.
    """
    if not np.any(rows):
        return series
    count = len(series.bindings)
    bindings = (*series.bindings, *(other(bound) for bound in series.bindings))
    binding, used = in_order_of_use(np.where(rows, series.binding + count, series.binding).astype(np.int32), bindings)
    return replace(series, binding=binding, bindings=used)


def multiplied(series: Series, rows: Mask, factor: Fraction) -> Series:
    """Multiply the values of some rows, rounded to the nearest quantum, half to even, as decoding does.

    Raises:
        AmountOverflowError: when int64 cannot hold a value.
    """
    value, num, den = series.value.copy(), factor.numerator, factor.denominator
    chosen = value[rows]
    if num > INT64_MAX // 4 or int(np.max(np.abs(chosen), initial=0)) > INT64_MAX // (4 * max(num, den)):
        raise AmountOverflowError(f"{series.point} {series.measurand}: a value × {factor} is more than int64 holds")
    whole, part = np.divmod(chosen * num, den)
    whole += (2 * part > den) | ((2 * part == den) & (whole % 2 == 1))
    value[rows] = whole
    if isinstance(series, ArchivedSeries):
        steps = series.steps.copy()
        steps[rows] = [ceil(int(step) * factor) for step in steps[rows]]
        series = replace(series, steps=steps)
    return replace(series, value=value)
