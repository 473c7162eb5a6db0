"""`sakugen compute`: emission reductions of a monitoring period, from the journal."""

import json
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.config import load_toml
from metering.errors import SakugenError
from sakugen.cli import terminal

if TYPE_CHECKING:
    from compute.config import ComputeSettings
    from compute.result import Result

app = typer.Typer(no_args_is_help=True, help="From readings to emission reductions, exactly.")


class UnknownProjectError(SakugenError):
    """A project that the configuration does not list."""


@app.callback()
def _group() -> None:
    """Keep `compute run` a verb of its own while it is the only one."""


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="Compute's TOML file.")],
    project: Annotated[str | None, typer.Option(help="Only this project, by id.")] = None,
    period: Annotated[str | None, typer.Option(help="The monitoring period; by default the first.")] = None,
    *,
    follow: Annotated[bool, typer.Option(help="Keep provisional results up to date until stopped.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compute a monitoring period of each project; the statement is drawn up by `sakugen statement draft`.

    Example: sakugen compute run --config compute.toml --project demo-solar
    """
    from compute.cache import use_cache_directory
    from compute.config import ComputeSettings

    settings = load_toml(config, ComputeSettings)
    use_cache_directory(settings.data_dir)
    if follow:
        from compute.service import main

        main(settings)
        return
    results = _compute(settings, project, period)
    if as_json:
        typer.echo(json.dumps({result.project: asdict(result) for result in results}, indent=2, default=_plain))
        return
    for result in results:
        _show(result)


def _compute(settings: "ComputeSettings", project: str | None, period: str | None) -> list["Result"]:
    from compute.project import load_project
    from compute.service import compute_once

    files = {load_project(file).id: file for file in settings.projects}
    if project is not None and project not in files:
        raise UnknownProjectError(f"no project {project!r}; the configuration lists: {', '.join(files)}")
    return [compute_once(file, settings.journal, period) for id_, file in files.items() if project in (None, id_)]


def _plain(value: object) -> str:
    return str(value) if isinstance(value, Fraction) else repr(value)


def _show(result: "Result") -> None:
    from compute.result import decimal_text

    console = terminal.console()
    columns = ("vintage", "reference [tCO2e]", "project emissions [tCO2e]", "reduction [tCO2e]", "at most [tCO2e]")
    title = f"{result.project}, {result.period}, {result.methodology}"
    table = terminal.new_table(*columns, "whole tonnes [tCO2e]", title=title)
    for vintage in result.vintages:
        amounts = (vintage.credited.reference, vintage.credited.project, vintage.reduction.low, vintage.reduction.high)
        table.add_row(str(vintage.year), *(decimal_text(amount) for amount in amounts), str(vintage.integer))
    console.print(table)
    for finding in result.findings:
        console.print(f"  {finding.severity} {finding.code} {finding.point or ''}: {finding.what}")
    for reason in result.blocked_by:
        console.print(f"  not creditable: {reason.code} {reason.where}: {reason.what}")
