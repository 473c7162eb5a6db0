"""Many stretches of one series → one row a slot: repeats joined, conflicts marked, absent slots named.

In go chunks in any order (from readings, from gap records, from records that the outbox gave up), out comes a
`Series`. The same chunks in another order, or some of them twice, give the same series.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ingest.store.series import VALUED_CODES, Binding, BoolArray, Int64Array, Series, UInt8Array, Words
from metering.quality import Quality

LONGEST_FILL_SLOTS = 1_000_000
"""A longer hole is named by its first and last due slot alone: one broken clock must not eat the memory."""
MOST_FILLED_SLOTS = 4_000_000
"""So is every hole of a series whose holes have more slots together: nor must many slots, each a little ahead."""

# Which of several rows of one slot is kept. A reading beats the record of its absence, whatever came first.
RANK_VALUE, RANK_LATE, RANK_NO_VALUE, RANK_GAP, RANK_GIVEN_UP = range(5)
_BY_QUALITY = 255
_RANK_OF_CODE = np.full(256, RANK_NO_VALUE, np.uint8)
_RANK_OF_CODE[Quality.OK], _RANK_OF_CODE[Quality.LATE_READ] = RANK_VALUE, RANK_LATE


Kind = TypeVar("Kind", bound=np.generic)
Home = tuple[str, str, str]
"""A stream with its site and gateway: the ULID alone is not enough, for a gateway draws it itself."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a series, of one stream and read with one binding."""

    home: Home
    seq: Int64Array
    """For each row, its record's number in its stream."""
    time_ms: Int64Array
    value: Int64Array
    quality: UInt8Array
    sent_ms: Int64Array
    received_ms: Int64Array
    raw_text: NDArray[np.object_]
    binding: Binding
    synced: BoolArray
    rank: int | None
    """None for readings, whose rank follows from their quality."""


def absent(home: Home, seq: int, binding: Binding, from_ms: int, to_ms: int, quality: Quality, rank: int) -> Chunk:
    """Make the rows of the slots that were due in a span and not read.

    Args:
        home: the stream of the record that says so.
        seq: its number there.
        binding: what they would have been read with; due slots are multiples of its interval.
        from_ms: the span's start [ms since the Unix epoch].
        to_ms: its end, exclusive [ms since the Unix epoch].
        quality: why they are absent.
        rank: how far they give way to other rows of the same slot.
    """
    slots = _due(from_ms, to_ms, binding.interval_ms)
    codes = np.full(len(slots), quality, np.uint8)
    none = np.full(len(slots), "", object)
    seqs, never = np.full(len(slots), seq, np.int64), np.zeros(len(slots), np.bool_)
    return Chunk(home, seqs, slots, np.zeros_like(slots), codes, slots, slots, none, binding, never, rank)


def without_slots_ahead(chunks: Sequence[Chunk], after: Mapping[Home, tuple[Home, int]]) -> list[Chunk]:
    """Take the values off slots that lay ahead of the true time, so that they never conflict with real ones.

    A stream whose first slot lies before slots of the stream that it follows says that that clock had jumped ahead.

    Args:
        chunks: of one series, none without rows.
        after: for each stream, the one that it follows and the last record of that one which its gateway knew.
    """
    if not after:
        return [*chunks]
    firsts: dict[Home, int] = {}
    for chunk in chunks:
        if chunk.rank is None:
            first_ms = int(chunk.time_ms.min())
            firsts[chunk.home] = min(first_ms, firsts.get(chunk.home, first_ms))
    from_ms: dict[Home, tuple[int, int]] = {}
    for home, first_ms in firsts.items():
        seen = {home}
        before = after.get(home)
        while before is not None and before[0] not in seen:
            earlier, known = before
            if earlier in firsts:
                marked = from_ms.get(earlier, (first_ms, known))
                from_ms[earlier] = (min(marked[0], first_ms), max(marked[1], known))
                if firsts[earlier] < first_ms:
                    break  # what lies further back is that stream's to say
            seen.add(earlier)
            before = after.get(earlier)
    return [_without_values(chunk, *from_ms[chunk.home]) if chunk.home in from_ms else chunk for chunk in chunks]


def _without_values(chunk: Chunk, from_ms: int, known: int) -> Chunk:
    if chunk.rank is not None:
        return chunk
    ahead = (chunk.time_ms >= from_ms) & (chunk.seq <= known)
    quality = np.where(ahead, np.uint8(Quality.CLOCK), chunk.quality)
    return replace(chunk, value=np.where(ahead, 0, chunk.value), quality=quality)


def merge(point: str, measurand: str, chunks: Sequence[Chunk]) -> Series:
    """Join chunks into a series.

    Equal repeats of a slot become one row; unequal values become a row of quality `conflict` without a value; a slot
    that was due after an earlier row and is in no chunk becomes a row of quality `unexplained`.

    Args:
        point: whose series it is.
        measurand: of what.
        chunks: at least one, and none without rows.
    """
    # One object a birth: comparing by identity first spares the hash of everything that a binding holds.
    objects = {id(chunk.binding): chunk.binding for chunk in chunks}
    bindings = tuple(dict.fromkeys(objects.values()))
    places = {name: bindings.index(binding) for name, binding in objects.items()}
    lengths = [len(chunk.time_ms) for chunk in chunks]
    rows = _Rows(
        time_ms=_joined([chunk.time_ms for chunk in chunks]),
        value=_joined([chunk.value for chunk in chunks]),
        quality=_joined([chunk.quality for chunk in chunks]),
        sent_ms=_joined([chunk.sent_ms for chunk in chunks]),
        received_ms=_joined([chunk.received_ms for chunk in chunks]),
        synced=_joined([chunk.synced for chunk in chunks]),
        binding=np.repeat(np.array([places[id(chunk.binding)] for chunk in chunks], np.int32), lengths),
        raw_text=_joined([chunk.raw_text for chunk in chunks]),
    )
    if not np.all(rows.time_ms[1:] > rows.time_ms[:-1]):
        given = np.repeat([_BY_QUALITY if chunk.rank is None else chunk.rank for chunk in chunks], lengths)
        rank = np.where(given == _BY_QUALITY, _RANK_OF_CODE[rows.quality], given)
        order = np.lexsort((rank, rows.time_ms))  # stable: of equals, the first chunk's row is kept
        kept, conflict = _one_row_a_slot(rows.take(order))
        rows = rows.take(order[kept])
        rows.value[conflict] = 0
        rows.quality[conflict] = Quality.CONFLICT
    return _filled(point, measurand, rows, bindings)


