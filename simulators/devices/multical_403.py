"""In: what a heat meter sees. Out: holding registers 0 to 79 of a Kamstrup MULTICAL 403, Modbus datagram 300.

All values are float32, high word first. Served: 0 flow V1 [L/h], 4 power [kW], 6 t1 and 8 t2 [°C], 14 t1 - t2 [K], 20
heat energy E1 [kWh], 48 heat energy A1 [kWh], 52 volume V1 [m3]. Every other pair holds "invalid" (NaN), as the data
sheet says of quantities that a meter does not have; so one request can read it all.

Caveats, to be settled with the vendor's register list before such a meter carries credit:
    - In a real module the units and decimal factors stand in registers of their own whose addresses we do not have.
      Taken here: the units that the same meter sends on M-Bus (flow L/h, power 0.1 kW, energy 1 kWh, volume 0.01 m3).
    - E1 is the meter's heat total. A1 and A2 are tariff parts of it (heat with a discount and with a surcharge, by
      return temperature); this meter has every kWh in A1, as when the return temperature always earns the discount.
      A device map should read E1.

References:
    Kamstrup data sheet 58101758, default datagram xx-yy-300: 0 flow V1, 4 actual power, 6 t1, 8 t2.
    Published emonHub configuration for this meter: 0, 4, 6, 8, 14 t1 - t2, 20 E1, 48 heat energy A1, 52 volume V1.
"""

import math

from simulators.devices.words import Image, f32, place
from simulators.plants.states import HeatState

FUNCTION = 3
MAKE = "Kamstrup"
MODEL = "MULTICAL 403"


def image(state: HeatState) -> Image:
    """The readable registers for what the meter sees."""
    heat_kwh = float(state.heat_total_wh // 1000)  # whole kWh, exact in float32 up to 16.7 GWh
    difference_k = state.supply_temperature_degc - state.return_temperature_degc
    return place(
        [
            (0, f32(math.nan) * 40),
            (0, f32(round(state.flow_m3_per_h * 1000))),
            (4, f32(round(state.heat_power_w / 1000, 1))),
            (6, f32(round(state.supply_temperature_degc, 2))),
            (8, f32(round(state.return_temperature_degc, 2))),
            (14, f32(round(difference_k, 2))),
            (20, f32(heat_kwh)),
            (48, f32(heat_kwh)),
            (52, f32(math.floor(state.volume_total_m3 * 100) / 100)),
        ]
    )
