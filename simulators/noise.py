"""In: a seed, the name of a series, instants. Out: the same numbers whenever they are the same.

A hash rather than a generator: any instant can be asked for first, and the answer does not depend on what was asked
before. Marginal distributions are exact, so a long-term mean that goes in comes out.

References:
    Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators", OOPSLA: the mixing of SplitMix64.
    Abramowitz and Stegun (1964), "Handbook of Mathematical Functions", 7.1.26: erf to 1.5e-7.
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@lru_cache(maxsize=4_096)
def _key(seed: str, series: str) -> int:
    return int.from_bytes(blake2b(f"{seed}/{series}".encode(), digest_size=8).digest(), "big")


def uniform(seed: str, series: str, index: IntArray) -> FloatArray:
    """Draw numbers of a series, uniform in [0, 1), by their indexes."""
    mixed = np.uint64(_key(seed, series)) + index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def draw(seed: str, series: str) -> float:
    """Draw one number, uniform in [0, 1), that belongs to a seed and a name."""
    return float(uniform(seed, series, np.zeros(1, np.int64))[0])


def smooth(seed: str, series: str, at_ms: IntArray, step_ms: int) -> FloatArray:
    """Draw numbers in [0, 1) that change smoothly, with one independent draw each `step_ms` [ms].

    Args:
        seed: the seed of the plant.
        series: the name of the series.
        at_ms: the instants [ms since the Unix epoch].
        step_ms: the distance of the draws [ms].
    """
    index, rest_ms = np.divmod(at_ms, step_ms)
    share = (1 - np.cos(np.pi * rest_ms / step_ms)) / 2
    first, second = _neighbours(partial(uniform, seed, series), index)
    return first + (second - first) * share


def normal(seed: str, series: str, at_ms: IntArray, step_ms: int) -> FloatArray:
    """Draw standard normal numbers that change smoothly: cosine and sine of the phase keep the variance at 1.

    Args:
        seed: the seed of the plant.
        series: the name of the series.
        at_ms: the instants [ms since the Unix epoch].
        step_ms: the distance of the independent draws [ms].
    """
    index, rest_ms = np.divmod(at_ms, step_ms)
    phase = np.pi / 2 * rest_ms / step_ms
    first, second = _neighbours(partial(_gauss, seed, series), index)
    return np.cos(phase) * first + np.sin(phase) * second


def share_below(score: FloatArray) -> FloatArray:
    """Which share of a standard normal population lies below a score: uniform in [0, 1] when the scores are normal."""
    size = np.abs(score) / math.sqrt(2)
    t = 1 / (1 + 0.3275911 * size)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    tail = series * np.exp(-size * size) / 2
    return np.where(score < 0, tail, 1 - tail)


def _neighbours(draws: Callable[[IntArray], FloatArray], index: IntArray) -> tuple[FloatArray, FloatArray]:
    """What is drawn for each index and for the one behind it; once each where many instants share one."""
    lowest, highest = int(index.min()), int(index.max())
    if highest - lowest >= index.size:
        return draws(index), draws(index + 1)
    drawn, places = draws(np.arange(lowest, highest + 2, dtype=np.int64)), index - lowest
    return drawn[places], drawn[places + 1]


def _gauss(seed: str, series: str, index: IntArray) -> FloatArray:
    """Box and Muller: two uniform numbers make a normal one."""
    radius = np.sqrt(-2 * np.log(1 - uniform(seed, series, 2 * index)))
    return np.asarray(radius * np.cos(2 * np.pi * uniform(seed, series, 2 * index + 1)), dtype=np.float64)
