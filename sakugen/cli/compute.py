"""`sakugen compute`: emission reductions of a monitoring period, and what makes them fast and plain."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compute.config import Origin
from metering.config import load_toml
from metering.errors import SakugenError
from sakugen.cli import terminal
from sakugen.cli.short_run import ends_soon

if TYPE_CHECKING:
    from compute.config import ComputeSettings
    from compute.result import Result

app = typer.Typer(no_args_is_help=True, help="From readings to emission reductions, exactly.")


class UnknownProjectError(SakugenError):
    """A project that the configuration does not list."""


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="Compute's TOML file.")],
    project: Annotated[str | None, typer.Option(help="Only this project, by id.")] = None,
    period: Annotated[str | None, typer.Option(help="The monitoring period; by default the first.")] = None,
    source: Annotated[Origin, typer.Option(help="Where readings are taken from.")] = Origin.JOURNAL,
    *,
    follow: Annotated[bool, typer.Option(help="Keep provisional results up to date until stopped.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compute a monitoring period of each project; the statement is drawn up by `sakugen statement draft`.

    Example: sakugen compute run --config compute.toml --project demo-solar --source archive
    """
    from compute.cache import use_cache_directory
    from compute.config import ComputeSettings

    settings = load_toml(config, ComputeSettings)
    use_cache_directory(settings.data_dir)
    if follow:
        if source is not Origin.JOURNAL:
            raise typer.BadParameter("--follow reads the journal: only there do readings arrive")
        from compute.service import main

        main(settings)
        return
    ends_soon()
    results = _compute(settings, project, period, source)
    if as_json:
        from sakugen.cli.result_json import as_json as written

        typer.echo(json.dumps({result.project: written(result) for result in results}, indent=2, ensure_ascii=False))
        return
    for result in results:
        _show(result)


@app.command()
def warm(config: Annotated[Path, typer.Option(help="Compute's TOML file.")]) -> None:
    """Compile the kernels ahead, into the data directory: the first result then comes as fast as any other.

    Example: sakugen compute warm --config compute.toml
    """
    from compute.cache import use_cache_directory
    from compute.config import ComputeSettings

    folder = use_cache_directory(load_toml(config, ComputeSettings).data_dir)
    with terminal.working(1) as step:
        step("compiling")
        from compute.warm import warm as compile_all

        compile_all()
    typer.echo(f"kernels are compiled in {folder}")


def _compute(settings: "ComputeSettings", project: str | None, period: str | None, origin: Origin) -> list["Result"]:
    from compute.declared import declared_beside
    from compute.once import compute_once
    from compute.project import load_project
    from sakugen.history import held_records, source_of

    projects = {one.id: one for one in map(load_project, settings.projects)}
    files = dict(zip(projects, settings.projects, strict=True))
    if project is not None and project not in projects:
        raise UnknownProjectError(f"no project {project!r}; the configuration lists: {', '.join(projects)}")
    now_ms = settings.clock.build().now_ms()
    wanted = [one for one in projects.values() if project in {None, one.id}]
    results = []
    with terminal.working(len(wanted)) as step:
        for one in wanted:
            step(one.id)
            held = held_records(settings, origin, one)
            source = source_of(settings, origin, one)
            declared = declared_beside(files[one.id], one.id)
            results.append(
                compute_once(one, one.period_named(period), source, held=held, now_ms=now_ms, declared=declared)
            )
    return results


def _show(result: "Result") -> None:
    from compute.result import decimal_text
    from metering.interval import HOUR_MS

    console = terminal.console()
    columns = ("vintage", "reference [tCO2e]", "project emissions [tCO2e]", "reduction [tCO2e]", "at most [tCO2e]")
    title = f"{result.project}, {result.period}, {result.methodology}"
    table = terminal.new_table(*columns, "measured within [tCO2e]", "whole tonnes [tCO2e]", title=title)
    for vintage in result.vintages:
        amounts = (vintage.credited.reference, vintage.credited.project, vintage.reduction.low, vintage.reduction.high)
        stated = vintage.uncertainty
        within = "not stated"
        if stated is not None and stated.expanded is not None:
            within = f"± {decimal_text(stated.expanded)} (k = {stated.coverage_factor})"
        table.add_row(str(vintage.year), *(decimal_text(amount) for amount in amounts), within, str(vintage.integer))
    console.print(table)
    for row in result.monitored:
        for month in row.by_month:
            console.print(
                f"  {row.parameter} {row.point} {month.month}: {float(month.coverage):.1%} read, longest gap"
                f" {month.longest_gap_ms / HOUR_MS:.1f} h, {float(month.substituted_share):.1%} of the time in doubt"
            )
    for finding in result.findings:
        console.print(f"  {finding.severity} {finding.code} {finding.point or ''}: {finding.what}")
    for reason in result.blocked_by:
        console.print(f"  not creditable: {reason.code} {reason.where}: {reason.what}")
