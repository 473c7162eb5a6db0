"""Holding registers of Janitza meters and analysers, and of the Weidmüller 525, which has one of their maps.

All numbers are float32, energy is in Wh. The B23, the UMG 96RM-E and the 525 share the map that begins at 19000.

References:
    mbmd, reader of the B series (0x4A38 is 19000); OpenEMS, drivers of UMG 96RM-E, UMG 511, UMG 604 and of the
    Weidmüller 525; energy of the UMG 604 at 9851 (import) and 9863 (export).
"""

from dataclasses import replace

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, Sheet, Source, phases

_ENERGY_19000 = (
    Row(19_068, "f32", "energy_import_total_wh"),
    Row(19_076, "f32", "energy_export_total_wh"),
)


def _map_19000(make: str, model: str) -> Sheet:
    return Sheet(
        make=make,
        model=model,
        function=3,
        rows=(
            *phases(19_000, "f32", VOLTAGE),
            *phases(19_012, "f32", CURRENT),
            *phases(19_020, "f32", POWER),
            Row(19_026, "f32", "active_power_w"),
            Row(19_050, "f32", "frequency_hz"),
            *_ENERGY_19000,
        ),
        blanks=((19_000, 122),),
    )


B23 = _map_19000("Janitza", "B23")
UMG96RM = replace(
    _map_19000("Janitza", "UMG 96RM-E"),
    saves_every_s=300,
    saves_source=Source("Janitza, user manual 2.062.019.0 of the UMG 96-S2, section 18.6", of_a_sister=True),
)
WEIDMUELLER_525 = _map_19000("Weidmüller", "525")
UMG511 = Sheet(
    make="Janitza",
    model="UMG 511",
    function=3,
    rows=(
        *phases(3_845, "f32", VOLTAGE),
        *phases(3_853, "f32", CURRENT),
        *phases(3_861, "f32", POWER),
        Row(3_925, "f32", "active_power_w"),
        Row(3_995, "f32", "frequency_hz"),
        *_ENERGY_19000,
    ),
)
UMG604 = Sheet(
    make="Janitza",
    model="UMG 604",
    function=3,
    rows=(
        *phases(1_317, "f32", VOLTAGE),
        *phases(1_325, "f32", CURRENT),
        *phases(1_333, "f32", POWER),
        Row(1_369, "f32", "active_power_w"),
        Row(1_439, "f32", "frequency_hz"),
        Row(9_851, "f32", "energy_import_total_wh"),
        Row(9_863, "f32", "energy_export_total_wh"),
    ),
)
