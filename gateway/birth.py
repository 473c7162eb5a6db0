"""From configuration to what a birth says and what is polled: both sides of one plan. Reads device maps only."""

import hashlib
from typing import Literal

from gateway import __version__
from gateway.config import DeviceSettings, GatewaySettings, GroupSettings
from gateway.entries import BirthBody
from gateway.maps import load_map
from gateway.plan import limits_of, plan_blocks
from gateway.poll import PollGroup
from metering.devicemap import DeviceMap, Register
from metering.measurands import measurand
from metering.record import BlockPart, GroupPart, MeterPart, PointPart


def poll_groups(device: DeviceSettings) -> list[PollGroup]:
    """Lay out what is polled on one device of a checked configuration."""
    device_map = load_map(device.map)
    return [_poll_group(device, group, device_map) for group in device.group]


def birth_body(settings: GatewaySettings, time_factor: float) -> BirthBody:
    """Say what the gateway's readings are about.

    Args:
        settings: a checked configuration.
        time_factor: seconds of wall clock in one real second.
    """
    groups: list[GroupPart] = []
    texts: dict[str, str] = {}
    for device in settings.device:
        device_map = load_map(device.map)
        texts[device_map.digest] = device_map.text
        groups += [_group_part(device, group, device_map) for group in device.group]
    return BirthBody(
        project=settings.project,
        mode=settings.mode,
        agent=f"sakugen-gateway {__version__}",
        time_factor=time_factor,
        config_digest=hashlib.sha256(settings.model_dump_json().encode()).hexdigest(),
        device_maps=texts,
        groups=tuple(groups),
    )


def _poll_group(device: DeviceSettings, group: GroupSettings, device_map: DeviceMap) -> PollGroup:
    registers = _registers(group, device_map)
    name = f"{device.name}/{group.name}"
    return PollGroup(
        name, group.interval_s * 1000, device.unit_id, registers, plan_blocks(registers, limits_of(device_map))
    )


def _group_part(device: DeviceSettings, group: GroupSettings, device_map: DeviceMap) -> GroupPart:
    plan = _poll_group(device, group, device_map)
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
        meter=MeterPart(make=device.meter.make, model=device.meter.model, serial=device.meter.serial),
        blocks=tuple(
            BlockPart(function=_read_function(b.function), address=b.address, count=b.count) for b in plan.blocks
        ),
        points=points,
    )


def _read_function(function: int) -> Literal[3, 4]:
    return 3 if function == 3 else 4


def _registers(group: GroupSettings, device_map: DeviceMap) -> tuple[Register, ...]:
    found = (device_map.register_for(point.measurand) for point in group.points)
    return tuple(register for register in found if register is not None)
