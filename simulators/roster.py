"""In: the name of a plant. Out: the plant and its instruments: which image each shows, with unit id and nameplate.

The table `ROSTER` is all that a further plant needs. Names are the metering points' names and unit ids are fixed, so a
gateway's configuration can be written without asking. Serial numbers here are what its `meter` tables must say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from metering.interval import Interval
from simulators.devices import (
    burner_controller,
    carlo_gavazzi_em340,
    multical_403,
    remote_inputs,
    schneider_iem3000,
    spirax_sarco_tva,
    sunspec_103,
)
from simulators.devices.catalogue import CATALOGUE
from simulators.devices.table import Image, Sheet
from simulators.faults import Fault
from simulators.plants.absorption_chiller import AbsorptionChiller
from simulators.plants.air_conditioning import AirConditioning
from simulators.plants.base_station import BaseStation
from simulators.plants.bench import Bench
from simulators.plants.biogas import BiogasPlant
from simulators.plants.biomass_power import BiomassPower
from simulators.plants.chiller import Chiller
from simulators.plants.fleet import Fleet
from simulators.plants.gas_cogeneration import GasCogeneration
from simulators.plants.geothermal import GeothermalBinary
from simulators.plants.heat_only_boiler import HeatOnlyBoiler
from simulators.plants.led import Lighting
from simulators.plants.microgrid import Microgrid
from simulators.plants.plant import Plant
from simulators.plants.refinery import Refinery
from simulators.plants.small_hydro import SmallHydro
from simulators.plants.solar import SolarPlant
from simulators.plants.solar_measured import measured_output
from simulators.plants.steam_boiler import SteamBoilers
from simulators.plants.transformer_station import Transformer, TransformerStations
from simulators.plants.transmission_line import TransmissionLine
from simulators.plants.waste_heat_recovery import WasteHeatRecovery
from simulators.plants.waste_to_energy import WasteToEnergy
from simulators.plants.wind import WindFarm
from simulators.sites.ready import READY
from simulators.value_faults import shown_image

PlantName = Literal[
    "solar",
    "heat-only-boiler",
    "transformer-stations",
    "steam-boiler",
    "chiller",
    "absorption-chiller",
    "air-conditioning",
    "led",
    "gas-cogeneration",
    "biogas",
    "waste-heat-recovery",
    "small-hydro",
    "wind",
    "geothermal",
    "biomass-power",
    "waste-to-energy",
    "microgrid",
    "transmission-line",
    "fleet",
    "base-station",
    "refinery",
    "bench",
]
PowerSource = Literal["synthetic", "measured"]

OUTAGE = Interval(1_766_992_020_000, 1_766_995_740_000)
"""Station 2 is dark from 14:07 to 15:09 in Hanoi on 29 December 2025 [ms since the Unix epoch]."""


@dataclass(frozen=True, slots=True)
class Nameplate:
    """What is printed on a meter."""

    make: str
    model: str
    serial: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """One device on a plant's Modbus port."""

    name: str
    unit_id: int
    function: int
    """The Modbus function that reads it: 3 or 4."""
    nameplate: Nameplate
    sheet: Sheet
    """Its registers."""
    shows: Callable[[int, Sequence[Fault]], Image]
    """What `image` gives."""

    def image(self, at_ms: int, faults: Sequence[Fault] = ()) -> Image:
        """Its readable registers at an instant [ms since the Unix epoch], with the faults it has then."""
        return self.shows(at_ms, faults)


@dataclass(frozen=True, slots=True)
class Site:
    """A plant with the instruments that answer."""

    plant: Plant
    instruments: tuple[Instrument, ...]


_SUNSPEC = sunspec_103.SHEET
_IEM3000 = schneider_iem3000.SHEET
_EM340 = carlo_gavazzi_em340.SHEET
_MULTICAL = multical_403.SHEET
_BURNER = burner_controller.SHEET
_TVA = spirax_sarco_tva.SHEET
_GAS, _FLOW, _STEAM = remote_inputs.GAS, remote_inputs.FLOW, remote_inputs.STEAM
_WEIGHT, _WEATHER, _FLARE = remote_inputs.WEIGHT, remote_inputs.WEATHER, remote_inputs.FLARE
_BATTERY, _VEHICLE = remote_inputs.BATTERY, remote_inputs.VEHICLE


