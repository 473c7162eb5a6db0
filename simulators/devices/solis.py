"""Input registers of a Solis string inverter, and of the grid meter behind it, whose power is positive in export.

References:
    evcc, template of Solis: output 3004 [W], energy 3008 [kWh]; meter power 3262 [W], energy from the grid 3282
    [0.01 kWh].
"""

from simulators.devices.table import Row, Sheet

INVERTER = Sheet(
    make="Solis",
    model="string inverter",
    function=4,
    rows=(Row(3_004, "u32", "active_power_w"), Row(3_008, "u32", "energy_export_total_wh", 1000)),
)
METER = Sheet(
    make="Solis",
    model="grid meter",
    function=4,
    rows=(Row(3_262, "s32", "active_power_w", -1), Row(3_282, "u32", "energy_import_total_wh", 10)),
)
