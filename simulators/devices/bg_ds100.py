"""Holding registers of a B+G e-tech DS100: 32 bits, V and A × 1000, W, energy in 0.01 kWh; one register, Hz × 10.

References:
    Register list as the open-source reader mbmd uses it: V 0x0400, A 0x0410, power 0x041A (phases) and 0x0420,
    frequency 0x0435, forward energy 0x010E, reverse energy 0x118A. It reads power without a sign, so
    here it is 0 while the meter exports, which may not be so.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, phases

SHEET = Sheet(
    make="B+G e-tech",
    model="DS100",
    function=3,
    rows=(
        Row(0x010E, "u32", "energy_import_total_wh", 10),
        *phases(0x0400, "u32", VOLTAGE, 0.001),
        *phases(0x0410, "u32", CURRENT, 0.001),
        *phases(0x041A, "u32", POWER),
        Row(0x0420, "u32", "active_power_w"),
        Row(0x0435, "u16", "frequency_hz", 0.1),
        Row(0x118A, "u32", "energy_export_total_wh", 10),
    ),
    blanks=((0x0400, 0x3A),),
)
