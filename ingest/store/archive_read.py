"""The files of a month → numbers, put where they are wanted.

In go bytes that somebody else has checked; out come the columns of the series and of the polls that are asked for.
Only the row groups of what is asked for are decoded, each once.
"""

from bisect import bisect_left, bisect_right
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

_POLLS: Final = ("time_ms", "sent_ms", "took_ms")
_READINGS: Final = ("scaled", "quality")
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
    """Where they go; a column that may not be written to says already what it should."""


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
        slots = _numbers(_Readers(self._polls).rows(("time_ms",), *self._rows(block))["time_ms"])
        first, end = np.searchsorted(slots, (span.start_ms, span.end_ms)).tolist()
        return first, end

    def always_synced(self, block: int) -> bool:
        """Whether the file says beforehand that the clock was synchronised at each row of a block."""
        return self._polls.only("synchronised", *self._rows(block)) is True

    def polls(self, wanted: Sequence[PollsWanted]) -> None:
        """Decode polls into arrays."""
        readers = _Readers(self._polls)
        for block, rows, bound, into in wanted:
            # With one binding it is known what all rows were read with.
            asked = ("synchronised", into.synced.flags.writeable), ("bound", len(bound) > 1)
            table = readers.rows((*_POLLS, *(name for name, is_asked in asked if is_asked)), *self._rows(block))
            into.time_ms[:] = _numbers(table["time_ms"])[rows]
            np.add(into.time_ms, _numbers(table["sent_ms"])[rows], out=into.sent_ms)
            np.add(into.sent_ms, _numbers(table["took_ms"])[rows], out=into.received_ms)
            if into.synced.flags.writeable:
                into.synced[:] = _numbers(table["synchronised"])[rows]
            if into.binding.flags.writeable:
                into.binding[:] = bound[0][1] if len(bound) == 1 else _renumbered(_numbers(table["bound"])[rows], bound)

    def readings(self, wanted: Iterable[ReadingsWanted]) -> None:
        """Decode readings into arrays."""
        readers = _Readers(self._readings)
        for key, rows, into in wanted:
            start, part = self._series[key]
            scale = self._readings.only("scale", start, part.rows)
            has_scale = any(bound.register.scale_register is not None for bound in into.bindings)
            asked = ("scale", scale is None), ("step", has_scale)
            table = readers.rows((*_READINGS, *(name for name, is_asked in asked if is_asked)), start, part.rows)
            if scale is None:
                scale = table["scale"][0].as_py()
            np.multiply(_numbers(table["scaled"])[rows], scale, out=into.value)
            into.quality[:] = _numbers(table["quality"])[rows]
            if has_scale:
                into.steps[:] = _numbers(table["step"])[rows]

    def _rows(self, block: int) -> tuple[int, int]:
        # Where a block of polls starts, and how many rows it has.
        start = self._blocks[block]
        return start, self._blocks[block + 1] - start


class _File:
    def __init__(self, data: bytes) -> None:
        self._data = pa.py_buffer(data)
        self._about = pq.read_metadata(pa.BufferReader(self._data))
        self.meta: bytes = self._about.metadata[META]
        groups = range(self._about.num_row_groups)
        self.starts: list[int] = np.cumsum([0, *(self._about.row_group(group).num_rows for group in groups)]).tolist()
        self._columns = {name: place for place, name in enumerate(self._about.schema.names)}

    def open(self) -> pq.ParquetFile:
        return pq.ParquetFile(pa.BufferReader(self._data), metadata=self._about)

    def groups(self, start: int, count: int) -> range:
        return range(bisect_right(self.starts, start) - 1, bisect_left(self.starts, start + count))

    def only(self, name: str, start: int, count: int) -> int | None:
        # What a column says in each of some rows, when its row groups tell it; old files tell less.
        values = set()
        for group in self.groups(start, count):
            told = self._about.row_group(group).column(self._columns[name]).statistics
            values |= {None} if told is None or not told.has_min_max else {told.min, told.max}
        return values.pop() if len(values) == 1 else None


class _Readers:
    """Readers of one file, one for each choice of columns, that keep the row groups they decoded last.

    Small series share a row group. Each thread has its own readers.
    """

    def __init__(self, file: _File) -> None:
        self._file = file
        self._opened: dict[tuple[str, ...], pq.ParquetFile] = {}
        self._decoded: dict[tuple[str, ...], tuple[range, Any]] = {}

    def rows(self, columns: tuple[str, ...], start: int, count: int) -> pa.Table:
        groups = self._file.groups(start, count)
        known = self._decoded.get(columns)
        if known is None or known[0] != groups:
            if columns not in self._opened:
                self._opened[columns] = self._file.open()
            table = self._opened[columns].read_row_groups([*groups], columns=[*columns], use_threads=False)
            known = self._decoded[columns] = groups, table
        return known[1].slice(start - self._file.starts[groups.start], count)


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
