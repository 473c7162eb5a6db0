"""From what a scan found to a configuration file to complete; what only people know stands in capital letters. Pure."""

import json
from collections.abc import Sequence

from gateway.buses import BusKind, BusSettings
from gateway.maps import load_map
from gateway.scan import Found
from gateway.sunspec import Plate
from metering.measurands import Kind

_HEAD = """\
# Written by `sakugen gateway scan`. Complete what stands in capital letters, then: sakugen config check THIS-FILE
site = "SITE"
gateway = "GATEWAY"
project = "PROJECT"
mode = "test"                  # what is read in mode "test" is never creditable; make it "live" after `gateway check`
data_dir = "outbox"
key_file = "gateway.key"       # made by `sakugen keys new SITE/GATEWAY gateway.key`
ack_keys = ["PUBLIC ACK KEY OF THE SERVER"]

[broker]
host = "BROKER"
"""
_SUNSPEC = "sunspec/"
_COUNTER_S, _INSTANT_S = 900, 60


def propose(bus: BusSettings, found: Sequence[Found]) -> str:
    """Write a configuration for the units that a scan found.

    Args:
        bus: the line that was scanned.
        found: what answers there.
    """
    parts = [_HEAD, _bus(bus)]
    parts += [_device(bus, unit, name, chosen) for unit in found for name, chosen in _entries(unit)]
    return "\n".join(part for part in parts if part)


def _bus(bus: BusSettings) -> str:
    if bus.kind is BusKind.TCP:
        return ""
    if bus.kind is BusKind.RTU:
        place = f"path = {_quoted(bus.path or '')}\nbaud = {bus.baud}"
        place += f"\nparity = {_quoted(bus.parity)}\nstop_bits = {bus.stop_bits}"
    else:
        place = f"host = {_quoted(bus.host or '')}\nport = {bus.tcp_port}"
    return f"[[bus]]\nname = {_quoted(bus.name)}\nkind = {_quoted(bus.kind.value)}\n{place}\n"


def _entries(found: Found) -> list[tuple[str, str | None]]:
    """Name the devices of a unit, each with its map; every SunSpec model is one, as an inverter and its meter."""
    name, models = f"unit-{found.unit}", [one for one in found.maps if one.startswith(_SUNSPEC)]
    if len(models) > 1:
        return [(f"{name}-{one.removeprefix(_SUNSPEC).partition('/')[0].replace('@', '-')}", one) for one in models]
    return [(name, found.maps[0] if found.maps else found.likely[0] if len(found.likely) == 1 else None)]


def _device(bus: BusSettings, found: Found, name: str, chosen: str | None) -> str:
    entries = {one for _, one in _entries(found)}
    others = [one for one in found.maps + found.likely if one not in entries]
    hint = (
        ""
        if found.maps
        else "   # by what its registers hold: compare with its plate"
        if chosen
        else "   # see its plate"
    )
    hint = f"   # or {', '.join(others)}" if others else hint
    place = f"bus = {_quoted(bus.name)}"
    if bus.kind is BusKind.TCP:
        place = f"host = {_quoted(bus.host or '')}\nport = {bus.tcp_port}"
    device_map = None if chosen is None else load_map(chosen)
    # The plate is that of the first common model; an instrument with one of its own has another.
    plate = (None if "/1@" in (chosen or "") else found.plate) or Plate("", "", "", "")
    make = plate.make or (device_map.make if device_map else "MAKE")
    model = plate.model or (device_map.model if device_map else "MODEL")
    serial = plate.serial or found.serials.get(chosen or "", "") or "SERIAL"
    lines = [
        "[[device]]",
        f'name = "{name}"',
        f"map = {_quoted(chosen or 'MAP')}{hint}",
        place,
        f"unit_id = {found.unit}",
        f"meter = {{ make = {_quoted(make)}, model = {_quoted(model)}, serial = {_quoted(serial)} }}",
        "",
        *_groups(name, chosen),
    ]
    return "\n".join(lines)


def _groups(point: str, map_name: str | None) -> list[str]:
    held = (
        {"MEASURAND": Kind.COUNTER}
        if map_name is None
        else {register.measurand.name: register.measurand.kind for register in load_map(map_name).registers}
    )
    lines: list[str] = []
    for kind, name, interval_s in ((Kind.COUNTER, "counters", _COUNTER_S), (Kind.INSTANT, "values", _INSTANT_S)):
        wanted = [measurand for measurand, its_kind in held.items() if its_kind is kind]
        if wanted:
            points = [f'  {{ point = "{point}", measurand = "{measurand}" }},' for measurand in wanted]
            lines += [
                "[[device.group]]",
                f'name = "{name}"',
                f"interval_s = {interval_s}",
                "points = [",
                *points,
                "]",
                "",
            ]
    return lines


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's are the same as far as printable text goes."""
    return json.dumps(text)
