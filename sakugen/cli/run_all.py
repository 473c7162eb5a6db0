"""`sakugen up` and `sakugen demo`: everything in one place, on free ports of loopback."""

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from sakugen.cli import terminal

DataDirOption = Annotated[
    Path | None, typer.Option(help="An empty or new folder to work in; by default a temporary one.")
]


def add_to(app: typer.Typer) -> None:
    """Add the two commands to the command line."""
    app.command()(demo)
    app.command()(up)


def demo(
    *,
    seconds: Annotated[
        float, typer.Option(min=20, help="How long the fourteen days take, from all parts being up.")
    ] = 90,
    data_dir: DataDirOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run three plants over a year's end with faults on the way, then account for every reading and tonne.

    Ends with status 0 only if nothing was lost or doubled, each project has a whole tonne and two vintages, and each
    statement passed its offline check.

    Example: sakugen demo --seconds 120 --json
    """
    from sakugen.demo.run import run

    folder = _work_folder(data_dir)
    with terminal.progress(quiet=False) as bar:
        console = bar.console
        task = bar.add_task("fourteen days", total=1.0)
        report = asyncio.run(run(folder, seconds, console.print, lambda share: bar.update(task, completed=share)))
    if as_json:
        sys.stdout.write(json.dumps(report.as_dict(), indent=2) + "\n")
    else:
        out = terminal.console()
        for table in report.tables():
            out.print(table)
        for project in report.projects:
            out.print(
                f"{project.account.project}: not creditable, blocked by {', '.join(project.blocked_by)}"
                if not project.creditable
                else f"{project.account.project}: creditable"
            )
        out.print(f"{'OK' if report.ok else 'NOT OK'} in {report.wall_s:.0f} s")
    for fault in report.faults:
        console.print(f"[red]fault[/] {fault}")
    if report.ok and data_dir is None:
        shutil.rmtree(folder)
    else:
        console.print(f"everything is kept in {folder}")
    raise typer.Exit(0 if report.ok else 1)


def up(
    *,
    speed: Annotated[float, typer.Option(min=1, help="How many times faster than real time the plants run.")] = 1800,
    data_dir: DataDirOption = None,
    browser: Annotated[bool, typer.Option(help="Open the first page.")] = True,
) -> None:
    """Run three simulated plants and everything behind them until Ctrl-C; print where to look.

    Example: sakugen up --no-browser
    """
    from sakugen.up import run

    raise typer.Exit(asyncio.run(run(_work_folder(data_dir), speed, open_browser=browser)))


def _work_folder(data_dir: Path | None) -> Path:
    if data_dir is None:
        return Path(tempfile.mkdtemp(prefix="sakugen-"))
    data_dir.mkdir(parents=True, exist_ok=True)
    if any(data_dir.iterdir()):
        raise typer.BadParameter(
            f"{data_dir} is not empty; every run starts with an empty folder", param_hint="--data-dir"
        )
    return data_dir.absolute()
