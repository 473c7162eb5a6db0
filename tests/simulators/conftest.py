"""Simulators that run in a thread of the test's process, on free loopback ports, at a time of the test's choice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from simulators.config import DEMONSTRATION_PLANTS, SimulatorSettings
from simulators.pytest_plugin import modbus_plant
from simulators.running import RunningPlants

__all__ = ["modbus_plant"]


class Running(RunningPlants):
    """Simulators that are up."""

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


@pytest.fixture
def running() -> Callable[[SimulatorSettings], Running]:
    """`with running(settings) as simulators:` they are up within, and have stopped in good order after."""
    return Running
