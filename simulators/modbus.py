"""In: a plant's instruments. Out: one Modbus TCP port on which each answers, live, and the ledger's entries.

The one file of the simulators that imports pymodbus. Registers are filled in by the server's `action` hook at the
instant of the request, because read-only SimData cannot be changed from outside.
"""

import asyncio
import socket
from collections.abc import Sequence
from itertools import pairwise
from types import TracebackType
from typing import Self

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from metering.clock import Clock
from simulators.config import PlantSettings
from simulators.errors import PortTakenError
from simulators.ledger import Ledger, ServedAnswer
from simulators.roster import Instrument

_EVERY_OTHER_UNIT = 0  # pymodbus: answers for the unit ids that no other device has


class ModbusPort:
    """The Modbus TCP server of one plant; listens within `async with`."""

    def __init__(
        self, settings: PlantSettings, instruments: Sequence[Instrument], clock: Clock, ledger: Ledger
    ) -> None:
        """Keep what to serve; nothing listens yet.

        Args:
            settings: the plant's project, site, host and port.
            instruments: the devices that answer.
            clock: the plant's clock.
            ledger: where every answer is written; open while this is.
        """
        self._settings = settings
        self._instruments = instruments
        self._clock = clock
        self._ledger = ledger
        self._server: ModbusTcpServer | None = None

    @property
    def port(self) -> int:
        """The TCP port that is listened on."""
        transport: object = self._server.transport if self._server is not None else None
        if not isinstance(transport, asyncio.Server):
            raise RuntimeError("the port is known within `async with`")  # noqa: TRY004 - a wrong use, not a wrong type
        return int(transport.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            PortTakenError: the port cannot be listened on.
        """
        now_ms = self._clock.now_ms()
        devices = [_absent_unit(), *(self._device(instrument, now_ms) for instrument in self._instruments)]
        host, port = self._settings.host, self._settings.port
        server = ModbusTcpServer(devices, address=(host, port))
        # `listen` says why it failed in a log line only.
        if not await server.listen():
            raise PortTakenError(self._settings.project, host, port, _why_not(host, port))
        self._server = server
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections and the port."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
            self._server = None

    def _device(self, instrument: Instrument, now_ms: int) -> SimDevice:
        async def action(
            function: int, start: int, address: int, count: int, registers: list[int], written: object
        ) -> ExcCodes | None:
            if function != instrument.function or written is not None:
                return ExcCodes.ILLEGAL_FUNCTION
            words = self._answer(instrument, address, count)
            registers[address - start : address - start + count] = words
            return None

        # The addresses of an image never change, so any instant tells which can be read.
        blocks = [
            SimData(first, count=count, datatype=DataType.REGISTERS)
            for first, count in _runs(sorted(instrument.image(now_ms)))
        ]
        return SimDevice(instrument.unit_id, simdata=blocks, action=action)

    def _answer(self, instrument: Instrument, address: int, count: int) -> list[int]:
        served_ms = self._clock.now_ms()
        image = instrument.image(served_ms)
        words = [image[place] for place in range(address, address + count)]
        self._ledger.append(
            ServedAnswer(
                served_ms=served_ms,
                project=self._settings.project,
                site=self._settings.site,
                device=instrument.name,
                unit_id=instrument.unit_id,
                function=instrument.function,
                address=address,
                words=b"".join(word.to_bytes(2, "big") for word in words),
            )
        )
        return words


def _absent_unit() -> SimDevice:
    """Answer for the units that are not there as a Modbus gateway does: exception 11, target failed to respond.

    Without it pymodbus answers exception 4 and logs a traceback for each request.
    """

    async def action(*_request: object) -> ExcCodes:
        return ExcCodes.GATEWAY_NO_RESPONSE

    everything = SimData(0, count=65_536, datatype=DataType.REGISTERS)
    return SimDevice(_EVERY_OTHER_UNIT, simdata=[everything], action=action)


def _runs(addresses: Sequence[int]) -> list[tuple[int, int]]:
    """Group ascending addresses into (first, count) without gaps."""
    starts = [addresses[0], *(after for before, after in pairwise(addresses) if after != before + 1)]
    ends = [*(before for before, after in pairwise(addresses) if after != before + 1), addresses[-1]]
    return [(start, end - start + 1) for start, end in zip(starts, ends, strict=True)]


def _why_not(host: str, port: int) -> str:
    """Ask the system why a port cannot be listened on."""
    try:
        with socket.create_server((host, port)):
            return "it could not be listened on a moment ago"
    except OSError as error:
        return error.strerror or str(error)
