"""`sakugen gateway`: the agent on site."""

from pathlib import Path
from typing import Annotated

import typer

from metering.config import load_toml

app = typer.Typer(no_args_is_help=True, help="The agent on site: poll meters, keep readings, send them.")


@app.command()
def run(config: Annotated[Path, typer.Option(help="The gateway's TOML file.")]) -> None:
    """Poll the meters and send signed records until stopped; nothing read is lost.

    Example: sakugen gateway run --config gateway.toml
    """
    from gateway import agent
    from gateway.config import GatewaySettings

    agent.main(lambda: load_toml(config, GatewaySettings))
