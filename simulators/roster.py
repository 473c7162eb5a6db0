"""In: the name of a plant. Out: its instruments: which image each shows, under which name, unit id and nameplate.

Names are the metering points' names and unit ids are fixed, so a gateway's configuration can be written without asking.
Serial numbers here are what its `meter` tables must say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, assert_never

from metering.interval import Interval
from simulators.devices import burner_controller, carlo_gavazzi_em340, multical_403, schneider_iem3000, sunspec_103
from simulators.devices.words import Image
from simulators.plants.heat_only_boiler import HeatOnlyBoiler
from simulators.plants.solar import SolarPlant
from simulators.plants.solar_measured import measured_output
from simulators.plants.transformer_station import TransformerStation

PlantName = Literal["solar", "heat-only-boiler", "transformer-stations"]
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
    image: Callable[[int], Image]
    """Its readable registers at an instant [ms since the Unix epoch]."""


@dataclass(frozen=True, slots=True)
class SolarSite:
    """A solar plant with its instruments."""

    plant: SolarPlant
    instruments: tuple[Instrument, ...]


@dataclass(frozen=True, slots=True)
class BoilerSite:
    """A boiler house with its instruments."""

    plant: HeatOnlyBoiler
    instruments: tuple[Instrument, ...]


@dataclass(frozen=True, slots=True)
class TransformerSite:
    """Transformer stations with their meters; `plant` holds one station for each instrument."""

    plant: tuple[TransformerStation, ...]
    instruments: tuple[Instrument, ...]


Site = SolarSite | BoilerSite | TransformerSite

DEVICES: dict[PlantName, tuple[str, ...]] = {
    "solar": ("inverter-1", "inverter-2", "inverter-3", "ac-bus"),
    "heat-only-boiler": ("heat-out", "burner", "boiler-aux"),
    "transformer-stations": ("station-1", "station-2", "station-3"),
}
"""The devices of each plant, by name."""


def build_site(plant: PlantName, seed: str, origin_ms: int, power: PowerSource = "synthetic") -> Site:
    """Make a plant and its instruments.

    Args:
        plant: which kind of plant.
        seed: two sites with the same seed are the same site.
        origin_ms: where the counters begin [ms since the Unix epoch].
        power: where the output of a solar plant comes from.
    """
    match plant:
        case "solar":
            return _solar(SolarPlant(seed, origin_ms, measured_output() if power == "measured" else None))
        case "heat-only-boiler":
            return _boiler(HeatOnlyBoiler(seed, origin_ms))
        case "transformer-stations":
            return _transformers(seed, origin_ms)
        case _:
            assert_never(plant)


def prepare(site: Site, until_ms: int) -> None:
    """Compute the counters of a site up to an instant [ms since the Unix epoch]."""
    for plant in site.plant if isinstance(site, TransformerSite) else (site.plant,):
        plant.prepare(until_ms)


def _solar(plant: SolarPlant) -> SolarSite:
    def inverter(index: int) -> Instrument:
        serial = f"SIM-INV-{index + 1:04d}"
        return Instrument(
            name=f"inverter-{index + 1}",
            unit_id=index + 1,
            function=sunspec_103.FUNCTION,
            nameplate=Nameplate(sunspec_103.MAKE, sunspec_103.MODEL, serial),
            image=lambda at_ms: sunspec_103.image(plant.inverter(index, at_ms), serial),
        )

    bus = _iem3000("ac-bus", 10, "SIM-IEM-0001", lambda at_ms: schneider_iem3000.image(plant.ac_bus(at_ms)))
    return SolarSite(plant, (inverter(0), inverter(1), inverter(2), bus))


def _boiler(boiler: HeatOnlyBoiler) -> BoilerSite:
    heat_out = Instrument(
        name="heat-out",
        unit_id=1,
        function=multical_403.FUNCTION,
        nameplate=Nameplate(multical_403.MAKE, multical_403.MODEL, "SIM-MC4-0001"),
        image=lambda at_ms: multical_403.image(boiler.heat_out(at_ms)),
    )
    burner = Instrument(
        name="burner",
        unit_id=2,
        function=burner_controller.FUNCTION,
        nameplate=Nameplate(burner_controller.MAKE, burner_controller.MODEL, "SIM-RIO-0001"),
        image=lambda at_ms: burner_controller.image(boiler.burner(at_ms)),
    )
    aux = _iem3000("boiler-aux", 3, "SIM-IEM-0002", lambda at_ms: schneider_iem3000.image(boiler.auxiliaries(at_ms)))
    return BoilerSite(boiler, (heat_out, burner, aux))


def _iem3000(name: str, unit_id: int, serial: str, image: Callable[[int], Image]) -> Instrument:
    nameplate = Nameplate(schneider_iem3000.MAKE, schneider_iem3000.MODEL, serial)
    return Instrument(name, unit_id, schneider_iem3000.FUNCTION, nameplate, image)


def _transformers(seed: str, origin_ms: int) -> TransformerSite:
    outages = {"station-2": (OUTAGE,)}
    names = DEVICES["transformer-stations"]
    stations = tuple(TransformerStation(f"{seed}/{name}", origin_ms, outages.get(name, ())) for name in names)
    instruments = tuple(
        Instrument(
            name=name,
            unit_id=number,
            function=carlo_gavazzi_em340.FUNCTION,
            nameplate=Nameplate(carlo_gavazzi_em340.MAKE, carlo_gavazzi_em340.MODEL, f"SIM-EM3-{number:04d}"),
            image=partial(_em340, station),
        )
        for number, (name, station) in enumerate(zip(names, stations, strict=True), start=1)
    )
    return TransformerSite(stations, instruments)


def _em340(station: TransformerStation, at_ms: int) -> Image:
    return carlo_gavazzi_em340.image(station.low_voltage_side(at_ms))
