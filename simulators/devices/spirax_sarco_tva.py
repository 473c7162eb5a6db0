"""Holding registers 0 to 11 of a Spirax Sarco TVA flowmeter for saturated steam; LOW word first.

References:
    Installation and maintenance instructions IM-P192-02, table of Modbus registers: 0 total [kg], 2 flow [kg/h], 3
    pressure [0.01 bar gauge], 4 temperature [0.1 °C], 5 water equivalent [0.1 L/h], 6 power [kW], 7 energy [kWh], 9
    alarms, 10 device id (TVA = 0), 11 software version (200 = 2.00).
"""

from simulators.devices.table import Fixed, Row, Sheet

_J_PER_KWH = 3_600_000

SHEET = Sheet(
    make="Spirax Sarco",
    model="TVA",
    function=3,
    rows=(
        Row(0, "u32", "mass_total_kg", low_word_first=True),
        Row(2, "u16", "flow_kg_per_h"),
        Row(3, "u16", "pressure_bar_gauge", 0.01),
        Row(4, "u16", "supply_temperature_degc", 0.1),
        Row(5, "u16", "flow_kg_per_h", 0.1),
        Row(6, "u16", "heat_power_w", 1000),
        Row(7, "u32", "heat_total_j", _J_PER_KWH, True),
    ),
    fixed=(Fixed(9, (0,)), Fixed(10, (0, 200))),
)
