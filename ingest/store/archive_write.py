"""One month of a project → its files; pure: the same readings give the same bytes, with one version of pyarrow."""

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.store.archive_layout import (
    META,
    ArchivePart,
    BirthsMeta,
    BoundPart,
    PollsMeta,
    ReadingsMeta,
    SeriesPart,
)
from ingest.store.readings import Evidence
from ingest.store.scale_words import scale_steps
from ingest.store.series import Binding, BoolArray, Int64Array, Series, empty_series
from ingest.store.sources import rows_of
from metering import record
from metering.interval import Interval
from metering.quality import Quality

PYARROW: Final[str] = pa.__version__
_ROW_GROUP_ROWS: Final = 32_768
"""A row group ends with the series that brings it to this many rows: one measurand is read without the others."""
_ZSTD_LEVEL: Final = 3


@dataclass(frozen=True, slots=True)
class MonthFiles:
    """The bytes of a month's files, and how many rows each has."""

    readings: tuple[bytes, int]
    polls: tuple[bytes, int]
    births: tuple[bytes, int]


def month_files(evidence: Evidence, births: Iterable[bytes], span: Interval) -> MonthFiles:
    """Write a month.

    Args:
        evidence: of all records that speak of the month.
        births: the births that its readings were read with, and horizons, as exact bytes.
        span: the month.
    """
    # Parquet is written without Python's lock: meanwhile the next series is made ready.
    with ThreadPoolExecutor(1) as pool:
        return _month_files(evidence, births, span, pool)


def _month_files(evidence: Evidence, births: Iterable[bytes], span: Interval, pool: ThreadPoolExecutor) -> MonthFiles:
    readings, polls = _Writer(_READINGS, _READINGS_PACKED, pool), _Writer(_POLLS, _POLLS_PACKED, pool)
    blocks = _Blocks(polls)
    parts = []
    for measurand, point in sorted((measurand, point) for point, measurand in evidence.by_key):
        series = _spoken(evidence.by_key[point, measurand], span)
        if len(series):
            block, places = blocks.of(series)
            readings.add(len(series), _reading_columns(series, block))
            registers = dict(zip(places, (bound.register.name for bound in series.bindings), strict=True))
            parts.append(
                SeriesPart(measurand=measurand, point=point, rows=len(series), polls=block, registers=registers)
            )
    told = [(record.parse(data), data) for data in births]
    table = _Writer(_BIRTHS, {}, pool)
    streams, kinds = ([parsed.stream for parsed, _ in told], [parsed.kind for parsed, _ in told])
    numbers, exact = pa.array([parsed.seq for parsed, _ in told]), pa.array([data for _, data in told])
    table.add(len(told), [_names(streams), numbers, _names(kinds), exact])
    return MonthFiles(
        readings.bytes(ReadingsMeta(series=tuple(parts))),
        polls.bytes(PollsMeta(blocks=tuple(blocks.rows), bounds=tuple(blocks.bounds))),
        table.bytes(BirthsMeta(runs=evidence.runs, excluded=evidence.excluded)),
    )


def _columns(**types: pa.DataType) -> pa.Schema:
    # Levels of null cost as much as the values: only what may be missing has them.
    return pa.schema([pa.field(name, kind, nullable=name in {"scaled", "step"}) for name, kind in types.items()])


_NAMES = pa.dictionary(pa.int32(), pa.string())
_READINGS = _columns(
    measurand=_NAMES, point=_NAMES, time_ms=pa.int64(), scaled=pa.int64(), scale=pa.int64(), quality=pa.uint8(),
    step=pa.int64(), polls=pa.int32(),
)  # fmt: skip
_READINGS_PACKED = dict.fromkeys(("time_ms", "scaled"), "DELTA_BINARY_PACKED")
_POLLS = _columns(
    polls=pa.int32(), time_ms=pa.int64(), sent_ms=pa.int64(), took_ms=pa.int64(), synchronised=pa.bool_(),
    bound=pa.int32(),
)  # fmt: skip
# Jitter of tens of milliseconds: one byte that varies, seven that do not.
_POLLS_PACKED = {"time_ms": "DELTA_BINARY_PACKED", "took_ms": "BYTE_STREAM_SPLIT"}
_COMPRESSED: Final = {"time_ms", "scaled", "sent_ms", "took_ms", "synchronised", "bytes"}
"""The others are a few bytes as a dictionary makes them, and setting up to expand those takes longer than to read."""
_TOLD: Final = {"measurand", "point", "time_ms", "scale", "synchronised"}
"""Each row group says beforehand what is in these: mostly one value, which then need not be read."""
_BIRTHS = _columns(stream=_NAMES, seq=pa.int64(), kind=_NAMES, bytes=pa.binary())


def _spoken(series: Series, span: Interval) -> Series:
    """Take the month's rows, without those that whoever reads it will find missing between the others."""
    first, end = (int(row) for row in np.searchsorted(series.time_ms, (span.start_ms, span.end_ms)))
    if first == end:
        return empty_series(series.point, series.measurand)
    silent = series.quality[first:end] == Quality.UNEXPLAINED
    if silent.any():
        silent &= _like_holes(series)[first:end]
    return rows_of(series, first + np.flatnonzero(~silent) if silent.any() else slice(first, end))


def _like_holes(series: Series) -> BoolArray:
    # A gateway may give "unexplained" as its reason: then the row is its own, and need not look like these.
    same_meter = np.diff(series.binding, prepend=-1) == 0
    unasked = (series.sent_ms == series.time_ms) & (series.received_ms == series.time_ms)
    return np.asarray(same_meter & unasked & ~series.synced, np.bool_)


