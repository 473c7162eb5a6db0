"""In: heat that water carries. Out: what a heat meter shows in its circuit.

References:
    Kamstrup, MULTICAL data sheets: 1.163 kWh/(m3 K) for water.
"""

import numpy as np

from simulators.noise import FloatArray

WATER_WH_PER_M3_K = 1_163.0


def water_side(
    heat_w: FloatArray, rated_w: float, cold_degc: FloatArray, design_k: float, *, cools: bool
) -> dict[str, FloatArray]:
    """What a heat meter shows in a circuit with a pump of constant speed that stands while nothing is asked for.

    Args:
        heat_w: taken up (chilled water) or given off (cooling water) [W].
        rated_w: at which the water changes by `design_k` [W].
        cold_degc: of the colder of the two pipes [°C].
        design_k: its change at the rating [K].
        cools: whether the water comes back warmer because it cooled something.
    """
    flow = np.where(heat_w > 0, rated_w / (WATER_WH_PER_M3_K * design_k), 0.0)
    change_k = np.divide(heat_w, WATER_WH_PER_M3_K * flow, out=np.zeros_like(heat_w), where=flow > 0)
    # Chilled water goes out cold and comes back warm; in cooling water the heat goes out with the warm one.
    warm, cold = cold_degc + change_k, cold_degc
    return {
        "flow_m3_per_h": flow,
        "heat_power_w": heat_w,
        "supply_temperature_degc": cold if cools else warm,
        "return_temperature_degc": warm if cools else cold,
    }
