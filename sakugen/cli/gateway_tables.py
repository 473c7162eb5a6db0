"""What the gateway's verbs print: tables for people, JSON for scripts. Nothing is read or connected here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from gateway.layout import LaidGroup


def new_table(*columns: str, title: str | None = None) -> Table:
    """Begin a table; a column whose name ends in a unit, as in `time [ms]`, is aligned to the right."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(escape(column), justify="right" if column.endswith("]") else "left", overflow="fold")
    return table


def plan_as_json(laid: Sequence["LaidGroup"]) -> dict[str, object]:
    """A plan as one JSON object: lines, their groups, their requests."""
    return {
        "lines": [
            {
                "line": line,
                "share": round(sum(part.load.share for part in parts), 6),
                "slot_ms": round(sum(part.load.busy_ms for part in parts), 3),
                "groups": [_group_as_json(part) for part in parts],
            }
            for line, parts in _by_line(laid).items()
        ]
    }


def show_plan(laid: Sequence["LaidGroup"]) -> None:
    """Print a plan, a table a line."""
    console = Console(highlight=False)
    for line, parts in _by_line(laid).items():
        columns = ("group", "requests", "wanted", "holes", "every [s]", "takes [ms]", "share [%]")
        table = new_table(*columns, title=f"{line}: requests as function:address+count")
        for part in parts:
            requests = ", ".join(f"{b.function}:{b.address}+{b.count}" for b in part.group.blocks)
            read = sum(block.count for block in part.group.blocks)
            table.add_row(
                part.group.name,
                requests,
                str(read - part.hole_words),
                str(part.hole_words),
                f"{part.group.interval_ms / 1000:g}",
                f"{part.load.busy_ms:.1f}",
                f"{100 * part.load.share:.2f}",
            )
        console.print(table)
        share, slot_ms = (sum(values) for values in zip(*((p.load.share, p.load.busy_ms) for p in parts), strict=True))
        console.print(f"  {100 * share:.2f} % of the line; {slot_ms:.1f} ms when all groups are due at once\n")


def _by_line(laid: Sequence["LaidGroup"]) -> dict[str, list["LaidGroup"]]:
    lines: dict[str, list[LaidGroup]] = {}
    for part in laid:
        lines.setdefault(part.line, []).append(part)
    return lines


def _group_as_json(part: "LaidGroup") -> dict[str, object]:
    blocks = part.group.blocks
    return {
        "group": part.group.name,
        "interval_s": part.group.interval_ms / 1000,
        "slot_ms": round(part.load.busy_ms, 3),
        "share": round(part.load.share, 6),
        "registers": sum(block.count for block in blocks),
        "hole_registers": part.hole_words,
        "requests": [
            {"function": b.function, "address": b.address, "count": b.count, "ms": round(part.timing.block_ms(b), 3)}
            for b in blocks
        ],
    }
