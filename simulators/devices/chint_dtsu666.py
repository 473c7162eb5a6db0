"""Holding registers of a Chint DTSU666: float32, with V, A, W and Hz multiplied, and energy in kWh.

References:
    Register list as the open-source reader mbmd uses it: energy 0x101E and 0x1028; phase to neutral V 0x2006 × 10, A
    0x200C × 1000, W 0x2012 and 0x2014 (phases) × 10, Hz 0x2044 × 100.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, phases

SHEET = Sheet(
    make="Chint",
    model="DTSU666",
    function=3,
    rows=(
        Row(0x101E, "f32", "energy_import_total_wh", 1000),
        Row(0x1028, "f32", "energy_export_total_wh", 1000),
        *phases(0x2006, "f32", VOLTAGE, 0.1),
        *phases(0x200C, "f32", CURRENT, 0.001),
        Row(0x2012, "f32", "active_power_w", 0.1),
        *phases(0x2014, "f32", POWER, 0.1),
        Row(0x2044, "f32", "frequency_hz", 0.01),
    ),
    blanks=((0x2000, 0x46),),
)
