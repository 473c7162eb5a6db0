"""Read everything once, for people: values beside their raw words, and what a device says it is. Nothing is stored."""

import asyncio
import struct
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from gateway.config import DeviceSettings, GatewaySettings
from gateway.layout import NO_CUTS, Cuts, poll_groups
from gateway.lines import lines_of
from gateway.maps import load_map
from gateway.modbus import quiet_library
from gateway.poll import PollGroup, Reader, poll
from metering.clock import Clock
from metering.decode import decode_identity, register_words, resolution
from metering.quality import Quality
from metering.registers import IdentityRegister, Register


@dataclass(frozen=True, slots=True)
class Seen:
    """One reading of one point."""

    device: str
    group: str
    """`device/group`"""
    point: str
    register: Register
    value: int | None
    """[quanta of the register's measurand]; None = not obtained."""
    quality: Quality
    words: tuple[int, ...] | None
    """The register's 16-bit words; None when no answer brought them."""
    scale_word: int | None
    """The word of its scale register, when it has one."""
    resolution: int | None
    """How far apart two neighbouring values of the register are now [quanta]."""
    received_ms: int
    """When the answer was in, or was given up [ms since the Unix epoch]."""
    took_ms: int
    """From the group's first request to its last answer [ms]."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a device says it is."""

    device: str
    model: int | str | Quality | None
    """What its map's identity register holds; None when the map knows none."""
    expected: tuple[int | str, ...]
    """What it holds on a device that the map is for; empty = not known beforehand."""
    serial: int | str | Quality | None
    """What the serial number's register holds; None when the map knows none."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything, read once."""

    readings: tuple[Seen, ...]
    claims: tuple[Claim, ...]


async def survey(settings: GatewaySettings, clock: Clock, cuts: Cuts = NO_CUTS) -> Survey:
    """Read every poll group and every identity once; lines at the same time, devices of a line in turn.

    Args:
        settings: a checked configuration.
        clock: stamps requests and answers.
        cuts: what was learned of the devices.
    """
    quiet_library()
    lines = lines_of(settings, clock)
    async with AsyncExitStack() as stack:
        for line in set(lines.values()):
            await stack.enter_async_context(line)
        parts = await asyncio.gather(
            *(_survey_device(settings, device, lines[device.name], clock, cuts) for device in settings.device)
        )
    return Survey(
        tuple(seen for readings, _ in parts for seen in readings),
        tuple(claim for _, claim in parts),
    )


async def _survey_device(
    settings: GatewaySettings, device: DeviceSettings, reader: Reader, clock: Clock, cuts: Cuts
) -> tuple[list[Seen], Claim]:
    readings: list[Seen] = []
    for group, names in zip(poll_groups(settings.bus_of(device), device, cuts), device.group, strict=True):
        points = [point.point for point in names.points]
        readings += await _read(device.name, group, points, reader, clock)
    # Last: a device may fall silent over a register that it does not have, and is then left alone for a while.
    return readings, await _claim(device, reader)


async def _claim(device: DeviceSettings, reader: Reader) -> Claim:
    identity = load_map(device.map).identity
    if identity is None:
        return Claim(device.name, None, (), None)
    model = await _ask(device.unit_id, identity.probe, reader)
    serial = None if identity.serial is None else await _ask(device.unit_id, identity.serial, reader)
    return Claim(device.name, model, identity.expect, serial)


async def _ask(unit: int, register: IdentityRegister, reader: Reader) -> int | str | Quality:
    answer = await reader.read(unit, register.function, register.address, register.count)
    return answer.quality if answer.words is None else decode_identity(register, answer.words)


async def _read(device: str, group: PollGroup, points: list[str], reader: Reader, clock: Clock) -> list[Seen]:
    slot_ms = clock.now_ms()
    reading = await poll(group, slot_ms, reader, clock)
    codes: Mapping[int, Quality] = dict(reading.quality)
    words = struct.unpack(f">{len(reading.raw) // 2}H", reading.raw)
    seen: list[Seen] = []
    for at, (point, register) in enumerate(zip(points, group.registers, strict=True)):
        quality = codes.get(at, Quality.OK)
        found = (
            None if quality in (Quality.NO_ANSWER, Quality.EXCEPTION) else register_words(register, group.blocks, words)
        )
        own, scale = found or (None, None)
        step = None if own is None else resolution(register, own, scale)
        received_ms, took_ms = slot_ms + reading.received_ms, reading.received_ms - reading.sent_ms
        value = reading.values[at]
        seen.append(Seen(device, group.name, point, register, value, quality, own, scale, step, received_ms, took_ms))
    return seen
