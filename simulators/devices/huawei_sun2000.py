"""Holding registers of a Huawei SUN2000 inverter, and of the grid meter behind it, whose power is positive in export.

References:
    evcc, template of the SUN2000: output 32080 [W], energy 32106 [0.01 kWh]; meter V 37101 [0.1 V], A 37107 [0.01 A],
    W 37113, energy to the grid 37119 and from it 37121 [0.01 kWh]. Model 30000 (15 registers), serial number 30015
    (10 registers), model id 30070.
    wlcrs/huawei-solar-lib: the largest number, signed or not, means "not available".
"""

from dataclasses import replace

from simulators.devices.table import CURRENT, VOLTAGE, Fixed, Row, Sheet, Text, phases

_NO_S32, _NO_U32 = 2**31 - 1, 2**32 - 1
_TEXTS = (Text(30_000, 15, "SUN2000-100KTL-M1"), Text(30_015, 10, "{serial}"))
_MODEL_ID = Fixed(30_070, (142,))

INVERTER = Sheet(
    make="Huawei",
    model="SUN2000",
    function=3,
    rows=(
        Row(32_080, "s32", "active_power_w", missing=_NO_S32),
        Row(32_106, "u32", "energy_export_total_wh", 10, missing=_NO_U32),
    ),
    texts=_TEXTS,
    fixed=(_MODEL_ID,),
)
METER = Sheet(
    make="Huawei",
    model="SUN2000 grid meter",
    function=3,
    rows=(
        *(replace(row, missing=_NO_S32) for row in phases(37_101, "s32", VOLTAGE, 0.1)),
        *(replace(row, missing=_NO_S32) for row in phases(37_107, "s32", CURRENT, 0.01)),
        Row(37_113, "s32", "active_power_w", -1, missing=_NO_S32),
        Row(37_119, "s32", "energy_export_total_wh", 10, missing=_NO_S32),
        Row(37_121, "s32", "energy_import_total_wh", 10, missing=_NO_S32),
    ),
    texts=_TEXTS,
    fixed=(_MODEL_ID, Fixed(37_100, (1,))),
    blanks=((37_100, 38),),
)
