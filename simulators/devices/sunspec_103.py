"""In: an inverter's state. Out: holding registers 40000 to 40123: "SunS", models 1 and 103, end model.

Integers with scale factors, as most inverters ship. Scale factors are chosen so that 2.8 MW fits 16 bits: power × 100
W, lifetime energy × 10 Wh. Points that this inverter does not have hold SunSpec's "not implemented" values: 0x8000
for int16 and sunssf, 0xFFFF for uint16.

References:
    SunSpec model definitions 1 and 103 (offsets from the model's id register: W 14, W_SF 15, Hz 16, WH 24 acc32,
    WH_SF 26, St 38).
"""

from simulators.devices.words import Image, place, s16, text, u16, u32
from simulators.plants.states import InverterState

FUNCTION = 3
MAKE = "Sakugen"
MODEL = "Simulated inverter"

_COMMON = 40_002
_INVERTER = 40_070
_END = 40_122

_NO_S16 = s16(-0x8000)
_NO_U16 = u16(0xFFFF)
_MPPT, _SLEEPING = 4, 2
_WH_PER_COUNT = 10
_POWER_FACTOR = 0.995


def image(state: InverterState, serial: str) -> Image:
    """The readable registers.

    Args:
        state: what the inverter measures.
        serial: its serial number, at most 32 ASCII characters.
    """
    return place(
        [
            (40_000, (0x5375, 0x6E53)),  # "SunS"
            *_common(serial),
            (_INVERTER, u16(103) + u16(50) + _NO_U16 * 50),
            *((_INVERTER + offset, words) for offset, words in _points(state)),
            (_END, (0xFFFF, 0x0000)),
        ]
    )


def _common(serial: str) -> list[tuple[int, tuple[int, ...]]]:
    return [
        (_COMMON, u16(1) + u16(66) + text("", 66)),
        (_COMMON + 2, text(MAKE, 16)),
        (_COMMON + 18, text(MODEL, 16)),
        (_COMMON + 42, text("1.0.0", 8)),
        (_COMMON + 50, text(serial, 16)),
        (_COMMON + 66, u16(1)),  # DA
        (_COMMON + 67, _NO_S16),  # pad
    ]


def _points(state: InverterState) -> list[tuple[int, tuple[int, ...]]]:
    """Offsets from the model's id register, and words."""
    apparent_va = state.active_power_w / _POWER_FACTOR
    phase_a = apparent_va / 3 / state.phase_voltage_v
    dc_w = state.active_power_w / 0.985
    dc_a = dc_w / state.dc_voltage_v if state.dc_voltage_v > 0 else 0.0
    return [
        (2, u16(phase_a * 3)),  # A, its SF is 0
        (3, u16(phase_a) * 3),
        (6, s16(0)),
        (10, u16(state.phase_voltage_v * 10) * 3),  # PhVphA to C
        (13, s16(-1)),
        (14, s16(state.active_power_w / 100)),
        (15, s16(2)),
        (16, u16(state.frequency_hz * 100)),
        (17, s16(-2)),
        (18, s16(apparent_va / 100)),
        (19, s16(2)),
        (20, _NO_S16 + _NO_S16),  # VAr and its SF
        (22, _NO_S16 + _NO_S16),  # PF and its SF
        (24, u32(int(state.energy_total_wh // _WH_PER_COUNT) % 2**32)),  # acc32
        (26, s16(1)),
        (27, u16(dc_a) + s16(0)),
        (29, u16(state.dc_voltage_v * 10) + s16(-1)),
        (31, s16(dc_w / 100) + s16(2)),
        (33, s16(state.cabinet_temperature_degc * 10) + _NO_S16 * 3),  # TmpCab; no TmpSnk, TmpTrns, TmpOt
        (37, s16(-1)),
        (38, u16(_MPPT if state.producing else _SLEEPING)),
        (40, u32(0) + u32(0)),  # Evt1, Evt2: no event
    ]
