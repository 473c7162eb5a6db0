"""Carrying bytes to and from the MQTT broker: the only file that knows paho.

Each connection is a new client with a clean start, so nothing that an earlier connection queued is sent out of order.
Callbacks of paho's thread only enqueue; the agent decides in its own loop. Nothing here is durable: the outbox is.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.backoff import BackOff
from gateway.config import BrokerSettings
from gateway.status import OFFLINE
from metering.clock import Clock
from metering.topics import ALL_INGESTS_ONLINE, GatewayId, ack_topic, status_topic

KEEPALIVE_S = 30
FIRST_WAIT_S = 1.0
MOST_WAIT_S = 30.0
CONFIRM_WITHIN_S = 60.0
"""A connection on which a message stays unconfirmed for so long, the earlier ones being through, is given up [s].

paho sends no more than 20 unconfirmed messages on one connection, for ever. The slowest line carries a record in this
time."""
_MQTT5 = 5
_TAKEN_OVER = 0x8E
_PACKET_OVERHEAD_BYTES = 64
"""More than a PUBLISH adds to topic and payload."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A new connection; the subscriptions are under way."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is gone or was refused."""

    reason: str
    taken_over: bool
    """Somebody else connected under this gateway's name."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something the broker delivered."""

    topic: str
    payload: bytes
    retained: bool
    """It was kept for us from before this subscription."""


Event = Connected | Disconnected | Message


class Outcome(Enum):
    """What became of a publish; only an ack says that a record arrived."""

    SENT = auto()
    NOT_CONNECTED = auto()
    TOO_LARGE = auto()
    """The broker says that it takes no such packet: sending it would only cut the connection, again and again."""


class Publisher:
    """Keeps a connection to the broker; events come out of a callback in the event loop."""

    def __init__(
        self, settings: BrokerSettings, gateway: GatewayId, clock: Clock, deliver: Callable[[Event], None]
    ) -> None:
        """Remember where to connect.

        Args:
            settings: the broker.
            gateway: whose topics these are.
            clock: real time for waits.
            deliver: called in the event loop for each event; must only enqueue.
        """
        self._settings = settings
        self._gateway = gateway
        self._clock = clock
        self._deliver = deliver
        self._client: mqtt.Client | None = None
        self._max_packet: int | None = None
        self._unconfirmed: deque[mqtt.MQTTMessageInfo] = deque()
        self._progress_ms = 0
        """When the oldest unconfirmed message became the oldest [ms, real time]."""

    async def run(self) -> None:
        """Connect, stay connected, connect again; never returns."""
        patience = BackOff(FIRST_WAIT_S, MOST_WAIT_S)
        while True:
            was_up, ended = await self._one_connection()
            if was_up and not ended.taken_over:  # two that take each other's session over must not do so every second
                patience.succeeded()
            patience.failed(self._clock.mono_ms() / 1000)
            self._deliver(ended)
            await asyncio.sleep(patience.wait_s)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> Outcome:
        """Hand a message to the connection, quality of service 1."""
        if self._client is None:
            return Outcome.NOT_CONNECTED
        if self._max_packet is not None and len(topic) + len(payload) + _PACKET_OVERHEAD_BYTES > self._max_packet:
            return Outcome.TOO_LARGE
        if self._is_stuck():
            self._client.disconnect()
            return Outcome.NOT_CONNECTED
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc != mqtt.MQTT_ERR_SUCCESS:
            return Outcome.NOT_CONNECTED
        self._unconfirmed.append(info)
        return Outcome.SENT

    def _is_stuck(self) -> bool:
        """Look whether the broker still confirms; asked at every publish, of which the status is a regular one."""
        now_ms, waiting = self._clock.mono_ms(), len(self._unconfirmed)
        while self._unconfirmed and self._unconfirmed[0].is_published():
            self._unconfirmed.popleft()
        if not self._unconfirmed or len(self._unconfirmed) < waiting:
            self._progress_ms = now_ms
        return now_ms - self._progress_ms > CONFIRM_WITHIN_S * 1000

    async def _one_connection(self) -> tuple[bool, Disconnected]:
        """Live through one connection; tells whether it came up, and how it ended."""
        ended: asyncio.Future[Disconnected] = asyncio.get_running_loop().create_future()
        try:
            client = self._new_client(ended)
            await asyncio.to_thread(client.connect, self._settings.host, self._settings.port, KEEPALIVE_S)
        except (OSError, ValueError) as error:  # ValueError: a host name that cannot be one
            return False, Disconnected(str(error), taken_over=False)
        client.loop_start()
        try:
            reason = await ended
            return self._client is not None, reason
        finally:
            self._client = None
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)

    def _new_client(self, ended: "asyncio.Future[Disconnected]") -> mqtt.Client:
        settings = self._settings
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            # No name holds a colon, so this id is one gateway's; of a slash in it the embedded broker would die.
            client_id=f"sakugen:{self._gateway.site}:{self._gateway.gateway}",
            clean_session=None if settings.protocol == _MQTT5 else True,
            protocol=MQTTProtocolVersion(settings.protocol),
            reconnect_on_failure=False,
        )
        client.will_set(status_topic(self._gateway), OFFLINE, qos=1, retain=True)
        if settings.username is not None:
            password = settings.password_file.read_text(encoding="utf-8").strip() if settings.password_file else None
            client.username_pw_set(settings.username, password)
        if settings.tls is not None:
            client.tls_set(
                ca_certs=_text(settings.tls.ca_file),
                certfile=_text(settings.tls.cert_file),
                keyfile=_text(settings.tls.key_file),
            )
        self._wire(client, ended)
        return client

    def _wire(self, client: mqtt.Client, ended: "asyncio.Future[Disconnected]") -> None:
        """Let paho's thread hand everything over to the event loop."""
        loop = asyncio.get_running_loop()

        def on_connect(
            _c: mqtt.Client, _u: object, _f: object, code: ReasonCode, properties: Properties | None
        ) -> None:
            loop.call_soon_threadsafe(self._connected, client, code, properties, ended)

        def on_disconnect(_c: mqtt.Client, _u: object, _f: object, code: ReasonCode, _p: Properties | None) -> None:
            loop.call_soon_threadsafe(_end, ended, code)

        def on_message(_c: mqtt.Client, _u: object, message: mqtt.MQTTMessage) -> None:
            loop.call_soon_threadsafe(self._deliver, Message(message.topic, bytes(message.payload), message.retain))

        client.on_connect = on_connect
        client.on_disconnect = on_disconnect
        client.on_message = on_message

    def _connected(
        self,
        client: mqtt.Client,
        code: ReasonCode,
        properties: Properties | None,
        ended: "asyncio.Future[Disconnected]",
    ) -> None:
        if code.is_failure:
            _end(ended, code)
            return
        self._client = client
        self._unconfirmed.clear()
        self._progress_ms = self._clock.mono_ms()
        self._max_packet = getattr(properties, "MaximumPacketSize", None)
        client.subscribe([(ack_topic(self._gateway), 1), (ALL_INGESTS_ONLINE, 1)])
        self._deliver(Connected())


def _end(ended: "asyncio.Future[Disconnected]", code: ReasonCode) -> None:
    if not ended.done():
        ended.set_result(Disconnected(str(code), taken_over=code.value == _TAKEN_OVER))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
