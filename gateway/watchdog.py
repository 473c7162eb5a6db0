"""What systemd is told: ready, alive, stopping. The service manager ends and restarts a gateway that falls silent.

No timer says "alive": it is said each time that every poll group got through its loop, which each does about once a
second or, at the longest, once a slot.
"""

import socket
from collections.abc import Iterable, Mapping
from typing import Self


class Watchdog:
    """The service manager's notification socket (sd_notify(3)); without one, nothing is sent."""

    def __init__(self, address: str | None) -> None:
        """Remember where to; each message is a datagram of its own.

        Args:
            address: a path, or an abstract name that begins with "@".
        """
        # An abstract address begins with a zero byte, which an environment variable cannot hold.
        self._address = address and ("\0" + address[1:] if address.startswith("@") else address)
        self._groups: frozenset[str] = frozenset()
        self._missing: set[str] = set()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Find the socket that systemd names."""
        return cls(environment.get("NOTIFY_SOCKET"))

    def expect(self, groups: Iterable[str]) -> None:
        """Name the poll groups that have to get through their loops from now on."""
        self._groups = frozenset(groups)
        self._missing = set(self._groups)

    def passed(self, group: str) -> None:
        """Note that a poll group got through its loop; when all did, the gateway is alive."""
        self._missing.discard(group)
        if not self._missing:
            self._missing = set(self._groups)
            self.alive()

    def alive(self) -> None:
        """Say that the gateway works."""
        self._tell("WATCHDOG=1")

    def ready(self) -> None:
        """Say that the gateway is up."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """Say that it is about to end."""
        self._tell("STOPPING=1")

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(state.encode(), self._address)
            except OSError:
                return  # nobody listens or its queue is full: silence is what the service manager judges by
