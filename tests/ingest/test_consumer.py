"""The MQTT side alone, against a fake broker that does what a real one should not."""

import socket
import struct
import threading

import pytest

from ingest import consumer as consumer_file
from ingest.config import BrokerSettings
from ingest.consumer import MOST_BYTES, MOST_MESSAGES, MOST_PACKET_BYTES, Consumer
from metering.clock import SystemClock
from metering.ulid import new_ulid

RUN = new_ulid(1_766_600_000_000)
LATER = new_ulid(1_766_600_000_000, above=RUN)
TOPIC = b"sakugen/v1/farm/gw-1/log"
ONLINE = b"sakugen/v1/ingest/main/online"
CONNECT, PUBLISH, PUBACK, SUBSCRIBE = 1, 3, 4, 8


def packet(first: int, body: bytes) -> bytes:
    size, header = len(body), bytearray([first])
    while True:
        size, digit = divmod(size, 128)
        header.append(digit | (128 if size else 0))
        if not size:
            return bytes(header) + body


def text(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


class FakeBroker:
    """Says what a test tells it to, and cares for no limit that its client asks for."""

    def __init__(self, protocol: int) -> None:
        self.protocol = protocol
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.connect = b""
        self._held = b""

    def welcome(self, client: Consumer) -> None:
        """Go through CONNECT and SUBSCRIBE, the client polling in between."""
        client.poll(0)
        self.connection = self._server.accept()[0]
        self.connection.settimeout(5)
        kind, self.connect = self.next_packet()
        assert kind == CONNECT
        five = self.protocol == 5
        self.connection.sendall(packet(0x20, b"\x01\x00" + b"\x00" * five))
        client.poll(1)
        client.poll(0)
        kind, body = self.next_packet()
        assert kind == SUBSCRIBE
        self.connection.sendall(packet(0x90, body[:2] + b"\x00" * five + b"\x01\x00"))
        client.poll(1)
        assert client.connected
        client.poll(0)
        assert self.next_packet()[0] == PUBLISH  # that it is online

    def publish(self, mid: int, payload: bytes, topic: bytes = TOPIC) -> bytes:
        five = self.protocol == 5
        return packet(0x32, text(topic) + struct.pack(">H", mid) + b"\x00" * five + payload)

    def send(self, *packets: bytes) -> None:
        self.connection.sendall(b"".join(packets))

    def next_packet(self) -> tuple[int, bytes]:
        first, size, shift = self._take(1)[0], 0, 0
        while True:
            digit = self._take(1)[0]
            size |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                return first >> 4, self._take(size)

    def _take(self, count: int) -> bytes:
        while len(self._held) < count:
            came = self.connection.recv(4096)
            assert came, "the client went away"
            self._held += came
        found, self._held = self._held[:count], self._held[count:]
        return found

    def close(self) -> None:
        self.connection.close()
        self._server.close()


@pytest.fixture(params=[5, 4], ids=["mqtt-5", "mqtt-3.1.1"])
def meet(request):
    """`meet()` gives a fake broker and the consumer that is connected to it."""
    made = []

    def make(**settings):
        broker = FakeBroker(request.param)
        client = Consumer(
            BrokerSettings(port=broker.port, protocol=request.param, **settings), "main", SystemClock(), "journal", RUN
        )
        made.extend([broker, client])
        broker.welcome(client)
        return broker, client

    yield make
    for one in made:
        one.close()


def test_connecting_keeps_the_session_and_says_how_much_we_take(meet):
    broker, _ = meet(session_expiry_s=3600, receive_maximum=77, keepalive_s=21)
    name, level, flags, keepalive_s = struct.unpack_from(">6sBBH", broker.connect)
    assert (name, level, keepalive_s) == (b"\x00\x04MQTT", broker.protocol, 21)
    assert flags & 2 == 0, "a clean start would throw the session away"
    assert text(b"sakugen:ingest:main") in broker.connect
    limits = [b"\x11" + struct.pack(">L", 3600), b"\x21" + struct.pack(">H", 77)]
    limits.append(b"\x27" + struct.pack(">L", MOST_PACKET_BYTES))
    assert [limit in broker.connect for limit in limits] == [broker.protocol == 5] * 3


def test_a_confirmation_waits_for_no_other(meet):
    _, client = meet()
    assert client._client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_one_poll_takes_so_many_messages_whatever_the_broker_sends(meet):
    broker, client = meet(receive_maximum=1)
    broker.send(*(broker.publish(mid, b"x") for mid in range(1, MOST_MESSAGES + 11)))
    taken = [client.poll(5), client.poll(5)]
    assert [len(messages) for messages in taken] == [MOST_MESSAGES, 10]
    assert [message.mid for messages in taken for message in messages] == [*range(1, MOST_MESSAGES + 11)]


def test_what_is_not_polled_stays_with_the_broker(meet):
    broker, client = meet()
    size, count = 1_000_000, 64
    packets = [broker.publish(mid, bytes(size)) for mid in range(1, count + 1)]
    broker.connection.settimeout(60)
    sender = threading.Thread(target=broker.send, args=packets)
    sender.start()
    first = client.poll(5)
    assert len(first) * size <= MOST_BYTES + size
    assert sender.is_alive(), "nothing but the system's own buffers took more than was polled"
    taken = len(first)
    while taken < count:
        messages = client.poll(5)
        assert len(messages) * size <= MOST_BYTES + size
        taken += len(messages)
    sender.join()


def test_nothing_is_confirmed_before_it_is_told_to_and_then_in_order(meet):
    broker, client = meet()
    broker.send(*(broker.publish(mid, b"x") for mid in (3, 1, 2)))
    messages = []
    while len(messages) < 3:
        messages += client.poll(1)
    client.poll(0)
    broker.connection.setblocking(False)
    with pytest.raises(BlockingIOError):
        broker.next_packet()
    broker.connection.settimeout(5)
    client.acknowledge(messages)
    client.poll(0)
    assert [broker.next_packet() for _ in messages] == [(PUBACK, struct.pack(">H", mid)) for mid in (3, 1, 2)]


@pytest.mark.parametrize("topic", [b"\xff\xfe", b"sakugen/v1/../../log", b"sakugen/v1/+/#/log", b"x" * 65_535])
def test_a_hostile_topic_is_a_message_like_any_other(meet, topic):
    broker, client = meet()
    broker.send(broker.publish(1, b"x", topic), broker.publish(2, b"y"))
    messages = []
    while len(messages) < 2:
        messages += client.poll(1)
    assert [message.payload for message in messages] == [b"x", b"y"]


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"7", b'{"run": 7}', b"[" * 400, b"[" * 100_000])
def test_nonsense_where_ingests_say_that_they_are_online_takes_nothing_over(meet, payload):
    broker, client = meet()
    broker.send(broker.publish(1, payload, ONLINE), broker.publish(2, b"y"))
    assert [message.payload for message in client.poll(5)] == [b"y"]


def test_a_later_start_under_our_name_ends_this_one(meet):
    broker, client = meet()
    broker.send(broker.publish(1, b'{"online": true, "run": "%s"}' % LATER.encode(), ONLINE))
    with pytest.raises(consumer_file.SessionTakenError, match="another client connected"):
        client.poll(5)


def test_all_that_is_published_is_handed_over_while_the_broker_confirms(meet):
    broker, client = meet()
    heard = []

    def confirm():
        while len(heard) < 100:
            kind, body = broker.next_packet()
            assert kind == PUBLISH
            heard.append(body)
            at = 2 + struct.unpack_from(">H", body)[0]
            broker.send(packet(0x40, body[at : at + 2]))

    confirming = threading.Thread(target=confirm)
    confirming.start()
    for number in range(100):
        assert client.publish(f"x/{number}", b"ack", retain=True)
    client.hand_over()
    confirming.join(5)
    assert len(heard) == 100


def test_a_broker_that_confirms_nothing_holds_nobody_up_for_long(meet):
    _, client = meet()
    for number in range(100):
        client.publish(f"x/{number}", b"ack", retain=True)
    client.hand_over()
    assert client.room == 1000 - 101  # the online message waits too
