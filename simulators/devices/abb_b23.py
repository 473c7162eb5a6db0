"""Holding registers of an ABB B23 (B24, A43).

Voltage × 10, current × 100 and power × 100 are 32 bits, the frequency × 100 is one register, energy is a 64-bit
integer in 0.01 kWh. What is not available is all ones, of a signed number the largest one.

References:
    Register list of the A and B series as the open-source reader mbmd uses it: 0x5B00, 0x5B0C, 0x5B14, 0x5B16,
    0x5B2C, energy 0x5000 and 0x5004; serial number 0x8900 and type 0x8960 ("B23 ") as
    victronenergy/dbus-modbus-client reads them.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, SerialNumber, Sheet, Text, Type, phases

_NO_U32, _NO_S32, _NO_U64 = 2**32 - 1, 2**31 - 1, 2**64 - 1


def _three(address: int, type_: Type, shows: str, step: float, missing: int) -> tuple[Row, ...]:
    return tuple(Row(row.address, type_, row.shows, step, missing=missing) for row in phases(address, type_, shows))


SHEET = Sheet(
    make="ABB",
    model="B23",
    function=3,
    rows=(
        Row(0x5000, "u64", "energy_import_total_wh", 10, missing=_NO_U64),
        Row(0x5004, "u64", "energy_export_total_wh", 10, missing=_NO_U64),
        *_three(0x5B00, "u32", VOLTAGE, 0.1, _NO_U32),
        *_three(0x5B0C, "u32", CURRENT, 0.01, _NO_U32),
        Row(0x5B14, "s32", "active_power_w", 0.01, missing=_NO_S32),
        *_three(0x5B16, "s32", POWER, 0.01, _NO_S32),
        Row(0x5B2C, "u16", "frequency_hz", 0.01, missing=0xFFFF),
    ),
    serials=(SerialNumber(0x8900),),
    texts=(Text(0x8960, 2, "B23 "),),
)
