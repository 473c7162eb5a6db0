"""Holding registers 40000 to 40123 of an inverter that speaks SunSpec: "SunS", models 1 and 103, end model.

Integers with scale factors, as most inverters ship. Scale factors are chosen so that 2.8 MW fits 16 bits: power × 100
W, lifetime energy × 10 Wh. Points that this inverter does not have hold SunSpec's "not implemented" values: 0x8000
for int16 and sunssf, 0xFFFF for uint16.

References:
    SunSpec model definitions 1 and 103 (offsets from the model's id register: W 14, W_SF 15, Hz 16, WH 24 acc32,
    WH_SF 26, St 38).
"""

from simulators.devices.sunspec import ACC32_SOURCE
from simulators.devices.table import Fixed, Row, Sheet, Text, Type

_COMMON = 40_002
_INVERTER = 40_070
_END = 40_122
_NO_S16, _NO_U16 = 0x8000, 0xFFFF
_MAKE = "Sakugen"
_MODEL = "Simulated inverter"


def _row(offset: int, type_: Type, shows: str, step: float = 1) -> Row:
    missing = {"s16": -0x8000, "u16": _NO_U16}.get(type_)
    return Row(_INVERTER + offset, type_, shows, step=step, missing=missing, modulus=2**32 if type_ == "u32" else None)


def _factor(offset: int, exponent: int) -> Fixed:
    return Fixed(_INVERTER + offset, (exponent % 2**16,))


SHEET = Sheet(
    make=_MAKE,
    model=_MODEL,
    function=3,
    wraps_source=ACC32_SOURCE,
    texts=(
        Text(_COMMON + 2, 16, _MAKE),
        Text(_COMMON + 18, 16, _MODEL),
        Text(_COMMON + 34, 8, ""),
        Text(_COMMON + 42, 8, "1.0.0"),
        Text(_COMMON + 50, 16, "{serial}"),
    ),
    fixed=(
        Fixed(40_000, (0x5375, 0x6E53)),  # "SunS"
        Fixed(_COMMON, (1, 66)),
        Fixed(_COMMON + 66, (1, _NO_S16)),  # DA, pad
        Fixed(_INVERTER, (103, 50)),
        _factor(6, 0),  # A_SF
        Fixed(_INVERTER + 7, (_NO_U16,) * 3),  # PPVphAB to CA
        _factor(13, -1),  # V_SF
        _factor(15, 2),  # W_SF
        _factor(17, -2),  # Hz_SF
        _factor(19, 2),  # VA_SF
        Fixed(_INVERTER + 20, (_NO_S16,) * 4),  # VAr, PF and their factors
        _factor(26, 1),  # WH_SF
        _factor(28, 0),  # DCA_SF
        _factor(30, -1),  # DCV_SF
        _factor(32, 2),  # DCW_SF
        Fixed(_INVERTER + 34, (_NO_S16,) * 3),  # TmpSnk, TmpTrns, TmpOt
        _factor(37, -1),  # Tmp_SF
        Fixed(_INVERTER + 39, (_NO_U16,)),  # StVnd
        Fixed(_INVERTER + 40, (0,) * 4),  # Evt1, Evt2: no event
        Fixed(_INVERTER + 44, (_NO_U16,) * 8),  # EvtVnd1 to 4
        Fixed(_END, (0xFFFF, 0)),
    ),
    rows=(
        _row(2, "u16", "current_a"),
        _row(3, "u16", "current_l1_a"),
        _row(4, "u16", "current_l2_a"),
        _row(5, "u16", "current_l3_a"),
        _row(10, "u16", "voltage_l1_v", 0.1),
        _row(11, "u16", "voltage_l2_v", 0.1),
        _row(12, "u16", "voltage_l3_v", 0.1),
        _row(14, "s16", "active_power_w", 100),
        _row(16, "u16", "frequency_hz", 0.01),
        _row(18, "s16", "apparent_power_va", 100),
        _row(24, "u32", "energy_export_total_wh", 10),
        _row(27, "u16", "dc_current_a"),
        _row(29, "u16", "dc_voltage_v", 0.1),
        _row(31, "s16", "dc_power_w", 100),
        _row(33, "s16", "cabinet_temperature_degc", 0.1),
        _row(38, "u16", "inverter_state"),
    ),
)
