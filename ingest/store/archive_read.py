"""The files of a month → the rows of a series; and months of rows → the series that `collect` gave.

In go bytes that somebody else has checked, out come arrays. Only the columns and row groups of what is asked for are
decoded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ingest.store.archive_layout import META, BirthsMeta, BoundPart, PollsMeta, ReadingsMeta, SeriesPart
from ingest.store.merge import holes
from ingest.store.readings import Key
from ingest.store.series import Binding, BoolArray, Int64Array, Meter, Series, UInt8Array, empty_series
from ingest.store.sources import in_order_of_use
from metering import decode
from metering.devicemap import Register
from metering.interval import Interval
from metering.quality import Quality

_POLLS: Final = ["time_ms", "sent_ms", "took_ms", "synchronised", "bound"]
Bind = Callable[[BoundPart, str], Binding]
"""Makes a binding again from what all measurands of a group share and the name of the register."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one series in one month; no row for a slot that nothing speaks of."""

    time_ms: Int64Array
    value: Int64Array
    quality: UInt8Array
    sent_ms: Int64Array
    received_ms: Int64Array
    synced: BoolArray
    binding: NDArray[np.int32]
    """Places in `bindings`."""
    bindings: tuple[Binding, ...]
    steps: Int64Array
    """Register steps [quanta], 0 where unknown and where no scale register tells them."""

    def inside(self, span: Interval) -> "Rows":
        """Only those of a span."""
        first, end = (int(row) for row in np.searchsorted(self.time_ms, (span.start_ms, span.end_ms)))
        return self if (first, end) == (0, len(self.time_ms)) else self.between(first, end)

    def between(self, first: int, end: int) -> "Rows":
        """Only some, by number."""
        return Rows(
            self.time_ms[first:end],
            self.value[first:end],
            self.quality[first:end],
            self.sent_ms[first:end],
            self.received_ms[first:end],
            self.synced[first:end],
            self.binding[first:end],
            self.bindings,
            self.steps[first:end],
        )


@dataclass(frozen=True, slots=True, eq=False)
class ArchivedSeries(Series):
    """A series without its raw words, which are in the journal."""

    steps: Int64Array
    """For registers with a scale register: the step at each row [quanta], 0 where its words did not tell."""

    def step(self, row: int) -> int | None:
        """One step of the register at a row, rounded up [quanta]; None without a value, and for floats."""
        register = self.bound(row).register
        if register.scale_register is not None:
            return int(self.steps[row]) or None
        return None if register.type.is_float or not self.valued[row] else ceil(register.step)


class ArchivedMonth:
    """A month that was written, opened."""

    def __init__(self, readings: bytes, polls: bytes) -> None:
        """Read what stands where.

        Args:
            readings: the file of readings.
            polls: the file of polls.
        """
        self._readings, self._polls = _File(readings), _File(polls)
        meta = PollsMeta.model_validate_json(self._polls.meta)
        self._bounds = meta.bounds
        self._blocks = np.cumsum([0, *meta.blocks])
        self._series: dict[Key, tuple[int, SeriesPart]] = {}
        start = 0
        for part in ReadingsMeta.model_validate_json(self._readings.meta).series:
            self._series[part.point, part.measurand] = (start, part)
            start += part.rows

    def keys(self) -> tuple[Key, ...]:
        """Every (point, measurand) that it holds."""
        return tuple(self._series)

    def rows(self, key: Key, bind: Bind) -> Rows:
        """Read one series.

        Args:
            key: one of `keys`.
            bind: makes a binding again.
        """
        start, part = self._series[key]
        bindings = tuple(bind(self._bounds[place], name) for place, name in part.registers.items())
        scaling = any(bound.register.scale_register is not None for bound in bindings)
        read = self._readings.rows(start, part.rows, ["scaled", "scale", "quality", *(["step"] if scaling else [])])
        polls = self._polls.rows(int(self._blocks[part.polls]), part.rows, _POLLS)
        time_ms: Int64Array = polls["time_ms"].to_numpy()
        sent_ms = time_ms + polls["sent_ms"].to_numpy()
        return Rows(
            time_ms=time_ms,
            value=_known(read["scaled"]) * int(read["scale"][0].as_py()),
            quality=read["quality"].to_numpy(),
            sent_ms=sent_ms,
            received_ms=sent_ms + polls["took_ms"].to_numpy(),
            synced=polls["synchronised"].to_numpy(),
            binding=_places(polls["bound"].to_numpy(), list(part.registers)),
            bindings=bindings,
            steps=_known(read["step"]) if scaling else np.zeros(part.rows, np.int64),
        )


