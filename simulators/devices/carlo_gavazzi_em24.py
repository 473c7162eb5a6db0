"""Input registers of a Carlo Gavazzi EM24 on RS-485: as an EM340, with frequency and energy elsewhere.

References:
    Register list of the EM24 as the open-source reader mbmd uses it: V 0x00, A 0x0C, phase power 0x12, power 0x28,
    frequency 0x37, energy import 0x42 and export 0x5C; 32 bits, LOW word first.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, phases


def _three(address: int, shows: str, step: float) -> tuple[Row, ...]:
    return tuple(Row(row.address, "s32", row.shows, step, True) for row in phases(address, "s32", shows))


SHEET = Sheet(
    make="Carlo Gavazzi",
    model="EM24",
    function=4,
    rows=(
        *_three(0x00, VOLTAGE, 0.1),
        *_three(0x0C, CURRENT, 0.001),
        *_three(0x12, POWER, 0.1),
        Row(0x28, "s32", "active_power_w", 0.1, True),
        Row(0x37, "u16", "frequency_hz", 0.1),
        Row(0x42, "s32", "energy_import_total_wh", 100, True),
        Row(0x5C, "s32", "energy_export_total_wh", 100, True),
    ),
    also=3,
)
