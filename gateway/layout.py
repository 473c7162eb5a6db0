"""From a checked configuration to what is asked on each line: the requests of every group, and the time they take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.budget import Load, Timing, serial_timing, tcp_timing
from gateway.buses import BusSettings
from gateway.maps import load_map
from gateway.plan import Cut, limits_of, plan_blocks, span_of
from gateway.poll import PollGroup
from metering.devicemap import DeviceMap, Register

if TYPE_CHECKING:  # the configuration checks itself with what is laid out here
    from gateway.config import DeviceSettings, GatewaySettings, GroupSettings

Cuts = Mapping[str, frozenset[Cut]]
"""By poll group, `device/group`: where its device refused a larger request."""
NO_CUTS: Cuts = {}


@dataclass(frozen=True, slots=True)
class LaidGroup:
    """A poll group, and what it asks of its line."""

    device: str
    group: PollGroup
    line: str
    """Names the connection or bus; groups on one line wait for each other."""
    timing: Timing
    """What reading costs there."""

    @property
    def load(self) -> Load:
        """What it asks of its line in the plant's own time, which a scaled clock only plays faster."""
        return Load(self.group.name, self.group.interval_ms, self.timing.blocks_ms(self.group.blocks))

    @property
    def hole_words(self) -> int:
        """Registers that are read and hold nothing that is wanted."""
        wanted = {
            (span.function, address)
            for span in map(span_of, self.group.registers)
            for address in range(span.first, span.end)
        }
        read = {(block.function, block.address + at) for block in self.group.blocks for at in range(block.count)}
        return len(read - wanted)


def lay_out(settings: "GatewaySettings", cuts: Cuts = NO_CUTS) -> list[LaidGroup]:
    """Lay out everything that a gateway polls.

    Args:
        settings: a checked configuration.
        cuts: what was learned of its devices.
    """
    return [laid for device in settings.device for laid in _lay_out_device(settings.bus_of(device), device, cuts)]


def poll_groups(bus: BusSettings, device: "DeviceSettings", cuts: Cuts = NO_CUTS) -> list[PollGroup]:
    """Lay out what is polled on one device of a checked configuration.

    Args:
        bus: the line on which it is.
        device: one device.
        cuts: what was learned of it.
    """
    return [laid.group for laid in _lay_out_device(bus, device, cuts)]


def _lay_out_device(bus: BusSettings, device: "DeviceSettings", cuts: Cuts) -> Iterator[LaidGroup]:
    device_map = load_map(device.map)
    timing = _timing(bus, device_map)
    for group in device.group:
        name = f"{device.name}/{group.name}"
        registers = _registers(group, device_map)
        blocks = plan_blocks(registers, limits_of(device_map, timing.request_words, cuts.get(name, ())))
        interval_ms = group.interval_s * 1000
        yield LaidGroup(
            device.name,
            PollGroup(name, interval_ms, device.unit_id, registers, blocks),
            bus.name,
            timing,
        )


def _timing(bus: BusSettings, device_map: DeviceMap) -> Timing:
    turnaround_ms = max(device_map.access.turnaround_ms, bus.turnaround_ms or 0)
    if bus.baud is None:
        return tcp_timing(turnaround_ms)
    return serial_timing(bus.baud, bus.character_bits, turnaround_ms)


def _registers(group: "GroupSettings", device_map: DeviceMap) -> tuple[Register, ...]:
    found = (device_map.register_for(point.measurand) for point in group.points)
    return tuple(register for register in found if register is not None)
