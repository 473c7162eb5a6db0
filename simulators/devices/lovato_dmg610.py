"""Input registers of a Lovato DMG610: 32-bit integers, energy 64 bits in 0.01 kWh and 0.01 kvarh.

References:
    Register list as the open-source reader mbmd uses it, already less one as on the wire: V 0x01, A 0x07, phase power
    0x13, frequency 0x31, power 0x39, energy 0x1B1F, 0x1B23, reactive 0x1B27, 0x1B2B.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, phases

SHEET = Sheet(
    make="Lovato",
    model="DMG610",
    function=4,
    rows=(
        *phases(0x01, "u32", VOLTAGE, 0.01),
        *phases(0x07, "u32", CURRENT, 0.0001),
        *phases(0x13, "s32", POWER, 0.01),
        Row(0x31, "u32", "frequency_hz", 0.001),
        Row(0x39, "s32", "active_power_w", 0.01),
        Row(0x1B1F, "u64", "energy_import_total_wh", 10),
        Row(0x1B23, "u64", "energy_export_total_wh", 10),
        Row(0x1B27, "u64", "reactive_energy_import_total_varh", 10),
        Row(0x1B2B, "u64", "reactive_energy_export_total_varh", 10),
    ),
    blanks=((0x01, 0x3E),),
)
