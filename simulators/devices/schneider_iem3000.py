"""In: what an electricity meter sees. Out: holding registers of a Schneider Electric iEM3000 series meter.

Power, voltage, current and frequency are float32, power in kW; energy is a signed 64-bit integer in Wh. Import is
what the meter calls delivered, into the load; power is negative while it exports. Values are primary (instrument
transformers applied).

References:
    Register list of the iEM3000 series as the open-source reader mbmd uses it: A 0x0BB7, V 0x0BD3, phase power
    0x0BED, total power 0x0BF3, frequency 0x0C25, import 0x0C83, export 0x0C87. Addresses are the protocol's, counted
    from 0.
"""

from simulators.devices.words import Image, f32, place, s64
from simulators.plants.states import ElectricState

FUNCTION = 3
MAKE = "Schneider Electric"
MODEL = "iEM3255"


def image(state: ElectricState) -> Image:
    """The readable registers for what the meter sees."""
    first_a, second_a, third_a = state.currents_a()
    first_v, second_v, third_v = state.voltages_v
    first_w, second_w, third_w = state.phase_powers_w()
    return place(
        [
            (0x0BB7, f32(first_a) + f32(second_a) + f32(third_a)),
            (0x0BD3, f32(first_v) + f32(second_v) + f32(third_v)),
            (0x0BED, f32(first_w / 1000) + f32(second_w / 1000) + f32(third_w / 1000)),
            (0x0BF3, f32(state.active_power_w / 1000)),
            (0x0C25, f32(state.frequency_hz)),
            (0x0C83, s64(int(state.energy_import_total_wh))),
            (0x0C87, s64(int(state.energy_export_total_wh))),
        ]
    )
