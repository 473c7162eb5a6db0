"""All parts of one installation as child processes, started in the order of the flow.

They end in the order that loses nothing. In: a layout and a broker. `cut_broker` and `kill_ingest` are the faults of
the demonstration.
"""

import asyncio
import random
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from sakugen.broker import EmbeddedBroker
from sakugen.demo.layout import Layout, Ports
from sakugen.demo.sites import SITES
from sakugen.processes import Child

_LOOPBACK = "127.0.0.1"
_PORTS = range(20_000, 32_000)
_READY_WITHIN_S = 90.0
_DRAIN_WITHIN_S = 60.0


class Broker(Protocol):
    """An MQTT broker on loopback that can be ended and started again: the embedded one, or a mosquitto."""

    port: int

    def start(self) -> None:
        """Start it and wait until it accepts connections."""

    def stop(self) -> None:
        """End it."""


def embedded_broker(ports: Ports, folder: Path) -> Broker:
    """The broker that needs nothing installed."""
    return EmbeddedBroker(ports.broker, folder)


def choose_ports(broker: Broker | None = None) -> Ports:
    """Find a free port on loopback for each part; a broker that is there already keeps its own."""
    ports = _free_ports()
    return ports if broker is None else replace(ports, broker=broker.port)


def _free_ports() -> Ports:
    numbers = []
    # Below the range that the system draws from for outgoing connections: one of those could take it before it is used.
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((_LOOPBACK, port))
            numbers.append(port)
        if len(numbers) == 3 + len(SITES):
            break
    plants = {site.project: number for site, number in zip(SITES, numbers[3:], strict=True)}
    return Ports(broker=numbers[0], registry=numbers[1], console=numbers[2], plants=plants)


class System(AbstractAsyncContextManager["System"]):
    """The running parts; `async with` starts them and ends them."""

    def __init__(
        self, layout: Layout, broker: Broker, say: Callable[[str], None], *, extras: Sequence[str] = ()
    ) -> None:
        """Note what to run; nothing is started.

        Args:
            layout: the files.
            broker: the broker, not started.
            say: receives one line for each part that is up.
            extras: parts that the main job does not need: "compute", "registry", "dashboards".
        """
        self._layout = layout
        self._say = say
        self._broker = broker
        self._simulators = self._child("simulators", ["simulate", "run"])
        self._ingest = self._child("ingest", ["ingest", "run"])
        self._gateways = [self._child(f"gateway-{site.project}", ["gateway", "run"]) for site in SITES]
        verbs = {
            "compute": ["compute", "run", "--follow"],
            "registry": ["registry", "run"],
            "dashboards": ["dashboards", "console"],
        }
        self._extras = [self._child(name, verbs[name]) for name in extras]

    def _child(self, name: str, verb: list[str]) -> Child:
        return Child(name, [*verb, "--config", str(self._layout.config(name))], self._layout.log(name))

    async def __aenter__(self) -> Self:
        """Start everything and wait until all parts are ready.

        Raises:
            ProcessError: when a part does not start; those already running are ended.
        """
        try:
            self._broker.start()
            self._say(f"broker on {_LOOPBACK}:{self._broker.port}")
            await self._start([self._simulators, self._ingest])
            await self._start([*self._gateways, *self._extras])
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        await self._end()

    async def _start(self, children: Sequence[Child]) -> None:
        for child in children:
            child.start()
        for child in children:
            self._say(f"{child.name}: {await child.wait_ready(_READY_WITHIN_S)}")

    async def _end(self) -> None:
        await self.drain()
        for child in (self._ingest, self._simulators, *self._extras):
            await child.stop()
        await asyncio.to_thread(self._broker.stop)

    async def drain(self) -> None:
        """End the gateways: each seals what it has read and sends it while ingest still listens."""
        await asyncio.gather(*(gateway.stop(_DRAIN_WITHIN_S) for gateway in self._gateways))

    async def cut_broker(self, seconds: float) -> None:
        """End the broker and start it again, empty [s]."""
        await asyncio.to_thread(self._broker.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._broker.start)

    async def kill_ingest(self, seconds: float) -> None:
        """End ingest as a power cut would (SIGKILL) and start it again [s]."""
        self._ingest.kill()
        await asyncio.sleep(seconds)
        self._ingest.start()
        await self._ingest.wait_ready(_READY_WITHIN_S)

    def dead(self) -> list[Child]:
        """Parts that ended by themselves."""
        children = (self._simulators, self._ingest, *self._gateways, *self._extras)
        return [child for child in children if not child.is_running]
