"""What a rig is made of: processes that can be killed, cut off and started again, and what is noted about them."""

import asyncio
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import tomli_w
from faultkit.books import OutboxBook
from faultkit.proxy import Proxy

from metering.record import Record
from sakugen.broker import EmbeddedBroker
from sakugen.demo.sites import DemoSite
from sakugen.processes import Child

READY_WITHIN_S = 30.0
ENDS_WITHIN_S = 30.0
DRIVERS = Path(__file__).parents[1] / "drivers"


class Peer(Protocol):
    """What a broker, or InfluxDB, must be able to do."""

    port: int

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


class KillableBroker(EmbeddedBroker):
    """The embedded broker, and how to end it as a power cut would."""

    def kill(self) -> None:
        process = self._broker._process
        process.kill()
        process.wait()
        self.stop()


class Part(Child):
    """A child process that may be started with a driver between it and the product."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        super().__init__(name, arguments, log)
        self._plain = self._command
        self._ending: tuple[subprocess.Popen[bytes], bool] | None = None

    def choose(self, driver: str | None = None, *arguments: str) -> None:
        """Have the next start go through a driver, or through none."""
        command = [] if driver is None else [sys.executable, str(DRIVERS / driver), *arguments]
        self._command = [*command, *self._plain[3:]] if command else self._plain

    @property
    def status(self) -> int | None:
        """Its exit status; negative for a signal."""
        return None if self._process is None else self._process.poll()

    @property
    def is_ready(self) -> bool:
        """Whether it said so since it was last started."""
        return self.is_running and any(line.startswith("ready ") for line in self.output().splitlines())

    def bring_up(self) -> None:
        self.start()
        asyncio.run(self.wait_ready(READY_WITHIN_S))

    def end(self) -> int | None:
        return asyncio.run(self.stop())

    def ask_to_end(self) -> None:
        """Send SIGTERM and do not wait; `await_end` does."""
        self._ending, self._process = (self._process, self.is_ready), None
        self._ending[0].terminate()

    def await_end(self) -> None:
        """Wait until a part that was asked to end has done so."""
        process, was_ready = self._ending
        self._ending = None
        status = process.wait(ENDS_WITHIN_S)
        # Before it is ready nobody may be there yet to hear the signal.
        assert status == 0 or (status == -signal.SIGTERM and not was_ready), self.output()

    def kill(self) -> None:
        if self._ending is not None:
            self._ending[0].kill()
            self._ending[0].wait()
        super().kill()


@dataclass
class Outage:
    """When an agent was down."""

    from_ms: int
    """The plant's clock when it was killed, or when that was noticed [ms since the Unix epoch]."""
    to_ms: int = 0
    """The plant's clock when it was ready again [ms since the Unix epoch]."""


@dataclass
class WrongClock:
    """When an agent's clock was wrong: one run of its process."""

    shift_ms: int
    """How far ahead of the plant's clock; negative for behind [ms]."""
    outage: Outage
    """From the end of the run before to the begin of the one behind it."""
    from_mono_ms: int
    """Machine's time, which no clock step touches [ms]."""
    to_mono_ms: int | None = None
    unread_from_ms: dict[str, int] = field(default_factory=dict)
    """For each poll group the plant's clock from which on nothing was committed [ms since the Unix epoch]."""

    def wrote(self, parsed: Record) -> bool:
        """Whether what a record speaks of was read by the wrong clock."""
        return self.from_mono_ms <= parsed.mono_ms and (self.to_mono_ms is None or parsed.mono_ms < self.to_mono_ms)


@dataclass
class Box:
    """One gateway's box: its folder, its process, its line to the broker."""

    site: DemoSite
    folder: Path
    part: Part
    proxy: Proxy
    settings: dict[str, Any]
    config: Path
    outages: list[Outage] = field(default_factory=list)
    wrong_clocks: list[WrongClock] = field(default_factory=list)
    full_disks: list[Outage] = field(default_factory=list)
    """When the disk under its outbox was full."""
    copied_ms: int | None = None
    """When its card was copied from another box's [ms since the Unix epoch]; None where it was not."""
    ended_ms: int | None = None
    """The plant's clock when the agent ended for good [ms since the Unix epoch]."""

    @property
    def book(self) -> OutboxBook:
        return OutboxBook(self.folder / "outbox.sqlite")

    def configure(self, **changes: Any) -> None:
        """Write its file again with some settings changed."""
        self.settings = self.settings | changes
        self.config.write_text(tomli_w.dumps(self.settings), encoding="utf-8")
