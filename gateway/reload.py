"""Reading the configuration again while the gateway runs: how it is asked for, and what may change."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.config import GatewaySettings
from gateway.errors import ReloadError

_MAY_CHANGE = {"device", "bus"}


@dataclass(frozen=True, slots=True)
class Reload:
    """A request to read the configuration again."""

    read: Callable[[], GatewaySettings]
    """Reads and checks the file; raises what is wrong with it."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody asks."""


def check_reload(old: GatewaySettings, new: GatewaySettings) -> None:
    """See that only devices and buses differ; who we are and where readings go is settled at the start.

    Args:
        old: in use.
        new: a checked configuration.

    Raises:
        ReloadError: names the keys that differ.
    """
    keys = [
        key for key in GatewaySettings.model_fields if key not in _MAY_CHANGE and getattr(old, key) != getattr(new, key)
    ]
    if keys:
        raise ReloadError(f"{', '.join(keys)} differ: they take effect at a restart; devices and buses can be reloaded")
