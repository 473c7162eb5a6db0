"""Modbus TCP devices that cost next to nothing: requests come in, frames made by hand go out.

It runs in a thread of the benchmark's own process, so that what is measured in other processes holds nothing of it.
"""

import asyncio
import struct
import threading
from functools import lru_cache
from typing import Self

LOOPBACK = "127.0.0.1"
_REQUEST = struct.Struct(">HHHBBHH")


class Responder:
    """Ports on which every unit id answers every read. Use it as a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="responder")
        self._servers: list[asyncio.Server] = []
        self.requests = 0
        self.asked = threading.Event()
        """Set at each request; whoever waits for one clears it."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def serve(self, ports: int) -> list[int]:
        """Open so many ports more; gives their numbers."""
        return asyncio.run_coroutine_threadsafe(self._serve(ports), self._loop).result()

    async def _serve(self, ports: int) -> list[int]:
        new = [await self._loop.create_server(lambda: _Answers(self), LOOPBACK, 0) for _ in range(ports)]
        self._servers += new
        return [server.sockets[0].getsockname()[1] for server in new]

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


class _Answers(asyncio.Protocol):
    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._held + data
        at = 0
        while len(data) - at >= _REQUEST.size:
            transaction, _, _, unit, function, address, count = _REQUEST.unpack_from(data, at)
            at += _REQUEST.size
            self._transport.write(transaction.to_bytes(2, "big") + _answer(unit, function, address, count))
            self._responder.requests += 1
        self._held = data[at:]
        self._responder.asked.set()


@lru_cache(maxsize=4096)
def _answer(unit: int, function: int, address: int, count: int) -> bytes:
    """All of a frame behind the transaction id."""
    words = [(address + at + unit) % 0x7FFF for at in range(count)]
    return struct.pack(f">HHBBB{count}H", 0, 3 + 2 * count, unit, function, 2 * count, *words)
