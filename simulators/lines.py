"""In: devices and where they are to be reached. Out: an open line on which they answer: TCP, TLS, RTU over TCP, or RTU.

An answer goes at once unless a fault, or the time that its bytes take on a serial line, holds it back.
"""

import asyncio
import os
import pty
import socket
import ssl
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from simulators.config import PlantSettings
from simulators.errors import LineError, PortTakenError
from simulators.frames import Framing, Request, RtuFraming, TcpFraming
from simulators.modbus import Devices

_BITS_A_CHARACTER = 11
"""Start, eight data bits, parity or a second stop bit, stop; MODBUS over Serial Line V1.02, section 2.5.1."""
_SILENCE_CHARACTERS = 3.5
_SHORTEST_SILENCE_S = 0.00175
"""Above 19200 baud the silence between frames is fixed; section 2.5.1.1 [s]."""
_REQUEST_BYTES = 8
_MOST_READ_BYTES = 4096


class _Conversation:
    """Requests that come in on one line, and answers that go out on it in time."""

    def __init__(
        self, framing: Framing, devices: Devices, write: Callable[[bytes], None], client: str, baudrate: int = 0
    ) -> None:
        self._framing = framing
        self._devices = devices
        self._write = write
        self._client = client
        self._baudrate = baudrate
        self._loop = asyncio.get_running_loop()
        self._free_at = 0.0
        self._kept = b""

    def take(self, data: bytes) -> None:
        """Answer what is complete now."""
        for request in self._framing.requests(data):
            self._answer(request)

    def _answer(self, request: Request) -> None:
        sending = self._devices.answer(request, self._framing, tells_absent=not self._baudrate, client=self._client)
        if sending is None or not sending.frame:
            return
        if sending.with_next:
            self._kept += sending.frame
            return
        frame, self._kept = self._kept + sending.frame, b""
        now = self._loop.time()
        due = max(now, self._free_at) + sending.delay_s + self._on_the_wire_s(len(frame))
        if sending.holds_line or self._baudrate:
            self._free_at = due
        if due <= now:
            self._write(frame)
        else:
            self._loop.call_at(due, self._write, frame)

    def _on_the_wire_s(self, answer_bytes: int) -> float:
        if not self._baudrate:
            return 0
        character_s = _BITS_A_CHARACTER / self._baudrate
        silence_s = max(_SILENCE_CHARACTERS * character_s, _SHORTEST_SILENCE_S)
        return (_REQUEST_BYTES + answer_bytes) * character_s + silence_s


class _Connection(asyncio.Protocol):
    def __init__(self, line: "TcpLine") -> None:
        self._line = line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        client = f"{peer[0]}:{peer[1]}" if peer else ""
        self._conversation = _Conversation(self._line.new_framing(), self._line.devices, self._send, client)
        if self._line.devices.has("one-session") and self._line.connections:
            self._transport.close()
            return
        self._line.connections.append(self._transport)

    def connection_lost(self, _why: Exception | None) -> None:
        if self._transport in self._line.connections:
            self._line.connections.remove(self._transport)

    def data_received(self, data: bytes) -> None:
        self._conversation.take(data)

    def _send(self, frame: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(frame)


class TcpLine:
    """A listening port: Modbus TCP, with or without TLS, or RTU over TCP. Listens within `async with`."""

    def __init__(self, settings: PlantSettings, devices: Devices) -> None:
        """Keep what to serve; nothing listens yet."""
        self._settings = settings
        self.devices = devices
        self.connections: list[asyncio.Transport] = []
        self._server: asyncio.Server | None = None

    def new_framing(self) -> Framing:
        """The framing of one more connection."""
        return RtuFraming() if self._settings.transport == "rtu-over-tcp" else TcpFraming()

    @property
    def place(self) -> str:
        """Where it listens, for the ready line."""
        if self._server is None:
            raise RuntimeError("the port is known within `async with`")
        return f"{self._settings.host}:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            PortTakenError: the port cannot be listened on.
            LineError: a certificate or its key cannot be used.
        """
        host, port = self._settings.host, self._settings.port
        loop = asyncio.get_running_loop()
        context = _tls(self._settings)
        try:
            self._server = await loop.create_server(lambda: _Connection(self), host, port, ssl=context)
        except OSError as error:
            raise PortTakenError(self._settings.project, host, port, error.strerror or str(error)) from None
        for each in self._server.sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port and the connections."""
        if self._server is not None:
            self._server.close()
            for connection in tuple(self.connections):
                connection.abort()
            await self._server.wait_closed()
            self._server = None


def _tls(settings: PlantSettings) -> ssl.SSLContext | None:
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files = f"certificate {settings.certificate} and key {settings.key}"
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        if settings.client_ca is not None:
            files = f"client_ca {settings.client_ca}"
            context.load_verify_locations(settings.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise LineError(f"simulators: the plant of project {settings.project!r}: {files}: {error}") from None
    return context


class SerialLine:
    """One end of a pair of pseudo terminals: RTU at the pace of its baud rate. Open within `async with`.

    The other end is a device file that any Modbus master opens, without parity, which pseudo terminals do not have;
    `serial` is a link to it, which ends with the line.
    """

    def __init__(self, settings: PlantSettings, devices: Devices) -> None:
        """Keep what to serve; nothing is open yet."""
        if settings.serial is None:
            raise ValueError("a serial line needs `serial`")
        self._link: Path = settings.serial
        self._baudrate = settings.baudrate
        self._devices = devices
        self._ends: tuple[int, int] | None = None

    @property
    def place(self) -> str:
        """The device file to open, for the ready line."""
        return str(self._link)

    async def __aenter__(self) -> Self:
        """Open the pair.

        Raises:
            LineError: the link cannot be made.
        """
        try:
            self._link.parent.mkdir(parents=True, exist_ok=True)
            if self._link.is_symlink():
                self._link.unlink()
            ours, theirs = self._open()
        except OSError as error:
            raise LineError(
                f"simulators: the device file {self._link} cannot be made: {error.strerror}; name another with"
                " `serial = ...`"
            ) from None
        conversation = _Conversation(RtuFraming(), self._devices, self._send, str(self._link), self._baudrate)
        asyncio.get_running_loop().add_reader(ours, lambda: conversation.take(os.read(ours, _MOST_READ_BYTES)))
        self._ends = (ours, theirs)
        return self

    def _open(self) -> tuple[int, int]:
        ours, theirs = pty.openpty()
        # Raw: a terminal would echo and translate bytes. Their end stays open, so that a master may come and go.
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        try:
            self._link.symlink_to(os.ttyname(theirs))
        except OSError:
            os.close(ours)
            os.close(theirs)
            raise
        return ours, theirs

    def _send(self, frame: bytes) -> None:
        if self._ends is not None:
            os.write(self._ends[0], frame)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close both ends and take the link away."""
        if self._ends is None:
            return
        asyncio.get_running_loop().remove_reader(self._ends[0])
        self._link.unlink(missing_ok=True)
        for end in self._ends:
            os.close(end)
        self._ends = None
