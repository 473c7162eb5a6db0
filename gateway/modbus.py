"""Reading registers over Modbus TCP: the only file that knows pymodbus. It reads; it cannot write.

One `Line` is one TCP connection with all units behind it. Requests on a line follow one another, lines are
independent. A unit that does not answer is left alone for a while, and so is an address that does not accept a
connection: neither delays the others by more than one timeout in that while.
"""

import asyncio
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from gateway.backoff import BackOff
from gateway.poll import Answer
from metering.clock import Clock
from metering.quality import Quality

_LOG = logging.getLogger("gateway.modbus")

FIRST_WAIT_S = 1.0
MOST_WAIT_S = 60.0
_HOLDING_REGISTERS = 3


class Line:
    """One Modbus TCP connection; a `poll.Reader`. Use it as an async context manager."""

    def __init__(self, host: str, port: int, timeouts_s: Mapping[int, float], clock: Clock) -> None:
        """Remember where it leads; nothing is connected before the first read.

        Args:
            host: name or address.
            port: TCP port.
            timeouts_s: how long each unit may take to answer [s].
            clock: stamps requests and answers.
        """
        self._where = f"{host}:{port}"
        self._host = host
        self._port = port
        self._timeouts_s = dict(timeouts_s)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._client: AsyncModbusTcpClient | None = None
        self._reaching = BackOff(FIRST_WAIT_S, MOST_WAIT_S)
        self._units = {unit: BackOff(FIRST_WAIT_S, MOST_WAIT_S) for unit in self._timeouts_s}

    async def __aenter__(self) -> Self:
        """Begin; the connection is made when it is needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._close()

    def silent_units(self) -> list[int]:
        """The units that did not answer when they were last asked."""
        if self._reaching.wait_s:
            return sorted(self._units)
        return sorted(unit for unit, patience in self._units.items() if patience.wait_s)

    async def read(self, unit: int, function: int, address: int, count: int) -> Answer:
        """Read consecutive registers.

        Args:
            unit: the unit id.
            function: 3 for holding, 4 for input registers.
            address: the first register, 0-based.
            count: how many, up to 125.

        Returns:
            The words, or why there are none.
        """
        async with self._lock:
            sent_ms = self._clock.now_ms()
            words, quality = await self._exchange(unit, function, address, count)
            self._note(unit, quality)
            return Answer(words, quality, sent_ms, self._clock.now_ms())

    async def _exchange(
        self, unit: int, function: int, address: int, count: int
    ) -> tuple[tuple[int, ...] | None, Quality]:
        now_s = self._now_s()
        if not self._units[unit].ready(now_s) or not self._reaching.ready(now_s):
            return None, Quality.NO_ANSWER
        reached = False
        try:
            async with asyncio.timeout(self._timeouts_s[unit]):
                client = await self._connected()
                reached = True
                ask = client.read_holding_registers if function == _HOLDING_REGISTERS else client.read_input_registers
                return _words(await ask(address, count=count, device_id=unit), function, count)
        except (TimeoutError, ModbusException, OSError) as error:
            # A late answer must not meet the next request: nothing is read from this connection after a failure.
            self._close()
            if not reached:
                self._reaching.failed(self._now_s())
            _LOG.debug("%s unit %d: %r", self._where, unit, error)
            return None, Quality.NO_ANSWER

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        self._close()
        # retries=0 and no reconnecting of its own: its defaults hold a line for 12 s, and ours is per unit.
        longest_s = max(self._timeouts_s.values())
        client = AsyncModbusTcpClient(self._host, port=self._port, timeout=longest_s, retries=0, reconnect_delay=0)
        self._client = client
        if not await client.connect():
            raise ConnectionRefusedError(f"{self._where} accepts no connection")
        self._reaching.succeeded()
        return client

    def _note(self, unit: int, quality: Quality) -> None:
        patience = self._units[unit]
        if quality is not Quality.NO_ANSWER:
            if patience.wait_s:
                _LOG.info("%s unit %d answers again", self._where, unit)
            patience.succeeded()
        elif patience.ready(self._now_s()):
            if not patience.wait_s:
                _LOG.warning("%s unit %d does not answer; it is asked less often until it does", self._where, unit)
            patience.failed(self._now_s())

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _now_s(self) -> float:
        return self._clock.mono_ms() / 1000


def _words(answer: ModbusPDU, function: int, count: int) -> tuple[tuple[int, ...] | None, Quality]:
    if answer.isError():
        return None, Quality.EXCEPTION
    if answer.function_code != function or len(answer.registers) != count:
        return None, Quality.BAD_FRAME
    return tuple(answer.registers), Quality.OK


def quiet_library() -> None:
    """Keep pymodbus from logging each failed attempt: `Line` says it once."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
