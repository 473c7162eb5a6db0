"""`sakugen reconcile`: do gateways, journal, archive and InfluxDB tell the same story?"""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.config import load_toml
from metering.interval import DAY_MS, Interval
from sakugen.cli import terminal
from sakugen.cli.ingest import midnight_ms

if TYPE_CHECKING:
    from ingest.reconcile import Row
    from ingest.store.census import StreamStanding

_DAYS = 31
_COUNTS = ("journal", "influxdb", "missing", "extra", "unequal", "archive", "archive_differs")
_APART = ("conflicts", "absent", "unexplained")


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(reconcile)


def reconcile(
    config: Annotated[Path, typer.Option(help="Ingest's TOML file.")],
    project: Annotated[str | None, typer.Option(help="Only this project, by id.")] = None,
    start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The first day (UTC); by default a month ago.")
    ] = None,
    end: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day (UTC); by default today.")
    ] = None,
    archive: Annotated[
        str | None, typer.Option(help="Where the archive is; by default `archive` in ingest's data folder.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare gateway streams, journal, archive and InfluxDB, per point and day; status 1 when they differ.

    Conflicts are told apart: they are no difference. Ingest may be running; what it has not forwarded yet is missing.

    Example: sakugen reconcile --config ingest.toml --start 2026-01-01 --end 2026-01-31
    """
    from ingest.config import IngestSettings
    from ingest.reconcile import Places, days, incomplete_streams
    from ingest.store.archive import Archive
    from ingest.store.archive_files import ArchiveFolder
    from ingest.store.influx_query import InfluxReader
    from ingest.store.reader import JournalReader

    settings = load_toml(config, IngestSettings)
    reader = JournalReader(settings.journal_path)
    influxdb = None if settings.influxdb is None else InfluxReader(settings.influxdb)
    places = Places(reader, influxdb, Archive(ArchiveFolder(archive or str(settings.data_dir / "archive"))))
    span = _span(start, end, settings.clock.build().now_ms())
    streams = incomplete_streams(places, project)
    projects = [name for name in reader.projects() if project in (None, name)]
    rows = [row for name in projects for row in days(places, name, span)]
    differing = [row for row in rows if row.differs]
    if as_json:
        found = {"streams": [asdict(one) for one in streams], "days": [asdict(row) for row in rows]}
        typer.echo(json.dumps({"equal": not (streams or differing)} | found, indent=2))
    else:
        _show(streams, rows)
    if streams or differing:
        raise typer.Exit(1)


def _span(start: datetime | None, end: datetime | None, now_ms: int) -> Interval:
    last_ms = now_ms // DAY_MS * DAY_MS if end is None else midnight_ms(end)
    first_ms = last_ms - (_DAYS - 1) * DAY_MS if start is None else midnight_ms(start)
    if first_ms > last_ms:
        raise typer.BadParameter("--start must not lie after --end")
    return Interval(first_ms, last_ms + DAY_MS)


def _show(streams: "list[StreamStanding]", rows: "list[Row]") -> None:
    console = terminal.console()
    if streams:
        table = terminal.new_table(
            "gateway", "stream", "stored to", "named to", "lost", "held", "forks", title="Streams that are not whole"
        )
        for one in streams:
            counts = (one.head, one.named, one.lost, one.held, one.forks)
            table.add_row(f"{one.site}/{one.gateway}", one.stream, *map(str, counts))
        console.print(table)
    for title, shown, columns in (
        ("Differences", [row for row in rows if row.differs], _COUNTS),
        ("Without a good reading", [row for row in rows if row.conflicts or row.unexplained], _APART),
    ):
        if shown:
            table = terminal.new_table("project", "point", "day", *columns, title=title)
            for row in shown:
                found = asdict(row)
                told = ("-" if found[name] is None else str(found[name]) for name in columns)
                table.add_row(row.project, row.point, row.day, *told)
            console.print(table)
    good = sum(row.journal for row in rows)
    differing = sum(row.differs for row in rows)
    console.print(f"{good} good readings on {len(rows)} days of points; {differing} of them differ")
