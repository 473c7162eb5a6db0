"""`sakugen simulate watch`: running simulators on the screen, from what their control socket tells once a second."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from sakugen.cli import terminal

if TYPE_CHECKING:
    from rich.console import Group

    from simulators.snapshot import DeviceNow, FaultNow, Snapshot

_EVERY_S = 1.0
_AROUND_THE_ROWS = 7  # lines of heading, table head and foot
_ALL = 1_000_000
_WIDTH_IN_A_FILE = 250
_UNITS = {
    "w": "W", "wh": "Wh", "var": "var", "varh": "varh", "va": "VA", "v": "V", "a": "A", "hz": "Hz", "j": "J", "k": "K",
    "degc": "°C", "kpa": "kPa", "mpa": "MPa", "w/m2": "W/m2", "nm3": "Nm3", "nm3/h": "Nm3/h", "m3": "m3",
    "m3/h": "m3/h", "kg": "kg", "kg/h": "kg/h", "m/s": "m/s", "km": "km", "km/h": "km/h", "l": "L", "l/h": "L/h",
}  # fmt: skip
_WITH_PREFIX = frozenset({"W", "Wh", "var", "varh", "VA", "J"})
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400

CONTROL = Path("data/simulators/ledger.control")
"""Where the socket of simulators is that write to the usual ledger."""
ControlOption = Annotated[
    Path, typer.Option(help="The simulators' control socket: beside their ledger, with the suffix .control.")
]


class Row(NamedTuple):
    """One line of a table."""

    cells: tuple[str, ...]
    alarming: bool
    """Whether something goes wrong on purpose there."""


def add_to(app: typer.Typer) -> None:
    """Add the verb to `sakugen simulate`."""
    app.command()(watch)


def watch(
    device: Annotated[str, typer.Option(help="One device, by name, with all that is in its registers.")] = "",
    project: Annotated[str, typer.Option(help="The plant, by its project; by default all.")] = "",
    control: ControlOption = CONTROL,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and end.")] = False,
) -> None:
    """Show running simulators: devices, values, registers, who asks, and what goes wrong; Ctrl-C ends it.

    Where there is no terminal it prints what is there now and ends.

    Example: sakugen simulate watch --device ac-bus
    """
    console = terminal.console(width_in_a_file=_WIDTH_IN_A_FILE)
    if as_json:
        typer.echo(_look(control, project, device, _ALL).model_dump_json(indent=2))
    elif console.is_terminal:
        _follow(control, project, device)
    else:
        seen = _look(control, project, device, _ALL)
        console.print(_drawn(seen, registers=bool(device), rows=_ALL, width=console.width))


def _look(control: Path, project: str, device: str, most: int) -> "Snapshot":
    from simulators.control import Order, ask
    from simulators.errors import ControlError

    seen = ask(control, Order(do="show", project=project, device=device, most=most)).seen
    if seen is None:
        raise ControlError(f"the simulators at {control} are of another version; start them again")
    return seen


def _follow(control: Path, project: str, device: str) -> None:
    from rich.live import Live

    console = terminal.console()
    pause = threading.Event()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                rows = max(console.height - _AROUND_THE_ROWS, 1)
                seen = _look(control, project, device, rows)
                drawn = _drawn(seen, registers=bool(device), rows=rows, width=console.width)
                live.update(drawn, refresh=True)
                pause.wait(_EVERY_S)
        except KeyboardInterrupt:
            return


def _drawn(seen: "Snapshot", *, registers: bool, rows: int, width: int) -> "Group":
    from rich.console import Group
    from rich.table import Table

    def table(columns: tuple[str, ...], lines: list[Row]) -> Table:
        kept, last = fitting(columns, lines[:rows], width)
        made = terminal.new_table(*(columns[at] for at in kept))
        for column in made.columns:
            column.no_wrap, column.overflow = True, "ellipsis"
            column.justify = "right" if column.header in _RIGHT else "left"
        made.columns[-1].max_width = last
        for line in lines[:rows]:
            cells = (terminal.escape(line.cells[at]) for at in kept)
            made.add_row(*cells, style="bold red" if line.alarming else None)
        if len(lines) > rows:
            made.caption = f"… and {len(lines) - rows} more: a higher window, --project or --device shows them"
        return made

    parts: list[str | Table] = [terminal.escape(heading(seen))]
    if registers:
        for each in seen.devices:
            parts += [f"[bold]{terminal.escape(about(each, seen.now_ms))}[/]"]
            parts += [f"[bold red]{terminal.escape(text)}[/]" for text in fault_texts(each, seen.now_ms)]
            parts.append(table(REGISTER_COLUMNS, register_rows(each, seen.now_ms)))
    else:
        parts.append(table(DEVICE_COLUMNS, device_rows(seen)))
    return Group(*parts)


def fitting(columns: tuple[str, ...], rows: list[Row], width: int) -> tuple[list[int], int]:
    """What stays where a window is too narrow for all columns: the last one gives way last, and in part.

    Args:
        columns: their names.
        rows: what is to be shown.
        width: of the window [characters].

    Returns:
        The places of the columns that stay, and how wide the last one may be [characters].
    """
    needed = [max(len(text) for text in (name, *(row.cells[at] for row in rows))) for at, name in enumerate(columns)]
    kept = list(range(len(columns)))
    for name in _MAY_GO:
        if name in columns and sum(needed[at] + _BETWEEN for at in kept) > width:
            kept.remove(columns.index(name))
    return kept, max(width - sum(needed[at] + _BETWEEN for at in kept[:-1]) - _BETWEEN, len(columns[-1]))


def heading(seen: "Snapshot") -> str:
    """What time it is in the plants, how fast it goes, and how much is asked of all of them."""
    instant = datetime.fromtimestamp(seen.now_ms // 1000, UTC).isoformat().replace("+00:00", "Z")
    faulty = sum(1 for each in seen.devices if each.faults)
    asked = sum(each.requests_per_s for each in seen.plants)
    devices = f"{len(seen.devices)} device{'' if len(seen.devices) == 1 else 's'}"
    return f"{instant} (time × {seen.factor:g})   {devices}, {faulty} with faults   {asked:.3g} requests/s"


DEVICE_COLUMNS = (
    "device", "model", "line", "unit", "shows", "counts", "requests/s", "last ago", "client", "faults",
)  # fmt: skip
"""What `device_rows` gives."""


def device_rows(seen: "Snapshot") -> list[Row]:
    """One line a device; those with faults first. Values are what it shows, faults included."""
    several = len(seen.plants) > 1
    return [
        Row(
            (
                f"{each.project}/{each.name}" if several else each.name,
                f"{each.make} {each.model}",
                each.place if each.transport == "tcp" else f"{each.transport} {each.place}",
                str(each.unit_id),
                *_two_values(each),
                f"{each.requests_per_s:.3g}",
                "never" if each.last_request_ms is None else span_text(seen.now_ms - each.last_request_ms),
                each.last_client,
                ", ".join(fault_texts(each, seen.now_ms)),
            ),
            bool(each.faults),
        )
        for each in seen.devices
    ]


def _two_values(device: "DeviceNow") -> tuple[str, str]:
    texts = [value_text(each.quantity, each.shown) for each in device.values]
    first, second = (*texts, "", "")[:2]
    return first, second


REGISTER_COLUMNS = ("register", "quantity", "true value", "shown", "words", "read ago")
"""What `register_rows` gives; values are in the unit that the quantity's name ends with."""

