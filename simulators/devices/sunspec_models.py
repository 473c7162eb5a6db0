"""The SunSpec models of inverters and meters, typed from their definitions; offsets count from the id register.

What a device lacks holds the "not implemented" value of its type: 0x8000, 0xFFFF, not a number, 0 of an accumulator.

References:
    SunSpec Alliance, model definitions 101 to 103, 111 to 113, 201 to 204, 211 to 214 and 701.
"""

from collections.abc import Sequence

from simulators.devices.sunspec import Model, sunspec_chain
from simulators.devices.table import Fixed, Row, Sheet, Type

_MISSING: dict[Type, int | None] = {"s16": -0x8000, "u16": 0xFFFF, "u32": 0, "u64": 2**64 - 1, "f32": None}
_SIZE: dict[Type, int] = {"s16": 1, "u16": 1, "u32": 2, "u64": 4, "f32": 2}
_NO_EVENT = (0, 0)


def _rows(start: int, type_: Type, shows: Sequence[str], step: float = 1) -> tuple[Row, ...]:
    """Values that stand one behind the other; an empty name is one that the device lacks."""
    size, missing = _SIZE[type_], _MISSING[type_]
    modulus = 2**32 if type_ == "u32" else None
    return tuple(
        Row(start + size * at, type_, name, step=step, missing=missing, modulus=modulus)
        for at, name in enumerate(shows)
    )


def _upto(phases: int, shows: str) -> list[str]:
    return [shows.format(phase) if phase <= phases else "" for phase in (1, 2, 3)]


def _belongs(*parts: tuple[int, int, int]) -> dict[int, int]:
    """(first value, last value, scale factor) as value to scale factor."""
    return {at: factor for first, last, factor in parts for at in range(first, last + 1)}


def _inverter(number: int, phases: int) -> Model:
    return Model(
        number,
        50,
        rows=(
            *_rows(2, "u16", ["current_a", *_upto(phases, "current_l{}_a")]),
            *_rows(7, "u16", ["", "", "", *_upto(phases, "voltage_l{}_v")]),
            *_rows(14, "s16", ["active_power_w"]),
            *_rows(16, "u16", ["frequency_hz"]),
            *_rows(18, "s16", ["apparent_power_va"]),
            *_rows(20, "s16", [""]),
            *_rows(22, "s16", [""]),
            *_rows(24, "u32", ["energy_export_total_wh"]),
            *_rows(27, "u16", ["dc_current_a"]),
            *_rows(29, "u16", ["dc_voltage_v"]),
            *_rows(31, "s16", ["dc_power_w"]),
            *_rows(33, "s16", ["cabinet_temperature_degc", "", "", ""]),
            *_rows(38, "u16", ["inverter_state", ""]),
        ),
        factors={6: -1, 13: -1, 15: 1, 17: -2, 19: 1, 21: 1, 23: -2, 26: 0, 28: -1, 30: -1, 32: 1, 37: -1},
        scaled={
            **_belongs((2, 5, 6), (7, 12, 13), (14, 14, 15), (16, 16, 17), (18, 18, 19), (20, 20, 21), (22, 22, 23)),
            **_belongs((24, 24, 26), (27, 27, 28), (29, 29, 30), (31, 31, 32), (33, 36, 37)),
        },
        fixed=(Fixed(40, _NO_EVENT * 6),),
    )


def _inverter_f32(number: int, phases: int) -> Model:
    return Model(
        number,
        60,
        rows=(
            *_rows(2, "f32", ["current_a", *_upto(phases, "current_l{}_a"), "", "", ""]),
            *_rows(16, "f32", [*_upto(phases, "voltage_l{}_v"), "active_power_w", "frequency_hz"]),
            *_rows(26, "f32", ["apparent_power_va", "", "", "energy_export_total_wh"]),
            *_rows(34, "f32", ["dc_current_a", "dc_voltage_v", "dc_power_w"]),
            *_rows(40, "f32", ["cabinet_temperature_degc", "", "", ""]),
            *_rows(48, "u16", ["inverter_state", ""]),
        ),
        fixed=(Fixed(50, _NO_EVENT * 6),),
    )


