"""From a checked configuration to its lines: which devices share one, and what is known of each of them."""

from collections.abc import Iterable, Sequence

from gateway.config import DeviceSettings, GatewaySettings
from gateway.line import Line
from gateway.maps import load_map
from gateway.member import Unit
from metering.clock import Clock
from metering.decode import Block
from metering.devicemap import DeviceMap, IdentityRegister, Register


def lines_of(settings: GatewaySettings, clock: Clock, there: Iterable[Line] = ()) -> dict[str, Line]:
    """Make the line of each device; devices on one bus share theirs.

    Args:
        settings: a checked configuration.
        clock: stamps requests and answers.
        there: lines that are in use; one whose bus is the same stays, with the units that it has now.

    Returns:
        Lines by the names of devices; those that were not there are not connected.
    """
    buses = {device.name: settings.bus_of(device) for device in settings.device}
    known = {line.bus.name: line for line in there}
    lines: dict[str, Line] = {}
    for bus in {bus.name: bus for bus in buses.values()}.values():
        here = [device for device in settings.device if buses[device.name].name == bus.name]
        units = {number: unit_of(*(d for d in here if d.unit_id == number)) for number in {d.unit_id for d in here}}
        line = known.get(bus.name)
        if line is None or line.bus != bus:
            line = Line(bus, units, clock)
        else:
            line.renew(units)
        lines.update(dict.fromkeys((device.name for device in here), line))
    return lines


def unit_of(*devices: DeviceSettings) -> Unit:
    """Say what is known of a unit that helps to read it.

    Args:
        devices: what the configuration has at this unit id; several when it answers under several maps.
    """
    maps = [load_map(device.map) for device in devices]
    serials = [one.identity.serial for one in maps if one.identity is not None and one.identity.serial is not None]
    # The serial number tells one device from another of its model.
    told = serials or [one.identity.probe for one in maps if one.identity is not None]
    return Unit(
        timeout_s=max(map(_timeout_s, devices, maps)),
        turnaround_s=max(one.access.turnaround_ms for one in maps) / 1000,
        identities=tuple(dict.fromkeys(map(identity_block, told))),
        numbered=bool(serials),
        probes=_probes([register for one in maps for register in one.registers]),
    )


def identity_block(register: IdentityRegister) -> Block:
    """The request that reads an identity register."""
    return Block(register.function, register.address, register.count)


DEFAULT_TIMEOUT_MS = 1000
"""How long a device may take to begin its answer when neither the configuration nor its map says it [ms]."""


def _timeout_s(device: DeviceSettings, device_map: DeviceMap) -> float:
    return device.timeout_s or (device_map.access.timeout_ms or DEFAULT_TIMEOUT_MS) / 1000


def _probes(registers: Sequence[Register]) -> tuple[Block, ...]:
    """Registers of every length that the device has; at the end parts of registers, which some devices refuse."""
    whole = {(r.function, r.words): r.address for r in reversed(registers)}
    parts = {(r.function, 1): r.address for r in reversed(registers)}
    forms = whole | {form: address for form, address in parts.items() if form not in whole}
    return tuple(Block(function, address, count) for (function, count), address in forms.items())
