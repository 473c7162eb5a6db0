"""`sakugen ingest` and `sakugen quarantine`: the journal's owner, and what it could not use."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from metering.clock import utc_text
from metering.config import load_toml

app = typer.Typer(no_args_is_help=True, help="Take signed records, make them durable, acknowledge them.")
quarantine_app = typer.Typer(no_args_is_help=True, help="Records that were refused, held or forked.")

ConfigOption = Annotated[Path, typer.Option(help="Ingest's TOML file.")]


@app.command()
def run(config: ConfigOption) -> None:
    """Consume records, journal them, acknowledge them, until stopped.

    Example: sakugen ingest run --config ingest.toml
    """
    from ingest import service
    from ingest.config import IngestSettings

    service.run(load_toml(config, IngestSettings))
