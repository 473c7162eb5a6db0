"""In: the physics of a plant, a day of minutes at a time. Out: what each of its instruments shows at any instant.

Every plant is one subclass of `Plant` and one method, `minutes`: the values that each instrument shows in each minute
of a UTC day, constant within the minute. Counters are not computed by plants: `states` says which value each of them
counts, and here it is summed from the origin and interpolated within the minute, which is exact for such a value. So a
counter shows the same whatever was asked before and however often, never goes down, and is the integral of the very
power that the same meter shows.

A day is computed once and the last few are kept; of all others only the sums at midnight stay. A day may depend on the
last minute of the day before (the charge of a battery) and on nothing else that went before.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from metering.clock import utc_text
from metering.interval import DAY_MS
from simulators.errors import SizeError, TooEarlyError
from simulators.noise import FloatArray, IntArray, draw, uniform
from simulators.plants.states import State

MINUTE_MS = 60_000
MINUTES_A_DAY = 1_440
_KEPT_DAYS = 8
"""A day of a plant takes about a megabyte; who asks for many days asks day by day for all instruments."""

Fields = Mapping[str, NDArray[Any]]
"""Of one instrument: the name of a field, and its value in each minute; three rows where there are three phases."""
Minutes = Mapping[str, Fields]
"""Of each instrument. What stands under the name `TRUTH` no meter shows."""
Before = Mapping[str, Mapping[str, float]]
"""The values of the last minute of the day before; empty on the first day."""

TRUTH = "truth"
"""The name under which a plant keeps what happens in it and no instrument shows."""

_Key = tuple[str, str]
_Sum = TypeVar("_Sum", float, FloatArray)


@dataclass(frozen=True, slots=True)
class _Day:
    minutes: Minutes
    sums: Mapping[_Key, FloatArray]
    """The integral of each value since the day's midnight, at the start of each minute and at its end [value × h]."""
    before: Before
    """What the day behind it may know, of the plant as it was before it was resized."""


