"""Amounts between readings: a counter's readings or a state's samples in, one pair [low, high] per two of them out.

The shell around the kernels: it owns the arrays, the rates and the errors, and gives the kWh of an hour.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from compute.errors import AmountOverflowError, ProjectError
from metering.measurands import measurand

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]

QUANTA_DIVISORS: Mapping[str, int] = MappingProxyType({"mWh": 3_600_000, "J": 1_000_000})
"""How many mW × ms make one quantum."""
_LARGEST_DENOMINATOR = 2**31
_MOST = 2**63 // 4


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
        amount = self.num * span_ms // self.den + step
        if amount > _MOST:
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
