"""One connection to one bus: the only file that knows pymodbus. It reads; it cannot write.

The library connects, frames and sends; it neither retries nor reconnects here, because its defaults hold a line for
12 s. Which of the bytes that arrive are the answer is decided by `frames`, not by the library.
"""

import asyncio
import logging
import ssl
import struct
import termios
from collections.abc import Callable

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient, AsyncModbusTlsClient
from pymodbus.exceptions import ModbusException

from gateway.buses import BusKind, BusSettings, TlsSettings
from gateway.frames import EXCEPTION, Stray, mbap_answer, rtu_answer, strays

_HOLDING_REGISTERS = 3
_LIBRARY_TIMEOUT_S = 300.0
"""Longer than any of ours, which is the one that counts [s]."""

_MOST_HEARD_BYTES = 4096
"""What was heard last is kept [bytes]."""

Client = AsyncModbusTcpClient | AsyncModbusSerialClient


class Wire:
    """A connection that is opened when it is needed."""

    def __init__(self, bus: BusSettings) -> None:
        """Remember where it leads; nothing is opened yet.

        Args:
            bus: a checked bus.
        """
        self._bus = bus
        self._find = rtu_answer if bus.kind.is_rtu else mbap_answer
        self._client: Client | None = None
        self._request = b""
        """What is being asked; empty while nothing is."""
        self._answer: asyncio.Future[tuple[int, ...] | None] | None = None
        self._heard = b""
        """What arrived and is not the answer to anything, since somebody asked for it."""
        self.strange = False
        """Whether bytes arrived since the last request that were not its answer."""
        self.exception = 0
        """The code of the last answer when it was an exception, else 0."""
        self.active_s = 0.0
        """When something was last sent or received, in the loop's time [s]."""

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._client is not None and bool(self._client.connected)

    async def open(self) -> None:
        """Connect.

        Raises:
            OSError: nothing is there, it is taken by somebody else, or a certificate is wrong.
        """
        self.close()
        self._loop = asyncio.get_running_loop()
        self._client = _client(self._bus, self._trace, self._connection_changed)
        try:
            connected = await self._client.connect()
        except (termios.error, ValueError) as error:  # a port that cannot be set to this speed or parity
            raise ConnectionRefusedError(f"{self._bus.where}: {error}") from error
        if not connected:
            raise ConnectionRefusedError(f"{self._bus.where} accepts no connection")
        # The library begins to listen on a serial port one turn of the loop later.
        await asyncio.sleep(0)

    async def ask(self, unit: int, function: int, address: int, count: int) -> tuple[int, ...] | None:
        """Send one request and wait for its answer for as long as the caller lets us.

        Args:
            unit: the unit id.
            function: 3 for holding, 4 for input registers.
            address: the first register, 0-based.
            count: how many.

        Returns:
            The words; None when the device answered with an exception.

        Raises:
            OSError: the connection broke.
        """
        client = self._client
        if client is None:
            raise ConnectionResetError(f"{self._bus.where} is not connected")
        read = client.read_holding_registers if function == _HOLDING_REGISTERS else client.read_input_registers
        self._answer = self._loop.create_future()
        try:
            # The library sends and leaves the waiting to us: its own would decode again and keep a second timeout.
            await read(address, count=count, device_id=unit, no_response_expected=True)
            return await self._answer
        except ModbusException as error:
            raise ConnectionResetError(str(error)) from error
        finally:
            self._request = b""
            self.active_s = self._loop.time()

    def overheard(self) -> list[Stray]:
        """Tell, once, what others said on an RTU line, or a unit without being asked."""
        heard, self._heard = self._heard, b""
        return list(strays(heard)) if heard and self._bus.kind.is_rtu else []

    def close(self) -> None:
        """Close the connection; what is still on its way is never read."""
        self._request = b""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _trace(self, sending: bool, data: bytes) -> bytes:
        """See what is sent, and take what answers it; nothing is left for the library, which waits for nothing."""
        self.active_s = self._loop.time()
        if sending:
            self._request, self.strange = data, False
            return data
        if not self._request:
            self._hear(data)
            return b""
        found = self._find(self._request, data)
        self.strange = found.strange
        if found.frame and self._answer is not None and not self._answer.done():
            self._hear(data.removeprefix(self._request).replace(found.frame, b"", 1))
            self._request = b""
            self._answer.set_result(self._words(found.frame))
        return b""

    def _hear(self, data: bytes) -> None:
        """Keep what nobody asked for; the library, which gives us all since the last request each time, forgets it."""
        self._heard = (self._heard + data)[-_MOST_HEARD_BYTES:]
        if self._client is not None:
            self._client.ctx.recv_buffer = b""

    def _words(self, frame: bytes) -> tuple[int, ...] | None:
        answer = frame[1:-2] if self._bus.kind.is_rtu else frame[7:]
        self.exception = answer[1] if answer[0] & EXCEPTION else 0
        return None if self.exception else struct.unpack(f">{answer[1] // 2}H", answer[2:])

    def _connection_changed(self, connected: bool) -> None:
        """Stop waiting for an answer that cannot come any more."""
        if not connected and self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(f"{self._bus.where} broke the connection"))


def _client(bus: BusSettings, trace: Callable[[bool, bytes], bytes], trace_connect: Callable[[bool], None]) -> Client:
    host = bus.host or ""
    match bus.kind:
        case BusKind.RTU:
            return AsyncModbusSerialClient(
                bus.path or "",
                baudrate=bus.baud or 0,
                parity=bus.parity,
                stopbits=bus.stop_bits,
                timeout=_LIBRARY_TIMEOUT_S,
                retries=0,
                reconnect_delay=0,
                trace_packet=trace,
                trace_connect=trace_connect,
            )
        case BusKind.TLS:
            return AsyncModbusTlsClient(
                host,
                port=bus.tcp_port,
                sslctx=_tls_context(bus),
                timeout=_LIBRARY_TIMEOUT_S,
                retries=0,
                reconnect_delay=0,
                trace_packet=trace,
                trace_connect=trace_connect,
            )
        case BusKind.TCP | BusKind.RTU_OVER_TCP:
            return AsyncModbusTcpClient(
                host,
                port=bus.tcp_port,
                framer=FramerType.RTU if bus.kind.is_rtu else FramerType.SOCKET,
                timeout=_LIBRARY_TIMEOUT_S,
                retries=0,
                reconnect_delay=0,
                trace_packet=trace,
                trace_connect=trace_connect,
            )


def _tls_context(bus: BusSettings) -> ssl.SSLContext:
    settings = bus.tls or TlsSettings()
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.cert_file is not None:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context


def quiet_library() -> None:
    """Keep pymodbus from logging each failed attempt: `Line` says it once."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
