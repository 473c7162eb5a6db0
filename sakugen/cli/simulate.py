"""`sakugen simulate`: plants to test with."""

from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metering.config import load_toml
from metering.errors import SakugenError
from sakugen.cli import terminal, watch

if TYPE_CHECKING:
    from pydantic import ValidationError

    from simulators.config import SimulatorSettings
    from simulators.consumer import ConsumerScore
    from simulators.control import Answer

_PORT = 15020
_SHOWN = 5  # of each kind; the counts say how many there are

app = typer.Typer(no_args_is_help=True, help="Simulated plants that answer Modbus and remember every answer.")
watch.add_to(app)


class UnknownPlantError(SakugenError):
    """A plant that there is not, or that cannot be as it is asked for."""


class UnknownFaultError(SakugenError):
    """A kind of fault that there is none of."""


@app.command()
def run(
    plant: Annotated[str, typer.Argument(help="A kind of plant, such as solar; without it, what --config says.")] = "",
    config: Annotated[Path | None, typer.Option(help="The simulators' TOML file.")] = None,
    site: Annotated[str, typer.Option(help="A ready site of docs/sites.md, or a name of your own.")] = "",
    size: Annotated[str, typer.Option(help="What it is rated at, such as 8.3MW; by default its own size.")] = "",
    scenario: Annotated[str, typer.Option(help="A story of faults, from now on.")] = "",
    port: Annotated[
        int | None, typer.Option(help="The Modbus TCP port, by default 15020; 0 takes any free one.", min=0, max=65535)
    ] = None,
) -> None:
    """Serve simulated plants as Modbus devices until stopped.

    Example: sakugen simulate run solar --size 8.3MW --site mongolia-farm
    """
    from simulators.serve import main

    if bool(plant) == (config is not None):
        raise UnknownPlantError("say which plant, or which --config: one of the two")
    if config is not None and (site or size or scenario or port is not None):
        raise UnknownPlantError("--site, --size, --scenario and --port go with a plant; --config says its own")
    settings = _settings_from(config) if config else _one_plant(plant, site, size, scenario, port)
    raise typer.Exit(main(settings))


def _settings_from(config: Path) -> "SimulatorSettings":
    from simulators.config import SimulatorSettings

    return load_toml(config, SimulatorSettings)


def _one_plant(plant: str, site: str, size: str, scenario: str, port: int | None) -> "SimulatorSettings":
    from pydantic import ValidationError

    from simulators.config import SimulatorSettings
    from simulators.roster import DEVICES
    from simulators.sites.ready import READY

    if plant not in DEVICES:
        raise UnknownPlantError(f"no plant {plant!r}; there are: {', '.join(DEVICES)}")
    if site not in READY and (meant := get_close_matches(site, READY, 1)):
        typer.echo(f"{site!r} is no ready site but a name of your own; did you mean {meant[0]!r}?", err=True)
    table: dict[str, object] = {"plant": plant, "project": plant, "site": site or plant, "size": size}
    table |= {"scenario": scenario, "port": _PORT if port is None else port, "ready": site if site in READY else ""}
    try:
        return SimulatorSettings.model_validate({"plants": [table]})
    except ValidationError as error:
        raise UnknownPlantError(_messages(error)) from None


def _messages(error: "ValidationError") -> str:
    return "; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors())