@dataclass(frozen=True, slots=True)
class Placed:
    """A device in its place: it shows the instrument of the same name."""

    name: str
    unit_id: int
    device: Sheet
    serial: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of plant."""

    build: Callable[[str, int, PowerSource], Plant]
    """From a seed, an origin [ms since the Unix epoch] and where a solar plant's output comes from."""
    devices: tuple[Placed, ...]


def _solar(seed: str, origin_ms: int, power: PowerSource) -> Plant:
    return SolarPlant(seed, origin_ms, measured_output() if power == "measured" else None)


def _stations(seed: str, origin_ms: int, _power: PowerSource) -> Plant:
    outages = {"station-2": (OUTAGE,)}
    names = ("station-1", "station-2", "station-3")
    return TransformerStations(seed, origin_ms, {name: Transformer(outages=outages.get(name, ())) for name in names})


def _alone(plant: type[Plant], devices: Sequence[tuple[str, Sheet]]) -> Entry:
    """A plant that needs nothing but a seed and an origin; its devices have unit ids from 1 on."""
    placed = tuple(
        Placed(name, number, device, f"SIM-{plant.__name__[:3].upper()}-{number:04d}")
        for number, (name, device) in enumerate(devices, start=1)
    )
    return Entry(lambda seed, origin_ms, _power: plant(seed, origin_ms), placed)


ROSTER: Mapping[PlantName, Entry] = {
    "solar": Entry(
        _solar,
        (
            Placed("inverter-1", 1, _SUNSPEC, "SIM-INV-0001"),
            Placed("inverter-2", 2, _SUNSPEC, "SIM-INV-0002"),
            Placed("inverter-3", 3, _SUNSPEC, "SIM-INV-0003"),
            Placed("ac-bus", 10, _IEM3000, "SIM-IEM-0001"),
            Placed("weather", 11, _WEATHER, "SIM-WEA-0001"),
        ),
    ),
    "heat-only-boiler": Entry(
        lambda seed, origin_ms, _power: HeatOnlyBoiler(seed, origin_ms),
        (
            Placed("heat-out", 1, _MULTICAL, "SIM-MC4-0001"),
            Placed("burner", 2, _BURNER, "SIM-RIO-0001"),
            Placed("boiler-aux", 3, _IEM3000, "SIM-IEM-0002"),
            Placed("coal", 4, _WEIGHT, "SIM-WEI-0001"),
        ),
    ),
    "transformer-stations": Entry(
        _stations,
        (
            Placed("station-1", 1, _EM340, "EM30001"),
            Placed("station-2", 2, _EM340, "EM30002"),
            Placed("station-3", 3, _EM340, "EM30003"),
        ),
    ),
    "steam-boiler": _alone(
        SteamBoilers, [("boiler-aux", _IEM3000), ("steam", _TVA), ("feed-water", _FLOW), ("gas", _GAS)]
    ),
    "chiller": _alone(Chiller, [("chiller", _IEM3000), ("chilled-water", _MULTICAL), ("cooling-water", _MULTICAL)]),
    "absorption-chiller": _alone(
        AbsorptionChiller, [("chilled-water", _MULTICAL), ("pumps", _IEM3000), ("steam", _TVA), ("gas", _GAS)]
    ),
    "air-conditioning": _alone(
        AirConditioning, [("floor-1", _EM340), ("floor-2", _EM340), ("floor-3", _EM340), ("weather", _WEATHER)]
    ),
    "led": _alone(Lighting, [("circuit-1", _EM340), ("circuit-2", _EM340)]),
    "gas-cogeneration": _alone(
        GasCogeneration, [("generator", _IEM3000), ("auxiliary", _IEM3000), ("heat-used", _MULTICAL), ("gas", _GAS)]
    ),
    "biogas": _alone(
        BiogasPlant,
        [
            ("generator", _IEM3000),
            ("auxiliary", _IEM3000),
            ("wastewater", _FLOW),
            ("engine-gas", _GAS),
            ("boiler-gas", _GAS),
            ("flare-gas", _GAS),
            ("flare", _FLARE),
            ("steam", _TVA),
        ],
    ),
    "waste-heat-recovery": _alone(
        WasteHeatRecovery,
        [
            ("generator", _IEM3000),
            ("auxiliary", _IEM3000),
            ("make-up-water", _FLOW),
            ("kiln-1", _WEIGHT),
            ("kiln-2", _WEIGHT),
            ("kiln-3", _WEIGHT),
            ("kiln-4", _WEIGHT),
        ],
    ),
    "small-hydro": _alone(
        SmallHydro,
        [("generator", _IEM3000), ("station-use", _IEM3000), ("grid", _IEM3000), ("head-race", _FLOW)],
    ),
    "wind": _alone(
        WindFarm,
        [
            ("turbine-1", _IEM3000),
            ("turbine-2", _IEM3000),
            ("turbine-3", _IEM3000),
            ("turbine-4", _IEM3000),
            ("turbine-5", _IEM3000),
            ("grid", _IEM3000),
            ("mast", _WEATHER),
        ],
    ),
    "geothermal": _alone(
        GeothermalBinary,
        [
            ("generator", _IEM3000),
            ("auxiliary", _IEM3000),
            ("grid", _IEM3000),
            ("brine", _MULTICAL),
            ("vent", _GAS),
        ],
    ),
    "biomass-power": _alone(
        BiomassPower,
        [
            ("generator", _IEM3000),
            ("auxiliary", _IEM3000),
            ("grid", _IEM3000),
            ("fuel", _WEIGHT),
            ("steam", _STEAM),
            ("diesel", _FLOW),
        ],
    ),
    "waste-to-energy": _alone(
        WasteToEnergy,
        [
            ("generator", _IEM3000),
            ("auxiliary", _IEM3000),
            ("waste", _WEIGHT),
            ("diesel", _FLOW),
            ("furnace", _FLARE),
        ],
    ),
    "microgrid": _alone(
        Microgrid,
        [
            ("solar", _IEM3000),
            ("battery-meter", _IEM3000),
            ("gensets", _IEM3000),
            ("feeder", _IEM3000),
            ("battery", _BATTERY),
            ("fuel", _FLOW),
            ("weather", _WEATHER),
        ],
    ),
    "transmission-line": _alone(TransmissionLine, [("sent", _IEM3000), ("received", _IEM3000)]),
    "fleet": _alone(Fleet, [(f"truck-{number}", _VEHICLE) for number in range(1, 13)]),
    "base-station": _alone(
        BaseStation,
        [("load", _EM340), ("solar", _EM340), ("genset", _EM340), ("battery", _BATTERY), ("fuel", _FLOW)],
    ),
    "refinery": _alone(Refinery, [("crude", _FLOW), ("fuel-gas", _GAS)]),
    "bench": Entry(
        lambda seed, origin_ms, _power: Bench(
            seed, origin_ms, {name: device.shows for name, device in CATALOGUE.items()}
        ),
        tuple(
            Placed(name, number, device.sheet, f"BENCH{number:02d}")
            for number, (name, device) in enumerate(CATALOGUE.items(), start=1)
        ),
    ),
}
"""Every plant, with the devices that show its instruments."""

