"""In: plants that are served. Out: a snapshot of them for whoever watches; nothing that they serve changes by it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from metering.clock import Clock
from simulators.config import PlantSettings
from simulators.devices.table import COUNTER, Image, Row, Sheet, decoded, words_of
from simulators.errors import ControlError
from simulators.faults import KINDS, Fault
from simulators.modbus import Devices
from simulators.roster import Instrument
from simulators.snapshot import DeviceNow, FaultNow, PlantNow, Snapshot, ValueNow
from simulators.traffic import Traffic

_SAYS_MOST = (
    "active_power_w", "heat_power_w", "flow_nm3_per_h", "flow_m3_per_h", "flow_kg_per_h", "irradiance_w_per_m2",
    "speed_km_per_h",
)  # fmt: skip
"""What people look for first; of another device it is its first value."""


@dataclass(frozen=True, slots=True)
class Served:
    """A plant on its line."""

    settings: PlantSettings
    devices: Devices
    place: str


async def snapshot(
    plants: Sequence[Served], clock: Clock, *, project: str = "", device: str = "", most: int = 0
) -> Snapshot:
    """Look at plants.

    Args:
        plants: those that are served.
        clock: the plants' clock.
        project: one plant; empty for all.
        device: devices of this name, with all their values; empty for all devices, with the values that say most.
        most: of how many devices, where none is named: working a value out takes time that answers need too.

    Raises:
        ControlError: there is no such plant or device.
    """
    now_ms = clock.now_ms()
    chosen = _chosen(plants, project, device)
    found = [
        (plant, each, plant.devices.faults.of(each.name, now_ms))
        for plant in chosen
        for each in plant.devices.instruments
        if device in {"", each.name}
    ]
    found.sort(key=lambda one: not one[2])
    told: list[DeviceNow] = []
    for plant, each, faults in found:
        values: tuple[ValueNow, ...] = ()
        if device or len(told) < most:
            values = _values(each, faults, now_ms, plant.devices.traffic[each.name], all_of_them=bool(device))
            await asyncio.sleep(0)  # requests that came meanwhile are answered first
        told.append(_device(plant, each, faults, values, clock.mono_ms()))
    lines = tuple(_plant(each, clock.mono_ms()) for each in chosen)
    return Snapshot(now_ms=now_ms, factor=clock.factor, plants=lines, devices=tuple(told))


def _chosen(plants: Sequence[Served], project: str, device: str) -> list[Served]:
    chosen = [each for each in plants if project in {"", each.settings.project}]
    if not chosen:
        known = ", ".join(each.settings.project for each in plants)
        raise ControlError(f"no plant of project {project!r}; there are: {known}")
    names = [one.name for each in chosen for one in each.devices.instruments]
    if device and device not in names:
        raise ControlError(f"no device {device!r}; there are: {', '.join(sorted(set(names)))}")
    return chosen


def _plant(plant: Served, mono_ms: int) -> PlantNow:
    line = plant.devices.line_traffic
    return PlantNow(
        project=plant.settings.project,
        site=plant.settings.site,
        plant=plant.settings.plant,
        transport=plant.settings.transport,
        place=plant.place,
        devices=len(plant.devices.instruments),
        requests=line.requests,
        requests_per_s=round(line.per_second(mono_ms), 3),
    )


def _device(
    plant: Served, instrument: Instrument, faults: Sequence[Fault], values: tuple[ValueNow, ...], mono_ms: int
) -> DeviceNow:
    traffic = plant.devices.traffic[instrument.name]
    return DeviceNow(
        project=plant.settings.project,
        name=instrument.name,
        make=instrument.nameplate.make,
        model=instrument.nameplate.model,
        serial=instrument.nameplate.serial,
        transport=plant.settings.transport,
        place=plant.place,
        unit_id=instrument.unit_id,
        function=instrument.function,
        requests=traffic.requests,
        requests_per_s=round(traffic.per_second(mono_ms), 3),
        last_client=traffic.last_client,
        last_request_ms=traffic.last_ms,
        faults=tuple(_fault(each, instrument.sheet) for each in faults),
        values=values,
    )


def _fault(fault: Fault, sheet: Sheet) -> FaultNow:
    usual = KINDS[fault.kind].amount and not (fault.kind == "step-back" and sheet.saves_every_s is not None)
    return FaultNow(
        kind=fault.kind,
        amount=fault.how_much if usual else fault.amount,
        until_ms=None if fault.end is None else round(fault.end.timestamp() * 1000),
    )


def _values(
    instrument: Instrument, faults: Sequence[Fault], at_ms: int, traffic: Traffic, *, all_of_them: bool
) -> tuple[ValueNow, ...]:
    true = instrument.image(at_ms)
    shown = instrument.image(at_ms, faults) if faults else true
    rows = [row for row in instrument.sheet.rows if row.shows]
    value = partial(_value, true=true, shown=shown, traffic=traffic)
    return tuple(value(row) for row in (rows if all_of_them else _that_say_most(rows, true)))


def _value(row: Row, *, true: Image, shown: Image, traffic: Traffic) -> ValueNow:
    place = shown.sheet.place_of[row.address]
    # All of it was read when the part was that was read longest ago.
    read_ms = int(traffic.read_ms[place : place + words_of(row)].min())
    return ValueNow(
        quantity=row.shows,
        address=row.address,
        words=" ".join(f"{word:04x}" for word in shown.words[0, place : place + words_of(row)]),
        true=_says(row, true),
        shown=_says(_row_of(shown, row), shown),
        read_ms=read_ms or None,
    )


def _row_of(image: Image, row: Row) -> Row:
    # With other scale factors the same words say something else.
    return next(each for each in image.sheet.rows if each.address == row.address)


def _says(row: Row, image: Image) -> float | None:
    place = image.sheet.place_of[row.address]
    return decoded(row, image.words[0, place : place + words_of(row)])


def _that_say_most(rows: Sequence[Row], image: Image) -> list[Row]:
    """What flows, and what has counted most of it."""
    flows = next((row for name in _SAYS_MOST for row in rows if row.shows == name), rows[0])
    counters = [row for row in rows if COUNTER in row.shows and row is not flows]
    return [flows, *sorted(counters, key=lambda row: -(_says(row, image) or 0))[:1]]
