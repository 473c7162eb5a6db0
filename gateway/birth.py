"""From configuration to what a birth says of what is polled. Reads device maps only."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from gateway import __version__
from gateway.config import DeviceSettings, GatewaySettings, GroupSettings
from gateway.entries import BirthBody, birth_to_json
from gateway.layout import NO_CUTS, Cuts, poll_groups
from gateway.maps import load_map
from gateway.poll import PollGroup
from metering.devicemap import DeviceMap
from metering.measurands import measurand
from metering.record import BlockPart, GroupPart, MeterPart, PointPart

NO_SERIALS: Mapping[str, str] = MappingProxyType({})

MOST_BYTES = 1_000_000
"""A record may have 1 MiB; what is learned of devices later on adds to a birth."""


def birth_body(
    settings: GatewaySettings, time_factor: float, cuts: Cuts = NO_CUTS, serials: Mapping[str, str] = NO_SERIALS
) -> BirthBody:
    """Say what the gateway's readings are about.

    Args:
        settings: a checked configuration.
        time_factor: seconds of wall clock in one real second.
        cuts: what was learned of its devices; it decides which requests are made.
        serials: by device, the serial number that its instrument tells, where it is not the configured one.
    """
    groups: list[GroupPart] = []
    texts: dict[str, str] = {}
    for device in settings.device:
        device_map = load_map(device.map)
        texts[device_map.digest] = device_map.text
        plans = poll_groups(settings.bus_of(device), device, cuts)
        serial = serials.get(device.name, device.meter.serial)
        meter = MeterPart(make=device.meter.make, model=device.meter.model, serial=serial)
        groups += [
            _group_part(device, meter, group, device_map, plan) for group, plan in zip(device.group, plans, strict=True)
        ]
    return BirthBody(
        project=settings.project,
        mode=settings.mode,
        agent=f"sakugen-gateway {__version__}",
        time_factor=time_factor,
        config_digest=hashlib.sha256(settings.model_dump_json().encode()).hexdigest(),
        device_maps=texts,
        groups=tuple(groups),
    )


def birth_problem(settings: GatewaySettings) -> str | None:
    """Say why the birth would not fit into a record, if it would not.

    Args:
        settings: right in all other ways.

    Returns:
        What makes it large and what to do; None when it fits.
    """
    body = birth_body(settings, 1.0)
    size = len(birth_to_json(body).encode())
    if size <= MOST_BYTES:
        return None
    maps = {device.map: len(load_map(device.map).text.encode()) for device in settings.device}
    largest = max(maps, key=maps.__getitem__)
    points = sum(len(group.points) for group in body.groups)
    return (
        f"the birth, which names every point and holds the text of every device map, would have {size} bytes; "
        f"{MOST_BYTES} fit into a record. {len(maps)} device maps take {sum(maps.values())} (the largest, {largest!r}, "
        f"{maps[largest]}), {points} points the rest: leave out points, shorten a map, or run a second gateway"
    )


def _group_part(
    device: DeviceSettings, meter: MeterPart, group: GroupSettings, device_map: DeviceMap, plan: PollGroup
) -> GroupPart:
    points = tuple(
        PointPart(
            point=point.point,
            measurand=point.measurand,
            quantum=measurand(point.measurand).quantum,
            register=register.name,
        )
        for point, register in zip(group.points, plan.registers, strict=True)
    )
    return GroupPart(
        group=plan.name,
        device=device.name,
        interval_ms=plan.interval_ms,
        map=device_map.digest,
        unit_id=device.unit_id,
        meter=meter,
        blocks=tuple(
            BlockPart(function=_read_function(b.function), address=b.address, count=b.count) for b in plan.blocks
        ),
        points=points,
    )


def _read_function(function: int) -> Literal[3, 4]:
    return 3 if function == 3 else 4
