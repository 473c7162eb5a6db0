"""`sakugen config`: print a commented sample, check a file before anything is started."""

import json
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from metering.config import ConfigError, load_toml
from metering.errors import SakugenError

app = typer.Typer(no_args_is_help=True, help="One TOML file per process: samples and checks.")


class Process(StrEnum):
    """What a configuration file can be for."""

    GATEWAY = "gateway"
    INGEST = "ingest"
    COMPUTE = "compute"
    REGISTRY = "registry"
    DASHBOARDS = "dashboards"
    SIMULATORS = "simulators"
    PROJECT = "project"


_MODELS = {
    Process.GATEWAY: ("gateway.config", "GatewaySettings"),
    Process.INGEST: ("ingest.config", "IngestSettings"),
    Process.COMPUTE: ("compute.config", "ComputeSettings"),
    Process.REGISTRY: ("registry.config", "RegistrySettings"),
    Process.DASHBOARDS: ("dashboards.console.config", "ConsoleSettings"),
    Process.SIMULATORS: ("simulators.config", "SimulatorSettings"),
    Process.PROJECT: ("compute.project", "ProjectSettings"),
}


class UnknownProcessError(SakugenError):
    """A configuration file whose name does not say what it is for."""


def model_of(process: Process) -> type[BaseModel]:
    """Find the pydantic model that is the manual of a process's file."""
    module, name = _MODELS[process]
    model: type[BaseModel] = getattr(import_module(module), name)
    return model


def sample_of(process: Process) -> str:
    """The commented sample of a process's file; it stands beside its model."""
    sample: str = import_module(_MODELS[process][0]).SAMPLE
    return sample


@app.command()
def sample(process: Annotated[Process, typer.Argument(help="Which process.")]) -> None:
    """Print a commented sample of a process's configuration file.

    Example: sakugen config sample gateway > gateway.toml
    """
    typer.echo(sample_of(process), nl=False)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The TOML file.")],
    process: Annotated[Process | None, typer.Option(help="What it is for; by default its name says so.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the faults as JSON.")] = False,
) -> None:
    """Report every fault of a configuration file with its line; nothing is started.

    Example: sakugen config check gateway.toml
    """
    try:
        _load(file, process or _process_named(file))
    except ConfigError as error:
        if not as_json:
            raise
        typer.echo(json.dumps({"ok": False, "faults": [fault.as_dict() for fault in error.faults]}))
        raise typer.Exit(2) from None
    typer.echo(json.dumps({"ok": True, "faults": []}) if as_json else f"{file}: no faults")


def _load(file: Path, process: Process) -> None:
    if process is Process.PROJECT:
        from compute.project import load_project

        load_project(file)  # also against the methodology that it names
        return
    load_toml(file, model_of(process))


def _process_named(file: Path) -> Process:
    for process in Process:
        if file.stem.startswith(process):
            return process
    choices = ", ".join(Process)
    raise UnknownProcessError(f"{file}: what is it for? Its name begins with none of {choices}; say --process NAME")
