"""Holding registers of a Saia-Burgess ALE3: V, 0.1 A and 0.01 kW in one register each, energy 32 bits in 0.01 kWh.

References:
    Register list as the open-source reader mbmd uses it, less one as it asks: energy 27 and 31, a phase's V 35, A 36
    and kW 37, the next phase five further, power 50. It reads power without a sign, so here it is 0
    while the meter exports. The data sheet of the ALE3D5 has a second tariff where the two-way meters have export.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, Source, phases
from simulators.frames import ILLEGAL_ADDRESS

SHEET = Sheet(
    make="Saia-Burgess",
    model="ALE3",
    function=3,
    rows=(
        Row(27, "u32", "energy_import_total_wh", 10),
        Row(31, "u32", "energy_export_total_wh", 10),
        *phases(35, "u16", VOLTAGE, apart=5),
        *phases(36, "u16", CURRENT, 0.1, apart=5),
        *phases(37, "u16", POWER, 10, apart=5),
        Row(50, "u16", "active_power_w", 10),
    ),
    blanks=((27, 25),),
    most_registers=20,
    too_many=ILLEGAL_ADDRESS,
    most_source=Source("Saia-Burgess, data sheet of the ALE3 with serial Modbus, page 5"),
)
