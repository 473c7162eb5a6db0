"""`sakugen dashboards`: Grafana's files and the built-in first page."""

from pathlib import Path
from typing import Annotated

import typer

from metering.config import load_toml

app = typer.Typer(no_args_is_help=True, help="Grafana dashboards as files, and the built-in console.")


@app.command()
def build() -> None:
    """Write Grafana's dashboard and provisioning files again from their builder.

    Example: sakugen dashboards build
    """
    from dashboards.grafana.build import build as write

    typer.echo(write())


@app.command()
def console(config: Annotated[Path, typer.Option(help="The console's TOML file.")]) -> None:
    """Serve the first page: live readings, gateways, tonnes.

    Example: sakugen dashboards console --config dashboards.toml
    """
    from dashboards.console.config import ConsoleSettings
    from dashboards.console.serve import run

    run(load_toml(config, ConsoleSettings))
