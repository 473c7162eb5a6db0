"""Simulators that run in a thread of the test's process, on free loopback ports, at a time of the test's choice."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from simulators.config import DEMONSTRATION_PLANTS, SimulatorSettings
from simulators.serve import run


@dataclass
class Running:
    """Simulators that are up."""

    settings: SimulatorSettings
    ready_line: str

    def port(self, project: str) -> int:
        """The port on which the plant of a project answers."""
        places = dict(word.split("=", 1) for word in self.ready_line.split()[2:])
        return int(places[project].rpartition(":")[2])

    @contextmanager
    def client(self, project: str) -> Iterator[ModbusTcpClient]:
        """A real client, connected to the plant of a project."""
        client = ModbusTcpClient("127.0.0.1", port=self.port(project), timeout=5, retries=0)
        assert client.connect()
        yield client
        client.close()


def make_settings(folder: Path, **overrides) -> SimulatorSettings:
    """The demonstration plants on free ports, at local noon of 28 December 2025 on a clock that stands almost still."""
    data = {
        "clock": {"kind": "scaled", "start": "2025-12-28T13:00:00+08:00", "factor": 1.0},
        "counters_from": "2025-12-27T00:00:00Z",
        "ledger": folder / "ledger.sqlite",
        "plants": [plant.model_dump() | {"port": 0} for plant in DEMONSTRATION_PLANTS],
    }
    return SimulatorSettings.model_validate(data | overrides)


@pytest.fixture
def settings_in(tmp_path: Path) -> Callable[..., SimulatorSettings]:
    """`settings_in(seed=2)`: settings with some of them replaced."""
    return lambda **overrides: make_settings(tmp_path, **overrides)


class _Thread:
    """One event loop in a thread; what `run` raises is raised again by `start` and `end`."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.ready_line = ""

    def _work(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # noqa: BLE001  # main loop: handed to the test
            self._error = error
        self._ready.set()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await run(self._settings, self._stop, self._announce)

    def _announce(self, line: str) -> None:
        self.ready_line = line
        self._ready.set()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(20)
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error


@pytest.fixture
def running() -> Callable[[SimulatorSettings], object]:
    """`with running(settings) as simulators:` they are up within, and have stopped in good order after."""

    @contextmanager
    def start(settings: SimulatorSettings) -> Iterator[Running]:
        thread = _Thread(settings)
        thread.start()
        try:
            yield Running(settings, thread.ready_line)
        finally:
            thread.end()

    return start
