"""The files of a month → numbers, put where they are wanted.

In go bytes that somebody else has checked; out come the columns of the series and of the polls that are asked for.
Only the row groups of what is asked for are decoded, each once.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ingest.store.archive_layout import META, BirthsMeta, BoundPart, PollsMeta, ReadingsMeta, SeriesPart
from ingest.store.archive_rows import Polls, Rows
from ingest.store.readings import Key
from ingest.store.series import Binding, Meter
from metering import decode
from metering.devicemap import Register
from metering.interval import Interval

_POLLS: Final = ["time_ms", "sent_ms", "took_ms", "synchronised"]
_READINGS: Final = ["scaled", "scale", "quality"]
Bind = Callable[[BoundPart, str], Binding]
"""Makes a binding again from what all measurands of a group share and the name of the register."""


class PollsWanted(NamedTuple):
    """Polls to decode."""

    block: int
    rows: slice
    """Which of the block's rows."""
    bound: Sequence[tuple[int, int]]
    """Place in the file's list of what rows were read with → its number in `into.binding`."""
    into: Polls
    """Where they go."""


class ReadingsWanted(NamedTuple):
    """Readings of one series to decode."""

    key: Key
    rows: slice
    """Which of the month's rows."""
    into: Rows
    """Where they go; its polls stay as they are."""


class ArchivedMonth:
    """A month that was written, opened; threads may share it."""

    def __init__(self, span: Interval, readings: bytes, polls: bytes, bind: Bind) -> None:
        """Read what stands where.

        Args:
            span: the month.
            readings: the file of readings.
            polls: the file of polls.
            bind: makes a binding again.
        """
        self._readings, self._polls = _File(readings), _File(polls)
        meta = PollsMeta.model_validate_json(self._polls.meta)
        self._span, self._bounds, self._bind = span, meta.bounds, bind
        self._blocks = np.cumsum([0, *meta.blocks]).tolist()
        self._series: dict[Key, tuple[int, SeriesPart]] = {}
        start = 0
        for part in ReadingsMeta.model_validate_json(self._readings.meta).series:
            self._series[part.point, part.measurand] = (start, part)
            start += part.rows

    def keys(self) -> tuple[Key, ...]:
        """Every (point, measurand) that it holds, in the order of the file."""
        return tuple(self._series)

    def part(self, key: Key) -> SeriesPart | None:
        """Where a series is; None when the month has none."""
        found = self._series.get(key)
        return None if found is None else found[1]

    def bindings(self, part: SeriesPart) -> tuple[Binding, ...]:
        """What a series was read with, in the order of its registers."""
        return tuple(self._bind(self._bounds[place], name) for place, name in part.registers.items())

    def inside(self, block: int, span: Interval) -> tuple[int, int]:
        """From which to which row a block of polls lies in a span."""
        if span.start_ms <= self._span.start_ms and self._span.end_ms <= span.end_ms:
            return 0, self._blocks[block + 1] - self._blocks[block]
        slots = _numbers(self._block(self._polls.reader(["time_ms"]), block)["time_ms"])
        first, end = np.searchsorted(slots, (span.start_ms, span.end_ms)).tolist()
        return first, end

    def polls(self, wanted: Sequence[PollsWanted]) -> None:
        """Decode polls into arrays."""
        told_apart = any(len(one.bound) > 1 for one in wanted)  # else it is known what all rows were read with
        reader = self._polls.reader([*_POLLS, "bound"] if told_apart else _POLLS)
        for block, rows, bound, into in wanted:
            table = self._block(reader, block)
            into.time_ms[:] = _numbers(table["time_ms"])[rows]
            np.add(into.time_ms, _numbers(table["sent_ms"])[rows], out=into.sent_ms)
            np.add(into.sent_ms, _numbers(table["took_ms"])[rows], out=into.received_ms)
            into.synced[:] = _numbers(table["synchronised"])[rows]
            into.binding[:] = bound[0][1] if len(bound) == 1 else _renumbered(_numbers(table["bound"])[rows], bound)

    def readings(self, wanted: Iterable[ReadingsWanted]) -> None:
        """Decode readings into arrays."""
        plain, scaling = self._readings.reader(_READINGS), self._readings.reader([*_READINGS, "step"])
        for key, rows, into in wanted:
            start, part = self._series[key]
            has_scale = any(bound.register.scale_register is not None for bound in into.bindings)
            table = (scaling if has_scale else plain).rows(start, part.rows)
            np.multiply(_numbers(table["scaled"])[rows], table["scale"][0].as_py(), out=into.value)
            into.quality[:] = _numbers(table["quality"])[rows]
            if has_scale:
                into.steps[:] = _numbers(table["step"])[rows]

    def _block(self, reader: "_Reader", block: int) -> pa.Table:
        start = self._blocks[block]
        return reader.rows(start, self._blocks[block + 1] - start)


class _File:
    def __init__(self, data: bytes) -> None:
        self._data = pa.py_buffer(data)
        self._about = pq.read_metadata(pa.BufferReader(self._data))
        self.meta: bytes = self._about.metadata[META]
        groups = range(self._about.num_row_groups)
        self._starts = np.cumsum([0, *(self._about.row_group(group).num_rows for group in groups)]).tolist()

    def reader(self, columns: list[str]) -> "_Reader":
        # One for each thread: what a reader decoded last is its own.
        return _Reader(pq.ParquetFile(pa.BufferReader(self._data), metadata=self._about), self._starts, columns)


class _Reader:
    """Some columns; keeps the row group that it decoded last, for small series share one."""

    def __init__(self, file: pq.ParquetFile, starts: Sequence[int], columns: list[str]) -> None:
        self._file, self._starts, self._columns = file, starts, columns
        self._groups = range(0)
        self._decoded: Any = None

    def rows(self, start: int, count: int) -> pa.Table:
        first = int(np.searchsorted(self._starts, start, "right")) - 1
        last = int(np.searchsorted(self._starts, start + count, "left"))
        groups = range(first, last)
        if groups != self._groups:
            table = self._file.read_row_groups([*groups], columns=self._columns, use_threads=False)
            self._groups, self._decoded = groups, table
        return self._decoded.slice(start - self._starts[first], count)


def _renumbered(bound: NDArray[np.int32], numbers: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
    table = np.zeros(max(place for place, _ in numbers) + 1, np.int32)
    for place, number in numbers:
        table[place] = number
    return table[bound]


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """Numbers, 0 where there is none."""
    filled: NDArray[Any] = (column.fill_null(0) if column.null_count else column).to_numpy()
    return filled


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
