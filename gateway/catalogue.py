"""What device maps there are and what each is worth: maps in, rows and findings out. Pure but for reading the maps."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from gateway.maps import load_map, map_names, sunspec_definition, sunspec_models
from metering.decode import decode
from metering.devicemap import DeviceMap, Register, Tier, Vector, WordType, parse_device_map
from metering.measurands import Kind
from metering.quality import Quality

_FLOAT_BITS = {WordType.F32: 24, WordType.F64: 53}


@dataclass(frozen=True, slots=True)
class Entry:
    """One device map in a list."""

    name: str
    """What a configuration calls it."""
    make: str
    model: str
    tier: Tier
    measurands: tuple[str, ...]
    """What it reads, in its order."""
    steps: tuple[str, ...]
    """How finely its counters count, each way once."""
    identity: str
    """What the device tells of itself: its model, its serial number, both, or nothing that is known."""
    vectors: int
    """How many test vectors it has."""
    caveats: int


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A vector that does not decode to what it says."""

    vector: Vector
    found: int | Quality
    """[quanta], or why there is no value."""


def entries() -> Iterator[Entry]:
    """List the device maps that come with the gateway, then the SunSpec models."""
    for name in map_names():
        yield entry(name, load_map(name))
    for model in sunspec_models():
        yield entry(f"sunspec/{model}@ADDRESS", parse_device_map(sunspec_definition(model)), serial=True)


def entry(name: str, device_map: DeviceMap, *, serial: bool = False) -> Entry:
    """Say in short what a device map is.

    Args:
        name: what a configuration calls it.
        device_map: the map.
        serial: whether its place brings a serial number with it, as it does for SunSpec models.
    """
    counters = (register for register in device_map.registers if register.measurand.kind is Kind.COUNTER)
    return Entry(
        name=name,
        make=device_map.make,
        model=device_map.model,
        tier=device_map.tier,
        measurands=tuple(register.measurand.name for register in device_map.registers),
        steps=tuple(dict.fromkeys(step(register) for register in counters)),
        identity=_identity(device_map, serial=serial),
        vectors=len(device_map.vectors),
        caveats=len(device_map.caveats),
    )


def _identity(device_map: DeviceMap, *, serial: bool) -> str:
    identity = device_map.identity
    if identity is None:
        return "-"
    numbered = serial or identity.serial is not None
    told = identity.serial is None or identity.probe != identity.serial
    return ", ".join([*(["model"] if told else []), *(["serial number"] if numbered else [])])


def step(register: Register) -> str:
    """Say how finely a register counts, for people."""
    if bits := _FLOAT_BITS.get(register.type):
        return f"float of {bits} bits in {_scaled(register.scale, register.measurand.unit)}"
    factor = " × 10^factor" if register.scale_register is not None else ""
    return _scaled(register.scale, register.measurand.unit) + factor


def _scaled(scale: Fraction, unit: str) -> str:
    if scale == 1:
        return unit
    named = {("Wh", Fraction(1000)): "kWh", ("J", Fraction(3_600_000)): "kWh"}
    if (unit, scale) in named:
        return named[unit, scale]
    return f"{decimal(scale)} {unit}"


def decimal(number: Fraction) -> str:
    """Write a rational number as people do, where that is exact."""
    return f"{float(number):g}" if Fraction(f"{float(number):g}") == number else str(number)


def mismatches(device_map: DeviceMap) -> list[Mismatch]:
    """Decode every vector of a map, and keep those that do not give what they say."""
    found = []
    for vector in device_map.vectors:
        register = device_map.register(vector.register)
        outcome = Quality.BAD_FRAME if register is None else decode(register, vector.words, vector.scale_word)
        if outcome != vector.expected:
            found.append(Mismatch(vector, outcome))
    return found


def untested(device_map: DeviceMap) -> list[str]:
    """Name the registers of a map that no vector is about."""
    tested = {vector.register for vector in device_map.vectors}
    return [register.name for register in device_map.registers if register.name not in tested]


def as_markdown() -> str:
    """Write the list as a Markdown table, for `docs/devices.md`."""
    rows = ["| map | device | tier | counters in steps of | tells its | values | caveats |", "| --- " * 7 + "|"]
    for one in entries():
        cells = (
            f"`{one.name}`",
            f"{one.make} {one.model}",
            one.tier,
            "; ".join(one.steps) or "-",
            one.identity,
            str(len(one.measurands)),
            str(one.caveats),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"
