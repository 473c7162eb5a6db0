"""In: settings. Out: plants that serve from a thread of this process, to be asked, broken and checked.

For tests and notebooks; `sakugen simulate run` is a process of its own.
"""

import asyncio
import threading
from types import TracebackType
from typing import Self

from simulators.config import SimulatorSettings
from simulators.control import Order, ask
from simulators.errors import SimulatorError
from simulators.faults import FaultKind
from simulators.ledger import ServedAnswer, read_ledger
from simulators.serve import run

_PATIENCE_S = 60.0


class RunningPlants:
    """Plants that are up within `with`."""

    def __init__(self, settings: SimulatorSettings) -> None:
        """Keep what to serve; nothing listens yet."""
        self.settings = settings
        self._thread = threading.Thread(target=self._work, name="simulated plants", daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._error: BaseException | None = None
        self._ready_line = ""

    def __enter__(self) -> Self:
        """Start, and wait until every line answers.

        Raises:
            SimulatorError: when it cannot be served; says why.
        """
        self._thread.start()
        if not self._ready.wait(_PATIENCE_S):
            raise SimulatorError(f"simulators: not ready within {_PATIENCE_S:.0f} s")
        if self._error is not None:
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop in good order; every answer served is then in the ledger."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE_S)
        if self._error is not None and error is None:
            raise self._error

    def place(self, project: str = "") -> str:
        """Where a plant answers: `host:port`, or the device file of a serial line.

        Args:
            project: whose plant; may be empty where there is one only.
        """
        places = dict(word.split("=", 1) for word in self._ready_line.split()[2:-1])
        return places[project] if project else next(iter(places.values()))

    def port(self, project: str = "") -> int:
        """The TCP port on which a plant answers."""
        return int(self.place(project).rpartition(":")[2])

    def fault(
        self,
        kind: FaultKind,
        device: str = "",
        *,
        project: str = "",
        seconds: float | None = None,
        amount: float | None = None,
    ) -> None:
        """Let something go wrong from now on.

        Args:
            kind: see `simulators.faults.KINDS`.
            device: one device; empty for all.
            project: whose plant; may be empty where there is one only.
            seconds: for how long, on the plants' clock; None = until `end_faults` [s].
            amount: how much; None = the usual.

        Raises:
            ControlError: when there is no such device, or the fault makes no sense.
        """
        order = Order(do="begin", kind=kind, device=device, project=project, seconds=seconds, amount=amount)
        ask(self.settings.control_socket, order)

    def end_faults(self, project: str = "") -> None:
        """End everything that goes wrong at a plant."""
        ask(self.settings.control_socket, Order(do="end", project=project))

    def served(self) -> tuple[ServedAnswer, ...]:
        """Every answer in the ledger so far; what was served in the last second may still be missing."""
        return tuple(read_ledger(self.settings.ledger))

    def _work(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # noqa: BLE001  # main loop: handed to whoever waits
            self._error = error
        self._ready.set()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await run(self.settings, self._stop, self._announce)

    def _announce(self, line: str) -> None:
        self._ready_line = line
        self._ready.set()
