"""Holding registers of a Phoenix Contact EEM: float32 with the LOW word first, energy in Wh.

References:
    OpenEMS, driver of the Phoenix Contact meters: V 0x8006, frequency 0x800C, A 0x800E, power 0x8016 and 0x801E
    (phases), energy import 0x8100 and export 0x8106. A later revision asks with function 4, and for energy at 0x9306
    and 0x930E; which of the two is right is not known here.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, phases


def _three(address: int, shows: str) -> tuple[Row, ...]:
    return tuple(Row(row.address, "f32", row.shows, low_word_first=True) for row in phases(address, "f32", shows))


SHEET = Sheet(
    make="Phoenix Contact",
    model="EEM",
    function=3,
    rows=(
        *_three(0x8006, VOLTAGE),
        Row(0x800C, "f32", "frequency_hz", low_word_first=True),
        *_three(0x800E, CURRENT),
        Row(0x8016, "f32", "active_power_w", low_word_first=True),
        *_three(0x801E, POWER),
        Row(0x8100, "f32", "energy_import_total_wh", low_word_first=True),
        Row(0x8106, "f32", "energy_export_total_wh", low_word_first=True),
    ),
    also=4,
)
