"""What is acknowledged, to whom, and when."""

from dataclasses import dataclass

import pytest

from ingest import acks
from ingest.acks import AckBook
from ingest.consumer import Message
from ingest.intake import Intake, Outcome
from ingest.service import Service
from ingest.store.journal import Journal
from ingest.validate import Action
from metering import ack, keys, record
from metering.keys import KeyRing
from metering.topics import GatewayId
from metering.ulid import new_ulid

NOW_MS = 1_766_600_000_000
A = GatewayId("farm", "gw-1")
STREAM = new_ulid(NOW_MS)


def outcome(stream=STREAM, gateway=A):
    return Outcome(gateway, stream, Action.APPEND, None)


@pytest.fixture
def quiet():
    """A book whose gateway was heard and answered at real time 1000."""
    book = AckBook()
    book.note([outcome()])
    book.sent(A, 1000)
    return book


def test_the_first_record_of_a_stream_is_acknowledged_at_once(quiet):
    assert quiet.due(1001) == []
    quiet.note([outcome(new_ulid(NOW_MS))])
    assert quiet.due(1001) == [A]


def test_progress_is_acknowledged_at_most_every_250_ms(quiet):
    quiet.note([outcome()])
    assert quiet.due(1249) == []
    assert quiet.wait_ms(1249) == 1
    assert quiet.due(1250) == [A]
    assert quiet.wait_ms(1251) == 0


def test_the_wait_is_that_of_the_first_ack_that_becomes_due_and_of_none_that_nobody_waits_for(quiet):
    assert quiet.wait_ms(1249) == acks.THROTTLE_MS
    other = GatewayId("farm", "gw-2")
    quiet.note([outcome(gateway=other)])
    quiet.sent(other, 1100)
    quiet.note([outcome(), outcome(gateway=other)])
    assert quiet.wait_ms(1150) == 100
    quiet.sent(A, 1150)
    assert quiet.wait_ms(1150) == 200


def test_sixteen_waiting_records_are_acknowledged_at_once(quiet):
    quiet.note([outcome()] * 15)
    assert quiet.due(1001) == []
    quiet.note([outcome()])
    assert quiet.due(1001) == [A]


def test_an_open_stream_is_acknowledged_every_minute(quiet):
    assert quiet.due(60_999) == []
    assert quiet.due(61_000) == [A]


def test_each_of_several_open_streams_is_acknowledged_every_minute(quiet):
    other = GatewayId("farm", "gw-2")
    quiet.note([outcome(gateway=other)])
    quiet.sent(other, 2000)
    quiet.sent(A, 30_000)
    assert quiet.due(61_999) == []
    assert quiet.due(62_000) == [other]
    assert quiet.due(90_000) == [other, A]


def test_a_reconnect_makes_every_ack_due(quiet):
    quiet.ask([A, GatewayId("farm", "gw-2")])
    assert len(quiet.due(1001)) == 2


def test_a_gateway_that_was_only_asked_is_not_told_again_and_again():
    book = AckBook()
    book.ask([A])
    book.sent(A, 0)
    assert book.due(10**9) == []


def test_of_more_streams_than_an_ack_names_those_heard_from_last_are_kept():
    book = AckBook()
    streams = [new_ulid(NOW_MS + number) for number in range(acks.MOST_STREAMS + 1)]
    book.note([outcome(stream) for stream in streams[:-1]])
    assert book.heard(A) == frozenset(streams[:-1])
    book.note([outcome(streams[0]), outcome(streams[-1])])
    assert book.heard(A) == frozenset(streams) - {streams[1]}


def test_what_proves_nothing_asks_for_no_ack():
    book = AckBook()
    book.note([Outcome(None, None, Action.REFUSE, "unsigned")])
    assert book.due(10**9) == []


@pytest.fixture
def desk(tmp_path, gateway):
    """A journal, and a function that takes records and gives the ack."""
    signer = keys.new_signer("ack")
    with Journal.open(tmp_path / "journal.sqlite", NOW_MS) as journal:
        intake, book, run = Intake(journal, 10_000), AckBook(), journal.begin_run(NOW_MS)

        def take(*records: bytes) -> ack.Ack:
            book.note(intake.take([(gateway.topic, data) for data in records], gateway.ring, NOW_MS))
            data = acks.build(journal, run, book, A, (NOW_MS, 0), signer)
            return ack.parse(data, (signer.verifier,))

        take.journal = journal
        take.run = run
        yield take


def test_an_ack_names_the_last_record_on_disk_and_its_digest(desk, gateway):
    records = [gateway.birth(), gateway.readings(1)]
    found = desk(*records)
    assert found.streams == {gateway.stream: ack.StreamAck(through=2, digest=record.digest_of(records[1]))}
    assert (found.journal, found.run, found.n, found.succeeds) == (desk.journal.journal_id, desk.run, 1, None)
    assert desk().n == 2


def test_an_ack_names_its_streams_in_their_order(desk, gateway):
    for _ in range(9):
        gateway.new_stream()
        gateway.birth()
    named = list(desk(*gateway.made[::-1]).streams)
    assert len(named) == 9
    assert named == sorted(named)


def test_a_stream_of_which_nothing_is_there_is_acknowledged_through_0(desk, gateway):
    gateway.birth()
    assert desk(gateway.readings(1)).streams[gateway.stream] == ack.StreamAck(through=0, digest=None)


def test_a_fork_is_not_acknowledged_but_answered_with_what_is_there(desk, gateway):
    birth = gateway.birth()
    gateway.seq, gateway.prev = 0, None
    found = desk(birth, gateway.birth(agent="other"))
    assert found.streams[gateway.stream].digest == record.digest_of(birth)


