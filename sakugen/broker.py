"""The embedded MQTT broker of `sakugen up` and `sakugen demo`: iotcore in a child process, bound to loopback.

It keeps nothing over a restart, which the system does not need: only the end-to-end ack is a guarantee. Its defaults
would not do (all interfaces, payloads of 20 kB, MQTT 3.1.1 only), so it is always started from a configuration of our
own.
"""

import contextlib
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from iotcore import Broker

from metering.record import MAX_RECORD_BYTES

_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 200
max_outgoing_packet_count = 200
max_segment_size = 16777216
max_segment_count = 4

[v5.1]
name = "v5"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {payload}
max_inflight_count = 100
dynamic_filters = true
"""
_HEADER_BYTES = 4096  # the limit counts topic and properties too; a packet over it drops the connection for ever


class _Shielded(Broker):
    """The broker's process, which only we end: not Ctrl-C, not a SIGTERM for the whole process group.

    Gateways and ingest still need it while they end; it ends with us in any case, when its standard input closes.
    """

    def start(self, timeout: float = 10.0) -> Broker:
        # A new process inherits the blocked signals of the thread that starts it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            return super().start(timeout)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def stop(self, timeout: float = 5.0) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout)
        super().stop(timeout)


class EmbeddedBroker:
    """One MQTT 5 listener on loopback."""

    def __init__(self, port: int, config_dir: Path, host: str = "127.0.0.1") -> None:
        """Note where to listen; nothing is started.

        Args:
            port: a TCP port on loopback.
            config_dir: an existing folder for the broker's configuration file.
            host: a loopback address.
        """
        self.host = host
        self.port = port
        self._config_file = config_dir / f"broker-{port}.toml"
        self._broker: Broker | None = None

    def start(self) -> None:
        """Start the broker and wait until it accepts connections.

        Raises:
            OSError: when the port is taken.
        """
        payload = MAX_RECORD_BYTES + _HEADER_BYTES
        self._config_file.write_text(_CONFIG.format(host=self.host, port=self.port, payload=payload), encoding="utf-8")
        self._broker = _Shielded(config_path=str(self._config_file))
        self._broker.start()

    def stop(self) -> None:
        """End the broker; everything that it held is gone."""
        if self._broker is not None:
            self._broker.stop()
            self._broker = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()
