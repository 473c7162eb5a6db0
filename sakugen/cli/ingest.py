"""`sakugen ingest` and `sakugen quarantine`: the journal's owner, and what it could not use."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from metering.clock import utc_text
from metering.config import load_toml
from sakugen.cli import terminal

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


@app.command()
def adopt(
    journal: Annotated[str, typer.Argument(help="The ULID of the journal that was lost, from the last ack.")],
    config: ConfigOption,
) -> None:
    """Declare that this new journal takes over from a lost one, so that gateways send again; ingest must be stopped.

    Example: sakugen ingest adopt 01JD2Q5W0Y3V8T6R4P2N0M8K6H --config ingest.toml
    """
    from ingest.adopt import adopt as take_over
    from ingest.config import IngestSettings

    done = take_over(load_toml(config, IngestSettings), journal)
    typer.echo(f"journal {done.journal} succeeds {done.succeeds}; start ingest and gateways send what they still hold")


@quarantine_app.command(name="list")
def list_rows(
    config: ConfigOption,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """List records refused, held or forked, and holes and incidents; ingest may be running.

    Example: sakugen quarantine list --config ingest.toml
    """
    from ingest.config import IngestSettings
    from ingest.quarantine import rows

    found = rows(load_toml(config, IngestSettings).journal_path)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in found], indent=2))
        return
    console = terminal.console()
    if not found:
        console.print("nothing is refused, held or forked; no holes, no incidents")
        return
    table = terminal.new_table("what", "since", "gateway", "stream", "record", "times", "why", "digest")
    for row in found:
        gateway = f"{row.site}/{row.gateway}" if row.site else row.gateway
        seq = "" if row.seq is None else str(row.seq)
        table.add_row(
            row.what, utc_text(row.at_ms), gateway, row.stream, seq, str(row.times), row.reason, (row.digest or "")[:12]
        )
    console.print(table)


@quarantine_app.command()
def replay(
    config: ConfigOption,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Look at held records again: with newer software they may be usable; ingest must be stopped, or does it itself.

    Status 1 when some are still held. Example: sakugen quarantine replay --config ingest.toml
    """
    from ingest.config import IngestSettings
    from ingest.quarantine import replay_held

    done, left = replay_held(load_toml(config, IngestSettings))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in done], indent=2))
    else:
        for one in done:
            typer.echo(f"{one.key.site}/{one.key.gateway} stream {one.key.stream} record {one.seq} can be used now")
        typer.echo(f"{len(done)} records can be used now, {left} are still held")
    if left:
        raise typer.Exit(1)
