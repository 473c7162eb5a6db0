"""What any test may ask for: a deadline instead of a sleep, a free port, and real peers on loopback.

A peer that is not installed skips the test, unless SAKUGEN_REQUIRE_REAL=1 (set by .ci/run), which makes that a failure.
"""

import contextlib
import http.client
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from compute.cache import use_cache_directory

if TYPE_CHECKING:
    from sakugen.broker import EmbeddedBroker

# By itself numba would go on with a kernel whose callee has changed; and processes that tests start then compile none.
use_cache_directory(Path(__file__).parents[1] / ".numba_cache")

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0


class WaitUntil(Protocol):
    """Returns as soon as the predicate holds; fails the test when it does not within the time."""

    def __call__(self, predicate: Callable[[], object], timeout_s: float = 10.0) -> None: ...


def _wait_until(predicate: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            pytest.fail(f"not so within {timeout_s} s: {getattr(predicate, '__qualname__', predicate)}")
        time.sleep(0.01)


@pytest.fixture(scope="session")
def wait_until() -> WaitUntil:
    """`wait_until(lambda: store.count() == 3, timeout_s=5)`."""
    return _wait_until


def _free_port() -> int:
    # Below the range that the system draws from for outgoing connections: one of those could take it before it is used.
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    pytest.fail("none of a hundred ports is free")


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """`free_port()` names a port that was free just now."""
    return _free_port


def _answers(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass
class Peer:
    """A process that is not ours, on a port of its own; it can be ended and started again on the same files."""

    command: list[str]
    port: int
    log: Path
    is_up: Callable[[], bool]
    host: str = LOOPBACK
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                pytest.fail(f"{self.command[0]} does not answer on port {self.port}:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in an orderly way."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


PACKAGES = {"influxd": "influxdb", "node": "nodejs"}


def _installed(name: str) -> str:
    # Debian puts servers where the PATH of an ordinary user does not look.
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is not None:
        return found
    message = f"{name} is not installed (apt-get install {PACKAGES.get(name, name)})"
    if os.environ.get("SAKUGEN_REQUIRE_REAL") == "1":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def installed() -> Callable[[str], str]:
    """`installed("node")` gives its path, or skips the test (fails it with SAKUGEN_REQUIRE_REAL=1)."""
    return _installed


@pytest.fixture
def broker(tmp_path: Path) -> "Iterator[EmbeddedBroker]":
    """The embedded broker, which is part of the installation: MQTT 5 on loopback, never skipped."""
    from sakugen.broker import EmbeddedBroker

    with EmbeddedBroker(_free_port(), tmp_path) as embedded:
        yield embedded


def _mosquitto_config(port: int) -> str:
    return f"listener {port} {LOOPBACK}\nallow_anonymous true\npersistence false\nlog_dest stdout\n"


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Peer]:
    """A real mosquitto with its defaults (nothing survives a restart), on loopback."""
    binary = _installed("mosquitto")
    port = _free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(_mosquitto_config(port))
    peer = Peer([binary, "-c", str(config)], port, tmp_path / "mosquitto.log", lambda: _answers(port))
    peer.start()
    yield peer
    peer.stop()


def _influxd_config(folder: Path, http_port: int, rpc_port: int) -> str:
    return f"""
reporting-disabled = true
bind-address = "{LOOPBACK}:{rpc_port}"

[meta]
dir = "{folder / "meta"}"

[data]
dir = "{folder / "data"}"
wal-dir = "{folder / "wal"}"

[monitor]
store-enabled = false

[continuous_queries]
enabled = false

[http]
bind-address = "{LOOPBACK}:{http_port}"
log-enabled = false
"""


def _pings(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == http.HTTPStatus.NO_CONTENT
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[Peer]:
    """A real influxd 1.x without authentication or databases, on loopback."""
    binary = _installed("influxd")
    port = _free_port()
    config = tmp_path / "influxdb.conf"
    # Its port for backups defaults to 8088, whatever the HTTP port is, so two would meet there.
    config.write_text(_influxd_config(tmp_path / "influxd", port, _free_port()))
    peer = Peer([binary, "run", "-config", str(config)], port, tmp_path / "influxd.log", lambda: _pings(port))
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture
def victoria_metrics(tmp_path: Path) -> Iterator[Peer]:
    """A real VictoriaMetrics, which takes what InfluxDB 2 takes at `/api/v2/write`, on loopback."""
    binary = _installed("victoria-metrics")
    port = _free_port()
    folder = tmp_path / "victoria-metrics"
    # Older readings than its retention, by default one month, would be left out without a word.
    options = [f"-httpListenAddr={LOOPBACK}:{port}", f"-storageDataPath={folder}", "-retentionPeriod=100y"]
    peer = Peer([binary, *options], port, tmp_path / "victoria-metrics.log", lambda: _pings(port))
    peer.start()
    yield peer
    peer.stop()


class Certify(Protocol):
    """Writes `name`.pem and `name`.key for 127.0.0.1, signed by the issuer or by itself."""

    def __call__(self, folder: Path, name: str, issuer: str | None = None, *, expired: bool = False) -> None: ...


def _certify(folder: Path, name: str, issuer: str | None = None, *, expired: bool = False) -> None:
    """Write `name`.pem and `name`.key, signed by the issuer or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    by = name if issuer is None else issuer
    signing = key
    if issuer is not None:
        signing = serialization.load_pem_private_key((folder / f"{issuer}.key").read_bytes(), None)
    ends = datetime(2020, 1, 1, tzinfo=UTC) if expired else datetime(2090, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(signing, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture(scope="session")
def certify() -> Certify:
    """`certify(folder, "broker", "ca")`; with `expired=True` one that is worth nothing."""
    return _certify