_RIGHT = frozenset({"unit", "shows", "counts", "requests/s", "last ago", "register", "true value", "shown", "read ago"})
_MAY_GO = ("client", "line", "model", "counts", "words")
_BETWEEN = 3


def register_rows(device: "DeviceNow", now_ms: int) -> list[Row]:
    """One line a value of a device.

    Args:
        device: as it is seen.
        now_ms: the plants' clock [ms since the Unix epoch].
    """
    return [
        Row(
            (
                str(each.address),
                each.quantity,
                _number(each.true),
                _number(each.shown),
                each.words,
                "never" if each.read_ms is None else span_text(now_ms - each.read_ms),
            ),
            each.true != each.shown,
        )
        for each in device.values
    ]


def about(device: "DeviceNow", now_ms: int) -> str:
    """What a device is, where it answers and who asks it.

    Args:
        device: as it is seen.
        now_ms: the plants' clock [ms since the Unix epoch].
    """
    name = f"{device.project}/{device.name}: {device.make} {device.model}, serial number {device.serial}"
    where = f"{device.transport} {device.place}, unit {device.unit_id}, function {device.function}"
    if device.last_request_ms is None:
        return f"{name}; {where}; never asked"
    ago = span_text(now_ms - device.last_request_ms)
    asked = f"{device.requests:,} requests, {device.requests_per_s:.3g}/s"
    return f"{name}; {where}; {asked}, the last {ago} ago by {device.last_client}"


def fault_texts(device: "DeviceNow", now_ms: int) -> list[str]:
    """What goes wrong with a device: kind, amount, and how long it still takes.

    Args:
        device: as it is seen.
        now_ms: the plants' clock [ms since the Unix epoch].
    """
    return [_fault_text(each, now_ms) for each in device.faults]


def _fault_text(fault: "FaultNow", now_ms: int) -> str:
    from simulators.faults import KINDS

    unit = KINDS[fault.kind].amount.partition("[")[2].rstrip("]")
    amount = "" if fault.amount is None else f" {fault.amount:g} {unit}".rstrip()
    left = "until ended" if fault.until_ms is None else f"{span_text(fault.until_ms - now_ms)} left"
    return f"{fault.kind}{amount} ({left})"


def span_text(span_ms: int) -> str:
    """A span of time in its two largest units [ms]."""
    seconds = max(span_ms, 0) // 1000
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S} min {seconds % _MINUTE_S} s"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S} h {seconds % _HOUR_S // _MINUTE_S} min"
    return f"{seconds // _DAY_S} d {seconds % _DAY_S // _HOUR_S} h"


def value_text(quantity: str, value: float | None) -> str:
    """A value with its unit, short enough for a table of many devices.

    Args:
        quantity: the measurand's name, the unit last.
        value: in that unit; None = no value.
    """
    if value is None:
        return "no value"
    name, per, span = quantity.rpartition("_per_")
    unit = _UNITS.get(f"{name.rpartition('_')[2]}/{span}" if per else span.rpartition("_")[2], "")
    if unit in _WITH_PREFIX:
        size, prefix = next((one for one in _PREFIXES if abs(value) >= one[0]), (1.0, ""))
        return f"{value / size:.4g} {prefix}{unit}"
    return f"{value:,.5g} {unit}".rstrip()


def _number(value: float | None) -> str:
    return "no value" if value is None else f"{value:,.12g}"
