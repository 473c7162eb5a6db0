"""Both clients of a broker, where its name, its certificate or its limits are in the way."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway import publisher
from gateway.config import BrokerSettings as GatewayBroker
from gateway.publisher import Connected, Disconnected, Outcome, Publisher
from ingest.config import BrokerSettings as IngestBroker
from ingest.consumer import Consumer
from metering.clock import SystemClock
from metering.topics import GatewayId, log_topic
from metering.ulid import new_ulid

# paho does not close its sockets when a handshake fails; they are closed when nobody holds them any more.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")
GATEWAY = GatewayId("farm", "gw-1")
NAME = "broker.example"
LOOPBACK = "127.0.0.1"


@dataclass
class Gateway:
    """The gateway's connection, run until a condition holds."""

    settings: GatewayBroker
    events: list[object] = field(default_factory=list)

    def until(self, predicate, wait_until, act=lambda _: None) -> None:
        async def live() -> None:
            line = Publisher(self.settings, GATEWAY, SystemClock(), self.events.append)
            work = asyncio.create_task(line.run())
            await asyncio.to_thread(wait_until, predicate, 20)
            act(line)
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work

        asyncio.run(live())

    def count(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.events)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch) -> None:
    monkeypatch.setattr(publisher, "FIRST_WAIT_S", 0.05)


@contextlib.contextmanager
def ingest(settings: IngestBroker) -> Iterator[Consumer]:
    consumer = Consumer(settings, "main", SystemClock(), "journal", new_ulid(0))
    try:
        yield consumer
    finally:
        consumer.close()


def connects(consumer: Consumer) -> bool:
    consumer.poll(0.05)
    return consumer.connected


# --- the name of the broker ----------------------------------------------------------------------------------------


@pytest.fixture
def name_service(monkeypatch):
    """A fake name service: `answers.set()` lets it find the broker on loopback."""
    known: list[bool] = []
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host, *rest, **more):
        if host != NAME:
            return real(host, *rest, **more)
        asked.append(host)
        if not known:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(LOOPBACK, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known, asked


def test_a_gateway_whose_name_service_is_dead_asks_again_until_it_answers(broker, name_service, wait_until):
    known, asked = name_service
    gateway = Gateway(GatewayBroker(host=NAME, port=broker.port))

    def connected() -> bool:
        if len(asked) >= 3:
            known.append(True)
        return gateway.count(Connected) > 0

    gateway.until(connected, wait_until)
    failures = [event for event in gateway.events if isinstance(event, Disconnected)]
    assert len(failures) >= 3
    assert "name resolution" in failures[0].reason


def test_an_ingest_whose_name_service_is_dead_asks_again_until_it_answers(broker, name_service, wait_until, caplog):
    known, asked = name_service
    with ingest(IngestBroker(host=NAME, port=broker.port)) as consumer:
        wait_until(lambda: not connects(consumer) and len(asked) >= 2)
        known.append(True)
        wait_until(lambda: connects(consumer))
    assert "name resolution" in caplog.text


# --- its certificate -----------------------------------------------------------------------------------------------


@dataclass
class Secure:
    """A mosquitto that shows a certificate; `show` puts another one in its place and starts it again."""

    peer: object
    folder: Path

    def show(self, name: str) -> None:
        self.peer.stop()
        Path(self.peer.command[-1]).write_text(
            f"listener {self.peer.port} 127.0.0.1\nallow_anonymous true\nuser root\n"
            f"certfile {self.folder / name}.pem\nkeyfile {self.folder / name}.key\n"
        )
        self.peer.start()


@pytest.fixture
def secure(mosquitto, certify, tmp_path, caplog) -> Iterator[Secure]:
    certify(tmp_path, "ca")
    for name, expired in [("stale", True), ("first", False), ("second", False)]:
        certify(tmp_path, name, "ca", expired=expired)
    yield Secure(mosquitto, tmp_path)
    caplog.clear()  # a message holds its error, and this the socket
    gc.collect()  # here, and not in the next test


@pytest.mark.real
def test_a_gateway_trusts_no_expired_certificate_and_any_new_one_of_the_same_authority(secure, wait_until):
    settings = GatewayBroker(host=LOOPBACK, port=secure.peer.port, tls={"ca_file": secure.folder / "ca.pem"})
    secure.show("stale")
    gateway = Gateway(settings)
    gateway.until(lambda: gateway.count(Disconnected) >= 2, wait_until)
    assert gateway.count(Connected) == 0
    assert "certificate has expired" in next(e for e in gateway.events if isinstance(e, Disconnected)).reason
    secure.show("first")
    rotated: list[bool] = []

    def connected_twice() -> bool:
        if gateway.count(Connected) == 1 and not rotated:
            rotated.append(True)
            secure.show("second")
        return gateway.count(Connected) == 2

    gateway.until(connected_twice, wait_until)


@pytest.mark.real
def test_an_ingest_trusts_no_expired_certificate_and_any_new_one_of_the_same_authority(secure, wait_until, caplog):
    settings = IngestBroker(port=secure.peer.port, tls={"ca_file": secure.folder / "ca.pem"})
    secure.show("stale")
    with ingest(settings) as consumer:
        wait_until(lambda: connects(consumer) or "certificate has expired" in caplog.text)
        assert not consumer.connected
        secure.show("first")
        wait_until(lambda: connects(consumer), 20)
        secure.show("second")
        wait_until(lambda: connects(consumer) and consumer.epoch == 2, 20)


# --- its limits ----------------------------------------------------------------------------------------------------


@pytest.mark.real
def test_a_record_larger_than_the_broker_takes_is_not_sent_and_the_connection_stays(mosquitto, wait_until):
    mosquitto.stop()
    with Path(mosquitto.command[-1]).open("a") as config:
        config.write("max_packet_size 2000\n")
    mosquitto.start()
    gateway = Gateway(GatewayBroker(host=LOOPBACK, port=mosquitto.port))
    outcomes: list[Outcome] = []

    def send(line: Publisher) -> None:
        outcomes.extend(line.publish(log_topic(GATEWAY), b"x" * size) for size in (5000, 500))

    gateway.until(lambda: gateway.count(Connected) > 0, wait_until, send)
    assert outcomes == [Outcome.TOO_LARGE, Outcome.SENT]
    assert gateway.count(Disconnected) == 0
