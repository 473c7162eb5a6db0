"""Every device that can be simulated, by name, with the kind of instrument that it shows."""

from collections.abc import Mapping
from dataclasses import dataclass

from simulators.devices import (
    abb_b23,
    artemes_am2,
    bg_ds100,
    bge_tech_drt428,
    burner_controller,
    carlo_gavazzi_em24,
    carlo_gavazzi_em340,
    chint_dtsu666,
    deye_string,
    eastron,
    goodwe,
    huawei_sun2000,
    inepro_pro380,
    janitza,
    lovato_dmg610,
    multical_403,
    phoenix_contact_eem,
    remote_inputs,
    saia_burgess_ale3,
    schneider_iem3000,
    schneider_pm5100,
    siemens,
    sma,
    socomec,
    solis,
    spirax_sarco_tva,
    sungrow,
    sunspec_103,
    sunspec_models,
)
from simulators.devices.table import Sheet
from simulators.plants.states import (
    BatteryState,
    BurnerState,
    ElectricState,
    FlareState,
    FlowState,
    GasState,
    HeatState,
    InverterState,
    State,
    SteamState,
    VehicleState,
    WeatherState,
    WeightState,
)


@dataclass(frozen=True, slots=True)
class Device:
    """A model, and what it measures."""

    sheet: Sheet
    shows: type[State]


_BY_KIND: Mapping[type[State], Mapping[str, Sheet]] = {
    ElectricState: {
        "abb-b23": abb_b23.SHEET,
        "artemes-am2": artemes_am2.SHEET,
        "bg-ds100": bg_ds100.SHEET,
        "bge-tech-drt428": bge_tech_drt428.SHEET,
        "carlo-gavazzi-em24": carlo_gavazzi_em24.SHEET,
        "carlo-gavazzi-em340": carlo_gavazzi_em340.SHEET,
        "chint-dtsu666": chint_dtsu666.SHEET,
        "eastron-sdm120": eastron.SDM120,
        "eastron-sdm630": eastron.SDM630,
        "goodwe-hybrid-meter": goodwe.HYBRID_METER,
        "huawei-sun2000-meter": huawei_sun2000.METER,
        "inepro-pro380": inepro_pro380.SHEET,
        "janitza-b23": janitza.B23,
        "janitza-umg511": janitza.UMG511,
        "janitza-umg604": janitza.UMG604,
        "janitza-umg96rm": janitza.UMG96RM,
        "lovato-dmg610": lovato_dmg610.SHEET,
        "phoenix-contact-eem": phoenix_contact_eem.SHEET,
        "saia-burgess-ale3": saia_burgess_ale3.SHEET,
        "schneider-iem3000": schneider_iem3000.SHEET,
        "schneider-pm5100": schneider_pm5100.SHEET,
        "siemens-pac1600": siemens.PAC1600,
        "siemens-pac2200": siemens.PAC2200,
        "sma-grid-meter": sma.METER,
        "socomec-countis-e": socomec.COUNTIS_E,
        "socomec-diris-a10": socomec.DIRIS_A10,
        "solis-grid-meter": solis.METER,
        "sungrow-grid-meter": sungrow.METER,
        "weidmueller-525": janitza.WEIDMUELLER_525,
        **{f"sunspec-{model}": sheet for model, sheet in sunspec_models.METERS.items()},
    },
    InverterState: {
        "deye-string": deye_string.SHEET,
        "goodwe-dt": goodwe.DT,
        "huawei-sun2000": huawei_sun2000.INVERTER,
        "sma-inverter": sma.INVERTER,
        "solis-inverter": solis.INVERTER,
        "sungrow-inverter": sungrow.INVERTER,
        **{f"sunspec-{model}": sheet for model, sheet in sunspec_models.INVERTERS.items()},
        "sunspec-103-large": sunspec_103.SHEET,
    },
    HeatState: {"multical-403": multical_403.SHEET},
    BurnerState: {"burner-controller": burner_controller.SHEET},
    GasState: {"gas-corrector": remote_inputs.GAS},
    FlowState: {"flow-meter": remote_inputs.FLOW},
    WeightState: {"belt-weigher": remote_inputs.WEIGHT},
    WeatherState: {"weather-station": remote_inputs.WEATHER},
    BatteryState: {"battery-manager": remote_inputs.BATTERY},
    FlareState: {"flare-controller": remote_inputs.FLARE},
    VehicleState: {"vehicle-unit": remote_inputs.VEHICLE},
    SteamState: {"spirax-sarco-tva": spirax_sarco_tva.SHEET, "steam-computer": remote_inputs.STEAM},
}

CATALOGUE: Mapping[str, Device] = {
    name: Device(sheet, kind) for kind, sheets in _BY_KIND.items() for name, sheet in sheets.items()
}
