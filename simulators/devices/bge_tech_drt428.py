"""Holding registers of a BGE-Tech DRT428M-2: float32, power in kW, energy in kWh.

References:
    OpenEMS, driver of the DRT428M-2: V 14, frequency 20, A 22, power 28 and 30 (phases), forward energy 264, reverse
    energy 272; a Symcon module lists the same addresses as 0x0E, 0x14, 0x16.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, phases

SHEET = Sheet(
    make="BGE-Tech",
    model="DRT428M-2",
    function=3,
    rows=(
        *phases(14, "f32", VOLTAGE),
        Row(20, "f32", "frequency_hz"),
        *phases(22, "f32", CURRENT),
        Row(28, "f32", "active_power_w", 1000),
        *phases(30, "f32", POWER, 1000),
        Row(264, "f32", "energy_import_total_wh", 1000),
        Row(272, "f32", "energy_export_total_wh", 1000),
    ),
    blanks=((14, 46), (256, 96)),
)
