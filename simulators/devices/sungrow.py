"""Input registers of a Sungrow SG inverter and of the grid meter behind it: 32 bits, LOW word first.

References:
    evcc, template of the SG series: output 5030 [W], energy 5003 [kWh]; meter power 5082 [W], energy from the grid
    5098 [0.1 kWh]. Serial number 4989 (10 registers) and device type 4999 (0x2C06 = SG110CX), less one as on the
    wire.
"""

from simulators.devices.table import Fixed, Row, Sheet, Text

_SERIAL = Text(4_989, 10, "{serial}")
_TYPE = Fixed(4_999, (0x2C06,))

INVERTER = Sheet(
    make="Sungrow",
    model="SG series",
    function=4,
    rows=(
        Row(5_003, "u32", "energy_export_total_wh", 1000, True),
        Row(5_030, "u32", "active_power_w", low_word_first=True),
    ),
    texts=(_SERIAL,),
    fixed=(_TYPE,),
)
METER = Sheet(
    make="Sungrow",
    model="grid meter",
    function=4,
    rows=(
        Row(5_082, "s32", "active_power_w", low_word_first=True),
        Row(5_098, "u32", "energy_import_total_wh", 100, True),
    ),
    texts=(_SERIAL,),
    fixed=(_TYPE,),
)
