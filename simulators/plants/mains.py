"""In: the power through an electricity meter. Out: the fields of an `ElectricState`, minute by minute."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.noise import FloatArray, IntArray, smooth

NOMINAL_HZ = 50.0
LOW_VOLTAGE_V = 230.0
"""Phase to neutral, IEC 60038 [V]."""


def frequency_hz(seed: str, at_ms: IntArray) -> FloatArray:
    """Grid frequency: within ±0.05 Hz of 50 Hz [Hz]."""
    return NOMINAL_HZ - 0.05 + 0.1 * smooth(seed, "hz", at_ms, 120_000)


def electric(
    seed: str,
    at_ms: IntArray,
    power_w: FloatArray,
    *,
    nominal_v: float = LOW_VOLTAGE_V,
    power_factor: float = 0.9,
    shares: tuple[float, float, float] = (0.34, 0.33, 0.33),
) -> dict[str, NDArray[Any]]:
    """Fill in what an electricity meter shows beside power.

    Args:
        seed: of the plant; meters on one grid share voltage and frequency.
        at_ms: the minutes [ms since the Unix epoch].
        power_w: into the site positive, out of it negative [W].
        nominal_v: phase to neutral [V].
        power_factor: of the load.
        shares: how the power divides between the phases.
    """
    volts = nominal_v * (0.98 + 0.04 * smooth(seed, "volt", at_ms, 600_000))
    return {
        "active_power_w": power_w,
        "voltages_v": np.stack([volts * 1.001, volts, volts * 0.9985]),
        "power_shares": np.stack([np.full(at_ms.shape, share) for share in shares]),
        "power_factor": np.full(at_ms.shape, power_factor),
        "frequency_hz": frequency_hz(seed, at_ms),
    }
