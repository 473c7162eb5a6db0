"""`sakugen simulate`: plants to test with."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metering.config import load_toml
from metering.errors import SakugenError
from sakugen.cli import terminal

if TYPE_CHECKING:
    from simulators.control import Answer

app = typer.Typer(no_args_is_help=True, help="Simulated plants that answer Modbus and remember every answer.")


class UnknownFaultError(SakugenError):
    """A kind of fault that there is none of."""


@app.command()
def run(config: Annotated[Path, typer.Option(help="The simulators' TOML file.")]) -> None:
    """Serve simulated plants as Modbus devices until stopped.

    Example: sakugen simulate run --config simulators.toml
    """
    from simulators.config import SimulatorSettings
    from simulators.serve import main

    raise typer.Exit(main(load_toml(config, SimulatorSettings)))


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

    span = Interval(_instant_ms("--from", start), _instant_ms("--to", end))
    settings = load_toml(gateway, GatewaySettings), load_toml(simulators, SimulatorSettings)
    with terminal.progress(quiet=as_json) as bar:
        task = bar.add_task(f"{settings[0].project}", total=span.length_ms)
        done = asyncio.run(fill(*settings, span, lambda at_ms: bar.update(task, completed=at_ms - span.start_ms)))
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
def fault(
    kind: Annotated[str, typer.Argument(help="What goes wrong; without it, what there is and what is on.")] = "",
    device: Annotated[str, typer.Option(help="One device, by name; by default all of the plant.")] = "",
    project: Annotated[str, typer.Option(help="The plant, by its project, where there are several.")] = "",
    seconds: Annotated[
        float | None, typer.Option("--for", help="How long, on the plants' clock [s].", min=0.001)
    ] = None,
    amount: Annotated[float | None, typer.Option(help="How much; what it means depends on the kind.")] = None,
    control: Annotated[Path, typer.Option(help="The simulators' control socket.")] = Path(
        "data/simulators/ledger.control"
    ),
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
    try:
        order = Order.model_validate(
            {"do": do, "kind": kind or None, "device": device, "project": project, "seconds": seconds, "amount": amount}
        )
    except ValidationError as error:
        raise UnknownFaultError(str(error)) from None
    answer = ask(control, order)
    if as_json:
        typer.echo(answer.model_dump_json(indent=2))
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
