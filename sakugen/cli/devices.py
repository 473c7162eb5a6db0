"""`sakugen devices`: the device maps, what each is worth, and whether its test words still decode."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from sakugen.cli import terminal
from sakugen.cli.terminal import escape, new_table

if TYPE_CHECKING:
    from gateway.catalogue import Entry, Mismatch
    from metering.devicemap import DeviceMap, IdentityRegister, Register

app = typer.Typer(no_args_is_help=True, help="The device maps: what each reads, where that is from, what is in doubt.")

Name = Annotated[str, typer.Argument(help="A map's name, sunspec/MODEL@ADDRESS, or the path of a .toml file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_maps(
    *,
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of docs/devices.md.")] = False,
) -> None:
    """List the device maps there are.

    Example: sakugen devices list
    """
    from gateway import catalogue

    entries = list(catalogue.entries())
    if as_markdown:
        typer.echo(catalogue.as_markdown(), nl=False)
    elif as_json:
        typer.echo(json.dumps({"maps": [_entry_as_json(entry) for entry in entries]}))
    else:
        table = new_table("map", "device", "tier", "counters in steps of", "tells its", "values", "caveats")
        for entry in entries:
            device, steps = f"{entry.make} {entry.model}", "; ".join(entry.steps) or "-"
            values, caveats = str(len(entry.measurands)), str(entry.caveats)
            table.add_row(entry.name, escape(device), entry.tier, steps, entry.identity, values, caveats)
        terminal.console().print(table)


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show one device map: its registers, its sources, its caveats.

    Example: sakugen devices show schneider_iem3000
    """
    from gateway.maps import load_map

    device_map = load_map(name)
    if as_json:
        typer.echo(json.dumps(_map_as_json(name, device_map)))
    else:
        _show(name, device_map)