def _reading_columns(series: Series, block: int) -> list[Any]:
    rows = len(series)
    valued = series.valued
    scaled, scale = _scaled(series.value, valued)
    steps = scale_steps(series)
    return [
        _one_name(series.measurand, rows),
        _one_name(series.point, rows),
        series.time_ms,
        # Null where there is no value: a 0 among counter values would cost as much as a hundred of them.
        pa.array(scaled) if valued.all() else pa.array(scaled, mask=~valued),
        np.full(rows, scale),
        series.quality,
        pa.nulls(rows, pa.int64()) if steps is None else pa.array(steps, mask=steps == 0),
        np.full(rows, block, np.int32),
    ]


def _scaled(value: Int64Array, valued: BoolArray) -> tuple[Int64Array, int]:
    """Divide values by what divides all of them [quanta]; those that are none are 0 already."""
    for part in (value[valued][:256], value):  # the first values mostly tell, and dividing by one number is fast
        scale = int(np.gcd.reduce(part)) or 1
        if scale <= 1:  # below it: the absolute of the lowest int64 is no int64
            break
        scaled = value // scale
        if np.array_equal(scaled * scale, value):
            return scaled, scale
    return value, 1


class _Blocks:
    """Blocks of polls: a series has its own only when no other series of its group has the same rows."""

    def __init__(self, polls: "_Writer") -> None:
        self._polls = polls
        self._known: dict[tuple[int, ...], list[tuple[int, Series]]] = {}
        self._bounds: dict[tuple[BoundPart, int], int] = {}
        self.rows: list[int] = []

    @property
    def bounds(self) -> list[BoundPart]:
        return [part for part, _ in self._bounds]

    def of(self, series: Series) -> tuple[int, tuple[int, ...]]:
        """Find or make the block of a series; gives it, and the place of each of its bindings among the bounds."""
        places = self._places(series.bindings)
        alike = self._known.setdefault(places, [])
        for block, other in alike:
            if _same_polls(other, series):
                return block, places
        block = len(self.rows)
        alike.append((block, series))
        self.rows.append(len(series))
        columns = [
            np.full(len(series), block, np.int32),
            series.time_ms,
            series.sent_ms - series.time_ms,
            series.received_ms - series.sent_ms,
            series.synced,
            np.array(places, np.int32)[series.binding],
        ]
        self._polls.add(len(series), columns)
        return block, places

    def _places(self, bindings: Sequence[Binding]) -> tuple[int, ...]:
        # Two bindings of a series may differ in the register alone: then what they share stands there twice.
        seen: Counter[BoundPart] = Counter()
        places = []
        for binding in bindings:
            part = _shared(binding)
            places.append(self._bounds.setdefault((part, seen[part]), len(self._bounds)))
            seen[part] += 1
        return tuple(places)


def _shared(binding: Binding) -> BoundPart:
    return BoundPart.model_construct(
        group=binding.group,
        device=binding.device,
        meter=record.MeterPart.model_construct(
            make=binding.meter.make, model=binding.meter.model, serial=binding.meter.serial
        ),
        map=binding.map_digest,
        unit_id=binding.unit_id,
        interval_ms=binding.interval_ms,
        blocks=tuple(
            record.BlockPart.model_validate({"function": at.function, "address": at.address, "count": at.count})
            for at in binding.blocks
        ),
    )


def _same_polls(one: Series, other: Series) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("time_ms", "sent_ms", "received_ms", "synced", "binding")
    )


class _Writer:
    """Collects columns and writes them, one row group after the other, into memory."""

    def __init__(self, schema: pa.Schema, packed: dict[str, str], pool: ThreadPoolExecutor) -> None:
        self._schema = schema
        self._pool = pool
        self._under_way: Future[None] | None = None
        self._sink = pa.BufferOutputStream()
        self._writer = pq.ParquetWriter(
            self._sink,
            schema,
            compression={name: "zstd" if name in _COMPRESSED else "none" for name in schema.names},
            compression_level={name: _ZSTD_LEVEL for name in schema.names if name in _COMPRESSED},
            version="2.6",
            use_dictionary=[name for name in schema.names if name not in {*packed, "bytes"}],
            column_encoding=packed or None,
            write_statistics=[name for name in schema.names if name in _TOLD],
            store_schema=False,
        )
        self._held: list[pa.Table] = []
        self._held_rows = 0
        self._rows = 0

    def add(self, rows: int, columns: Sequence[Any]) -> None:
        self._held.append(pa.Table.from_arrays([pa.array(column) for column in columns], schema=self._schema))
        self._held_rows += rows
        self._rows += rows
        if self._held_rows >= _ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        table = pa.concat_tables(self._held)
        if len(self._held) > 1:
            table = table.unify_dictionaries().combine_chunks()
        self._wait()
        self._under_way = self._pool.submit(self._writer.write_table, table, row_group_size=len(table))
        self._held, self._held_rows = [], 0

    def _wait(self) -> None:
        if self._under_way is not None:
            self._under_way.result()

    def bytes(self, meta: ArchivePart) -> tuple[bytes, int]:
        """End the file; gives it, and how many rows it has."""
        if self._held_rows:
            self._flush()
        self._wait()
        self._writer.add_key_value_metadata({META: meta.model_dump_json().encode()})
        self._writer.close()
        return self._sink.getvalue().to_pybytes(), self._rows


def _one_name(name: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), pa.array([name]), safe=False)


def _names(names: Sequence[str]) -> pa.DictionaryArray:
    return pa.array(names, pa.string()).dictionary_encode()
