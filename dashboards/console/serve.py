"""In: `ConsoleSettings`. Out: a web server with the page at /console until it is told to stop.

Its state lives in this one process, so it runs with one worker and beside the registry, not inside it: NiceGUI mounted
at the root would answer the registry's unknown paths with a page.
"""

import asyncio
import signal
import socket
import sys

from nicegui import app, ui
from starlette.responses import RedirectResponse

from dashboards.console import page
from dashboards.console.config import ConsoleSettings
from dashboards.console.sources import Sources
from dashboards.console.views import Snapshot
from dashboards.errors import PortTakenError
from metering.clock import Clock

_SHUTDOWN_S = 3


class Feed:
    """The latest snapshot, read at most once a refresh however many browsers look."""

    def __init__(self, sources: Sources, clock: Clock) -> None:
        """Keep where to read from.

        Args:
            sources: reads the journal and the results.
            clock: for real time between reads.
        """
        self._sources = sources
        self._clock = clock
        self._lock = asyncio.Lock()
        self._read_ms = 0
        self._snapshot: Snapshot | None = None

    async def current(self) -> Snapshot:
        """Give the snapshot, read again in a thread when it is older than a refresh."""
        async with self._lock:
            due_ms = self._read_ms + int(page.REFRESH_S * 900)  # a little early, or a timer just misses every other one
            if self._snapshot is None or self._clock.mono_ms() >= due_ms:
                self._snapshot = await asyncio.to_thread(self._sources.snapshot)
                self._read_ms = self._clock.mono_ms()
            return self._snapshot


def run(settings: ConsoleSettings) -> None:
    """Serve the page until SIGINT or SIGTERM; print one line starting with `ready ` when browsers can come.

    Raises:
        PortTakenError: when the address cannot be used.
    """
    listener = _listen(settings.host, settings.port)
    address = f"http://{settings.host}:{listener.getsockname()[1]}/console"
    clock = settings.clock.build()
    _lay_out(Feed(Sources(settings, clock), clock))
    app.on_startup(lambda: _say_ready(address))
    # uvicorn raises the signal that stopped it once more when it is done; stopping as asked is not a failure.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    with listener:
        ui.run(
            host=settings.host,
            port=listener.getsockname()[1],
            fd=listener.fileno(),
            title="Sakugen",
            reload=False,
            show=False,
            show_welcome_message=False,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )


def _lay_out(feed: Feed) -> None:
    @ui.page("/console")
    async def console() -> None:
        page.draw(await feed.current(), feed.current)

    @app.get("/")
    def root() -> RedirectResponse:
        return RedirectResponse("/console")


def _listen(host: str, port: int) -> socket.socket:
    """Open the socket before anything else starts, so that a taken port is one clear message."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise PortTakenError(host, port, error.strerror or str(error)) from None


def _say_ready(address: str) -> None:
    sys.stdout.write(f"ready {address}\n")
    sys.stdout.flush()
