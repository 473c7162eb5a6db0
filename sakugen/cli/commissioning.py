"""`sakugen gateway plan, poll, check, scan`: what a technician asks of a site. Only reads; nothing is stored."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.clock import SystemClock
from metering.config import load_toml
from metering.errors import SakugenError
from sakugen.cli import gateway_tables, terminal

if TYPE_CHECKING:
    from gateway.buses import BusSettings
    from gateway.config import GatewaySettings
    from gateway.scan import Found
    from gateway.survey import Survey

ConfigArgument = Annotated[Path, typer.Argument(help="The gateway's TOML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_LAST_UNIT = 247


class FileThereError(SakugenError):
    """A file that would have been overwritten."""


class TargetError(SakugenError):
    """A place to scan that cannot be one."""


def add_to(app: typer.Typer) -> None:
    """Add these verbs to `sakugen gateway`."""
    for verb in (plan, poll, check, scan):
        app.command()(verb)


def plan(file: ConfigArgument, *, as_json: AsJson = False) -> None:
    """Print the requests of each slot and the time they take on their line; nothing is connected.

    A line that cannot carry what is asked of it is refused with status 2.

    Example: sakugen gateway plan gateway.toml
    """
    from gateway.layout import lay_out
    from gateway.replan import learned_cuts

    settings = _settings(file)
    laid = lay_out(settings, learned_cuts(settings))
    if as_json:
        typer.echo(json.dumps(gateway_tables.plan_as_json(laid)))
    else:
        gateway_tables.show_plan(laid)


def poll(file: ConfigArgument, *, as_json: AsJson = False) -> None:
    """Read every poll group once and print values beside their raw words; status 1 when one is missing.

    Stop the gateway first where a meter or a converter takes only one connection.

    Example: sakugen gateway poll gateway.toml
    """
    from gateway.check import reading_as_json

    seen = _survey(_settings(file)).readings
    if as_json:
        typer.echo(json.dumps({"readings": [reading_as_json(one) for one in seen]}))
    else:
        gateway_tables.show_readings(seen, SystemClock().now_ms())
    if any(one.value is None for one in seen):
        raise typer.Exit(1)


def check(
    file: ConfigArgument,
    shown: Annotated[
        list[str] | None,
        typer.Option(help="What a display shows: point/measurand=value with its unit; may be given more than once."),
    ] = None,
    sign: Annotated[Path | None, typer.Option(help="Sign the comparison with this private key, into --out.")] = None,
    out: Annotated[Path | None, typer.Option(help="The new file for the signed comparison.")] = None,
    dump: Annotated[
        Path | None, typer.Option(help="A new file for support: everything but keys and passwords.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Read everything once and compare it: identity, what is possible, what displays show; status 1 when it differs.

    Example: sakugen gateway check gateway.toml --shown ac-bus/energy_export_total_wh=123.4kWh
    """
    from gateway.check import compare, parse_shown, reading_as_json, signed_note
    from gateway.support import dump as dump_of
    from metering.keys import load_signer

    if (sign is None) != (out is None):
        raise typer.BadParameter("--sign and --out belong together")
    settings, displays = _settings(file), parse_shown(shown or [])
    signer = None if sign is None else load_signer(sign)
    found = _survey(settings)
    verdicts = compare(settings, found, displays)
    if signer is not None and out is not None:
        _write(out, signed_note(settings, found, displays, verdicts, signer))
    if dump is not None:
        _write(dump, (json.dumps(dump_of(settings, found, verdicts), indent=1, ensure_ascii=False) + "\n").encode())
    if as_json:
        shown_verdicts = [{"subject": one.subject, "ok": one.ok, "what": one.what} for one in verdicts]
        readings = [reading_as_json(one) for one in found.readings]
        typer.echo(
            json.dumps({"ok": all(one.ok for one in verdicts), "readings": readings, "verdicts": shown_verdicts})
        )
    else:
        gateway_tables.show_readings(found.readings, SystemClock().now_ms())
        gateway_tables.show_verdicts(verdicts)
    if not all(one.ok for one in verdicts):
        raise typer.Exit(1)