@app.command("test")
def decode_test_words(
    name: Annotated[str | None, typer.Argument(help="A map, or a .toml file; by default every map there is.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Decode the test words of device maps; status 1 when one does not give what the map says.

    Example: sakugen devices test my_meter.toml
    """
    from gateway import catalogue
    from gateway.maps import load_map, map_names, sunspec_models

    every = [*map_names(), *(f"sunspec/{model}@40070" for model in sunspec_models())]
    maps = {each: load_map(each) for each in ([name] if name else every)}
    wrong = {each: catalogue.mismatches(device_map) for each, device_map in maps.items()}
    untested = {each: catalogue.untested(device_map) for each, device_map in maps.items()}
    if as_json:
        rows = [
            {
                "map": each,
                "vectors": len(device_map.vectors),
                "wrong": [_mismatch_as_json(one) for one in wrong[each]],
                "untested": untested[each],
            }
            for each, device_map in maps.items()
        ]
        typer.echo(json.dumps({"maps": rows}))
    else:
        _show_tests(maps, wrong, untested)
    if any(wrong.values()):
        raise typer.Exit(1)


def _show_tests(
    maps: dict[str, "DeviceMap"], wrong: dict[str, list["Mismatch"]], untested: dict[str, list[str]]
) -> None:
    console = terminal.console()
    table = new_table("map", "test words", "wrong", "registers without")
    for name, device_map in maps.items():
        table.add_row(escape(name), str(len(device_map.vectors)), str(len(wrong[name])), ", ".join(untested[name]))
    console.print(table)
    for name, mismatches in wrong.items():
        for one in mismatches:
            vector = one.vector
            said, found = _outcome(vector.expected), _outcome(one.found)
            where = escape(f"{name}: {vector.register} ({vector.kind})")
            console.print(f"[red]wrong[/] {where}: {_hex(vector.words)} is {found}, the map says {said}")


def _show(name: str, device_map: "DeviceMap") -> None:
    from gateway.catalogue import decimal

    console = terminal.console()
    console.print(escape(f"{name}: {device_map.make} {device_map.model}, {device_map.tier}"), style="bold")
    for caveat in device_map.caveats:
        console.print(f"  caveat: {escape(caveat)}")
    for source in device_map.sources:
        title = ", ".join(part for part in (source.title, source.revision, source.page) if part)
        console.print(f"  source: {escape(title)}; read: {escape(source.read)}")
    for line in _facts(device_map):
        console.print(f"  {escape(line)}")
    table = new_table("register", "measurand", "function", "address", "type", "one step", "not available", "wraps at")
    for one in device_map.registers:
        unit = one.measurand.unit
        scale = f"{decimal(one.scale)} {unit}" + (f" × 10^[{one.scale_register.address}]" if one.scale_register else "")
        codes = ", ".join(f"{code:#x}" for code in sorted(one.sentinels))
        wraps = "" if one.modulus is None else str(one.modulus)
        address = f"{one.address} ({one.address:#06x})"
        table.add_row(one.name, one.measurand.name, str(one.function), address, _type(one), escape(scale), codes, wraps)
    console.print(table)


def _facts(device_map: "DeviceMap") -> list[str]:
    access, identity = device_map.access, device_map.identity
    timeout = f", answers within {access.timeout_ms} ms" if access.timeout_ms else ""
    ranges = ", ".join(f"{part.function}:{part.first}-{part.last}" for part in access.readable)
    readable = f"; readable (function:addresses): {ranges}" if ranges else "; holes are not read"
    lines = [f"requests: at most {access.max_words} registers, {access.turnaround_ms} ms apart{timeout}{readable}"]
    if device_map.ct:
        lines.append(f"transformers: {device_map.ct}")
    if identity is None:
        lines.append("identity: nothing known tells the model or the serial number")
    else:
        expected = " or ".join(map(str, identity.expect)) or "what it was at first"
        lines.append(f"identity: {_place(identity.probe)} must be {expected}")
        if identity.serial is not None:
            lines.append(f"serial number: {_place(identity.serial)}")
    for one in device_map.registers:
        if one.orientation is not None:
            lines.append(f"{one.name}: positive is {one.orientation.removesuffix('-positive')}")
        if one.nonvolatile_s is not None:
            lines.append(f"{one.name}: may step back by what was counted in {one.nonvolatile_s} s when supply is lost")
    lines.append(f"test words: {len(device_map.vectors)}; digest {device_map.digest}")
    return lines


def _place(register: "IdentityRegister") -> str:
    return f"function {register.function}, address {register.address}, {register.type}, {register.count} words"


def _type(register: "Register") -> str:
    size = f"[{register.words}]" if register.count else ""
    orders = [f"low {what} first" for what, order in _orders(register) if order == "little"]
    return escape(" ".join([f"{register.type}{size}", *orders]))


def _orders(register: "Register") -> list[tuple[str, str]]:
    return [("word", register.word_order), ("byte", register.byte_order)]


def _hex(words: tuple[int, ...]) -> str:
    return " ".join(f"{word:04X}" for word in words)


def _outcome(outcome: object) -> str:
    from metering.quality import Quality

    return outcome.label if isinstance(outcome, Quality) else f"{outcome} quanta"


def _entry_as_json(entry: "Entry") -> dict[str, object]:
    return {
        "name": entry.name,
        "make": entry.make,
        "model": entry.model,
        "tier": entry.tier,
        "measurands": entry.measurands,
        "steps": entry.steps,
        "identity": entry.identity,
        "vectors": entry.vectors,
        "caveats": entry.caveats,
    }


def _mismatch_as_json(one: "Mismatch") -> dict[str, object]:
    vector = one.vector
    return {
        "register": vector.register,
        "kind": vector.kind,
        "words": vector.words,
        "scale_word": vector.scale_word,
        "expected": _outcome(vector.expected),
        "found": _outcome(one.found),
    }


def _map_as_json(name: str, device_map: "DeviceMap") -> dict[str, object]:
    return {
        "name": name,
        "make": device_map.make,
        "model": device_map.model,
        "tier": device_map.tier,
        "digest": device_map.digest,
        "caveats": device_map.caveats,
        "sources": [
            {"title": one.title, "revision": one.revision, "page": one.page, "read": one.read}
            for one in device_map.sources
        ],
        "registers": [
            {
                "name": one.name,
                "measurand": one.measurand.name,
                "function": one.function,
                "address": one.address,
                "words": one.words,
                "type": one.type,
                "word_order": one.word_order,
                "byte_order": one.byte_order,
                "scale": str(one.scale),
                "scale_address": one.scale_register and one.scale_register.address,
                "orientation": one.orientation,
            }
            for one in device_map.registers
        ],
        "text": device_map.text,
    }
