"""Find out who answers on a line: unit ids are asked one after the other, and what answers is asked what it is.

Only reads. A unit that answers an exception is there, unless it is the one with which a converter speaks of units that
are absent. A device whose map knows no identity register is recognised by what its registers would mean: a frequency
near 50 or 60 Hz, a voltage of a grid.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gateway.buses import BusKind, BusSettings
from gateway.frames import rtu_bytes
from gateway.maps import load_map, map_names
from gateway.modbus import Wire, quiet_library
from gateway.plan import span_of
from gateway.sunspec import Plate, discover, model_names
from metering.decode import Block, decode_identity, decode_in
from metering.devicemap import DeviceMap
from metering.errors import DeviceMapError
from metering.measurands import Kind
from metering.quality import Quality
from metering.registers import IdentityRegister

_HOLDING = 3
_FIRST = (_HOLDING, 0, 1)
_ABSENT = (10, 11)
"""Exceptions of a converter: no way to the unit, or no answer from it."""
_TELLING = {
    "frequency_hz": (45.0, 65.0),
    "voltage_l1_v": (60.0, 1000.0),
    "voltage_l2_v": (60.0, 1000.0),
    "supply_temperature_degc": (1.0, 200.0),
    "return_temperature_degc": (1.0, 200.0),
}
"""What a register must hold that is taken for this [unit of the measurand]."""


@dataclass(frozen=True, slots=True)
class Found:
    """A unit that answers."""

    unit: int
    maps: tuple[str, ...]
    """Device maps whose identity register holds what they expect."""
    likely: tuple[str, ...]
    """Device maps under which its registers make sense, when none is certain."""
    serials: Mapping[str, str]
    """The serial number that each of these maps finds."""
    plate: Plate | None
    """What its SunSpec common model says; None when it has none."""
    sunspec_models: tuple[int, ...]
    """The chain of SunSpec models."""


async def scan(
    bus: BusSettings, units: Iterable[int], timeout_s: float, on_unit: Callable[[int], None] = lambda _: None
) -> list[Found]:
    """Ask each unit whether it is there and what it is.

    Args:
        bus: the line.
        units: unit ids.
        timeout_s: how long each may take to begin its answer [s].
        on_unit: told of each unit before it is asked.

    Raises:
        OSError: the line cannot be opened.
    """
    quiet_library()
    maps = {name: load_map(name) for name in map_names()}
    found: list[Found] = []
    wire = Wire(bus)
    try:
        await wire.open()
        for unit in units:
            on_unit(unit)
            prober = _Prober(wire, bus, unit, timeout_s)
            if await prober.is_there():
                found.append(await _identify(prober, maps))
    finally:
        wire.close()
    return found


class _Prober:
    """Asks one unit; what was asked once is not asked again."""

    def __init__(self, wire: Wire, bus: BusSettings, unit: int, timeout_s: float) -> None:
        self.unit = unit
        self._wire = wire
        self._bus = bus
        self._timeout_s = timeout_s
        self._known: dict[tuple[int, int, int], tuple[int, ...] | None] = {}

    async def is_there(self) -> bool:
        try:
            self._known[_FIRST] = await self._exchange(*_FIRST)
        except (TimeoutError, OSError):
            return False
        return self._wire.exception not in _ABSENT

    async def read(self, function: int, address: int, count: int) -> tuple[int, ...] | None:
        """Read registers; None when they were not obtained."""
        if (function, address, count) not in self._known:
            try:
                self._known[function, address, count] = await self._exchange(function, address, count)
            except (TimeoutError, OSError):
                self._known[function, address, count] = None
                # An RTU answer does not say what it answers: one that comes late is let pass before the next question.
                await asyncio.sleep(self._timeout_s if self._bus.kind.is_rtu else 0)
        return self._known[function, address, count]

    async def _exchange(self, function: int, address: int, count: int) -> tuple[int, ...] | None:
        await asyncio.sleep(self._bus.silence_s)
        try:
            async with asyncio.timeout(self._timeout_s + rtu_bytes(count) * self._bus.byte_s):
                if not self._wire.is_open:
                    await self._wire.open()
                words = await self._wire.ask(self.unit, function, address, count)
        except (TimeoutError, OSError):
            # A late answer must not meet the next request; on a serial port it does not fit another unit's.
            if self._bus.kind is not BusKind.RTU:
                self._wire.close()
            raise
        return words


async def _identify(prober: _Prober, maps: Mapping[str, DeviceMap]) -> Found:
    serials: dict[str, str] = {}
    chain = await discover(lambda address, count: prober.read(_HOLDING, address, count))
    plate = chain.plate if chain is not None else None
    for name in model_names(chain) if chain is not None else ():
        try:
            identity = load_map(name).identity
        except DeviceMapError:
            continue  # a model without readings, or one that we know nothing about
        told = None if identity is None or identity.serial is None else await _read_identity(prober, identity.serial)
        serials[name] = "" if told is None else str(told)
    for name, device_map in maps.items():
        identity = device_map.identity
        if identity is None or not identity.expect:
            continue
        if await _read_identity(prober, identity.probe) in identity.expect:
            serial = None if identity.serial is None else await _read_identity(prober, identity.serial)
            serials[name] = "" if serial is None else str(serial)
    models = tuple(model.id for model in chain.models) if chain is not None else ()
    likely = () if serials else [name for name, device_map in maps.items() if await _makes_sense(prober, device_map)]
    return Found(prober.unit, tuple(serials), tuple(likely), serials, plate, models)


async def _makes_sense(prober: _Prober, device_map: DeviceMap) -> bool:
    """Tell whether what is read under a map could be true, and some of it could hardly be so by chance."""
    told = False
    for register in device_map.registers:
        bounds = _TELLING.get(register.measurand.name)
        if bounds is None and register.measurand.kind is not Kind.COUNTER:
            continue
        span = span_of(register)
        words = await prober.read(span.function, span.first, span.end - span.first)
        if words is None:
            return False
        quanta = decode_in(register, [Block(span.function, span.first, span.end - span.first)], words)
        if isinstance(quanta, Quality) or quanta < 0:
            return False
        if bounds is not None and not bounds[0] <= register.measurand.to_unit(quanta) <= bounds[1]:
            return False
        told = told or bounds is not None
    return told


async def _read_identity(prober: _Prober, register: IdentityRegister) -> int | str | None:
    words = await prober.read(register.function, register.address, register.count)
    value = None if words is None else decode_identity(register, words)
    return None if isinstance(value, Quality) else value
