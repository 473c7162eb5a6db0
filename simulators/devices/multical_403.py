"""Holding registers 0 to 79 of a Kamstrup MULTICAL 403, Modbus datagram 300.

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

from simulators.devices.table import Row, Sheet

_J_PER_KWH = 3_600_000

SHEET = Sheet(
    make="Kamstrup",
    model="MULTICAL 403",
    function=3,
    rows=(
        Row(0, "f32", "flow_m3_per_h", step=0.001, resolution=1),
        Row(2, "f32", "", resolution=1),
        Row(4, "f32", "heat_power_w", step=1000, resolution=0.1),
        Row(6, "f32", "supply_temperature_degc", resolution=0.01),
        Row(8, "f32", "return_temperature_degc", resolution=0.01),
        *(Row(address, "f32", "") for address in (10, 12)),
        Row(14, "f32", "temperature_difference_k", resolution=0.01),
        *(Row(address, "f32", "") for address in (16, 18)),
        Row(20, "f32", "heat_total_j", step=_J_PER_KWH, resolution=1),
        *(Row(address, "f32", "") for address in range(22, 48, 2)),
        Row(48, "f32", "heat_total_j", step=_J_PER_KWH, resolution=1),
        Row(50, "f32", ""),
        Row(52, "f32", "volume_total_m3", resolution=0.01),
        *(Row(address, "f32", "") for address in range(54, 80, 2)),
    ),
)
