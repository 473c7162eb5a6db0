"""Holding registers of an Inepro PRO380: float32, power in kW, energy in kWh.

References:
    Register list as the open-source reader mbmd uses it: V 0x5002, frequency 0x5008, A 0x500C, power 0x5012 and
    0x5014 (phases), energy forward 0x600C and reverse 0x6018.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, phases

SHEET = Sheet(
    make="Inepro",
    model="PRO380",
    function=3,
    rows=(
        *phases(0x5002, "f32", VOLTAGE),
        Row(0x5008, "f32", "frequency_hz"),
        *phases(0x500C, "f32", CURRENT),
        Row(0x5012, "f32", "active_power_w", 1000),
        *phases(0x5014, "f32", POWER, 1000),
        Row(0x600C, "f32", "energy_import_total_wh", 1000),
        Row(0x6018, "f32", "energy_export_total_wh", 1000),
    ),
    blanks=((0x5000, 0x32), (0x6000, 0x48)),
)
