"""In: a plant, an interval, a methodology's parameters. Out: the true emission reductions a vintage, in floats.

Straight from the physics, not from registers or readings: what a statement's integers are compared with. The true
value lies at or above what is credited, because every doubt lowers the credited amount and the floor takes the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from metering.interval import Interval
from simulators.build import built
from simulators.config import SimulatorSettings
from simulators.plants.heat_only_boiler import HeatOnlyBoiler
from simulators.plants.plant import Plant
from simulators.plants.solar import SolarPlant
from simulators.plants.transformer_station import TransformerStations

_WH_PER_MWH = 1e6
_GJ_PER_WH = 3.6e-6


@dataclass(frozen=True, slots=True)
class SolarParameters:
    """Solar PV: reference = exported electricity × factor, project = 0."""

    electricity_factor_tco2_per_mwh: float


@dataclass(frozen=True, slots=True)
class BoilerParameters:
    """Heat-only boiler: heat / efficiency × fuel factor, before and after, and rated power × hours as electricity."""

    reference_efficiency: float
    project_efficiency: float
    fuel_factor_tco2_per_gj: float
    rated_power_w: float
    electricity_factor_tco2_per_mwh: float


@dataclass(frozen=True, slots=True)
class StationParameters:
    """The transformers behind one station's meter."""

    units: float
    reference_no_load_loss_w: float
    project_no_load_loss_w: float
    """Of one unit, with the uncertainty of its certificate already added [W]."""


@dataclass(frozen=True, slots=True)
class TransformerParameters:
    """Transformer fleet: units × no-load loss × energised time, before and after, over all stations."""

    stations: tuple[StationParameters, ...]
    """One entry a station, in the plant's order."""
    electricity_factor_tco2_per_mwh: float


Parameters = SolarParameters | BoilerParameters | TransformerParameters


@dataclass(frozen=True, slots=True)
class VintageTruth:
    """What really happened in one calendar year's part of an interval."""

    year: int
    reference_tco2: float
    project_tco2: float

    @property
    def reduction_tco2(self) -> float:
        """Reference less project [tCO2]."""
        return self.reference_tco2 - self.project_tco2


def truth(
    settings: SimulatorSettings, project: str, interval: Interval, zone: str, parameters: Parameters
) -> tuple[VintageTruth, ...]:
    """The true reductions of a simulated project.

    Args:
        settings: what the simulators ran with; the plant is built again from them.
        project: one of the settings' projects.
        interval: the monitoring period.
        zone: the project's civil time zone, for example "Asia/Ulaanbaatar"; vintages split at its 1 January.
        parameters: of the project's methodology.

    Returns:
        One entry a vintage, in order.
    """
    plant = next(each for each in settings.plants if each.project == project)
    made = built(settings, plant).plant
    return tuple(_vintage(made, parameters, year, part) for year, part in _split(interval, ZoneInfo(zone)))


def _split(interval: Interval, zone: ZoneInfo) -> Iterator[tuple[int, Interval]]:
    start_ms = interval.start_ms
    while start_ms < interval.end_ms:
        year = datetime.fromtimestamp(start_ms / 1000, zone).year
        next_year_ms = int(datetime(year + 1, 1, 1, tzinfo=zone).timestamp() * 1000)
        end_ms = min(interval.end_ms, next_year_ms)
        yield year, Interval(start_ms, end_ms)
        start_ms = end_ms


def _vintage(plant: Plant, parameters: Parameters, year: int, part: Interval) -> VintageTruth:
    match plant, parameters:
        case SolarPlant(), SolarParameters():
            exported_mwh = plant.exported_wh(part.start_ms, part.end_ms) / _WH_PER_MWH
            return VintageTruth(year, exported_mwh * parameters.electricity_factor_tco2_per_mwh, 0.0)
        case HeatOnlyBoiler(), BoilerParameters():
            fuel_tco2 = plant.heat_wh(part.start_ms, part.end_ms) * _GJ_PER_WH * parameters.fuel_factor_tco2_per_gj
            own_mwh = parameters.rated_power_w * plant.running_h(part.start_ms, part.end_ms) / _WH_PER_MWH
            own_tco2 = own_mwh * parameters.electricity_factor_tco2_per_mwh
            return VintageTruth(
                year, fuel_tco2 / parameters.reference_efficiency, fuel_tco2 / parameters.project_efficiency + own_tco2
            )
        case TransformerStations(), TransformerParameters():
            factor_tco2_per_wh = parameters.electricity_factor_tco2_per_mwh / _WH_PER_MWH
            reference = project = 0.0
            for name, fleet in zip(plant.stations, parameters.stations, strict=True):
                unit_h = plant.energised_h(name, part.start_ms, part.end_ms) * fleet.units
                reference += unit_h * fleet.reference_no_load_loss_w * factor_tco2_per_wh
                project += unit_h * fleet.project_no_load_loss_w * factor_tco2_per_wh
            return VintageTruth(year, reference, project)
        case _:
            raise TypeError(f"{type(parameters).__name__} are not the parameters of a {type(plant).__name__}")
