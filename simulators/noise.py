"""In: a seed, the name of a series, an instant. Out: the same number whenever they are the same."""

import math
from hashlib import blake2b

_TWO_64 = float(1 << 64)


def unit_noise(seed: str, series: str, index: int) -> float:
    """Draw the `index`-th number of a series, uniform in [0, 1).

    A hash rather than a generator: any instant can be asked for first, and the answer does not depend on what was
    asked before.
    """
    digest = blake2b(f"{seed}/{series}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _TWO_64


def smooth_noise(seed: str, series: str, at_ms: int, step_ms: int) -> float:
    """Draw a number in [0, 1) that changes smoothly, with one independent draw each `step_ms` [ms].

    Args:
        seed: the seed of the plant.
        series: the name of the series.
        at_ms: the instant [ms since the Unix epoch].
        step_ms: the distance of the draws [ms].
    """
    index, rest_ms = divmod(at_ms, step_ms)
    share = (1 - math.cos(math.pi * rest_ms / step_ms)) / 2
    first = unit_noise(seed, series, index)
    return first + (unit_noise(seed, series, index + 1) - first) * share
