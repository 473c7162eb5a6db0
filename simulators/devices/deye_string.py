"""Holding registers of a Deye string inverter: 32 bits, low word first; output in 0.1 W, energy in 0.1 kWh.

References:
    evcc, template of the Deye string inverter: power 86, energy 63.
"""

from simulators.devices.table import Row, Sheet

SHEET = Sheet(
    make="Deye",
    model="string inverter",
    function=3,
    rows=(
        Row(63, "u32", "energy_export_total_wh", 100, True),
        Row(86, "u32", "active_power_w", 0.1, True),
    ),
)
