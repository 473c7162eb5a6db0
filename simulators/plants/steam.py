"""In: the pressure of saturated steam. Out: its temperature, and the heat that makes it from feed water.

References:
    IAPWS R7-97(2012), Industrial Formulation 1997, evaluated with the package iapws 1.5.5; between the rows of the
        table the values are interpolated, which is good to 1 kJ/kg and 1 K.
"""

import numpy as np

from simulators.noise import FloatArray

_MPA = np.array([0.1, 0.2, 0.4, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 2.0])
_DEGC = np.array([99.606, 120.212, 143.613, 158.832, 164.953, 170.414, 179.886, 187.965, 198.295, 212.385])
_KJ_PER_KG = np.array([2674.95, 2706.24, 2738.06, 2756.14, 2762.75, 2768.30, 2777.12, 2783.77, 2791.01, 2798.38])
_WATER_KJ_PER_KG_K = 4.19
"""Of liquid water, from 0 °C to about 100 °C."""


def saturation_degc(pressure_mpa: FloatArray) -> FloatArray:
    """Temperature of saturated steam at an absolute pressure [°C]."""
    return np.asarray(np.interp(pressure_mpa, _MPA, _DEGC), dtype=np.float64)


def heat_wh_per_kg(pressure_mpa: FloatArray, feed_water_degc: FloatArray) -> FloatArray:
    """What it takes to make a kilogram of saturated steam [Wh/kg]."""
    steam = np.interp(pressure_mpa, _MPA, _KJ_PER_KG)
    return np.asarray((steam - _WATER_KJ_PER_KG_K * feed_water_degc) / 3.6, dtype=np.float64)