def test_a_stream_stays_open_until_it_is_complete_up_to_what_its_successor_names(desk, gateway):
    gateway.birth()
    gateway.readings(1)
    first, after = gateway.made[:], gateway.ref()
    old = gateway.stream
    gateway.new_stream()
    found = desk(gateway.birth(after=after))
    assert found.streams[old] == ack.StreamAck(through=0, digest=None)
    assert desk.journal.unfinished(A, 9) == [old]
    desk(*first)
    assert desk.journal.unfinished(A, 9) == []


def test_held_records_are_named_and_refused_messages_counted(desk, gateway):
    found = desk(gateway.birth(points=[]), gateway.readings(1), b"nonsense")
    assert [(part.seq, part.reason) for part in found.held] == [(2, "shape")]
    assert found.refused == 1


def test_at_most_32_held_records_are_named_the_newest_ones(desk, gateway):
    records = [gateway.birth(points=[])] + [gateway.readings(slot) for slot in range(1, 41)]
    found = desk(*records)
    assert len(found.held) == 32
    assert max(part.seq for part in found.held) == 41


def test_each_run_is_above_the_last_even_when_the_clock_went_back(tmp_path):
    runs = []
    for now_ms in (NOW_MS, NOW_MS - 10**9, NOW_MS - 10**9):
        with Journal.open(tmp_path / "j.sqlite", now_ms) as journal:
            runs.append(journal.begin_run(now_ms))
    assert runs == sorted(set(runs))


def test_a_gateway_that_starts_again_and_again_gets_no_endless_ack(desk, gateway):
    """A broker cuts the connection over a packet that is too large, and with it the acks of all gateways."""
    for _ in range(acks.MOST_STREAMS + 5):
        gateway.new_stream()
        gateway.birth(after={"stream": new_ulid(NOW_MS, above=gateway.stream), "seq": 9, "digest": "f" * 64})
    streams = desk(*gateway.made).streams
    assert len(streams) <= 2 * acks.MOST_STREAMS
    assert streams[gateway.stream].through == 1
    first = record.parse(gateway.made[0]).stream
    assert first not in streams
    assert desk(gateway.made[0]).streams[first].through == 1


class Wire:
    """In place of the broker: what it delivers, and how long ingest was willing to wait for it."""

    def __init__(self, *messages: Message) -> None:
        self.messages = list(messages)
        self.connected, self.epoch, self.later_run = True, 0, None
        self.waits_s: list[float] = []
        self.published, self.free = 0, 10

    @property
    def room(self) -> int:
        return self.free if self.connected else 0

    def poll(self, timeout_s: float) -> list[Message]:
        self.waits_s.append(timeout_s)
        return [self.messages.pop(0)] if self.messages else []

    def publish(self, *_: object, **__: object) -> bool:
        self.published += 1
        return True

    def hand_over(self) -> None:
        pass

    def acknowledge(self, _: list[Message]) -> None:
        pass


class HandClock:
    """A clock that shows what a test sets."""

    ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms

    mono_ms = now_ms


@dataclass
class Trusted:
    """Who is trusted."""

    ring: KeyRing


def test_an_ack_that_waits_for_a_connection_does_not_keep_ingest_busy(tmp_path, gateway):
    clock = HandClock()
    wire = Wire(*(Message(gateway.topic, data, 0, 1, 1) for data in (gateway.birth(), gateway.readings(1))))
    with Journal.open(tmp_path / "journal.sqlite", NOW_MS) as journal:
        run, signer = journal.begin_run(NOW_MS), keys.new_signer("ack")
        service = Service(journal, run, wire, Trusted(gateway.ring), signer, clock, Intake(journal, 10_000))
        service.step()
        service.step()
        assert wire.published == 1, "the second ack waits for its 250 ms"
        wire.connected = False
        clock.ms += 10_000
        service.step()
        assert wire.waits_s[-1] == 0.25
        wire.connected = True
        service.step()
    assert (wire.waits_s[-1], wire.published) == (0, 2)


def test_after_a_connect_acks_go_out_in_parts_and_reading_goes_on_between_them(tmp_path, gateway):
    wire, clock = Wire(), HandClock()
    with Journal.open(tmp_path / "journal.sqlite", NOW_MS) as journal:
        signer = keys.new_signer("ack")
        service = Service(
            journal, journal.begin_run(NOW_MS), wire, Trusted(gateway.ring), signer, clock, Intake(journal, 10_000)
        )
        service._book.ask([GatewayId("farm", f"gw-{number}") for number in range(600)])
        for room, published in ((1000, 256), (0, 256), (10, 266), (1000, 522), (1000, 600)):
            wire.free = room
            service.step()
            assert wire.published == published
    assert wire.waits_s == [0, 0.25, 0, 0, 0], "it is busy as long as one can go out"


def test_nonsense_however_much_fills_no_log_and_writes_no_lines_of_its_own(tmp_path, gateway, caplog):
    topics = ["x\nERROR all is lost", *(f"x{number}" for number in range(100)), "y" * 60_000]
    with Journal.open(tmp_path / "journal.sqlite", NOW_MS) as journal:
        signer, run = keys.new_signer("ack"), journal.begin_run(NOW_MS)
        intake = Intake(journal, 10_000)
        service = Service(journal, run, Wire(), Trusted(gateway.ring), signer, HandClock(), intake)
        service.commit([Message(topic, b"", 0, 1, 1) for topic in topics * 3])
    lines = [entry.getMessage() for entry in caplog.records]
    assert lines[0] == "refuse on 'x\\nERROR all is lost': unsigned, 3 times"
    assert len(lines) == 16
    assert max(len(line) for line in lines) < 300
