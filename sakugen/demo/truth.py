"""The true reduction of a demonstration project: from the plant's physics, never from a reading.

In: a project file and the simulators' settings. Out: tCO2e a year, to be compared with what the statement credits.
"""

from collections.abc import Mapping

from compute.project import ProjectSettings, load_project
from metering.config import load_toml
from sakugen.demo.layout import Layout
from simulators.config import SimulatorSettings
from simulators.truth import (
    BoilerParameters,
    Parameters,
    SolarParameters,
    StationParameters,
    TransformerParameters,
    truth,
)


def true_reductions(layout: Layout, project_id: str) -> Mapping[int, float]:
    """Compute the true reduction of each year of a project's first monitoring period.

    Args:
        layout: the files that the demonstration ran with.
        project_id: the project.

    Returns:
        tCO2e by calendar year.
    """
    project = load_project(layout.projects[project_id])
    settings = load_toml(layout.config("simulators"), SimulatorSettings)
    interval = project.interval_of(project.period_named(None))
    vintages = truth(settings, project_id, interval, project.time_zone, _parameters(project))
    return {vintage.year: vintage.reduction_tco2 for vintage in vintages}


def _parameters(project: ProjectSettings) -> Parameters:
    match project.methodology:
        case "solar-pv":
            return SolarParameters(_value(project, "EF_RE"))
        case "heat-only-boiler":
            return BoilerParameters(
                reference_efficiency=_value(project, "eta_RE"),
                project_efficiency=_value(project, "eta_PJ"),
                fuel_factor_tco2_per_gj=_value(project, "EF_coal"),
                rated_power_w=_value(project, "P_el"),
                electricity_factor_tco2_per_mwh=_value(project, "EF_grid"),
            )
        case _:
            stations = tuple(_station(project, point.id) for point in project.points_with("station"))
            return TransformerParameters(stations, _value(project, "EF_grid"))


def _station(project: ProjectSettings, point: str) -> StationParameters:
    uncertainty = _value(project, "UNC", point)
    return StationParameters(
        units=_value(project, "n", point),
        reference_no_load_loss_w=_value(project, "NLL_RE", point),
        project_no_load_loss_w=_value(project, "NLL_PJ", point) * (1 + uncertainty),
    )


def _value(project: ProjectSettings, name: str, point: str = "") -> float:
    parameter = project.parameter_for(name, point)
    if parameter is None:
        raise KeyError(f"{project.id} gives no {name}")
    return float(parameter.value)
