"""Where readings come from: one question, the same answer from the journal and from the archive.

In goes a project and an interval, out comes `Evidence` whose series hold the slots of that interval. Compute asks a
`Source` and need not know which one it is.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.store.reader import JournalReader
from ingest.store.readings import Evidence, collect
from ingest.store.series import ArchivedSeries, Binding, Series, empty_series
from metering.quality import Quality


class Source(Protocol):
    """Something that holds readings of projects."""

    @property
    def caveat(self) -> str | None:
        """Why nothing that is computed from it can be credited; None when it can."""

    def evidence(self, project: str, start_ms: int, end_ms: int) -> Evidence:
        """Give the readings of an interval.

        Args:
            project: the project.
            start_ms: the interval's start [ms since the Unix epoch].
            end_ms: its end, exclusive [ms since the Unix epoch].

        Returns:
            Series from the first to the last slot in the interval that something speaks of; due slots between them
            that nothing speaks of have quality `unexplained`. A series without such a slot is not there.
        """


class JournalSource:
    """Signed records, read anew each time."""

    caveat = None

    def __init__(self, reader: JournalReader) -> None:
        """Keep the reader; nothing is opened before it is asked."""
        self._reader = reader

    def evidence(self, project: str, start_ms: int, end_ms: int) -> Evidence:
        """Give the readings of an interval (`Source.evidence`).

        Raises:
            JournalError: when the journal cannot be read.
        """
        whole = collect((stored.data for stored in self._reader.records(project, start_ms, end_ms)), judged=True)
        inside = {key: cut(series, start_ms, end_ms) for key, series in whole.by_key.items()}
        return replace(whole, by_key={key: series for key, series in inside.items() if len(series)})


def cut(series: Series, start_ms: int, end_ms: int) -> Series:
    """Take the slots of an interval out of a series, from the first to the last that something speaks of.

    Args:
        series: the series.
        start_ms: the interval's start [ms since the Unix epoch].
        end_ms: its end, exclusive [ms since the Unix epoch].
    """
    first, end = (int(row) for row in np.searchsorted(series.time_ms, (start_ms, end_ms)))
    spoken = np.flatnonzero(series.quality[first:end] != Quality.UNEXPLAINED)
    if not len(spoken):
        return empty_series(series.point, series.measurand)
    return rows_of(series, slice(first + int(spoken[0]), first + int(spoken[-1]) + 1))


def rows_of(series: Series, rows: slice | NDArray[np.intp]) -> Series:
    """Take some rows out of a series, with what they were read with.

    Args:
        series: the series.
        rows: which, in order.
    """
    binding, bindings = in_order_of_use(series.binding[rows], series.bindings)
    texts = series.raw_text[rows] if isinstance(rows, slice) else tuple(series.raw_text[row] for row in rows)
    if isinstance(series, ArchivedSeries):
        series = replace(series, steps=series.steps[rows])
    return replace(
        series,
        time_ms=series.time_ms[rows],
        value=series.value[rows],
        quality=series.quality[rows],
        sent_ms=series.sent_ms[rows],
        received_ms=series.received_ms[rows],
        synced=series.synced[rows],
        binding=binding,
        bindings=bindings,
        raw_text=texts,
    )


def in_order_of_use(
    binding: NDArray[np.int32], bindings: Sequence[Binding]
) -> tuple[NDArray[np.int32], tuple[Binding, ...]]:
    """Leave out the bindings that no row uses, and number the others as the rows come.

    Args:
        binding: for each row, its place in `bindings`; at least one row.
        bindings: all of them.
    """
    renumbered, used = places_in_order_of_use(binding, len(bindings))
    return renumbered, tuple(bindings[place] for place in used)


def places_in_order_of_use(binding: NDArray[np.int32], count: int) -> tuple[NDArray[np.int32], tuple[int, ...]]:
    """Number places as rows first name them; gives the new numbers, and the places in their order.

    Args:
        binding: for each row, a place; at least one row.
        count: how many places there are.
    """
    if count == 1:  # the rule
        return binding, (0,)
    turns = np.flatnonzero(np.diff(binding, prepend=np.int32(-1)))
    used = tuple(dict.fromkeys(binding[turns].tolist()))
    renumbered = np.zeros(count, np.int32)
    renumbered[list(used)] = np.arange(len(used), dtype=np.int32)
    return renumbered[binding], used
