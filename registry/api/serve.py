"""Settings and a stop event in, a served application until then: uvicorn on a socket that we bind ourselves."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

from registry.api.app import create_app
from registry.config import RegistrySettings
from registry.errors import AddressInUseError


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the process; uvicorn would take them from the rest of it."""
        yield


def listen(settings: RegistrySettings) -> socket.socket:
    """Bind the address of the settings, and let callers wait there.

    Raises:
        AddressInUseError: when it cannot be bound; says how to choose another.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen()  # whoever connects as soon as the address is told waits for uvicorn instead of being refused
    except OSError as error:
        listener.close()
        raise AddressInUseError(
            f"the registry API cannot listen on {settings.host}:{settings.port}: {error.strerror}; "
            "set `port` to a free one in its configuration, or to 0 to let the system choose"
        ) from None
    return listener


async def serve(settings: RegistrySettings, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
    """Serve until told to stop; requests under way are answered first.

    Args:
        settings: the registry's settings.
        stop: ends the server when set.
        ready: called once with the base URL when requests are answered.

    Raises:
        AddressInUseError: when the address cannot be bound.
        SakugenError: when projects or keys cannot be read.
    """
    with listen(settings) as listener:
        # Problems of starting are raised here, where the caller sees them; uvicorn would only log them and end.
        app = create_app(settings)
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", server_header=False)
        server = _Server(config)
        host, port = listener.getsockname()[:2]
        async with app.router.lifespan_context(app):
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            waiting = asyncio.create_task(stop.wait())
            ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving
            waiting.cancel()
