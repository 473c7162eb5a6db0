"""`sakugen ingest` and `sakugen quarantine`: the journal's owner, and what it could not use."""

import json
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.clock import utc_text
from metering.config import load_toml
from metering.interval import DAY_MS, Interval
from sakugen.cli import terminal

if TYPE_CHECKING:
    from ingest.config import IngestSettings

app = typer.Typer(no_args_is_help=True, help="Take signed records, make them durable, acknowledge them.")
quarantine_app = typer.Typer(no_args_is_help=True, help="Records that were refused, held or forked.")

ConfigOption = Annotated[Path, typer.Option(help="Ingest's TOML file.")]


@app.command()
def run(
    config: ConfigOption,
    rebuild: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Instead, beside it: send all good readings since this day (UTC) to InfluxDB again, and end.",
        ),
    ] = None,
) -> None:
    """Consume records, journal them, acknowledge them, until stopped.

    Example: sakugen ingest run --config ingest.toml
    """
    from ingest import service
    from ingest.config import IngestSettings

    settings = load_toml(config, IngestSettings)
    if rebuild is None:
        service.run(settings)
    elif _rebuild(settings, midnight_ms(rebuild)):
        raise typer.Exit(1)


def _rebuild(settings: "IngestSettings", start_ms: int) -> int:
    """Send, tell each day, and count the lines that were not taken."""
    from ingest.errors import InfluxError
    from ingest.rebuild import rebuild
    from ingest.store.influx import open_writer
    from ingest.store.reader import JournalReader

    if settings.influxdb is None:
        raise InfluxError("the configuration has no [influxdb]: there is nowhere to send to")
    span = Interval(start_ms, settings.clock.build().now_ms() + DAY_MS)
    refused = 0
    reader, writer = JournalReader(settings.journal_path), open_writer(settings.influxdb)
    for sent in rebuild(reader, writer, span, threading.Event().wait):
        refused += len(sent.refused)
        typer.echo(f"{utc_text(sent.start_ms)[:10]} {sent.project}: {sent.lines} lines, {len(sent.refused)} not taken")
        for line in sent.refused[:5]:
            typer.echo(f"  {line}", err=True)
    return refused


def midnight_ms(day: datetime) -> int:
    """The start of a day in UTC [ms since the Unix epoch]."""
    return int(day.replace(tzinfo=UTC).timestamp()) * 1000


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


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Where to; closed months that it holds already are not copied again.")],
    config: ConfigOption,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Copy the journal and its closed months into a folder, and check every record; ingest may be running.

    Example: sakugen ingest backup /backup/monday --config ingest.toml
    """
    from ingest.backup import back_up
    from ingest.config import IngestSettings

    done = back_up(load_toml(config, IngestSettings), folder)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    months = f"{done.months} closed months ({done.new_months} new)"
    typer.echo(f"journal {done.journal} in {folder}: {done.records} records, {months}")


@app.command(name="archive")
def archive_months(
    config: ConfigOption,
    to: Annotated[
        str | None, typer.Option(help="A folder or an fsspec address; by default `archive` in ingest's data folder.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of the months written.")] = False,
) -> None:
    """Write months that are over as Parquet, where records came since the last time; ingest may be running.

    Example: sakugen ingest archive --config ingest.toml --to s3://bucket/sakugen
    """
    from ingest.archive import Archived, archive
    from ingest.config import IngestSettings
    from ingest.store.archive import Archive
    from ingest.store.archive_files import ArchiveFolder
    from ingest.store.reader import JournalReader

    settings = load_toml(config, IngestSettings)
    target = Archive(ArchiveFolder(to or str(settings.data_dir / "archive")))
    written: list[Archived] = []

    def tell(month: Archived) -> None:
        written.append(month)
        if not as_json:
            what = "again, other records have come" if month.again else "new"
            typer.echo(
                f"{month.project} {month.month}: {month.readings:,} readings, {month.size_bytes:,} bytes, {what}"
            )

    archive(JournalReader(settings.journal_path), target, settings.clock.build().now_ms(), tell)
    if as_json:
        typer.echo(json.dumps([asdict(month) for month in written], indent=2))
    elif not written:
        typer.echo(f"{target.folder.url} is up to date")


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
