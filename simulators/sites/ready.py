"""The ready sites, as data: what was published of each project goes in; nothing was adjusted to meet what comes out.

A size, a factor or an expectation carries its source and its mark; all that nobody published (efficiencies, harvests,
stops) stands in the plant's own file as the plant's own parameter.
"""

from collections.abc import Mapping
from dataclasses import replace

from simulators.plants.biogas import BiogasPlant
from simulators.plants.biomass_power import BiomassPower, BiomassSite
from simulators.plants.gas_cogeneration import CogenerationSite, GasCogeneration
from simulators.plants.microgrid import Microgrid
from simulators.plants.plant import TRUTH
from simulators.plants.refinery import Refinery
from simulators.plants.solar import MONGOLIA_FARM, SolarPlant
from simulators.plants.transformer_station import Transformer, TransformerStations
from simulators.plants.waste_heat_recovery import WasteHeatRecovery
from simulators.sites.shape import Amount, Expected, Factor, ReadySite, Result

_MWH, _TJ = 1e-6, 3.6e-9
"""Of a Wh."""

_MONGOLIA = Factor(
    0.797,
    "tCO2/MWh",
    "Additional information on calculating the conservative emission factor of Mongolia (grid)",
    "V",
)
_GAS = Factor(54.3, "tCO2/TJ", "IPCC 2006, volume 2, table 2.2, natural gas, lower value", "M")
_DIESEL = Factor(74.1, "tCO2/TJ", "IPCC 2006, volume 2, table 2.2, diesel", "M")

_KHUSHIG = replace(MONGOLIA_FARM, module_power_w=16_400_000.0, inverters_w=(2_733_000.0,) * 6)
_TRANSFORMERS = {
    "station-1": (Transformer(rated_va=100_000, no_load_loss_w=75, load_loss_w=1_250, outage_hours_share=0.0015), 600),
    "station-2": (Transformer(rated_va=250_000, no_load_loss_w=125, load_loss_w=2_600, outage_hours_share=0.0015), 300),
    "station-3": (Transformer(rated_va=400_000, no_load_loss_w=165, load_loss_w=3_820, outage_hours_share=0.0015), 100),
}
"""One metered station a class, and how many of the class are in service."""
_THAI_ENGINE = CogenerationSite(rated_w=7_800_000.0, efficiency=0.495, heat_share=0.298)
"""2 MW of hot water and 4 t/h of steam (2.7 MW) beside 7.8 MW: 4.7 / (7.8 / 0.495) of the fuel."""


def _net_mwh(year: Amount, generator: str = "generator", own: str = "auxiliary") -> float:
    return (year(generator, "energy_export_total_wh") - year(own, "energy_import_total_wh")) * _MWH


def _solar(year: Amount, factor: Mapping[str, float]) -> Result:
    exported = year("ac-bus", "energy_export_total_wh") * _MWH
    return Result(exported * factor["EF_RE"], f"{exported:,.0f} MWh exported")


def _biogas(year: Amount, factor: Mapping[str, float]) -> Result:
    net, steam = _net_mwh(year), year("steam", "heat_total_wh") * _TJ
    tonnes = net * factor["EF_grid"] + steam / factor["eta_RE"] * factor["EF_fuel"]
    return Result(tonnes, f"{net:,.0f} MWh net, {steam:,.1f} TJ of steam")


def _biomass(year: Amount, factor: Mapping[str, float]) -> Result:
    exported, imported = (year("grid", f"energy_{way}_total_wh") * _MWH for way in ("export", "import"))
    litres = year("diesel", "volume_total_m3") * 1_000
    project = litres * factor["NCV_diesel"] * factor["EF_diesel"]
    tonnes = (exported - imported) * factor["EF_grid"] - project
    return Result(tonnes, f"{exported - imported:,.0f} MWh net, {litres:,.0f} L of diesel")


def _transformers(year: Amount, factor: Mapping[str, float]) -> Result:
    saved_mwh = 0.0
    for name, (transformer, units) in _TRANSFORMERS.items():
        energised_h = year(TRUTH, f"{name}.energised")
        reference_w = factor[f"NLL_RE, {transformer.rated_va / 1_000:.0f} kVA"]
        saved_mwh += units * (reference_w - transformer.no_load_loss_w) * energised_h * _MWH
    return Result(saved_mwh * factor["EF_grid"], f"{saved_mwh:,.0f} MWh of no-load loss")


def _microgrid(year: Amount, factor: Mapping[str, float]) -> Result:
    sun = year("solar", "energy_export_total_wh") * _MWH
    lost = (year("battery", "charged_total_wh") - year("battery", "discharged_total_wh")) * _MWH
    return Result((sun - lost) * factor["EF_RE"], f"{sun:,.0f} MWh of sun, {lost:,.1f} MWh lost in the battery")


