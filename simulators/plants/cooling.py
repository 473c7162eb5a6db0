"""In: the weather. Out: the cooling that a building or a factory asks for.

References:
    ASHRAE Handbook of Fundamentals, chapter "Energy estimating and modeling methods": load by degrees above a balance
        point.
"""

import numpy as np

from simulators.noise import FloatArray


def cooling_load(
    air: FloatArray, in_use: FloatArray, balance_degc: float, design_degc: float, base: float
) -> FloatArray:
    """The load as a share of the design load, from 0 to 1.

    Args:
        air: of the outside air [°C].
        in_use: 1 while people or machines work, 0 otherwise.
        balance_degc: below it only machines need cooling [°C].
        design_degc: the air at which the load is the design load [°C].
        base: what machines and lamps ask for, as a share of the design load.
    """
    by_air = np.clip((air - balance_degc) / (design_degc - balance_degc), 0.0, 1.0)
    return np.asarray(np.clip(base + (1 - base) * by_air, 0.0, 1.0) * (0.15 + 0.85 * in_use), dtype=np.float64)
