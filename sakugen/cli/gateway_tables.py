"""What the gateway's verbs print: tables for people, JSON for scripts. Nothing is read or connected here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from metering.clock import utc_text
from sakugen.cli.terminal import console as new_console
from sakugen.cli.terminal import escape, new_table

if TYPE_CHECKING:
    from gateway.check import Verdict
    from gateway.layout import LaidGroup
    from gateway.scan import Found
    from gateway.survey import Seen


def plan_as_json(laid: Sequence["LaidGroup"]) -> dict[str, object]:
    """A plan as one JSON object: lines, their groups, their requests."""
    from gateway.budget import late

    return {
        "lines": [
            {
                "line": line,
                "share": round(sum(part.load.share for part in parts), 6),
                "slot_ms": round(sum(part.load.busy_ms for part in parts), 3),
                "late": [load.group for load in late(part.load for part in parts)],
                "groups": [_group_as_json(part) for part in parts],
            }
            for line, parts in _by_line(laid).items()
        ]
    }


def show_plan(laid: Sequence["LaidGroup"]) -> None:
    """Print a plan, a table a line."""
    from gateway.budget import late

    console = new_console()
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
        console.print(f"  {100 * share:.2f} % of the line; {slot_ms:.1f} ms when all groups are due at once")
        for load in late(part.load for part in parts):
            console.print(
                f"  then {escape(load.group)} is `late-read`: fewer groups with intervals in common would help"
            )


def show_readings(readings: Sequence["Seen"], now_ms: int) -> None:
    """Print readings; their age is counted to `now_ms` [ms since the Unix epoch]."""
    from gateway.check import hex_of

    console = new_console()
    table = new_table("point", "measurand", "value", "raw words", "quality", "age [s]")
    for seen in readings:
        measurand = seen.register.measurand
        table.add_row(
            seen.point,
            measurand.name,
            "-" if seen.value is None else f"{measurand.to_unit(seen.value):.12g}",
            "-" if seen.words is None else hex_of(seen.words) + _scale(seen),
            seen.quality.label,
            f"{(now_ms - seen.received_ms) / 1000:.1f}",
        )
    console.print(table)
    if readings:
        console.print(
            f"  read at {utc_text(readings[0].received_ms)}; values in the unit with which the measurand ends"
        )


def _scale(seen: "Seen") -> str:
    return "" if seen.scale_word is None else f" (scale {seen.scale_word:04X})"


def show_verdicts(verdicts: Sequence["Verdict"]) -> None:
    """Print what was compared, what differs first."""
    console = new_console()
    for verdict in sorted(verdicts, key=lambda verdict: verdict.ok):
        if not verdict.ok or verdict.what != "read":
            mark = "[green]ok[/]      " if verdict.ok else "[red]differs[/] "
            console.print(f"  {mark} {escape(verdict.subject)}: {escape(verdict.what)}")
    if all(verdict.ok for verdict in verdicts):
        console.print("  everything that was compared agrees")


def show_found(found: Sequence["Found"], line: str) -> None:
    """Print who answers on a line."""
    console = new_console()
    table = new_table("unit", "device maps", "make", "model", "serial", "SunSpec models", title=line)
    for unit in found:
        plate = unit.plate
        serial = plate.serial if plate is not None else next(iter(unit.serials.values()), "")
        likely = f"perhaps {', '.join(unit.likely)}" if unit.likely else "none knows it: see its plate"
        table.add_row(
            str(unit.unit),
            "\n".join(unit.maps) or likely,
            plate.make if plate is not None else "",
            plate.model if plate is not None else "",
            serial,
            ", ".join(map(str, unit.sunspec_models)),
        )
    console.print(table)


def found_as_json(found: Sequence["Found"]) -> list[dict[str, object]]:
    """Who answers on a line, for scripts."""
    return [
        {
            "unit": unit.unit,
            "maps": list(unit.maps),
            "likely": list(unit.likely),
            "make": unit.plate.make if unit.plate is not None else None,
            "model": unit.plate.model if unit.plate is not None else None,
            "serial": unit.plate.serial if unit.plate is not None else next(iter(unit.serials.values()), None),
            "sunspec_models": list(unit.sunspec_models),
        }
        for unit in found
    ]


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