def _joined(columns: Sequence[NDArray[Kind]]) -> NDArray[Kind]:
    # One chunk is the rule: its series then shares with others of its group what they have in common.
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


@dataclass(frozen=True, slots=True)
class _Rows:
    time_ms: Int64Array
    value: Int64Array
    quality: UInt8Array
    sent_ms: Int64Array
    received_ms: Int64Array
    synced: BoolArray
    binding: NDArray[np.int32]
    raw_text: NDArray[np.object_]

    def take(self, order: NDArray[np.intp]) -> "_Rows":
        return _Rows(
            self.time_ms[order],
            self.value[order],
            self.quality[order],
            self.sent_ms[order],
            self.received_ms[order],
            self.synced[order],
            self.binding[order],
            self.raw_text[order],
        )


def _one_row_a_slot(rows: _Rows) -> tuple[NDArray[np.intp], BoolArray]:
    """Of rows sorted by slot and rank, find the first of each slot and whether the slot's values differ."""
    first = np.flatnonzero(np.diff(rows.time_ms, prepend=rows.time_ms[0] - 1) != 0)
    valued = np.isin(rows.quality, VALUED_CODES)
    limits = np.iinfo(np.int64)
    lowest = np.minimum.reduceat(np.where(valued, rows.value, limits.max), first)
    highest = np.maximum.reduceat(np.where(valued, rows.value, limits.min), first)
    return first, highest > lowest


def _due(from_ms: int, to_ms: int, interval_ms: int, longest: int = LONGEST_FILL_SLOTS) -> Int64Array:
    first = -(-from_ms // interval_ms) * interval_ms
    count = -(-(to_ms - first) // interval_ms)
    if count > longest:
        return np.array([first, first + (count - 1) * interval_ms], np.int64)
    return first + np.arange(count, dtype=np.int64) * interval_ms


def holes(
    time_ms: Int64Array, binding: NDArray[np.int32], intervals_ms: Sequence[int]
) -> tuple[NDArray[np.intp], Int64Array]:
    """Find the due slots between a series' rows that nothing speaks of; the interval is that of the row before.

    Args:
        time_ms: the rows' slots, strictly increasing [ms since the Unix epoch].
        binding: for each row, the place of its interval in `intervals_ms`.
        intervals_ms: from one due slot to the next [ms].

    Returns:
        For each missing slot, the row that it stands before; and the slots [ms since the Unix epoch].
    """
    # One interval for all rows is the rule; dividing by a scalar is several times as fast.
    same = len(set(intervals_ms)) == 1
    interval_ms = intervals_ms[0] if same else np.array(intervals_ms, np.int64)[binding[:-1]]
    if same and time_ms[0] % interval_ms == 0 and np.all(np.diff(time_ms) == interval_ms):
        return np.empty(0, np.intp), np.empty(0, np.int64)  # every due slot is there: no need to divide at all
    behind = np.flatnonzero((time_ms[1:] - 1) // interval_ms > time_ms[:-1] // interval_ms)
    spans = [(int(time_ms[i]) + 1, int(time_ms[i + 1]), int(intervals_ms[binding[i]])) for i in behind]
    slots_due = sum(min((to_ms - from_ms) // step_ms + 1, LONGEST_FILL_SLOTS) for from_ms, to_ms, step_ms in spans)
    longest = LONGEST_FILL_SLOTS if slots_due <= MOST_FILLED_SLOTS else 2
    found = [_due(*span, longest) for span in spans]
    where = np.repeat(behind + 1, [len(hole) for hole in found])
    return where, np.concatenate(found) if found else np.empty(0, np.int64)


def _filled(point: str, measurand: str, rows: _Rows, bindings: tuple[Binding, ...]) -> Series:
    where, slots = holes(rows.time_ms, rows.binding, [bound.interval_ms for bound in bindings])
    if len(where):
        rows = _Rows(
            time_ms=np.insert(rows.time_ms, where, slots),
            value=np.insert(rows.value, where, 0),
            quality=np.insert(rows.quality, where, Quality.UNEXPLAINED),
            sent_ms=np.insert(rows.sent_ms, where, slots),
            received_ms=np.insert(rows.received_ms, where, slots),
            synced=np.insert(rows.synced, where, values=False),
            binding=np.insert(rows.binding, where, rows.binding[where - 1]),
            raw_text=np.insert(rows.raw_text, where, ""),
        )
    return Series(
        point=point,
        measurand=measurand,
        time_ms=rows.time_ms,
        value=rows.value,
        quality=rows.quality,
        sent_ms=rows.sent_ms,
        received_ms=rows.received_ms,
        synced=rows.synced,
        binding=rows.binding,
        bindings=bindings,
        raw_text=Words(rows.raw_text),
    )