class Plant(ABC):
    """A plant that does not exist; two with the same class, seed, origin and parameters are the same plant."""

    instruments: Mapping[str, type[State]]
    """What measures in it: the name of an instrument, and the kind of state that it shows."""
    counters_at_origin: Mapping[_Key, float]
    """What counters show at the origin, by instrument and field; others begin with a few thousand of their unit."""

    def __init__(self, seed: str, origin_ms: int) -> None:
        """Fix the weather and the meters; nothing is computed yet.

        Args:
            seed: two plants with the same seed are the same plant.
            origin_ms: where the counters begin; the minute that holds it [ms since the Unix epoch].
        """
        self.seed = seed
        self.origin_ms = origin_ms - origin_ms % MINUTE_MS
        self.counters_at_origin = {}
        self._first_day = self.origin_ms // DAY_MS
        self._midnight_sums: list[Mapping[_Key, float]] = [{}]
        self._befores: list[Before] = [{}]
        self._origin_sums: Mapping[_Key, float] = {}
        self._day = lru_cache(maxsize=_KEPT_DAYS)(self._compute_day)
        self._times = 1.0

    @property
    def rated_w(self) -> float | None:
        """What the plant is rated at [W]; None for one that is not known by a single power."""
        return None

    def resize(self, rated_w: float) -> None:
        """Make the plant smaller or larger before anything is computed: every flow and power of it in proportion.

        Args:
            rated_w: what it is rated at from now on [W].

        Raises:
            SizeError: it is not known by a single power, or the size is none.
        """
        if self.rated_w is None:
            raise SizeError(f"a {type(self).__name__} is not known by a single rated power, so it has no other size")
        if not 0 < rated_w < float("inf"):
            raise SizeError(f"{rated_w:g} W is no size of a plant")
        self._times = rated_w / self.rated_w

    @abstractmethod
    def minutes(self, at_ms: IntArray, before: Before) -> Minutes:
        """Compute one day.

        Args:
            at_ms: the start of each of its minutes [ms since the Unix epoch].
            before: the last minute of the day before, for what a plant remembers.
        """

    def prepare(self, until_ms: int) -> None:
        """Compute up to an instant [ms since the Unix epoch], so that a later question is answered at once."""
        needed = until_ms // DAY_MS - self._first_day
        while len(self._midnight_sums) <= needed:
            index = len(self._midnight_sums) - 1
            day, sums = self._day(index), self._midnight_sums[index]
            self._midnight_sums.append({key: sums.get(key, 0.0) + float(day.sums[key][-1]) for key in day.sums})
            self._befores.append(day.before)

    def state(self, instrument: str, at_ms: int) -> State:
        """What one instrument shows at an instant [ms since the Unix epoch]."""
        index, rest_ms = self._place(at_ms)
        minute, within_ms = divmod(rest_ms, MINUTE_MS)
        kind, day = self.instruments[instrument], self._day(index)
        values: dict[str, Any] = {
            name: row.item(minute) if row.ndim == 1 else tuple(row[:, minute].tolist())
            for name, row in day.minutes[instrument].items()
        }
        for name in kind.RIPPLES:
            swing = self._ripple(instrument, np.array([at_ms], np.int64))[:, 0].tolist()
            values[name] = tuple(value * share for value, share in zip(values[name], swing, strict=True))
        share = within_ms / MINUTE_MS
        for name, value in kind.COUNTERS.items():
            key = (instrument, _summed(value))
            sums = day.sums[key]
            before = float(sums[minute])
            inside = before + (float(sums[minute + 1]) - before) * share
            values[name] = self._at_origin(instrument, name) + self._since_origin(key, index, inside)
        return kind(**values)

    def columns(self, instrument: str, at_ms: IntArray) -> dict[str, NDArray[Any]]:
        """What one instrument shows at many instants: the fields of its state as arrays, equal bit for bit.

        For a long time and several instruments, ask for all of them day by day: only the last few days are kept.

        Args:
            instrument: its name.
            at_ms: ascending [ms since the Unix epoch].
        """
        parts: list[dict[str, NDArray[Any]]] = []
        for index, times_ms in self._by_day(at_ms):
            parts.append(self._columns_of_day(instrument, index, times_ms))
        return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}

    def amount(self, instrument: str, field: str, start_ms: int, end_ms: int) -> float:
        """What really happened between two instants.

        Args:
            instrument: its name, or `TRUTH` for what no instrument shows.
            field: of a counter the difference, of any other value its integral [value × h].
            start_ms: [ms since the Unix epoch].
            end_ms: [ms since the Unix epoch].
        """
        kind = self.instruments.get(instrument)
        value = kind.COUNTERS.get(field) if kind is not None else None
        key = (instrument, field if value is None else _summed(value))
        return self._integral(key, end_ms) - self._integral(key, start_ms)

    def _integral(self, key: _Key, at_ms: int) -> float:
        index, rest_ms = self._place(at_ms)
        minute, within_ms = divmod(rest_ms, MINUTE_MS)
        sums = self._day(index).sums[key]
        before = float(sums[minute])
        inside = before + (float(sums[minute + 1]) - before) * (within_ms / MINUTE_MS)
        return self._since_origin(key, index, inside)

    def _columns_of_day(self, instrument: str, index: int, at_ms: IntArray) -> dict[str, NDArray[Any]]:
        kind, day = self.instruments[instrument], self._day(index)
        minute, within_ms = np.divmod(at_ms - (self._first_day + index) * DAY_MS, MINUTE_MS)
        columns: dict[str, NDArray[Any]] = {name: row[..., minute] for name, row in day.minutes[instrument].items()}
        for name in kind.RIPPLES:
            columns[name] = columns[name] * self._ripple(instrument, at_ms)
        share = within_ms / MINUTE_MS
        for name, value in kind.COUNTERS.items():
            key = (instrument, _summed(value))
            before = day.sums[key][minute]
            inside = before + (day.sums[key][minute + 1] - before) * share
            columns[name] = self._at_origin(instrument, name) + self._since_origin(key, index, inside)
        return columns

    def _by_day(self, at_ms: IntArray) -> Iterator[tuple[int, IntArray]]:
        days = at_ms // DAY_MS
        for day in np.unique(days).tolist():
            times_ms = at_ms[days == day]
            yield self._place(int(times_ms[0]))[0], times_ms

    def _place(self, at_ms: int) -> tuple[int, int]:
        """The day of an instant, counted from the first, and what is over [ms]; the day's sums are known then."""
        if at_ms < self.origin_ms:
            raise TooEarlyError(
                f"the counters begin at {utc_text(self.origin_ms)}; {utc_text(at_ms)} lies before. "
                "Set `counters_from` of the simulators to an earlier instant."
            )
        self.prepare(at_ms)
        day, rest_ms = divmod(at_ms, DAY_MS)
        return day - self._first_day, rest_ms

    def _compute_day(self, index: int) -> _Day:
        at_ms = (self._first_day + index) * DAY_MS + np.arange(MINUTES_A_DAY, dtype=np.int64) * MINUTE_MS
        minutes = self.minutes(at_ms, self._befores[index])
        before = _last_minute(minutes)
        if self._times != 1:
            minutes = _grown(minutes, self.instruments, self._times)
        return _Day(minutes, dict(_sums(minutes, self.instruments)), before)

    def _since_origin(self, key: _Key, index: int, inside: _Sum) -> _Sum:
        if not self._origin_sums:
            minute = (self.origin_ms % DAY_MS) // MINUTE_MS
            self._origin_sums = {each: float(sums[minute]) for each, sums in self._day(0).sums.items()}
        # The sum within the day is added first: at midnight it rounds as the next day's does, so no counter goes down.
        return self._midnight_sums[index].get(key, 0.0) + inside - self._origin_sums[key]

    def _at_origin(self, instrument: str, name: str) -> float:
        given = self.counters_at_origin.get((instrument, name))
        # A new meter was run on the test bench, so it does not begin with zero.
        return 1_000 + 9_000 * draw(self.seed, f"{instrument}.{name}") if given is None else given

    def _ripple(self, instrument: str, at_ms: IntArray) -> FloatArray:
        """What the grid does within a minute: each second another ±0.1 %, by phase."""
        second = at_ms // 1_000
        phases = [uniform(self.seed, f"{instrument}.ripple{phase}", second) for phase in (1, 2, 3)]
        return 0.999 + 0.002 * np.stack(phases)


