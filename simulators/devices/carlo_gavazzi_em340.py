"""In: what an electricity meter sees. Out: input registers of a Carlo Gavazzi EM340.

Signed 32-bit integers, LOW word first: volts × 10, amperes × 1000, watts × 10, kWh × 10; the frequency is one
register, Hz × 10.

References:
    Register list of the EM330/EM340 family as the open-source reader mbmd uses it: V 0x00, A 0x0C, phase power 0x12,
    total power 0x28, frequency 0x33, energy import 0x34, export 0x4E. Addresses are the protocol's, counted from 0.
"""

from collections.abc import Iterable

from simulators.devices.words import Image, place, s32_low_word_first, u16
from simulators.plants.states import ElectricState

FUNCTION = 4
MAKE = "Carlo Gavazzi"
MODEL = "EM340"
_WH_PER_COUNT = 100


def image(state: ElectricState) -> Image:
    """The readable registers for what the meter sees."""
    return place(
        [
            (0x00, _row(volts * 10 for volts in state.voltages_v)),
            (0x0C, _row(amperes * 1000 for amperes in state.currents_a())),
            (0x12, _row(watts * 10 for watts in state.phase_powers_w())),
            (0x28, s32_low_word_first(round(state.active_power_w * 10))),
            (0x33, u16(state.frequency_hz * 10)),
            (0x34, s32_low_word_first(int(state.energy_import_total_wh // _WH_PER_COUNT))),
            (0x4E, s32_low_word_first(int(state.energy_export_total_wh // _WH_PER_COUNT))),
        ]
    )


def _row(values: Iterable[float]) -> tuple[int, ...]:
    return tuple(word for value in values for word in s32_low_word_first(round(value)))