class _File:
    def __init__(self, data: bytes) -> None:
        self._file = pq.ParquetFile(pa.BufferReader(data))
        meta = self._file.metadata
        self.meta: bytes = meta.metadata[META]
        self._starts = np.cumsum([0, *(meta.row_group(group).num_rows for group in range(meta.num_row_groups))])

    def rows(self, start: int, count: int, columns: list[str]) -> pa.Table:
        first = int(np.searchsorted(self._starts, start, "right")) - 1
        last = int(np.searchsorted(self._starts, start + count, "left"))
        table = self._file.read_row_groups(list(range(first, last)), columns=columns, use_threads=False)
        return table.slice(start - int(self._starts[first]), count)


def _known(column: pa.ChunkedArray) -> Int64Array:
    """Numbers, 0 where there is none."""
    filled: Int64Array = (column.fill_null(0) if column.null_count else column).to_numpy()
    return filled


def _places(bound: NDArray[np.int32], numbers: Sequence[int]) -> NDArray[np.int32]:
    """Number what the rows were read with by the series' own bindings instead of the month's."""
    if len(numbers) == 1:
        return np.zeros(len(bound), np.int32)
    table = np.zeros(max(numbers) + 1, np.int32)
    table[numbers] = np.arange(len(numbers), dtype=np.int32)
    return table[bound]


def births_of(data: bytes) -> tuple[list[bytes], BirthsMeta]:
    """Read a file of births: the exact bytes of births and horizons, and what else was looked at."""
    file = pq.ParquetFile(pa.BufferReader(data))
    exact: list[bytes] = file.read(["bytes"])["bytes"].to_pylist()
    return exact, BirthsMeta.model_validate_json(file.metadata.metadata[META])


def bind_again(bound: BoundPart, register: Register) -> Binding:
    """Make the binding that was written."""
    return Binding(
        group=bound.group,
        device=bound.device,
        meter=Meter(bound.meter.make, bound.meter.model, bound.meter.serial),
        map_digest=bound.map,
        register=register,
        unit_id=bound.unit_id,
        interval_ms=bound.interval_ms,
        blocks=tuple(decode.Block(block.function, block.address, block.count) for block in bound.blocks),
    )


def joined(key: Key, months: Sequence[Rows], span: Interval) -> Series:
    """Put the rows of months behind each other, and name again the due slots that nothing speaks of.

    Args:
        key: point and measurand.
        months: the rows of each month, in order.
        span: slots beyond it are left out.
    """
    parts = [part for part in (month.inside(span) for month in months) if len(part.time_ms)]
    if not parts:
        return empty_series(*key)
    known = tuple(dict.fromkeys(bound for part in parts for bound in part.bindings))
    places = [_numbered(part, known) for part in parts]
    rows = Rows(
        time_ms=np.concatenate([part.time_ms for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        quality=np.concatenate([part.quality for part in parts]),
        sent_ms=np.concatenate([part.sent_ms for part in parts]),
        received_ms=np.concatenate([part.received_ms for part in parts]),
        synced=np.concatenate([part.synced for part in parts]),
        binding=np.concatenate(places),
        bindings=known,
        steps=np.concatenate([part.steps for part in parts]),
    )
    rows = _spoken(rows)
    if not len(rows.time_ms):
        return empty_series(*key)
    binding, bindings = in_order_of_use(rows.binding, rows.bindings)
    rows = _filled(replace(rows, binding=binding, bindings=bindings))
    return ArchivedSeries(
        *key,
        time_ms=rows.time_ms,
        value=rows.value,
        quality=rows.quality,
        sent_ms=rows.sent_ms,
        received_ms=rows.received_ms,
        synced=rows.synced,
        binding=rows.binding,
        bindings=rows.bindings,
        raw_text=("",) * len(rows.time_ms),
        steps=rows.steps,
    )


def _numbered(rows: Rows, known: Sequence[Binding]) -> NDArray[np.int32]:
    """What the rows were read with, as places among those of all months."""
    places = np.array([known.index(bound) for bound in rows.bindings], np.int32)
    return np.full(len(rows.time_ms), places[0]) if len(places) == 1 else places[rows.binding]


def _spoken(rows: Rows) -> Rows:
    """From the first to the last row that says something: a gateway may have sent "unexplained" itself."""
    if Quality.UNEXPLAINED not in rows.quality[[0, -1]]:
        return rows
    spoken = np.flatnonzero(rows.quality != Quality.UNEXPLAINED)
    return rows.between(int(spoken[0]), int(spoken[-1]) + 1) if len(spoken) else rows.between(0, 0)


def _filled(rows: Rows) -> Rows:
    where, slots = holes(rows.time_ms, rows.binding, rows.bindings)
    if not len(where):
        return rows
    return replace(
        rows,
        time_ms=np.insert(rows.time_ms, where, slots),
        value=np.insert(rows.value, where, 0),
        quality=np.insert(rows.quality, where, Quality.UNEXPLAINED),
        sent_ms=np.insert(rows.sent_ms, where, slots),
        received_ms=np.insert(rows.received_ms, where, slots),
        synced=np.insert(rows.synced, where, values=False),
        binding=np.insert(rows.binding, where, rows.binding[where - 1]),
        steps=np.insert(rows.steps, where, 0),
    )