def _grown(minutes: Minutes, instruments: Mapping[str, type[State]], times: float) -> Minutes:
    # What is counted grows, and what only the plant knows; a voltage or a temperature does not.
    grown = {}
    for instrument, fields in minutes.items():
        kind = instruments.get(instrument)
        counted = set(fields) if kind is None else {value.lstrip("-") for value in kind.COUNTERS.values()}
        grown[instrument] = {name: row * times if name in counted else row for name, row in fields.items()}
    return grown


def _summed(value: str) -> str:
    """The name of the sum behind a counter: one power is counted by two, each in its direction."""
    return f"{value}>0"


def _sums(minutes: Minutes, instruments: Mapping[str, type[State]]) -> Iterator[tuple[_Key, FloatArray]]:
    for instrument, fields in minutes.items():
        kind = instruments.get(instrument)
        counters = kind.COUNTERS if kind is not None else {}
        for value in counters.values():
            rates = -fields[value[1:]] if value.startswith("-") else fields[value]
            yield (instrument, _summed(value)), _running_sum(np.maximum(0.0, rates))
        for name, rates in fields.items():
            if rates.ndim == 1:
                yield (instrument, name), _running_sum(rates)


def _running_sum(rates: NDArray[Any]) -> FloatArray:
    return np.concatenate([np.zeros(1), np.cumsum(rates, dtype=np.float64) / 60])


def _last_minute(minutes: Minutes) -> Before:
    return {
        instrument: {name: float(row[-1]) for name, row in fields.items() if row.ndim == 1}
        for instrument, fields in minutes.items()
    }
