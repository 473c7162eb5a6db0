"""The MQTT side of ingest: the only file of it that knows paho.

In go settings, out come messages and, much later and only on request, their PUBACKs. There is no thread: `poll` reads
the socket until nothing is left or its bounds are reached, so while a batch is being committed nothing is read and the
broker holds the rest. Each connection is a new client on the same session; a PUBACK for a message of an earlier
connection is dropped, because its number may by then name another message.
"""

import json
import logging
import re
import select
import socket
from collections import deque
from dataclasses import dataclass
from typing import Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest.config import BrokerSettings
from ingest.errors import SessionTakenError
from metering.clock import Clock
from metering.record import MAX_RECORD_BYTES
from metering.topics import ALL_LOGS, online_topic
from metering.ulid import PATTERN

log = logging.getLogger(__name__)

MOST_MESSAGES: Final = 512
"""How many messages one `poll` takes."""
MOST_BYTES: Final = 8 * 1024 * 1024
"""After how many bytes of payload one `poll` stops reading [bytes]."""
MOST_PACKET_BYTES: Final = 2 * MAX_RECORD_BYTES
"""A broker of MQTT 5 must not send us more in one packet [bytes]. What is too long for a record and shorter than this
is refused and shown; with MQTT 3.1.1 only the broker's own limit keeps the rest from our memory."""
MOST_UNCONFIRMED: Final = 1000
"""How many of our own publications may wait for the broker."""
CONFIRM_WITHIN_MS: Final = 60_000
"""A connection on which nothing is confirmed for so long, while something of ours waits, is given up [ms]: paho sends
no more than 20 unconfirmed messages on one connection, for ever."""
_FIRST_WAIT_MS, _LONGEST_WAIT_MS = 250, 15_000
_CLOSE_WITHIN_MS = 2000
_HAND_OVER_WITHIN_MS = 250
_SENT_UNCONFIRMED = 20
_LONGEST_ONLINE_BYTES = 500
_TAKEN_OVER = 0x8E
_MQTT5 = 5


@dataclass(frozen=True, slots=True)
class Message:
    """One message, and what is needed to acknowledge it."""

    topic: str
    payload: bytes
    epoch: int
    """Which connection brought it."""
    mid: int
    qos: int


