"""Registers of an SMA inverter in SMA's own map, and of the grid meter that it reads.

References:
    evcc, template of SMA inverters: power 30775 [W], energy 30513 (64 bits, Wh), meter readings from the grid 30581
    and into it 30583 [Wh]. Device class 30051, device type 30053, serial number 30057, two registers each. What is
    not available is the smallest signed number, or all ones.
"""

from simulators.devices.table import Fixed, Row, SerialNumber, Sheet

_DEVICE = (Fixed(30_051, (0, 8001)), Fixed(30_053, (0, 9344)))
_NO_U32 = 2**32 - 1

INVERTER = Sheet(
    make="SMA",
    model="inverter",
    function=3,
    rows=(
        Row(30_513, "u64", "energy_export_total_wh", missing=2**64 - 1),
        Row(30_775, "s32", "active_power_w", missing=-(2**31)),
    ),
    fixed=_DEVICE,
    serials=(SerialNumber(30_057),),
    also=4,
)
METER = Sheet(
    make="SMA",
    model="grid meter",
    function=3,
    rows=(
        Row(30_581, "u32", "energy_import_total_wh", missing=_NO_U32),
        Row(30_583, "u32", "energy_export_total_wh", missing=_NO_U32),
    ),
    fixed=_DEVICE,
    serials=(SerialNumber(30_057),),
    also=4,
)
