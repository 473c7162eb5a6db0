"""Input registers of a Carlo Gavazzi EM340.

Signed 32-bit integers, LOW word first: volts × 10, amperes × 1000, watts × 10, kWh × 10; the frequency is one
register, Hz × 10.

References:
    Register list of the EM330/EM340 family as the open-source reader mbmd uses it: V 0x00, A 0x0C, phase power 0x12,
    total power 0x28, frequency 0x33, energy import 0x34, export 0x4E; identification code 0x0B; serial number 0x5000,
    one character a register, as a Telegraf issue reports. Addresses are the protocol's, counted from 0.
"""

from simulators.devices.table import Fixed, Row, Sheet, Source, Text


def _row(address: int, shows: str, step: float) -> Row:
    return Row(address, "s32", shows, step=step, low_word_first=True)


SHEET = Sheet(
    make="Carlo Gavazzi",
    model="EM340",
    function=4,
    rows=(
        _row(0x00, "voltage_l1_v", 0.1),
        _row(0x02, "voltage_l2_v", 0.1),
        _row(0x04, "voltage_l3_v", 0.1),
        _row(0x0C, "current_l1_a", 0.001),
        _row(0x0E, "current_l2_a", 0.001),
        _row(0x10, "current_l3_a", 0.001),
        _row(0x12, "active_power_l1_w", 0.1),
        _row(0x14, "active_power_l2_w", 0.1),
        _row(0x16, "active_power_l3_w", 0.1),
        _row(0x28, "active_power_w", 0.1),
        Row(0x33, "u16", "frequency_hz", step=0.1),
        _row(0x34, "energy_import_total_wh", 100),
        _row(0x4E, "energy_export_total_wh", 100),
    ),
    fixed=(Fixed(0x0B, (341,)),),
    texts=(Text(0x5000, 7, "{serial}", one_a_register=True),),
    also=3,
    most_registers=50,
    most_source=Source(
        "Carlo Gavazzi, communication protocol of the EM300 and ET300 series, as a register library quotes it"
    ),
)
