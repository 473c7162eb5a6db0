"""Amounts between readings: a counter's readings or a state's samples in, one pair [low, high] per two of them out.

The shell around the kernels: it owns the arrays, the rates and the errors, and gives the kWh of an hour.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from compute import codes, kernels
from compute.errors import AmountOverflowError, ProjectError
from compute.pairs import Pair
from metering.interval import HOUR_MS
from metering.measurands import measurand

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]

QUANTA_DIVISORS: Mapping[str, int] = MappingProxyType({"mWh": 3_600_000, "J": 1_000_000})
"""How many mW × ms make one quantum."""
_LARGEST_DENOMINATOR = 2**31


@dataclass(frozen=True, slots=True)
class Rate:
    """The fastest a counter can run: rated power × margin, in lowest terms [quanta per ms]."""

    num: int
    den: int

    def possible(self, span_ms: int, step: int) -> int:
        """R: how much the counter can gain in a span [ms] with one register step [quanta] on top [quanta].

        Raises:
            AmountOverflowError: when int64 cannot hold it.
        """
        amount = int(kernels.possible_amount(span_ms, self.num, self.den, step))
        if amount == codes.OVERFLOW:
            raise AmountOverflowError(f"{self.num}/{self.den} quanta per ms over {span_ms} ms is more than int64 holds")
        return amount


def rate_of(measurand_name: str, rated_power_w: Fraction, margin: Fraction) -> Rate:
    """How fast a counter can run at most.

    Args:
        measurand_name: a COUNTER of electric energy or of heat.
        rated_power_w: the rated power of what it measures [W].
        margin: what a rating may be exceeded by, for example 1.05.

    Raises:
        ProjectError: when the measurand is not an energy, or the rating is finer than 1 mW.
    """
    divisor = QUANTA_DIVISORS.get(measurand(measurand_name).quantum)
    if divisor is None:
        raise ProjectError(f"{measurand_name} is not bounded by a rated power; only counters of energy and heat are")
    rate = rated_power_w * 1000 * margin / divisor
    if rate.denominator > _LARGEST_DENOMINATOR:
        raise ProjectError(f"rated_power_w {rated_power_w} is finer than 1 mW")
    return Rate(rate.numerator, rate.denominator)


@dataclass(frozen=True, slots=True)
class CounterReadings:
    """The readings of one counter, with what decides whether each may count. Arrays of one length, by slot."""

    time_ms: Ints
    request_ms: Ints
    """When the request went out, not after its answer [ms]."""
    answer_ms: Ints
    """When the answer was in [ms]."""
    value: Ints
    """What the register showed [quanta]; 0 where it is not usable."""
    step: Ints
    """One register step [quanta]."""
    epoch: Ints
    """Readings of different meters or registers have different numbers."""
    usable: Codes
    modulus: int
    """Where the counter wraps [quanta]; 0 = unknown."""
    resettable: bool
    nonvolatile_ms: int = 0
    """How much time it may lose with its supply [ms]; 0 = none, or no rule asks."""
    interval_ms: int = 0
    """Readings whose slots are further apart have others missing between them [ms]; 0 = never."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What happened between readings that follow each other. Arrays of one length, in time order."""

    first: Ints
    """Index of the earlier reading."""
    second: Ints
    low: Ints
    high: Ints
    limit: Ints
    """The most that was possible [quanta]."""
    code: Codes


def counter_pairs(readings: CounterReadings, rate: Rate) -> Pairs:
    """Turn a counter's readings into pairs.

    Raises:
        AmountOverflowError: when int64 cannot hold an amount.
    """
    size = max(len(readings.time_ms) - 1, 0)
    first, second, low, high, limit = (np.zeros(size, np.int64) for _ in range(5))
    code = np.zeros(size, np.uint8)
    count = int(
        kernels.counter_pairs(
            readings.time_ms, readings.request_ms, readings.answer_ms, readings.value,
            readings.step, readings.epoch, readings.usable,
            rate.num, rate.den, readings.modulus, readings.resettable,
            readings.nonvolatile_ms, readings.interval_ms,
            first, second, low, high, limit, code,
        )
    )  # fmt: skip
    if count == codes.OVERFLOW:
        raise AmountOverflowError("an amount between two readings is more than int64 holds; check rated_power_w")
    return Pairs(first[:count], second[:count], low[:count], high[:count], limit[:count], code[:count])


def state_pairs(time_ms: Ints, state: Ints, longest_ms: int) -> Pairs:
    """Turn samples of a state into time in that state [ms].

    Args:
        time_ms: the slots [ms].
        state: 1 in it, 0 not in it, -1 unknown.
        longest_ms: two samples further apart do not follow each other [ms]; 0 = no such limit.
    """
    size = max(len(time_ms) - 1, 0)
    low, high = np.zeros(size, np.int64), np.zeros(size, np.int64)
    code = np.zeros(size, np.uint8)
    kernels.state_pairs(time_ms, state, longest_ms, low, high, code)
    first = np.arange(size, dtype=np.int64)
    return Pairs(first, first + 1, low, high, np.diff(time_ms), code)


def exact_sum(amounts: Ints) -> int:
    """Add int64 amounts up without ever overflowing: the halves are summed apart [the unit of the amounts]."""
    return (int(np.sum(amounts >> 32)) << 32) + int(np.sum(amounts & 0xFFFFFFFF))


def hourly(pairs: Pairs, time_ms: Ints, origin_ms: int) -> Iterator[tuple[int, Pair]]:
    """Give the amount of each hour that has one; a pair belongs to the hour (H, H + 1] of its second reading.

    Args:
        pairs: of one series.
        time_ms: the slots of that series [ms].
        origin_ms: a local midnight, from which hours are counted [ms].

    Yields:
        The start of the hour [ms] and its amount [quanta].

    Raises:
        AmountOverflowError: when int64 cannot hold an hour's amount.
    """
    size = len(pairs.low)
    hour, low, high = (np.zeros(size, np.int64) for _ in range(3))
    count = int(kernels.hour_sums(time_ms[pairs.second], pairs.low, pairs.high, origin_ms, hour, low, high))
    if count == codes.OVERFLOW:
        raise AmountOverflowError("the amount of an hour is more than int64 holds; check rated_power_w")
    for index in range(count):
        yield origin_ms + int(hour[index]) * HOUR_MS, Pair(int(low[index]), int(high[index]))
