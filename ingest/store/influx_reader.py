"""Read good readings out of InfluxDB: what was measured before there was a journal can be computed too.

In go points with the meters that somebody declares for them, out comes `Evidence` without births, runs or raw words:
nothing in it is signed, and `caveat` says so.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ingest.store.archive_layout import interval_of, months_in
from ingest.store.archive_rows import Polls, Rows, joined, no_steps
from ingest.store.influx_query import InfluxReader
from ingest.store.influx_settings import InfluxServer
from ingest.store.readings import Evidence, Key
from ingest.store.series import Binding, Int64Array, Meter, UInt8Array
from metering.interval import Interval
from metering.measurands import measurand
from metering.quality import Quality
from metering.registers import Register, WordType

EXACT_BELOW = 2**51
"""A float of fewer quanta than this names exactly one whole number of them."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What somebody says that a stretch of history was read with: InfluxDB does not."""

    point: str
    measurand: str
    meter: Meter
    interval_ms: int
    """From one due slot to the next [ms]."""
    span: Interval
    """When that meter stood there."""


class InfluxSource:
    """The good readings of one site's points in one InfluxDB."""

    caveat = "read from InfluxDB: nothing is signed; meters are as declared, clocks and times of answers are unknown"

    def __init__(self, settings: InfluxServer, site: str, declared: Sequence[Declared]) -> None:
        """Keep what to ask; the first question connects.

        Args:
            settings: where InfluxDB is.
            site: the tag `site` of its readings.
            declared: which points and measurands, and their meters, in order of time; what is not declared is not read.
        """
        self._reader = InfluxReader(settings)
        self._site = site
        self._declared = tuple(declared)

    def evidence(self, project: str, start_ms: int, end_ms: int) -> Evidence:  # noqa: ARG002 - a Source is asked for one
        """Give the readings of an interval (`Source.evidence`); a slot stands for the time of its answer.

        Raises:
            InfluxError: when InfluxDB does not answer, or not with readings.
        """
        asked = Interval(start_ms, end_ms)
        rows: dict[Key, list[Rows]] = {}
        for one in self._declared:
            rows.setdefault((one.point, one.measurand), []).extend(self._rows(one, asked))
        found = {key: joined(key, parts, asked) for key, parts in rows.items()}
        series = {key: one_series for key, one_series in found.items() if len(one_series)}
        seen = hashlib.sha256()
        for (point, name), one_series in sorted(series.items()):
            seen.update(f"{point}/{name}/{len(one_series)}\n".encode())
            seen.update(one_series.time_ms.tobytes() + one_series.value.tobytes() + one_series.quality.tobytes())
        return Evidence(
            births=(), maps={}, digest=seen.hexdigest(), runs=(), excluded=(), horizons=(), by_key=series
        )  # fmt: skip

    def _rows(self, one: Declared, asked: Interval) -> Iterator[Rows]:
        """Ask month by month, so that no answer is large."""
        start_ms = max(asked.start_ms, one.span.start_ms)
        span = Interval(start_ms, max(start_ms, min(asked.end_ms, one.span.end_ms)))
        binding = _binding(one)
        for month in map(interval_of, months_in(span)):
            part = Interval(max(month.start_ms, span.start_ms), min(month.end_ms, span.end_ms))
            found = self._reader.readings(self._site, one.point, part, one.measurand).get(one.measurand)
            if found is not None:
                time_ms, number = found
                value, quality = _quanta(number, measurand(one.measurand).quanta_per_unit)
                yield _one_row_a_slot(time_ms, value, quality, binding)


def _one_row_a_slot(time_ms: Int64Array, value: Int64Array, quality: UInt8Array, binding: Binding) -> Rows:
    """Tags that we do not know of may give a slot several numbers: equal ones are one, unequal ones a conflict."""
    order = np.argsort(time_ms, kind="stable")
    time_ms, value, quality = time_ms[order], value[order], quality[order]
    first = np.flatnonzero(np.diff(time_ms, prepend=time_ms[0] - 1))
    differs = np.minimum.reduceat(value, first) != np.maximum.reduceat(value, first)
    slots, rows = time_ms[first], len(first)
    polls = Polls(slots, slots, slots, np.ones(rows, np.bool_), np.zeros(rows, np.int32))
    return Rows(
        polls,
        value=np.where(differs, 0, value[first]),
        quality=np.where(differs, np.uint8(Quality.CONFLICT), quality[first]),
        bindings=(binding,),
        steps=no_steps(rows),
    )


def _quanta(number: NDArray[np.float64], quanta_per_unit: int) -> tuple[Int64Array, UInt8Array]:
    quanta = np.rint(number * quanta_per_unit)
    exact = np.abs(quanta) < EXACT_BELOW  # False for what is no number
    value = np.where(exact, quanta, 0).astype(np.int64)
    return value, np.where(exact, Quality.OK, Quality.OUT_OF_RANGE).astype(np.uint8)


def _binding(one: Declared) -> Binding:
    """A register of which nothing is known but what it measures: its step is a quantum, it may wrap and be reset."""
    kind = measurand(one.measurand)
    register = Register(
        name=one.measurand,
        measurand=kind,
        function=3,
        address=0,
        type=WordType.S64,
        word_order="big",
        byte_order="big",
        scale=Fraction(1, kind.quanta_per_unit),
        scale_register=None,
        sentinels=frozenset(),
        modulus=None,
        reset_source=None,
    )
    return Binding(
        group=f"{one.point}/influxdb",
        device=one.point,
        meter=one.meter,
        map_digest="",
        register=register,
        unit_id=0,
        interval_ms=one.interval_ms,
        blocks=(),
    )
