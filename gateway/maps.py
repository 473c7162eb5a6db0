"""Finding device maps: those in `gateway/devices/`, a SunSpec model at its place, or a file anywhere."""

import re
from functools import lru_cache
from importlib import resources
from pathlib import Path

from gateway.sunspec import map_text
from metering.devicemap import DeviceMap, parse_device_map
from metering.errors import DeviceMapError

_SUNSPEC = re.compile(r"sunspec/([0-9]{1,5})@([0-9]{1,5})(/1@([0-9]{1,5}))?", re.ASCII)


@lru_cache(maxsize=1)
def map_names() -> tuple[str, ...]:
    """Name the device maps that come with the gateway."""
    folder = resources.files("gateway") / "devices"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def sunspec_models() -> tuple[int, ...]:
    """Name the SunSpec models whose definition comes with the gateway."""
    folder = resources.files("gateway") / "devices" / "sunspec"
    return tuple(sorted(int(file.name.removesuffix(".toml")) for file in folder.iterdir()))


def sunspec_definition(model: int) -> str:
    """Read the definition of a SunSpec model, whose addresses count from its id register.

    Raises:
        DeviceMapError: when there is none of that number.
    """
    if model not in sunspec_models():
        allowed = ", ".join(map(str, sunspec_models()))
        raise DeviceMapError(f"no definition of SunSpec model {model}; allowed: {allowed}")
    return (resources.files("gateway") / "devices" / "sunspec" / f"{model}.toml").read_text(encoding="utf-8")


def load_map(name: str) -> DeviceMap:
    """Read a device map.

    Args:
        name: one of `map_names`; `sunspec/103@40070`, a SunSpec model and where its id register stands, with
            `/1@40121` behind it when the common model of its instrument is not the first; or the path of a TOML file.

    Raises:
        DeviceMapError: when there is none of that name, or it is malformed.
    """
    if name in map_names():
        file = resources.files("gateway") / "devices" / f"{name}.toml"
        return _parsed(file.read_text(encoding="utf-8"), f"{name}.toml")
    if placed := _SUNSPEC.fullmatch(name):
        common = None if placed[4] is None else int(placed[4])
        return _parsed(map_text(sunspec_definition(int(placed[1])), int(placed[2]), common), name)
    path = Path(name)
    if path.suffix != ".toml":
        raise DeviceMapError(
            f"unknown device map {name!r}; allowed: {', '.join(map_names())}, sunspec/MODEL@ADDRESS,"
            " or the path of a .toml file"
        )
    try:
        return _parsed(path.read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceMapError(f"device map {name!r} cannot be read: {error}") from None


@lru_cache(maxsize=256)
def _parsed(text: str, where: str) -> DeviceMap:
    """Read a text once, however many devices are of that model."""
    return parse_device_map(text, where)