@app.command()
def backfill(
    gateway: Annotated[Path, typer.Option(help="The gateway's TOML file; its outbox is filled.")],
    simulators: Annotated[Path, typer.Option(help="The simulators' TOML file, which holds the gateway's plant.")],
    start: Annotated[
        str, typer.Option("--from", help="The first slot, ISO 8601, for example 2025-01-01T00:00:00+08:00.")
    ],
    end: Annotated[str, typer.Option("--to", help="Up to here, not included.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fill a stretch of time through the real outbox, broker and ingest, as fast as it goes; both must be running.

    Example: sakugen simulate backfill --gateway gateway.toml --simulators simulators.toml --from 2025-01-01T00:00Z
    --to 2026-01-01T00:00Z
    """
    import asyncio
    import json
    from dataclasses import asdict

    from gateway.config import GatewaySettings
    from metering.interval import Interval
    from sakugen.backfill import backfill as fill
    from simulators.config import SimulatorSettings

    from_ms, to_ms = _instant_ms("--from", start), _instant_ms("--to", end)
    if from_ms >= to_ms:
        raise typer.BadParameter(f"--to {end!r} is not after --from {start!r}")
    span = Interval(from_ms, to_ms)
    settings = load_toml(gateway, GatewaySettings), load_toml(simulators, SimulatorSettings)
    with terminal.progress(quiet=as_json) as bar:
        task = bar.add_task(f"{settings[0].project}", total=span.length_ms)
        done = asyncio.run(
            fill(
                *settings,
                span,
                lambda at_ms: bar.update(task, completed=at_ms - span.start_ms),
                lambda what: typer.echo(what, err=True),
            )
        )
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    typer.echo(f"{done.readings:,} readings of {done.slots:,} slots in {done.records:,} records, all acknowledged")


def _instant_ms(option: str, text: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise typer.BadParameter(f"{option} {text!r}: an instant with its offset, such as 2025-01-01T00:00:00+08:00")
    return int(instant.timestamp() * 1000)


@app.command()
def score(
    export: Annotated[Path, typer.Argument(help="What a consumer read: CSV or Parquet; see docs/simulators.md.")],
    simulators: Annotated[Path, typer.Option(help="The simulators' TOML file, as they ran.")],
    near_s: Annotated[float, typer.Option("--near", help="How far a row may be dated from its answer [s].")] = 60,
    late_s: Annotated[float, typer.Option("--late", help="How far it may be and still be right [s].")] = 5,
    factor: Annotated[float | None, typer.Option(help="What a MWh stands for, to tell the error [tCO2/MWh].")] = None,
    served_to: Annotated[
        Path | None, typer.Option("--served-to", help="Also write what was served: .csv, .parquet.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a consumer of simulated meters lost, doubled, mistook or dated wrong; status 1 when there is any.

    Example: sakugen simulate score readings.csv --simulators simulators.toml --factor 0.797
    """
    import json

    from simulators.build import built
    from simulators.consumer import read_export, score_of, served_values, write_served
    from simulators.ledger import read_ledger

    settings = _settings_from(simulators)
    sites = {plant.project: built(settings, plant) for plant in settings.plants}
    sheets = {(project, each.name): each.sheet for project, site in sites.items() for each in site.instruments}
    with terminal.working(3 + (served_to is not None)) as step:
        step(f"reading {export}")
        told = read_export(export)
        step(f"reading {settings.ledger}")
        served = list(served_values(read_ledger(settings.ledger), sheets))
        if served_to is not None:
            step(f"writing {served_to}")
            write_served(served, served_to)
        step("comparing")
        if not served:
            typer.echo(f"{settings.ledger} has no answer of {', '.join(sites)}: is it of these plants?", err=True)
        found = score_of(served, told, near_ms=round(near_s * 1000), late_after_ms=round(late_s * 1000))
    numbers: dict[str, float] = {
        "served": found.served, "told": found.told, "right": found.right, "lost": len(found.lost),
        "doubled": len(found.doubled), "wrong": len(found.wrong), "late": len(found.late),
    }  # fmt: skip
    if factor is not None:
        numbers["error_tco2"] = found.error_tco2(factor)
    if as_json:
        typer.echo(json.dumps(numbers))
    else:
        _show_score(numbers, found)
    if not found.clean:
        raise typer.Exit(1)


def _show_score(numbers: dict[str, float], found: "ConsumerScore") -> None:
    table = terminal.new_table("what", "values")
    for name, count in numbers.items():
        table.add_row(name, f"{count:,.9g}")
    terminal.console().print(table)
    for name, values in (
        ("lost", found.lost),
        ("doubled", found.doubled),
        ("wrong", found.wrong),
        ("late", found.late),
    ):
        for value in values[:_SHOWN]:
            instant = datetime.fromtimestamp(value.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
            terminal.console().print(f"  {name}: {instant} {value.device} {value.measurand} {value.value:.9g}")
        if len(values) > _SHOWN:
            terminal.console().print(f"  {name}: … and {len(values) - _SHOWN:,} more")


@app.command()
def fault(
    kind: Annotated[str, typer.Argument(help="What goes wrong; without it, what there is and what is on.")] = "",
    device: Annotated[str, typer.Option(help="One device, by name; by default all of the plant.")] = "",
    project: Annotated[str, typer.Option(help="The plant, by its project, where there are several.")] = "",
    seconds: Annotated[
        float | None, typer.Option("--for", help="How long, on the plants' clock [s].", min=0.001)
    ] = None,
    amount: Annotated[float | None, typer.Option(help="How much; what it means depends on the kind.")] = None,
    control: watch.ControlOption = watch.CONTROL,
    *,
    end: Annotated[bool, typer.Option("--end", help="End it now; without a kind, end everything.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Let something go wrong at a simulated plant while it runs.

    Example: sakugen simulate fault slow --device ac-bus --for 60 --amount 3
    """
    from pydantic import ValidationError

    from simulators.control import Order, ask
    from simulators.faults import KINDS

    do: Literal["begin", "end", "list"] = "end" if end else "begin" if kind else "list"
    if kind and kind not in KINDS:
        raise UnknownFaultError(f"no fault {kind!r}; there are: {', '.join(KINDS)}")
    if do == "list" and (device or project or seconds or amount is not None):
        raise UnknownFaultError(f"say which fault, or --end; there are: {', '.join(KINDS)}")
    try:
        order = Order.model_validate(
            {"do": do, "kind": kind or None, "device": device, "project": project, "seconds": seconds, "amount": amount}
        )
    except ValidationError as error:
        raise UnknownFaultError(_messages(error)) from None
    answer = ask(control, order)
    if as_json:
        typer.echo(answer.model_dump_json(indent=2, include={"faults"}))
        return
    if do == "list":
        _show_kinds()
    _show_faults(answer)


def _show_kinds() -> None:
    from simulators.faults import KINDS

    table = terminal.new_table("fault", "the device …", "amount", "by default", title="what can go wrong")
    for name, about in KINDS.items():
        table.add_row(name, about.does, terminal.escape(about.amount), f"{about.default:g}" if about.amount else "")
    terminal.console().print(table)


def _show_faults(answer: "Answer") -> None:
    table = terminal.new_table("project", "device", "fault", "amount", "from", "until", title="faults")
    for project, faults in answer.faults.items():
        for each in faults:
            start = "" if each.start is None else each.start.isoformat(timespec="seconds")
            until = "ended by hand" if each.end is None else each.end.isoformat(timespec="seconds")
            shown = f"{each.how_much:g}" if each.how_much else ""
            table.add_row(project, each.device or "all", each.kind, shown, start, until)
    terminal.console().print(table if table.row_count else "no faults")