class Consumer:
    """A persistent session at the broker. Nothing is opened before the first `poll`; end it with `close`."""

    def __init__(self, settings: BrokerSettings, shard: str, clock: Clock, journal: str, run: str) -> None:
        """Keep what is needed to connect.

        Args:
            settings: the broker.
            shard: names the session: the client id is `sakugen:ingest:{shard}`.
            clock: for waits in real time.
            journal: the ULID of the journal, for people who read the retained `online` message.
            run: the ULID of this start.
        """
        self._settings = settings
        self._client_id = f"sakugen:ingest:{shard}"
        self._topic = online_topic(shard)
        self._clock = clock
        self._journal = journal
        self._name_run(run)
        self._client: mqtt.Client | None = None
        self._queue: deque[Message] = deque()
        self._queued_bytes = 0
        self._unconfirmed = 0
        self._progress_ms = 0
        self._taken = False
        self._accepted = False
        self._wait_ms = _FIRST_WAIT_MS
        self._next_attempt_ms = 0
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_write.setblocking(False)
        self.connected = False
        """Whether the broker has accepted the present connection and subscription."""
        self.epoch = 0
        """Counts accepted connections."""
        self.later_run: str | None = None
        """An earlier start left a run above ours behind: the journal came from a backup, and the clock went back."""

    def _name_run(self, run: str) -> None:
        self._run = run
        online = {"online": True, "journal": self._journal, "run": run}
        self._online, self._offline = json.dumps(online).encode(), json.dumps(online | {"online": False}).encode()

    def begin_again(self, run: str) -> None:
        """Say that we are online under another run."""
        self._name_run(run)
        self.later_run = None
        self.publish(self._topic, self._online, retain=True)

    def wake(self) -> None:
        """End a `poll` that waits; may be called from a signal handler or another thread."""
        try:
            self._wake_write.send(b"\0")
        except BlockingIOError:
            return  # it is full of such calls already

    def poll(self, timeout_s: float) -> list[Message]:
        """Wait for messages and take what is there.

        Args:
            timeout_s: how long to wait when there is nothing [s, real time].

        Raises:
            SessionTakenError: when another client has connected under our client id.
        """
        if self._client is None and self._clock.mono_ms() >= self._next_attempt_ms:
            self._connect()
        self._leave_if_stuck()
        self._pump(timeout_s)
        if self._taken:
            raise SessionTakenError(
                f"another client connected to {self._settings.host}:{self._settings.port} as {self._client_id};"
                " each shard runs once: stop one of the two or give it another `shard`"
            )
        messages = list(self._queue)
        self._queue.clear()
        self._queued_bytes = 0
        return messages

    @property
    def room(self) -> int:
        """How many publications may go out now."""
        return max(0, MOST_UNCONFIRMED - self._unconfirmed) if self._client is not None and self.connected else 0

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> bool:
        """Send a message with QoS 1; False when there is no connection or too much is waiting already."""
        if self._client is None or not self.room:
            return False
        self._client.publish(topic, payload, qos=1, retain=retain)
        if not self._unconfirmed:
            self._progress_ms = self._clock.mono_ms()
        self._unconfirmed += 1
        return True

    def hand_over(self) -> None:
        """Wait until what was published is with the broker, as far as it confirms in time; more may be read meanwhile.

        paho sends 20 and then one for each that is confirmed, and it hears of that only while we read.
        """
        deadline_ms = self._clock.mono_ms() + _HAND_OVER_WITHIN_MS
        while self._unconfirmed > _SENT_UNCONFIRMED and not self._full and self._clock.mono_ms() < deadline_ms:
            self._pump(0.02)

    def acknowledge(self, messages: list[Message]) -> None:
        """Send PUBACKs in the order in which the messages came; those of an earlier connection are dropped."""
        for message in messages:
            if self._client is not None and self._accepted and message.epoch == self.epoch and message.qos:
                self._client.ack(message.mid, message.qos)

    def leave(self) -> None:
        """Say that we go, and go; the broker keeps the session, and the next `poll` comes back to it."""
        if self._client is not None and self.connected:
            self.publish(self._topic, self._offline, retain=True)
            deadline_ms = self._clock.mono_ms() + _CLOSE_WITHIN_MS
            while self._unconfirmed and self._clock.mono_ms() < deadline_ms:
                self._pump(0.05)
            self._disconnect()
        self._client, self._accepted, self.connected, self._unconfirmed = None, False, False, 0
        self._queue.clear()
        self._queued_bytes = 0

    def rest(self, timeout_s: float) -> None:
        """Wait without reading [s, real time]; `wake` ends it."""
        if select.select([self._wake_read], [], [], timeout_s)[0]:
            self._wake_read.recv(4096)

    def close(self) -> None:
        """Leave for good."""
        self.leave()
        self._wake_read.close()
        self._wake_write.close()

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_write()

    # --- the connection -------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        settings = self._settings
        try:
            client = self._new_client()
            if settings.protocol == _MQTT5:
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                properties.SessionExpiryInterval = settings.session_expiry_s
                properties.ReceiveMaximum = settings.receive_maximum
                properties.MaximumPacketSize = MOST_PACKET_BYTES
                # paho's default would wipe the session at the first connect of every process.
                client.connect(
                    settings.host, settings.port, settings.keepalive_s, clean_start=False, properties=properties
                )
            else:
                client.connect(settings.host, settings.port, settings.keepalive_s)
        except OSError as error:
            log.warning("no connection to the broker %s:%d: %s", settings.host, settings.port, error)
            self._lost()
            return
        self._client = client

    def _new_client(self) -> mqtt.Client:
        settings = self._settings
        five = settings.protocol == _MQTT5
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if five else False,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        if settings.username is not None:
            secret = settings.password_file
            client.username_pw_set(settings.username, secret.read_text("utf-8").strip() if secret else None)
        if settings.tls is not None:
            tls = settings.tls
            ca_file, cert_file, key_file = (str(f) if f else None for f in (tls.ca_file, tls.cert_file, tls.key_file))
            client.tls_set(ca_file, cert_file, key_file)
        client.will_set(self._topic, self._offline, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.on_socket_open = _without_delay
        # With this set, paho only queues what it sends; our loop writes it.
        client.on_socket_register_write = lambda *_: None
        return client

    def _leave_if_stuck(self) -> None:
        waited_ms = self._clock.mono_ms() - self._progress_ms
        if self._client is not None and self._unconfirmed and waited_ms > CONFIRM_WITHIN_MS:
            log.warning("the broker has confirmed nothing for %d s; connecting again", waited_ms // 1000)
            self._client.disconnect()
            self._client.loop_write()

    def _lost(self) -> None:
        self._client, self._accepted, self.connected, self._unconfirmed = None, False, False, 0
        self._next_attempt_ms = self._clock.mono_ms() + self._wait_ms
        self._wait_ms = min(2 * self._wait_ms, _LONGEST_WAIT_MS)

    def _pump(self, timeout_s: float) -> None:
        """Read and write until there is nothing more to do, or enough is queued."""
        while True:
            connection = None if self._client is None else self._client.socket()
            if self._client is None or connection is None:
                self._idle(timeout_s)
                return
            waiting = self._client.want_write()
            buffered = hasattr(connection, "pending") and connection.pending() > 0  # TLS
            wait_s = 0.0 if buffered else timeout_s
            readable, writable, _ = select.select(
                [connection, self._wake_read], [connection] if waiting else [], [], wait_s
            )
            client, timeout_s = self._client, 0.0
            if writable:
                client.loop_write()
            if buffered or connection in readable:
                self._read(client)
            if client.socket() is not None:
                client.loop_misc()
            if self._wake_read in readable:
                self._wake_read.recv(4096)
                return
            if self._full or not (writable or buffered or connection in readable):
                return

    def _read(self, client: mqtt.Client) -> None:
        """Read as long as messages come: asking the system before each one costs as much as the message."""
        before = -1
        while before < len(self._queue) and not self._full:
            before = len(self._queue)
            client.loop_read()

    @property
    def _full(self) -> bool:
        return len(self._queue) >= MOST_MESSAGES or self._queued_bytes >= MOST_BYTES

    def _idle(self, timeout_s: float) -> None:
        left_s = max(0.0, (self._next_attempt_ms - self._clock.mono_ms()) / 1000)
        if select.select([self._wake_read], [], [], min(timeout_s, left_s))[0]:
            self._wake_read.recv(4096)

    # --- paho calls these, inside `_pump` -------------------------------------------------------------------------

    def _on_connect(
        self, client: mqtt.Client, _data: object, flags: mqtt.ConnectFlags, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.is_failure:
            log.error("the broker refuses us as %s: %s", self._client_id, reason)
            return  # it closes the connection
        log.info(
            "connected to the broker as %s, session %s", self._client_id, "kept" if flags.session_present else "new"
        )
        # From here on, even before the SUBACK, a kept session delivers.
        self.epoch += 1
        self._accepted = True
        client.subscribe([(ALL_LOGS, 1), (self._topic, 0)])

    def _on_subscribe(
        self, client: mqtt.Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("the broker does not let %s read %s: %s", self._client_id, ALL_LOGS, reasons[0])
            client.disconnect()
            return
        self.connected = True
        self._wait_ms = _FIRST_WAIT_MS
        # Again at every connection: no retained message survives a restart of some brokers.
        self.publish(self._topic, self._online, retain=True)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # the broker should have refused it; the message is, because this is nobody's topic
        if topic == self._topic:
            self._watch_for_rival(bytes(message.payload), from_before=message.retain and self.epoch == 1)
            return
        self._queue.append(Message(topic, bytes(message.payload), self.epoch, message.mid, message.qos))
        self._queued_bytes += len(message.payload)

    def _watch_for_rival(self, payload: bytes, *, from_before: bool) -> None:
        """Notice a later start under our name even where the broker does not say 0x8E (mosquitto 2.0.11 does not)."""
        if len(payload) > _LONGEST_ONLINE_BYTES:
            return  # it is not ours, and could be nested deeper than json reads
        try:
            run = str(json.loads(payload)["run"])
        except (ValueError, TypeError, KeyError):
            return
        if re.fullmatch(PATTERN, run) is None or run[0] != "0" or run <= self._run:
            return  # beyond the year 3000 nothing is left above it, and anybody may have written it
        if from_before:
            self.later_run = run
        else:
            self._taken = True

    def _on_publish(self, _client: mqtt.Client, _data: object, _mid: int, _reason: object, _properties: object) -> None:
        self._unconfirmed = max(0, self._unconfirmed - 1)
        self._progress_ms = self._clock.mono_ms()

    def _on_disconnect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if client is not self._client:
            return
        self._taken = self._taken or reason.value == _TAKEN_OVER
        log.warning("the connection to the broker ended: %s", reason)
        self._lost()


def _without_delay(_client: mqtt.Client, _data: object, connection: object) -> None:
    # A PUBACK has four bytes: without this, TCP holds the second one back until the broker's side confirms the first,
    # which may take it 40 ms.
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
