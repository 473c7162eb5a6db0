"""From a checked configuration to its lines: which devices share one, and what is known of each of them."""

from collections.abc import Iterable

from gateway.config import DeviceSettings, GatewaySettings
from gateway.line import Line
from gateway.maps import load_map
from gateway.member import Unit
from metering.clock import Clock
from metering.decode import Block
from metering.devicemap import DeviceMap


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
        units = {device.unit_id: unit_of(device) for device in here}
        line = known.get(bus.name)
        if line is None or line.bus != bus:
            line = Line(bus, units, clock)
        else:
            line.renew(units)
        lines.update(dict.fromkeys((device.name for device in here), line))
    return lines


def unit_of(device: DeviceSettings) -> Unit:
    """Say what is known of a device that helps to read it."""
    device_map = load_map(device.map)
    return Unit(
        timeout_s=device.timeout_s or (device_map.access.timeout_ms or DEFAULT_TIMEOUT_MS) / 1000,
        turnaround_s=device_map.access.turnaround_ms / 1000,
        identity=_identity(device_map),
        probes=_probes(device_map),
    )


DEFAULT_TIMEOUT_MS = 1000
"""How long a device may take to begin its answer when neither the configuration nor its map says it [ms]."""


def _identity(device_map: DeviceMap) -> Block | None:
    """The serial number, which tells one device from another of its model; else what tells the model."""
    if device_map.identity is None:
        return None
    register = device_map.identity.serial or device_map.identity.probe
    return Block(register.function, register.address, register.count)


def _probes(device_map: DeviceMap) -> tuple[Block, ...]:
    """Registers of every length that the device has; at the end parts of registers, which some devices refuse."""
    whole = {(r.function, r.words): r.address for r in reversed(device_map.registers)}
    parts = {(r.function, 1): r.address for r in reversed(device_map.registers)}
    forms = whole | {form: address for form, address in parts.items() if form not in whole}
    return tuple(Block(function, address, count) for (function, count), address in forms.items())
