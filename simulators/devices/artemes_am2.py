"""Input registers of an Artemes AM2: everything in thousandths, energy in 0.1 Wh.

References:
    OpenEMS, driver of the AM2: voltage u32 0x00, current s32 0x0E, power s64 0x18 (phases) and 0x24, frequency u32
    0x72, energy u64 0x0418 and 0x041C. The driver calls the first of the two production; its siblings call positive
    power import, and so it is taken here.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, phases

SHEET = Sheet(
    make="Artemes",
    model="AM2",
    function=4,
    rows=(
        *phases(0x00, "u32", VOLTAGE, 0.001),
        *phases(0x0E, "s32", CURRENT, 0.001),
        *phases(0x18, "s64", POWER, 0.001, apart=4),
        Row(0x24, "s64", "active_power_w", 0.001),
        Row(0x72, "u32", "frequency_hz", 0.001),
        Row(0x0418, "u64", "energy_import_total_wh", 0.1),
        Row(0x041C, "u64", "energy_export_total_wh", 0.1),
    ),
    blanks=((0x00, 0x74),),
)
