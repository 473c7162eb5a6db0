"""What the gateway says about itself: faults that somebody should look at, and the status for display."""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict

from gateway import __version__
from gateway.outbox import OutboxState
from metering.clock import Clock, utc_text

_LOG = logging.getLogger("gateway")

OFFLINE = json.dumps({"online": False}).encode()
"""The will, and the last status of a clean stop."""


class Faults:
    """What is wrong now, by code: shown in the status, and logged once when it begins and ends."""

    def __init__(self) -> None:
        """Begin without faults."""
        self._texts: dict[str, str] = {}
        self.changed = asyncio.Event()
        """Set when a fault begins or ends; whoever shows faults clears it."""

    @property
    def texts(self) -> dict[str, str]:
        """What is wrong now: a sentence for each code."""
        return dict(self._texts)

    def show(self, code: str, text: str) -> None:
        """Note that something is wrong."""
        if self._texts.get(code) != text:
            if code not in self._texts:
                _LOG.error("%s: %s", code, text)
            self._texts[code] = text
            self.changed.set()

    def clear(self, code: str) -> None:
        """Note that it is no longer wrong."""
        if self._texts.pop(code, None) is not None:
            _LOG.info("%s: over", code)
            self.changed.set()


def status_json(
    clock: Clock, outbox: OutboxState, in_flight: int, silent: Sequence[str], faults: dict[str, str]
) -> bytes:
    """Write the status; it is unsigned and for display only.

    Args:
        clock: the plant's clock.
        outbox: how full the outbox is.
        in_flight: records sent and not acknowledged.
        silent: devices that do not answer.
        faults: a sentence for each code.
    """
    clock_status = clock.status()
    return json.dumps({
        "online": True,
        "agent": f"sakugen-gateway {__version__}",
        "time": utc_text(clock.now_ms()),
        "clock": {"state": clock_status.state, "offset_ms": clock_status.offset_ms},
        "outbox": asdict(outbox),
        "in_flight": in_flight,
        "silent_devices": list(silent),
        "faults": faults,
    }).encode()  # fmt: skip
