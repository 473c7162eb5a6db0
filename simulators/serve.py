"""In: the simulators' settings. Out: plants that answer Modbus TCP until told to stop, and a complete ledger."""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from functools import partial

from metering.clock import utc_text
from metering.interval import DAY_MS
from simulators.build import built
from simulators.config import SimulatorSettings
from simulators.control import Control, refuse_second
from simulators.errors import SimulatorError, TooEarlyError
from simulators.faults import FaultBoard
from simulators.ledger import Ledger
from simulators.lines import SerialLine, TcpLine
from simulators.modbus import Devices
from simulators.view import Served, snapshot

COMMIT_EVERY_S = 0.5
_PREPARED_MS = 3_600_000
"""Counters are computed for so long ahead, of real time, before the first request [ms]: no demonstration waits then."""
_MOST_PREPARED_MS = 16 * DAY_MS
"""But no further than this on the plants' clock [ms]."""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def ahead_ms(factor: float) -> int:
    """How far ahead counters are computed before the first request [ms of the plants' clock]."""
    return min(int(_PREPARED_MS * factor), _MOST_PREPARED_MS)


async def run(settings: SimulatorSettings, stop: asyncio.Event, announce: Callable[[str], None] = _say) -> None:
    """Serve the plants until `stop` is set.

    Args:
        settings: what to serve.
        stop: set it to end in an orderly way; every answer served is then in the ledger.
        announce: receives one line, beginning with "ready ", when all ports answer.

    Raises:
        PortTakenError: a port cannot be listened on; nothing is served.
        ControlError: the control socket cannot be listened on, or others answer there.
        TooEarlyError: the clock is before `counters_from`.
        MeasuredDataError: measured power is asked for and not installed.
    """
    clock = settings.clock.build()
    now_ms = clock.now_ms()
    if now_ms < settings.counters_from_ms:
        raise TooEarlyError(
            f"simulators: the clock shows {utc_text(now_ms)}, before counters_from ="
            f" {settings.counters_from.isoformat()}; set `counters_from` to an earlier instant"
        )
    started = datetime.fromtimestamp(now_ms / 1000, UTC)
    refuse_second(settings.control_socket)
    async with AsyncExitStack() as stack:
        ledger = stack.enter_context(Ledger(settings.ledger))
        plants: list[Served] = []
        for plant in settings.plants:
            site = built(settings, plant)
            site.plant.prepare(now_ms + ahead_ms(clock.factor))
            served = [each for each in site.instruments if not plant.devices or each.name in plant.devices]
            board = FaultBoard(plant.faults_from(started))
            devices = Devices((plant.project, plant.site), served, clock, ledger, board)
            line = SerialLine(plant, devices) if plant.transport == "rtu" else TcpLine(plant, devices)
            await stack.enter_async_context(line)
            plants.append(Served(plant, devices, line.place))
        by_project = {each.settings.project: each.devices for each in plants}
        await stack.enter_async_context(
            Control(settings.control_socket, by_project, clock, partial(snapshot, plants, clock))
        )
        places = " ".join(f"{each.settings.project}={each.place}" for each in plants)
        announce(f"ready simulators {places} ledger={settings.ledger}")
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), COMMIT_EVERY_S)
            ledger.commit()


async def _run_until_signalled(settings: SimulatorSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, stop)


def main(settings: SimulatorSettings) -> int:
    """Run as a process until SIGTERM or SIGINT.

    Returns:
        The exit status: 0 after an orderly end, 2 when the settings cannot be served as they are.
    """
    try:
        asyncio.run(_run_until_signalled(settings))
    except SimulatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0
