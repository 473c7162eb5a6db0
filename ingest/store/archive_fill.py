"""Opened months of an archive → series, decoded by several threads straight into the arrays of the whole time.

What stands where is known before anything is decoded, so nothing is put together afterwards; and series that were
always read together share their columns of times.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ingest.store.archive_read import ArchivedMonth, PollsWanted, ReadingsWanted
from ingest.store.archive_rows import Polls, Rows, Settled, no_steps, series_of, settle
from ingest.store.readings import Key
from ingest.store.series import Binding, Series
from metering.interval import Interval

THREADS: Final = 2
_SHARES: Final = 2 * THREADS
"""Into how many tasks the series of a month are divided."""
_BLOCK_BYTES: Final = 1 << 26
_ALIGNED_BYTES: Final = 64
Task = Callable[[], None]
Wanted = TypeVar("Wanted")
Number = TypeVar("Number", np.int64, np.int32, np.uint8, np.bool_)


class _Stretch(NamedTuple):
    """Rows of one poll group in one month; equal for all series that were always read together."""

    month: int
    block: int
    first: int
    """The first of the block's rows that is in the span."""
    end: int
    bound: tuple[tuple[int, int], ...]
    """Place in the file's list of what rows were read with → place in the series' bindings."""

    @property
    def rows(self) -> int:
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the rows of one series are."""

    key: Key
    stretches: tuple[_Stretch, ...]
    bindings: tuple[Binding, ...]

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.stretches)


def fill(months: Sequence[ArchivedMonth], keys: Sequence[Key], span: Interval) -> dict[Key, Series]:
    """Read series.

    Args:
        months: in order of time.
        keys: which series.
        span: slots beyond it are left out.

    Returns:
        Those that have a row in the span which says something.
    """

    @cache
    def inside(month: int, block: int) -> tuple[int, int]:
        return months[month].inside(block, span)

    plans = [plan for plan in (_plan(key, months, inside) for key in keys) if plan.stretches]
    memory, alike = _Memory(), _Alike(max((plan.rows for plan in plans), default=0))
    polls = {plan.stretches: _empty_polls(memory, alike, plan, months) for plan in plans}
    rows = [_empty_rows(memory, plan, polls[plan.stretches]) for plan in plans]
    with ThreadPoolExecutor(THREADS) as pool:
        tasks = [*_poll_tasks(months, polls), *_reading_tasks(months, plans, rows)]
        for done in [pool.submit(task) for task in tasks]:
            done.result()
        shared = {id(one.polls): tuple(bound.interval_ms for bound in one.bindings) for one in rows}
        settled = dict(zip(shared, pool.map(settle, polls.values(), shared.values()), strict=True))
    found = {
        plan.key: series_of(plan.key, one, partial(_settled, settled)) for plan, one in zip(plans, rows, strict=True)
    }
    return {key: series for key, series in found.items() if len(series)}


def _plan(key: Key, months: Sequence[ArchivedMonth], inside: Callable[[int, int], tuple[int, int]]) -> _Plan:
    bindings: dict[Binding, int] = {}
    stretches = []
    for month, opened in enumerate(months):
        part = opened.part(key)
        if part is None:
            continue
        first, end = inside(month, part.polls)
        if first < end:
            places = [bindings.setdefault(bound, len(bindings)) for bound in opened.bindings(part)]
            stretches.append(_Stretch(month, part.polls, first, end, tuple(zip(part.registers, places, strict=True))))
    return _Plan(key, tuple(stretches), tuple(bindings))


class _Memory:
    """Arrays cut out of a few large blocks: the system gives those in pages of 2 MiB, which is three times as fast."""

    def __init__(self, block_bytes: int = _BLOCK_BYTES) -> None:
        self._block_bytes = block_bytes
        self._block = np.empty(0, np.uint8)
        self._used = 0

    def take(self, rows: int, kind: type[Number]) -> NDArray[Number]:
        size = rows * np.dtype(kind).itemsize
        if self._used + size > len(self._block):
            self._block, self._used = np.empty(max(size, self._block_bytes), np.uint8), 0
        taken = self._block[self._used : self._used + size].view(kind)
        self._used += -(-size // _ALIGNED_BYTES) * _ALIGNED_BYTES
        return taken


class _Alike:
    """Columns that say the same in all rows of most series: one array for all of them, which nobody may write to."""

    def __init__(self, rows: int) -> None:
        self.synced, self.binding = np.ones(rows, np.bool_), np.zeros(rows, np.int32)
        for column in (self.synced, self.binding):
            column.flags.writeable = False


def _empty_polls(memory: _Memory, alike: _Alike, plan: _Plan, months: Sequence[ArchivedMonth]) -> Polls:
    rows, synced = plan.rows, all(months[one.month].always_synced(one.block) for one in plan.stretches)
    time_ms, sent_ms, received_ms = (memory.take(rows, np.int64) for _ in range(3))
    return Polls(
        time_ms,
        sent_ms,
        received_ms,
        alike.synced[:rows] if synced else memory.take(rows, np.bool_),
        alike.binding[:rows] if len(plan.bindings) == 1 else memory.take(rows, np.int32),
    )


def _empty_rows(memory: _Memory, plan: _Plan, polls: Polls) -> Rows:
    scaled = any(bound.register.scale_register is not None for bound in plan.bindings)
    steps = memory.take(plan.rows, np.int64) if scaled else no_steps(plan.rows)
    return Rows(polls, memory.take(plan.rows, np.int64), memory.take(plan.rows, np.uint8), plan.bindings, steps)


def _placed(stretches: Sequence[_Stretch]) -> Iterator[tuple[_Stretch, int, int]]:
    """Each stretch, and from which row to which it goes."""
    end = 0
    for one in stretches:
        first, end = end, end + one.rows
        yield one, first, end


def _poll_tasks(months: Sequence[ArchivedMonth], polls: dict[tuple[_Stretch, ...], Polls]) -> list[Task]:
    wanted: dict[int, list[PollsWanted]] = {}
    for stretches, into in polls.items():
        for one, first, end in _placed(stretches):
            wanted.setdefault(one.month, []).append(
                PollsWanted(one.block, slice(one.first, one.end), one.bound, into.between(first, end))
            )
    return [
        partial(months[month].polls, share)
        for month, all_of_it in wanted.items()
        for share in _shares(sorted(all_of_it, key=lambda one: one.block))
    ]


def _reading_tasks(months: Sequence[ArchivedMonth], plans: Sequence[_Plan], rows: Sequence[Rows]) -> list[Task]:
    wanted: dict[int, dict[Key, ReadingsWanted]] = {}
    for plan, into in zip(plans, rows, strict=True):
        for one, first, end in _placed(plan.stretches):
            wanted.setdefault(one.month, {})[plan.key] = ReadingsWanted(
                plan.key, slice(one.first, one.end), into.between(first, end)
            )
    return [
        partial(months[month].readings, share)
        for month, by_key in wanted.items()
        for share in _shares([by_key[key] for key in months[month].keys() if key in by_key])  # noqa: SIM118 - no dict
    ]


def _shares(items: Sequence[Wanted]) -> Iterator[Sequence[Wanted]]:
    """Neighbours stay together: small ones are in one row group."""
    size = -(-len(items) // _SHARES)
    return (items[at : at + size] for at in range(0, len(items), size))


def _settled(known: dict[int, Settled], polls: Polls, intervals_ms: tuple[int, ...]) -> Settled:
    # Rows of which some say nothing are others than those that are shared.
    return known.get(id(polls)) or settle(polls, intervals_ms)
