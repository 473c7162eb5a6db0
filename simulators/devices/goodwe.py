"""Holding registers of a GoodWe DT inverter, and of the grid meter behind a GoodWe hybrid inverter.

The meter's power is positive while the site exports; its energy is float32 in Wh.

References:
    evcc, templates of the GoodWe DT (output 781 [W], energy 786 [0.1 kWh]) and hybrid inverters (power 36025, phases
    36019, energy bought 36017).
"""

from simulators.devices.table import POWER, Row, Sheet, phases

DT = Sheet(
    make="GoodWe",
    model="DT",
    function=3,
    rows=(Row(781, "u16", "active_power_w"), Row(786, "u32", "energy_export_total_wh", 100)),
)
HYBRID_METER = Sheet(
    make="GoodWe",
    model="hybrid grid meter",
    function=3,
    rows=(
        Row(36015, "f32", "energy_export_total_wh"),
        Row(36017, "f32", "energy_import_total_wh"),
        *phases(36019, "s32", POWER, -1),
        Row(36025, "s32", "active_power_w", -1),
    ),
)
