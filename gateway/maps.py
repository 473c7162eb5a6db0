"""Finding device maps: those in `gateway/devices/`, or a file anywhere."""

from importlib import resources
from pathlib import Path

from metering.devicemap import DeviceMap, parse_device_map
from metering.errors import DeviceMapError


def map_names() -> tuple[str, ...]:
    """Name the device maps that come with the gateway."""
    folder = resources.files("gateway") / "devices"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def load_map(name: str) -> DeviceMap:
    """Read a device map.

    Args:
        name: one of `map_names`, or the path of a TOML file.

    Raises:
        DeviceMapError: when there is none of that name, or it is malformed.
    """
    if name in map_names():
        file = resources.files("gateway") / "devices" / f"{name}.toml"
        return parse_device_map(file.read_text(encoding="utf-8"), f"{name}.toml")
    path = Path(name)
    if path.suffix != ".toml":
        raise DeviceMapError(
            f"unknown device map {name!r}; allowed: {', '.join(map_names())}, or the path of a .toml file"
        )
    try:
        return parse_device_map(path.read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceMapError(f"device map {name!r} cannot be read: {error}") from None
