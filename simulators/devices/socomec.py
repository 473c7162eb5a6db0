"""Holding registers of Socomec Countis E and Diris A10, which tell who they are and count in different steps.

References:
    OpenEMS, driver of Socomec meters: "SOCO" at 0xC350, one character a register, name 0xC38A; V 0xC558 [0.01 V],
    frequency 0xC55E [0.01 Hz], A 0xC560 [mA], power 0xC568 [10 W], energy import 0xC702 and export 0xC708, in 10 Wh
    for the Countis E23 to E44 and in kWh for the Diris A10.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, Text, phases


def _sheet(model: str, name: str, energy_step_wh: float) -> Sheet:
    return Sheet(
        make="Socomec",
        model=model,
        function=3,
        rows=(
            *phases(0xC558, "u32", VOLTAGE, 0.01),
            Row(0xC55E, "u32", "frequency_hz", 0.01),
            *phases(0xC560, "u32", CURRENT, 0.001),
            Row(0xC568, "s32", "active_power_w", 10),
            *phases(0xC570, "s32", POWER, 10),
            Row(0xC702, "u32", "energy_import_total_wh", energy_step_wh),
            Row(0xC708, "u32", "energy_export_total_wh", energy_step_wh),
        ),
        texts=(Text(0xC350, 4, "SOCO", one_a_register=True), Text(0xC38A, 8, name)),
        blanks=((0xC550, 0x3C), (0xC702, 8)),
    )


COUNTIS_E = _sheet("Countis E", "COUNTIS E44", 10)
DIRIS_A10 = _sheet("Diris A10", "DIRIS A-10", 1000)
