"""Assemble the command line and turn expected errors into one message and an exit status.

Status 0 = done, 1 = ran and found something wrong, 2 = could not run (configuration, usage, a port that is taken).
"""

import importlib.util
import sys

import typer

from metering.config import ConfigError
from metering.errors import SakugenError
from sakugen.cli import (
    commissioning,
    compute,
    config,
    dashboards,
    declare,
    devices,
    explain,
    gateway,
    ingest,
    keys,
    reconcile,
    registry,
    run_all,
    simulate,
    terminal,
)

app = typer.Typer(
    name="sakugen",
    help="From a Modbus register to a JCM emission-reduction statement that anyone can check offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
run_all.add_to(app)
commissioning.add_to(gateway.app)
app.add_typer(gateway.app, name="gateway")
app.add_typer(devices.app, name="devices")
app.add_typer(ingest.app, name="ingest")
app.add_typer(ingest.quarantine_app, name="quarantine")
reconcile.add_to(app)
declare.add_to(app)
explain.add_to(compute.app)
app.add_typer(compute.app, name="compute")
app.add_typer(registry.statement_app, name="statement")
registry.add_verify_to(app)
app.add_typer(registry.app, name="registry")
app.add_typer(dashboards.app, name="dashboards")
app.add_typer(simulate.app, name="simulate")
app.add_typer(config.app, name="config")
app.add_typer(keys.app, name="keys")


def _print_version(*, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"sakugen {version('sakugen')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    show_version: bool = typer.Option(
        False, "--version", help="Print the version and end.", callback=lambda value: _print_version(wanted=value)
    ),
) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command line and end the process with its status."""
    try:
        app()
    except ConfigError as error:
        for fault in error.faults:
            _say(str(fault))
        sys.exit(2)
    except SakugenError as error:
        _say(str(error))
        sys.exit(2)
    except ModuleNotFoundError as error:
        _explain_missing(error)


def _say(error: str) -> None:
    terminal.console(stderr=True).print(f"[red]error[/] {terminal.escape(error)}")


def _explain_missing(error: ModuleNotFoundError) -> None:
    package = (error.name or "").partition(".")[0]
    if importlib.util.find_spec(package or "?") is not None or package in _OUR_PACKAGES:
        raise error
    extra = next((extra for extra, packages in _EXTRAS.items() if package in packages), "all")
    _say(f"this command needs the package {package!r}: pip install 'sakugen[{extra}]'")
    sys.exit(2)


_OUR_PACKAGES = frozenset(
    {"metering", "simulators", "gateway", "ingest", "compute", "registry", "dashboards", "sakugen"}
)
_EXTRAS = {
    "gateway": {"pymodbus", "paho"},
    "ingest": {"influxdb_client"},
    "compute": {"numba", "numpy"},
    "registry": {"fastapi", "uvicorn", "joserfc", "rfc8785"},
    "dashboards": {"nicegui"},
    "up": {"iotcore"},
}
