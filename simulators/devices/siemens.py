"""Registers of a Siemens PAC1600 (integers, energy in whole Wh) and PAC2200 (float32, energy float64 in Wh).

References:
    OpenEMS, driver of the PAC1600: V 1 [0.01 V], A 7 [0.1 mA], phase power 19 and power 57 [0.01 W], frequency 49
    [0.01 Hz], energy import 6687 and export 6689, which wrap at 2^32 Wh.
    mbmd, reader of the PAC2200: V 1, A 13, phase power 25, power 65, energy import of tariff 1 at 801 and export at
    809.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, Source, phases

PAC1600 = Sheet(
    make="Siemens",
    model="PAC1600",
    function=3,
    rows=(
        *phases(1, "u32", VOLTAGE, 0.01),
        *phases(7, "u32", CURRENT, 0.0001),
        *phases(19, "s32", POWER, 0.01),
        Row(49, "s32", "frequency_hz", 0.01),
        Row(57, "s32", "active_power_w", 0.01),
        Row(6687, "u32", "energy_import_total_wh", modulus=2**32),
        Row(6689, "u32", "energy_export_total_wh", modulus=2**32),
    ),
    wraps_source=Source("OpenEMS, driver of the PAC1600: 32 bits of whole Wh"),
)
PAC2200 = Sheet(
    make="Siemens",
    model="PAC2200",
    function=4,
    rows=(
        *phases(1, "f32", VOLTAGE),
        *phases(13, "f32", CURRENT),
        *phases(25, "f32", POWER),
        Row(65, "f32", "active_power_w"),
        Row(801, "f64", "energy_import_total_wh", modulus=10**12),
        Row(809, "f64", "energy_export_total_wh", modulus=10**12),
    ),
    blanks=((1, 70), (801, 16)),
    also=3,
    wraps_source=Source("Siemens, equipment manual of PAC3120 and PAC3220 (2019), appendix A.1", of_a_sister=True),
)
