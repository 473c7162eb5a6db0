"""`sakugen simulate`: plants to test with."""

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
