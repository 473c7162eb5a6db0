"""`sakugen gateway plan`: what a technician asks of a site before and while a gateway runs there. Only reads."""

import json
from pathlib import Path
from typing import Annotated

import typer

from metering.config import load_toml

ConfigArgument = Annotated[Path, typer.Argument(help="The gateway's TOML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to `sakugen gateway`."""
    for verb in (plan,):
        app.command()(verb)


def plan(file: ConfigArgument, *, as_json: AsJson = False) -> None:
    """Print the requests of each slot and the time they take on their line; nothing is connected.

    A line that cannot carry what is asked of it is refused with status 2.

    Example: sakugen gateway plan gateway.toml
    """
    from gateway.config import GatewaySettings
    from gateway.layout import lay_out
    from sakugen.cli import gateway_tables

    laid = lay_out(load_toml(file, GatewaySettings))
    if as_json:
        typer.echo(json.dumps(gateway_tables.plan_as_json(laid)))
    else:
        gateway_tables.show_plan(laid)
