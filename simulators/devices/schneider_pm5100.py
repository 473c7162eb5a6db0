"""Holding registers of a Schneider Electric PM5100: float32, power in kW; energy is a signed 64-bit integer in Wh.

References:
    SolarNetwork, register list of the PM5100: model 89, serial number 129 (two registers), A 2999, V 3027, kW 3053
    (phases) and 3059, frequency 3109, energy delivered 3203 and received 3207, reactive 3219 and 3223.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Fixed, Row, SerialNumber, Sheet, Source, phases

SHEET = Sheet(
    make="Schneider Electric",
    model="PM5100",
    function=3,
    rows=(
        *phases(2_999, "f32", CURRENT),
        *phases(3_027, "f32", VOLTAGE),
        *phases(3_053, "f32", POWER, 1000),
        Row(3_059, "f32", "active_power_w", 1000),
        Row(3_109, "f32", "frequency_hz"),
        Row(3_203, "s64", "energy_import_total_wh", modulus=2**63),
        Row(3_207, "s64", "energy_export_total_wh", modulus=2**63),
        Row(3_219, "s64", "reactive_energy_import_total_varh"),
        Row(3_223, "s64", "reactive_energy_export_total_varh"),
    ),
    fixed=(Fixed(89, (15_210,)),),
    serials=(SerialNumber(129),),
    wraps_source=Source("Schneider Electric, FAQ FA241107: PM5000 series, 2^63 - 1 Wh"),
)