def _meter(number: int, phases: int, *, delta: bool = False) -> Model:
    voltages = ["", "", ""] if delta else _upto(phases, "voltage_l{}_v")
    return Model(
        number,
        105,
        rows=(
            *_rows(2, "s16", ["", *_upto(phases, "current_l{}_a")]),
            *_rows(7, "s16", ["", *voltages, "", "", "", ""]),
            *_rows(16, "s16", ["frequency_hz"]),
            *_rows(18, "s16", ["active_power_w", *_upto(phases, "active_power_l{}_w")]),
            *_rows(23, "s16", ["apparent_power_va", "", "", ""]),
            *_rows(28, "s16", ["reactive_power_var", "", "", ""]),
            *_rows(33, "s16", ["", "", "", ""]),
            *_rows(38, "u32", ["energy_export_total_wh", "", "", "", "energy_import_total_wh", "", "", ""]),
            *_rows(55, "u32", [""] * 8),
            *_rows(72, "u32", [""] * 16),
        ),
        factors={6: -1, 15: -1, 17: -2, 22: 1, 27: 1, 32: 1, 37: -2, 54: 0, 71: 0, 104: 0},
        scaled={
            **_belongs((2, 5, 6), (7, 14, 15), (16, 16, 17), (18, 21, 22), (23, 26, 27), (28, 31, 32), (33, 36, 37)),
            **_belongs((38, 53, 54), (55, 70, 71), (72, 103, 104)),
        },
        fixed=(Fixed(105, _NO_EVENT),),
    )


def _meter_f32(number: int, phases: int, *, delta: bool = False) -> Model:
    voltages = ["", "", ""] if delta else _upto(phases, "voltage_l{}_v")
    return Model(
        number,
        124,
        rows=(
            *_rows(2, "f32", ["", *_upto(phases, "current_l{}_a")]),
            *_rows(10, "f32", ["", *voltages, "", "", "", "", "frequency_hz"]),
            *_rows(28, "f32", ["active_power_w", *_upto(phases, "active_power_l{}_w")]),
            *_rows(36, "f32", ["apparent_power_va", "", "", "", "reactive_power_var", "", "", "", "", "", "", ""]),
            *_rows(60, "f32", ["energy_export_total_wh", "", "", "", "energy_import_total_wh", "", "", ""]),
            *_rows(76, "f32", [""] * 24),
        ),
        fixed=(Fixed(124, _NO_EVENT),),
    )


def _der_phase(phase: int) -> tuple[Row, ...]:
    at = 41 + 23 * (phase - 1)
    return (
        *_rows(at, "s16", [f"active_power_l{phase}_w"], -1),
        *_rows(at + 1, "s16", ["", "", "", f"current_l{phase}_a"]),
        *_rows(at + 5, "u16", ["", f"voltage_l{phase}_v"]),
        *_rows(at + 7, "u64", [""] * 4),
    )


_DER = Model(
    701,
    153,
    rows=(
        *_rows(10, "s16", ["active_power_w"], -1),
        *_rows(11, "s16", ["apparent_power_va", "", "", ""]),
        *_rows(15, "u16", ["", "voltage_l1_v"]),
        Row(17, "u32", "frequency_hz", missing=2**32 - 1),
        *_rows(19, "u64", ["energy_export_total_wh", "energy_import_total_wh", "", ""]),
        *_rows(35, "s16", [""] * 6),
        *_der_phase(1),
        *_der_phase(2),
        *_der_phase(3),
        *_rows(110, "u16", [""]),
    ),
    factors={113: -1, 114: -1, 115: -2, 116: 1, 117: -2, 118: 1, 119: 1, 120: 0, 121: 0, 122: -1},
    scaled={
        **_belongs((10, 10, 116), (11, 11, 118), (12, 12, 119), (13, 13, 117), (14, 14, 113), (15, 16, 114)),
        **_belongs((17, 17, 115), (19, 23, 120), (27, 31, 121), (35, 40, 122)),
        **{41 + at: 116 for at in (0, 23, 46)},
        **{45 + at: 113 for at in (0, 23, 46)},
        **{47 + at: 114 for at in (0, 23, 46)},
    },
    fixed=(
        Fixed(2, (2, 1, 3, 1)),  # three phases, on, running, connected
        Fixed(6, _NO_EVENT * 2),
        Fixed(111, _NO_EVENT),
        Fixed(123, (0,) * 32),
    ),
)
"""Positive power is what it gives to the grid."""


def _alone(model: Model) -> Sheet:
    return sunspec_chain(f"SunSpec {model.number}", model)


INVERTERS: dict[int, Sheet] = {
    **{100 + phases: _alone(_inverter(100 + phases, phases)) for phases in (1, 2, 3)},
    **{110 + phases: _alone(_inverter_f32(110 + phases, phases)) for phases in (1, 2, 3)},
}
METERS: dict[int, Sheet] = {
    **{200 + phases: _alone(_meter(200 + phases, phases)) for phases in (1, 2, 3)},
    204: _alone(_meter(204, 3, delta=True)),
    **{210 + phases: _alone(_meter_f32(210 + phases, phases)) for phases in (1, 2, 3)},
    214: _alone(_meter_f32(214, 3, delta=True)),
    701: _alone(_DER),
}
