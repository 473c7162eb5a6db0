"""Rows of one series, from wherever they were kept → the series that `collect` gave.

In go columns of numbers, out comes a `Series` whose due slots that nothing speaks of are named again. Series of one
poll group share the columns that say when and from what they were read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.store.merge import holes
from ingest.store.readings import Key
from ingest.store.series import (
    ArchivedSeries,
    Binding,
    BoolArray,
    Int64Array,
    NoWords,
    Series,
    UInt8Array,
    empty_series,
)
from ingest.store.sources import places_in_order_of_use
from metering.interval import Interval
from metering.quality import Quality


@dataclass(frozen=True, slots=True, eq=False)
class Polls:
    """When rows were read, and with which binding. Arrays of one length, by slot."""

    time_ms: Int64Array
    sent_ms: Int64Array
    received_ms: Int64Array
    synced: BoolArray
    binding: NDArray[np.int32]

    def between(self, first: int, end: int) -> "Polls":
        """Only some rows, by number."""
        return Polls(
            self.time_ms[first:end],
            self.sent_ms[first:end],
            self.received_ms[first:end],
            self.synced[first:end],
            self.binding[first:end],
        )

    def filled(self, where: NDArray[np.intp], slots: Int64Array) -> "Polls":
        """With a row for each missing slot, read with what the row before it was read with."""
        return Polls(
            np.insert(self.time_ms, where, slots),
            np.insert(self.sent_ms, where, slots),
            np.insert(self.received_ms, where, slots),
            np.insert(self.synced, where, values=False),
            np.insert(self.binding, where, self.binding[where - 1]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of one series; no row for a slot that nothing speaks of."""

    polls: Polls
    value: Int64Array
    quality: UInt8Array
    bindings: tuple[Binding, ...]
    """What `polls.binding` numbers."""
    steps: Int64Array
    """Register steps [quanta], 0 where unknown and where no scale register tells them."""

    def between(self, first: int, end: int) -> "Rows":
        """Only some, by number."""
        polls, part = self.polls.between(first, end), slice(first, end)
        return Rows(polls, self.value[part], self.quality[part], self.bindings, self.steps[part])

    def inside(self, span: Interval) -> "Rows":
        """Only those of a span."""
        first, end = (int(row) for row in np.searchsorted(self.polls.time_ms, (span.start_ms, span.end_ms)))
        return self if (first, end) == (0, len(self.value)) else self.between(first, end)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """Polls with a row for every due slot, and bindings numbered as the rows come."""

    polls: Polls
    used: tuple[int, ...]
    """Places in the bindings that the polls named before."""
    where: NDArray[np.intp]
    """Before which rows slots were missing."""


def settle(polls: Polls, intervals_ms: tuple[int, ...]) -> Settled:
    """Name the due slots that nothing speaks of.

    Args:
        polls: at least one row.
        intervals_ms: from one due slot to the next, for each binding that the polls number [ms].
    """
    binding, used = places_in_order_of_use(polls.binding, len(intervals_ms))
    ordered = Polls(polls.time_ms, polls.sent_ms, polls.received_ms, polls.synced, binding)
    where, slots = holes(ordered.time_ms, binding, [intervals_ms[place] for place in used])
    return Settled(ordered.filled(where, slots) if len(where) else ordered, used, where)


def no_steps(rows: int) -> Int64Array:
    """Steps that no scale register tells; they take no memory."""
    return np.broadcast_to(np.zeros(1, np.int64), rows)


def series_of(key: Key, rows: Rows, settling: Callable[[Polls, tuple[int, ...]], Settled] = settle) -> Series:
    """Make the series, from the first to the last row that says something.

    Args:
        key: point and measurand.
        rows: its rows.
        settling: `settle`, or what remembers its answers for polls that are shared.
    """
    rows = _spoken(rows)
    if not len(rows.value):
        return empty_series(*key)
    settled = settling(rows.polls, tuple(bound.interval_ms for bound in rows.bindings))
    value, quality, steps, where = rows.value, rows.quality, rows.steps, settled.where
    if len(where):
        value = np.insert(value, where, 0)
        quality = np.insert(quality, where, Quality.UNEXPLAINED)
        steps = np.insert(steps, where, 0)
    polls = settled.polls
    return ArchivedSeries(
        *key,
        time_ms=polls.time_ms,
        value=value,
        quality=quality,
        sent_ms=polls.sent_ms,
        received_ms=polls.received_ms,
        synced=polls.synced,
        binding=polls.binding,
        bindings=tuple(rows.bindings[place] for place in settled.used),
        raw_text=NoWords(len(value)),
        steps=steps,
    )


def _spoken(rows: Rows) -> Rows:
    # A gateway may have sent "unexplained" itself.
    if not len(rows.quality) or Quality.UNEXPLAINED not in rows.quality[[0, -1]]:
        return rows
    spoken = np.flatnonzero(rows.quality != Quality.UNEXPLAINED)
    return rows.between(int(spoken[0]), int(spoken[-1]) + 1) if len(spoken) else rows.between(0, 0)


def joined(key: Key, parts: Sequence[Rows], span: Interval) -> Series:
    """Put rows behind each other.

    Args:
        key: point and measurand.
        parts: in order of time.
        span: slots beyond it are left out.
    """
    found = [part for part in (each.inside(span) for each in parts) if len(part.value)]
    if not found:
        return empty_series(*key)
    bindings = tuple(dict.fromkeys(bound for part in found for bound in part.bindings))
    numbers = [np.array([bindings.index(bound) for bound in part.bindings], np.int32) for part in found]
    polls = Polls(
        np.concatenate([part.polls.time_ms for part in found]),
        np.concatenate([part.polls.sent_ms for part in found]),
        np.concatenate([part.polls.received_ms for part in found]),
        np.concatenate([part.polls.synced for part in found]),
        np.concatenate([number[part.polls.binding] for number, part in zip(numbers, found, strict=True)]),
    )
    value, quality = np.concatenate([part.value for part in found]), np.concatenate([part.quality for part in found])
    return series_of(key, Rows(polls, value, quality, bindings, np.concatenate([part.steps for part in found])))