def _cement(year: Amount, factor: Mapping[str, float]) -> Result:
    net = _net_mwh(year)
    return Result(net * factor["EF_grid"], f"{net:,.0f} MWh net")


def _refinery(year: Amount, factor: Mapping[str, float]) -> Result:
    saved = (year(TRUTH, "reference_fuel_w") - year(TRUTH, "fuel_w")) * _TJ
    return Result(saved * factor["EF_fuel"], f"{saved:,.1f} TJ of fuel gas")


def _cogeneration(year: Amount, factor: Mapping[str, float]) -> Result:
    net, heat = _net_mwh(year), year("heat-used", "heat_total_wh") * _TJ
    gas = year("gas", "volume_total_nm3") * factor["NCV_gas"] * 1e-6
    reference = net * factor["EF_elec"] + heat / factor["eta_RE"] * factor["EF_fuel"]
    return Result(reference - gas * factor["EF_gas"], f"{net:,.0f} MWh, {heat:,.1f} TJ of heat, {gas:,.1f} TJ of gas")


READY: Mapping[str, ReadySite] = {
    "mongolia-farm": ReadySite(
        plant="solar",
        title="Farm solar",
        country="Mongolia",
        size="8.3 MW (OECC, 2022)",
        size_mark="S",
        build=SolarPlant,
        factors={"EF_RE": _MONGOLIA},
        reduction=_solar,
        expected=Expected(9_585, "OECC, Development and future role of the JCM (2022)", "S"),
        note="Size, factor and expectation are verified. The climate is the place's own, its normals from memory.",
    ),
    "mongolia-airport": ReadySite(
        plant="solar",
        title="Solar beside the new airport (Khushig)",
        country="Mongolia",
        size="16.4 MW (jcm-mongolia.com)",
        size_mark="V",
        build=lambda seed, origin_ms: SolarPlant(seed, origin_ms, site=_KHUSHIG),
        factors={"EF_RE": _MONGOLIA},
        reduction=_solar,
        expected=Expected(18_438, "jcm-mongolia.com, completion of the 16.4 MW plant: 23,134 MWh a year", "V"),
        note="As above; 18,438 / 23,134 is the factor to three places..",
    ),
    "philippines-cannery": ReadySite(
        plant="biogas",
        title="Biogas of pineapple canneries: power and fuel switch",
        country="Philippines",
        size="5.7 MW of electricity and steam together (press, 2020), 50,000 MWh a year (Inquirer, 2018)",
        size_mark="V",
        build=BiogasPlant,
        factors={
            "EF_grid": Factor(
                0.7921, "tCO2/MWh", "DOE Philippines, NGEF 2015-17, Mindanao, combined margin, other", "V"
            ),
            "EF_fuel": Factor(75.5, "tCO2/TJ", "IPCC 2006, volume 2, table 2.2, residual fuel oil, lower value", "M"),
            "eta_RE": Factor(0.89, "1", "boiler of the reference, order of JCM texts", "M"),
        },
        reduction=_biogas,
        expected=Expected(52_156, "OECC, Development and future role of the JCM (2022): fossil fuel only", "S"),
        note="52,156 t of 50,000 MWh are 1.04 t/MWh, more than Mindanao's grid emits (0.79) and three times what oil "
        "emits for a MWh of steam (0.31). Published size and published reduction cannot be of the same scope.",
    ),
    "aceh-biomass": ReadySite(
        plant="biomass-power",
        title="Power of empty fruit bunches",
        country="Indonesia",
        size="12 MW (OECC, 2022)",
        size_mark="S",
        build=lambda seed, origin_ms: BiomassPower(seed, origin_ms, BiomassSite(rated_w=12_000_000.0)),
        factors={
            "EF_grid": Factor(
                0.458,
                "tCO2/MWh",
                "Additional information on calculating the emission factors of Indonesian electricity grids, Sumatra",
                "V",
            ),
            "NCV_diesel": Factor(36.1e-6, "TJ/L", "IPCC 2006, 43.0 MJ/kg × 0.84 kg/L", "D"),
            "EF_diesel": _DIESEL,
        },
        reduction=_biomass,
        expected=Expected(31_322, "OECC's list of adopted projects, a biomass project in Indonesia", "D"),
        note="That the published number is Aceh's is a guess. It is 68,400 MWh by Sumatra's factor, 65 % of 12 MW all "
        "year; here the plant runs 90 % of the time near its rating and uses 12 % itself.",
    ),
    "viet-nam-transformers": ReadySite(
        plant="transformer-stations",
        title="Amorphous transformers in a distribution grid",
        country="Viet Nam",
        size="1,000 units in three classes, the simulator's own",
        size_mark="D",
        build=lambda seed, origin_ms: TransformerStations(
            seed, origin_ms, {name: transformer for name, (transformer, _) in _TRANSFORMERS.items()}
        ),
        factors={
            "EF_grid": Factor(0.333, "tCO2/MWh", "VN_AM007, conservative factor of the grid", "M"),
            "NLL_RE, 100 kVA": Factor(205.0, "W", "utility's requirement for silicon steel, 100 kVA", "M"),
            "NLL_RE, 250 kVA": Factor(340.0, "W", "the same, 250 kVA", "M"),
            "NLL_RE, 400 kVA": Factor(433.0, "W", "the same, 400 kVA", "M"),
        },
        reduction=_transformers,
        expected=None,
        note="The programme's papers name the project and give no number of units nor of tonnes.",
    ),
    "maldives-microgrid": ReadySite(
        plant="microgrid",
        title="Smart microgrid of Addu: solar, battery, energy management",
        country="Maldives",
        size="1.6 MW of solar on a diesel grid of 4.5 MW (Ministry of Environment of the Maldives, 2019)",
        size_mark="V",
        build=Microgrid,
        factors={"EF_RE": Factor(0.533, "tCO2/MWh", "most efficient diesel generator, as in Mongolia's annex", "M")},
        reduction=_microgrid,
        expected=Expected(
            2_853,
            "Ministry of Environment of the Maldives (2019): 1,066 kL of diesel a year, × 36.1 MJ/L × 74.1 tCO2/TJ",
            "D",
        ),
        note="The Ministry counts diesel that is not burnt, also because generators are run better; the factor credits "
        "electricity as if the world's best diesel generator (49 %) had made it, and old ones burn near twice that.",
    ),
    "indonesia-cement": ReadySite(
        plant="waste-heat-recovery",
        title="Waste heat of cement kilns (Tuban)",
        country="Indonesia",
        size="28 MW, four kilns (JCM PDD of ID013)",
        size_mark="V",
        build=WasteHeatRecovery,
        factors={
            "EF_grid": Factor(0.805, "tCO2/MWh", "published pair: 122,358 t / 152,000 MWh (JPNN, Tribun, 2014)", "D"),
        },
        reduction=_cement,
        expected=Expected(122_000, "JFE Engineering (2017), JCM PDD of ID013", "V"),
        note="The factor is the published one by construction, so the ratio compares energy: 152,000 MWh are 62 % of "
        "28 MW all year. Here each kiln runs 85 % of the time at its nominal rate; the cement market is not modelled.",
    ),
    "indonesia-refinery": ReadySite(
        plant="refinery",
        title="Better control of a refinery's furnaces",
        country="Indonesia",
        size="a crude unit of 120,000 barrels a day, the simulator's own",
        size_mark="D",
        build=Refinery,
        factors={"EF_fuel": _GAS},
        reduction=_refinery,
        expected=None,
        note="No number was found for one plant. ID_AM006 is about a hydrogen unit and a hydrocracker; a furnace has "
        "the same metering (feed and fuel) and physics that anybody can follow.",
    ),
    "thailand-cogeneration": ReadySite(
        plant="gas-cogeneration",
        title="Gas engine cogeneration of a motorcycle factory",
        country="Thailand",
        size="7.8 MW, 2 MW of hot water, 4 t/h of steam (Eco Times, 5 September 2018)",
        size_mark="V",
        build=lambda seed, origin_ms: GasCogeneration(seed, origin_ms, _THAI_ENGINE),
        factors={
            "EF_elec": Factor(0.4750, "tCO2/MWh", "TGO, electricity consumed, from 2026 (The Nation, 2025)", "V"),
            "EF_fuel": _GAS,
            "eta_RE": Factor(0.89, "1", "boiler of the reference, order of JCM texts", "M"),
            "EF_gas": Factor(58.3, "tCO2/TJ", "IPCC 2006, volume 2, table 2.2, natural gas, upper value", "M"),
            "NCV_gas": Factor(36.0, "MJ/Nm3", "the plant's own gas", "D"),
        },
        reduction=_cogeneration,
        expected=Expected(7_000, "Eco Times, 5 September 2018", "V"),
        note="A small difference of two large numbers: a tenth more or less of the grid's factor moves it by a "
        "third. The project counted with the grid of 2018, which emitted more.",
    ),
}
"""By the name under which a site is run."""
