"""What a client sees of each fault of a line, byte for byte, and what the ledger says was served."""

import contextlib
import socket
import struct
import time
from datetime import UTC, datetime, timedelta

import pytest

from simulators.config import DEMONSTRATION_PLANTS
from simulators.control import Order, ask
from simulators.errors import ControlError
from simulators.faults import KINDS, Fault, FaultBoard
from simulators.frames import RtuFraming, crc16
from simulators.ledger import read_ledger

AC_BUS = 10
HOLDING = bytes([3, 0x0C, 0x87, 0, 4])
WHOLE_BYTES = 9 + 8


@pytest.fixture
def plant(settings_in, running):
    """The solar plant on a port of its own, and how to break it."""
    solar = DEMONSTRATION_PLANTS[0].model_dump() | {"port": 0}
    with running(settings_in(plants=[solar])) as simulators:
        yield simulators


class Client:
    """Requests by hand over one connection."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.number = 0

    def ask(self) -> int:
        """Ask the meter at the bus; gives the number of the request."""
        self.number += 1
        self.line.sendall(struct.pack(">HHHB", self.number, 0, 1 + len(HOLDING), AC_BUS) + HOLDING)
        return self.number

    def take(self, size: int = WHOLE_BYTES) -> bytes:
        """So many bytes, or fewer when the line is closed."""
        data = b""
        while len(data) < size and (part := self.line.recv(size - len(data))):
            data += part
        return data

    def hears_nothing_for(self, seconds: float) -> bool:
        """Whether that long nothing comes and the line stays open."""
        self.line.settimeout(seconds)
        try:
            self.line.recv(1)
        except TimeoutError:
            return True
        finally:
            self.line.settimeout(5)
        return False


@pytest.fixture
def connect(plant):
    """`connect()` opens one more connection."""
    with contextlib.ExitStack() as stack:
        place = ("127.0.0.1", plant.port("demo-solar"))
        yield lambda: Client(stack.enter_context(socket.create_connection(place, timeout=5)))


@pytest.fixture
def client(connect):
    return connect()


def begin(plant, kind: str, **more) -> None:
    ask(plant.settings.control_socket, Order(do="begin", kind=kind, **more))


def end(plant) -> None:
    ask(plant.settings.control_socket, Order(do="end"))


def served(plant) -> int:
    return len(list(read_ledger(plant.settings.ledger)))


def test_a_silent_device_answers_nothing_and_the_others_go_on(plant, client):
    begin(plant, "silent", device="ac-bus")
    client.ask()
    assert client.hears_nothing_for(0.2)
    client.line.sendall(struct.pack(">HHHB", 9, 0, 6, 1) + bytes([3, 0x9C, 0x40, 0, 2]))
    assert client.take(13)[9:] == b"SunS"


def test_a_slow_device_lets_what_is_asked_meanwhile_wait(plant, client):
    begin(plant, "slow", amount=0.3)
    began = time.monotonic()
    first, second = client.ask(), client.ask()
    assert [client.take()[:2] for _ in range(2)] == [first.to_bytes(2), second.to_bytes(2)]
    assert time.monotonic() - began >= 0.6


def test_a_late_answer_comes_after_that_of_the_next_request(plant, client):
    begin(plant, "late", amount=0.3, device="ac-bus")
    first = client.ask()
    end(plant)
    second = client.ask()
    assert [client.take()[:2] for _ in range(2)] == [second.to_bytes(2), first.to_bytes(2)]


def test_an_answer_of_the_wrong_unit_is_no_answer_in_the_ledger(plant, client, wait_until):
    begin(plant, "wrong-unit")
    client.ask()
    assert client.take()[6] == AC_BUS + 1
    end(plant)
    client.ask()
    assert client.take()[6] == AC_BUS
    wait_until(lambda: served(plant) == 1)


def test_a_truncated_answer_breaks_off_and_the_next_one_is_whole(plant, client):
    begin(plant, "truncated")
    client.ask()
    broken = client.take(WHOLE_BYTES // 2)
    assert client.hears_nothing_for(0.1)
    end(plant)
    second = client.ask()
    assert client.take()[:2] == second.to_bytes(2)
    assert broken[:2] == b"\0\1"


def test_merged_answers_come_in_one_piece(plant, client):
    begin(plant, "merged")
    client.ask()
    assert client.hears_nothing_for(0.1)
    end(plant)
    client.ask()
    assert [client.take()[:2] for _ in range(2)] == [b"\0\1", b"\0\2"]


@pytest.mark.parametrize(("kind", "code"), [("busy", 6), ("exception", 4)])
def test_an_exception_names_its_code_and_serves_nothing(plant, client, kind, code):
    begin(plant, kind)
    client.ask()
    assert client.take(9)[7:] == bytes([0x83, code])
    assert served(plant) == 0


def test_a_wrong_checksum_is_wrong_and_on_tcp_the_protocol_id(plant, client):
    begin(plant, "bad-crc")
    client.ask()
    assert client.take()[2:4] == b"\xff\xff"
    framing = RtuFraming()
    frame = bytes([1, 3, 2, 0, 5])
    spoiled = framing.spoiled(frame + crc16(frame))
    assert spoiled[:-2] == frame
    assert spoiled[-2:] != crc16(frame)


def test_a_half_open_connection_stays_and_says_nothing(plant, client):
    begin(plant, "half-open")
    client.ask()
    assert client.hears_nothing_for(0.2)
    end(plant)
    client.ask()
    assert client.take()[:2] == b"\0\2"


def test_with_one_session_only_the_oldest_is_served(plant, client, connect):
    client.ask()
    client.take()
    begin(plant, "one-session")
    other = connect()
    with contextlib.suppress(ConnectionError):
        other.ask()
        assert other.take() == b""
    client.ask()
    assert client.take()[:2] == b"\0\2"


def test_a_planned_fault_begins_and_ends_by_the_plants_clock():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    board = FaultBoard([Fault(kind="slow", device="a", start=start, end=start + timedelta(hours=1))])
    at_ms = int(start.timestamp() * 1000)
    assert [bool(board.of("a", at_ms + shift)) for shift in (-1, 0, 3_599_999, 3_600_000)] == [False, True, True, False]
    assert not board.of("b", at_ms)


def test_an_order_that_makes_no_sense_is_answered_in_words(plant):
    path = plant.settings.control_socket
    with pytest.raises(ControlError, match="has no device 'nobody'; it has: ac-bus"):
        ask(path, Order(do="begin", kind="slow", device="nobody"))
    with pytest.raises(ControlError, match="no plant of project 'x'; there are: demo-solar"):
        ask(path, Order(do="begin", kind="slow", project="x"))
    with pytest.raises(ControlError, match="has no amount"):
        ask(path, Order(do="begin", kind="silent", amount=1))
    with pytest.raises(ControlError, match="kind"):
        ask(path, Order(do="begin"))
    assert ask(path, Order(do="list")).faults == {"demo-solar": ()}


def test_where_no_simulators_run_the_reason_is_told(tmp_path):
    with pytest.raises(ControlError, match="is `sakugen simulate run` up"):
        ask(tmp_path / "nobody.control", Order(do="list"))


def test_every_kind_says_what_it_does():
    assert all(about.does and (not about.amount or about.default) for about in KINDS.values())
