"""SunSpec: in goes a way to read registers, out come the models of a device and where each stands.

The definition of a model (`devices/sunspec/*.toml`) counts its addresses from the model's id register. Where that
register stands differs from device to device, so a map is made for the place: `sunspec/103@40070` is model 103 with its
id at 40070. A chain may hold the models of several instruments, each after a common model of its own; where that is not
the first one the place says so: `sunspec/203@40188/1@40121`. Births then carry the finished text, which needs no
knowledge of SunSpec to be read.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from metering.decode import decode_identity
from metering.devicemap import IdentityRegister, WordType
from metering.errors import DeviceMapError

Read = Callable[[int, int], Awaitable[Sequence[int] | None]]
"""Read holding registers: first address, count; None when the device does not give them."""

MARKER: Final = (0x5375, 0x6E53)
"""What stands before the chain of models: "SunS"."""
MARKER_ADDRESSES: Final = (40_000, 0, 50_000)
"""Where it may stand, most usual first."""
COMMON: Final = 1
"""The model that says who made the device; it comes first."""
_END = 0xFFFF
_MOST_MODELS = 100  # devices have a handful; a chain that leads round in circles ends here
_LAST_ADDRESS = 65_535
# Offsets from the id of the common model, and words.
_TEXTS = {"make": (2, 16), "model": (18, 16), "version": (42, 8), "serial": (50, 16)}
_SHIFTED = re.compile(r"\b(address|first|last) = (\d+)")


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a device's chain."""

    id: int
    base: int
    """Where its id register stands [register address, 0-based]."""
    length: int
    """Registers after its id and length."""


@dataclass(frozen=True, slots=True)
class Plate:
    """What the common model says of the device; empty where it says nothing."""

    make: str
    model: str
    version: str
    serial: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The models of a device."""

    marker: int
    """Where "SunS" stands [register address, 0-based]."""
    models: tuple[Model, ...]
    plate: Plate | None
    """None when the common model is missing or cannot be read."""
    complete: bool
    """Whether the chain was read to its end; some devices refuse registers within it."""


async def discover(read: Read) -> Chain | None:
    """Find the models of a device.

    Args:
        read: reads holding registers of it.

    Returns:
        Its models in the order of their addresses, or None when it is no SunSpec device.
    """
    for marker in MARKER_ADDRESSES:
        words = await read(marker, 2)
        if words is not None and tuple(words) == MARKER:
            return await _walk(read, marker)
    return None


def model_names(chain: Chain) -> list[str]:
    """Name the models of a chain as device maps are named."""
    names: list[str] = []
    common = chain.marker + 2
    for model in chain.models:
        common = model.base if model.id == COMMON else common
        below = "" if common == chain.marker + 2 else f"/{COMMON}@{common}"
        names.append(f"sunspec/{model.id}@{model.base}{below}")
    return names


async def _walk(read: Read, marker: int) -> Chain:
    models: list[Model] = []
    at, complete = marker + 2, False
    while len(models) < _MOST_MODELS and at < _LAST_ADDRESS:
        head = await read(at, 2)
        if head is None or len(head) != 2:
            break
        if head[0] == _END:
            complete = True
            break
        models.append(Model(id=head[0], base=at, length=head[1]))
        at += 2 + head[1]
    return Chain(marker, tuple(models), await _plate(read, models), complete)


async def _plate(read: Read, models: Sequence[Model]) -> Plate | None:
    if not models or models[0].id != COMMON:
        return None
    base = models[0].base
    # From the first point of the model to the end of the last one that is wanted: some devices refuse to cut a point.
    words = await read(base + 2, 64)
    if words is None or len(words) != 64:
        return None
    texts = {}
    for name, (offset, count) in _TEXTS.items():
        register = IdentityRegister(3, base + offset, WordType.STRING, count)
        found = decode_identity(register, words[offset - 2 : offset - 2 + count])
        texts[name] = found if isinstance(found, str) else ""
    return Plate(**texts)


def marker_before(base: int) -> int:
    """Tell where the marker of the chain stands that a model at some address belongs to.

    Args:
        base: the model's id register [register address, 0-based].
    """
    return max(marker for marker in MARKER_ADDRESSES if marker == 0 or marker + 2 <= base)


def map_text(definition: str, base: int, common: int | None = None) -> str:
    """Make the device map of a model at a place.

    Args:
        definition: the text of its definition, with addresses from its id register.
        base: where its id register stands [register address, 0-based].
        common: where the common model of its instrument stands; None = first in the chain.

    Raises:
        DeviceMapError: when the model would run past the last address, or stands before its common model.
    """
    marker = marker_before(base)
    if common is not None and not marker < common < base:
        raise DeviceMapError(f"the common model of a SunSpec model at {base} stands before it, not at {common}")
    title, _, rest = definition.partition("\n")
    _, _, rest = rest.partition("\n")
    if base + max(int(offset) for _, offset in _SHIFTED.findall(rest)) > _LAST_ADDRESS:
        raise DeviceMapError(f"a SunSpec model at {base} would run past address {_LAST_ADDRESS}")
    shifted = _SHIFTED.sub(lambda found: f"{found[1]} = {int(found[2]) + base}", rest)
    offset, count = _TEXTS["serial"]
    first = marker + 2 if common is None else common
    serial = f'serial = {{ function = 3, address = {first + offset}, type = "string", count = {count} }}\n'
    before = f"marker at {marker}" if common is None else f"common model at {common}"
    placed = f"# Made for a device with the id of the model at {base} and its {before}. Addresses are 0-based."
    return f"{title}\n{placed}\n" + shifted.replace("\n[[register]]", f"{serial}\n[[register]]", 1)