DEVICES: Mapping[PlantName, tuple[str, ...]] = {
    plant: tuple(placed.name for placed in entry.devices) for plant, entry in ROSTER.items()
}
"""The devices of each plant, by name."""


def build_site(
    plant: PlantName,
    seed: str,
    origin_ms: int,
    power: PowerSource = "synthetic",
    ready: str = "",
    rated_w: float | None = None,
) -> Site:
    """Make a plant and its instruments.

    Args:
        plant: which kind of plant.
        seed: two sites with the same seed are the same site.
        origin_ms: where the counters begin [ms since the Unix epoch].
        power: where the output of a solar plant comes from.
        ready: the ready site that it is; empty for the plant of the demonstration.
        rated_w: what it is rated at [W]; None for its own size.

    Raises:
        SizeError: it cannot have that size.
    """
    entry = ROSTER[plant]
    built = READY[ready].build(seed, origin_ms) if ready else entry.build(seed, origin_ms, power)
    if rated_w is not None:
        built.resize(rated_w)
    return Site(built, tuple(_instrument(built, placed) for placed in entry.devices))


def _instrument(plant: Plant, placed: Placed) -> Instrument:
    device = placed.device
    return Instrument(
        name=placed.name,
        unit_id=placed.unit_id,
        function=device.function,
        nameplate=Nameplate(device.make, device.model, placed.serial),
        sheet=device,
        shows=lambda at_ms, faults: shown_image(
            device, partial(plant.state, placed.name), faults, at_ms, placed.serial
        ),
    )
