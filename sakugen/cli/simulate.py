"""`sakugen simulate`: plants to test with."""

from pathlib import Path
from typing import Annotated

import typer

from metering.config import load_toml

app = typer.Typer(no_args_is_help=True, help="Simulated plants that answer Modbus and remember every answer.")


@app.command()
def run(config: Annotated[Path, typer.Option(help="The simulators' TOML file.")]) -> None:
    """Serve simulated plants as Modbus TCP devices until stopped.

    Example: sakugen simulate run --config simulators.toml
    """
    from simulators.config import SimulatorSettings
    from simulators.serve import main

    raise typer.Exit(main(load_toml(config, SimulatorSettings)))
