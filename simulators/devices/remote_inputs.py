"""Holding registers of remote inputs that bring what instruments without a public register list measure.

Generic, not products: flows and temperatures are float32 in the units of their quantities, counters are integers of 32
or 64 bits in small steps, a contact is one register. The vehicle's counters step as those of a truck's CAN bus do:
5 m of distance, and fuel in mL.

References:
    SAE J1939-71: high resolution total vehicle distance, 5 m a bit; high resolution total fuel used, 1 mL a bit.
"""

from simulators.devices.table import Row, Sheet

_MAKE = "Sakugen"

GAS = Sheet(
    make=_MAKE,
    model="Generic gas corrector",
    function=3,
    rows=(
        Row(0, "f32", "flow_nm3_per_h"),
        Row(2, "f32", "pressure_kpa"),
        Row(4, "f32", "temperature_degc"),
        Row(6, "f32", "methane_share"),
        Row(8, "u64", "volume_total_nm3", 0.001),
    ),
)
FLOW = Sheet(
    make=_MAKE,
    model="Generic flow meter",
    function=3,
    rows=(
        Row(0, "f32", "flow_m3_per_h"),
        Row(2, "f32", "temperature_degc"),
        Row(4, "u64", "volume_total_m3", 0.001),
    ),
)
STEAM = Sheet(
    make=_MAKE,
    model="Generic steam computer",
    function=3,
    rows=(
        Row(0, "f32", "flow_kg_per_h"),
        Row(2, "f32", "heat_power_w"),
        Row(4, "f32", "pressure_mpa"),
        Row(6, "f32", "temperature_degc"),
        Row(8, "f32", "feed_water_degc"),
        Row(10, "u64", "mass_total_kg"),
        Row(14, "u64", "heat_total_wh"),
    ),
)
WEIGHT = Sheet(
    make=_MAKE,
    model="Generic belt weigher",
    function=3,
    rows=(Row(0, "f32", "flow_kg_per_h"), Row(2, "u64", "mass_total_kg")),
)
WEATHER = Sheet(
    make=_MAKE,
    model="Generic weather station",
    function=3,
    rows=(
        Row(0, "f32", "irradiance_w_per_m2"),
        Row(2, "f32", "ambient_temperature_degc"),
        Row(4, "f32", "wind_speed_m_per_s"),
    ),
)
BATTERY = Sheet(
    make=_MAKE,
    model="Generic battery manager",
    function=3,
    rows=(
        Row(0, "f32", "charge_share"),
        Row(2, "f32", "active_power_w"),
        Row(4, "u64", "charged_total_wh"),
        Row(8, "u64", "discharged_total_wh"),
    ),
)
FLARE = Sheet(
    make=_MAKE,
    model="Generic flare controller",
    function=3,
    rows=(Row(0, "f32", "temperature_degc"), Row(2, "u16", "burning")),
)
VEHICLE = Sheet(
    make=_MAKE,
    model="Generic vehicle unit",
    function=3,
    rows=(
        Row(0, "f32", "speed_km_per_h"),
        Row(2, "f32", "fuel_flow_l_per_h"),
        Row(4, "u16", "ignition"),
        Row(5, "u32", "distance_total_km", 0.005),
        Row(7, "u32", "fuel_total_l", 0.001),
    ),
)
