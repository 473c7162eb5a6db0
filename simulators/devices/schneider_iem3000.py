"""Holding registers of a Schneider Electric iEM3000 series meter.

Power in kW, voltage, current and frequency are float32; energy is a signed 64-bit integer in Wh. Import is what the
meter calls delivered, into the load; power is negative while it exports. Values are primary (transformers applied).

References:
    Register list of the iEM3000 series as the open-source reader mbmd uses it: A 0x0BB7, V 0x0BD3, phase power
    0x0BED, total power 0x0BF3, frequency 0x0C25, import 0x0C83, export 0x0C87, reactive energy 0x0C93 and 0x0C97.
    Addresses are the protocol's, counted from 0.
"""

from simulators.devices.table import Row, Sheet

SHEET = Sheet(
    make="Schneider Electric",
    model="iEM3255",
    function=3,
    rows=(
        Row(0x0BB7, "f32", "current_l1_a"),
        Row(0x0BB9, "f32", "current_l2_a"),
        Row(0x0BBB, "f32", "current_l3_a"),
        Row(0x0BD3, "f32", "voltage_l1_v"),
        Row(0x0BD5, "f32", "voltage_l2_v"),
        Row(0x0BD7, "f32", "voltage_l3_v"),
        Row(0x0BED, "f32", "active_power_l1_w", step=1000),
        Row(0x0BEF, "f32", "active_power_l2_w", step=1000),
        Row(0x0BF1, "f32", "active_power_l3_w", step=1000),
        Row(0x0BF3, "f32", "active_power_w", step=1000),
        Row(0x0C25, "f32", "frequency_hz"),
        Row(0x0C83, "s64", "energy_import_total_wh"),
        Row(0x0C87, "s64", "energy_export_total_wh"),
        Row(0x0C93, "s64", "reactive_energy_import_total_varh"),
        Row(0x0C97, "s64", "reactive_energy_export_total_varh"),
    ),
)