def scan(
    target: Annotated[str, typer.Argument(help="HOST, HOST:PORT or a serial port such as /dev/ttyUSB0.")],
    units: Annotated[str, typer.Option(help="Unit ids: 1-247, or 1,3,10-20.")] = f"1-{_LAST_UNIT}",
    timeout: Annotated[float, typer.Option(help="How long each may take to answer [s].")] = 0.5,
    baud: Annotated[str, typer.Option(help="Speeds to try on a serial port [bit/s].")] = "9600,19200,38400",
    parity: Annotated[str, typer.Option(help="N, E or O, on a serial port.")] = "N",
    write: Annotated[Path | None, typer.Option(help="A new gateway.toml to complete.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Ask each unit id whether it is there and what it is; propose device maps. Status 1 when nobody answers.

    Example: sakugen gateway scan 192.0.2.10 --units 1-32 --write gateway.toml
    """
    from gateway.proposal import propose

    if write is not None and write.exists():
        raise FileThereError(f"{write} exists; it is not overwritten, say another name")
    bus, found = _scan(_buses(target, baud, parity), _numbers(units), timeout, quiet=as_json)
    if as_json:
        typer.echo(json.dumps({"line": bus.where, "baud": bus.baud, "units": gateway_tables.found_as_json(found)}))
    else:
        gateway_tables.show_found(found, f"{bus.where}" + (f" at {bus.baud} bit/s" if bus.baud else ""))
    if not found:
        raise typer.Exit(1)
    if write is not None:
        _write(write, propose(bus, found).encode())
        typer.echo(f"{write}: complete what stands in capital letters", err=True)


def _settings(file: Path) -> "GatewaySettings":
    from gateway.config import GatewaySettings

    return load_toml(file, GatewaySettings)


def _survey(settings: "GatewaySettings") -> "Survey":
    import asyncio

    from gateway.replan import learned_cuts
    from gateway.survey import survey

    return asyncio.run(survey(settings, SystemClock(), learned_cuts(settings)))


def _buses(target: str, baud: str, parity: str) -> list["BusSettings"]:
    from gateway.buses import BusKind, BusSettings, tcp_bus

    if target.startswith("/"):
        if parity not in ("N", "E", "O"):
            raise TargetError(f"parity {parity!r}: allowed are N, E and O")
        settings = {"name": "line-1", "kind": BusKind.RTU, "path": target, "parity": parity}
        return [BusSettings.model_validate(settings | {"baud": speed}) for speed in _numbers(baud, 300, 1_000_000)]
    host, _, port = target.rpartition(":") if target.count(":") == 1 or "]:" in target else (target, "", "502")
    if not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise TargetError(f"{target!r}: say HOST, HOST:PORT or a serial port such as /dev/ttyUSB0")
    return [tcp_bus(host.strip("[]"), int(port))]


def _scan(
    buses: list["BusSettings"], units: list[int], timeout_s: float, *, quiet: bool
) -> tuple["BusSettings", list["Found"]]:
    """Scan at each speed until somebody answers."""
    import asyncio

    from gateway.scan import scan as scan_line

    with terminal.progress(quiet=quiet) as bar:
        for bus in buses:
            task = bar.add_task(f"{bus.where} {bus.baud or ''}", total=len(units))
            try:
                found = asyncio.run(scan_line(bus, units, timeout_s, lambda _, task=task: bar.advance(task)))  # type: ignore[misc]
            except OSError as error:
                raise TargetError(f"{bus.where} cannot be opened: {error}") from None
            if found:
                break
    return bus, found


def _numbers(text: str, lowest: int = 0, highest: int = 255) -> list[int]:
    """Read 1,3,10-20."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal() and lowest <= int(first) <= int(last) <= highest):
            raise TargetError(
                f"{text!r}: say numbers from {lowest} to {highest}, for example 1-{min(highest, 247)} or 1,3"
            )
        numbers += range(int(first), int(last) + 1)
    return list(dict.fromkeys(numbers))


def _write(path: Path, data: bytes) -> None:
    """Write a new file; one that is there is kept."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise FileThereError(f"{path} exists; it is not overwritten, say another name") from None
    except OSError as error:
        raise FileThereError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
