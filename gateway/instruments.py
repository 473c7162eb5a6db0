"""Which instrument answers at each device: configuration and identity registers in, its serial number out. Pure.

A meter that was exchanged is read on. What it shows belongs to the instrument that it says it is, so a birth names that
one, and its readings earn nothing until the exchange is declared.
"""

from collections.abc import Iterable, Mapping

from gateway.config import DeviceSettings
from gateway.lines import identity_block
from gateway.maps import load_map
from gateway.status import Faults
from metering.decode import Block, decode_identity
from metering.quality import Quality

Held = Mapping[Block, tuple[int, ...]]
"""Words of identity registers."""
_BLANK = ({0}, {0xFFFF})
"""What stands in registers that nobody filled in."""


def told_serial(device: DeviceSettings, held: Held) -> str | None:
    """Read what a device says is its serial number.

    Args:
        device: one device of a checked configuration.
        held: what its unit's identity registers hold.

    Returns:
        The number or text; None when its map knows no register for it, or when there is none in it.
    """
    identity = load_map(device.map).identity
    if identity is None or identity.serial is None:
        return None
    words = held.get(identity_block(identity.serial))
    if words is None or set(words) in _BLANK:
        return None
    serial = decode_identity(identity.serial, words)
    return None if isinstance(serial, Quality) else str(serial).strip()


class Instruments:
    """What is known of the instruments that answer; a device whose instrument is another than configured is a fault."""

    def __init__(self, faults: Faults) -> None:
        """Know none.

        Args:
            faults: where a device that was replaced is shown.
        """
        self._faults = faults
        self._known: dict[str, tuple[dict[Block, tuple[int, ...]], bool]] = {}
        self.serials: dict[str, str] = {}
        """By device, whom births name instead of the configured serial number."""

    def is_known(self, name: str, held: Held, *, stranger: bool) -> bool:
        """Tell whether nothing changed since a device was looked at; asked at every slot.

        Args:
            name: of the device.
            held: what its unit's identity registers hold.
            stranger: whether another model answers, which is not read.
        """
        return self._known.get(name) == (held, stranger)

    def renamed(self, device: DeviceSettings, held: Held) -> dict[str, str]:
        """Say whom births have to name by what a device says; a device that says nothing changes nothing."""
        told, configured = told_serial(device, held), device.meter.serial.strip()
        if told is None:
            return self.serials
        others = {name: serial for name, serial in self.serials.items() if name != device.name}
        return others if told == configured else others | {device.name: told}

    def know(self, device: DeviceSettings, held: Held, *, stranger: bool) -> None:
        """Remember what a device says, and show as a fault what somebody has to declare or undo."""
        self._known[device.name] = (dict(held), stranger)
        self.serials = self.renamed(device, held)
        code, told = f"device-replaced {device.name}", self.serials.get(device.name)
        if stranger:
            self._faults.show(code, f"another model answers than before: it is not read; correct map {device.map!r}")
        elif told is not None:
            self._faults.show(
                code,
                f"it says that its serial number is {told}, configured is {device.meter.serial}: its readings are kept"
                f" as those of {told}; declare the exchange and correct the configuration",
            )
        else:
            self._faults.clear(code)

    def forget(self, names: Iterable[str]) -> None:
        """Know nothing of some devices any more."""
        for name in names:
            self._known.pop(name, None)
            self.serials.pop(name, None)
            self._faults.clear(f"device-replaced {name}")
