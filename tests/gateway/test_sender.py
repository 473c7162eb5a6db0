"""Sending and deleting, clause by clause of the protocol, on a shelf in memory; no clock, no disk, no broker."""

from dataclasses import dataclass, field

import pytest

from gateway.sender import (
    PATIENCE_MAX_S,
    PATIENCE_S,
    STALE_PAUSE_S,
    WINDOW,
    AckMark,
    Outgoing,
    Position,
    Refusal,
    Sender,
    Verdict,
    judge,
)
from metering.ack import Ack, StreamAck
from metering.ulid import new_ulid

STREAM_1, STREAM_2, UNKNOWN = (new_ulid(at) for at in (1000, 2000, 3000))
JOURNAL_A, JOURNAL_B, JOURNAL_C = (new_ulid(at) for at in (10, 20, 30))
RUN_1, RUN_2 = (new_ulid(at) for at in (100, 200))


def digest(stream: str, seq: int) -> str:
    return f"{'1' if stream == STREAM_1 else '2'}{seq:063x}"


@dataclass
class MemoryShelf:
    """Streams of so many records; `held_from` is the oldest copy."""

    lengths: dict[str, int]
    acked: dict[str, int] = field(default_factory=dict)
    held_from: dict[str, int] = field(default_factory=dict)
    known: AckMark | None = None

    def mark(self) -> AckMark | None:
        return self.known

    def next_unacked(self, after: Position | None) -> Outgoing | None:
        for stream in sorted(self.lengths):
            for seq in range(
                max(self.acked.get(stream, 0) + 1, self.held_from.get(stream, 1)), self.lengths[stream] + 1
            ):
                if after is None or Position(stream, seq) > after:
                    return Outgoing(Position(stream, seq), seq, b"")
        return None

    def acked_through(self, stream: str) -> int | None:
        return self.acked.get(stream, 0) if stream in self.lengths else None

    def digest_at(self, stream: str, through: int) -> str | None:
        known = self.held_from.get(stream, 1) - 1 <= through <= self.lengths.get(stream, 0)
        return digest(stream, through) if known and through else None

    def apply(self, verdict: Verdict) -> None:
        self.acked.update(verdict.let_go)
        self.acked.update(verdict.again)
        self.known = verdict.mark


def ack(
    n: int = 1, run: str = RUN_1, journal: str = JOURNAL_A, succeeds: str | None = None, **through: int | tuple
) -> Ack:
    """`s1=5` acknowledges stream 1 up to 5 with its true digest; `s1=(5, "f" * 64)` with another."""
    names = {"s1": STREAM_1, "s2": STREAM_2, "s3": UNKNOWN}
    streams = {}
    for name, value in through.items():
        seq, own = value if isinstance(value, tuple) else (value, digest(names[name], value))
        streams[names[name]] = StreamAck(through=seq, digest=own if seq else None)
    return Ack(
        site="site-1", gateway="gw-1", journal=journal, succeeds=succeeds, run=run, n=n, issued_ms=1, streams=streams,
        held=(), refused=0,
    )  # fmt: skip


def sender_over(shelf: MemoryShelf, now_s: float = 0.0) -> Sender:
    sender = Sender(shelf, lambda: 1.0)
    sender.on_connected(now_s)
    return sender


def sent(sender: Sender, now_s: float) -> list[tuple[str, int]]:
    names = {STREAM_1: "s1", STREAM_2: "s2"}
    return [(names[record.position.stream], record.position.seq) for record in sender.due(now_s)]


# --- what an ack means ----------------------------------------------------------------------------------------------

KNOWN = AckMark(JOURNAL_A, RUN_1, 5)

MEANINGS = {
    "the first ack is believed, whatever its journal": (None, {}, ack(s1=3), Verdict(let_go={STREAM_1: 3})),
    "an equal digest proves the prefix and lets it go": (KNOWN, {}, ack(6, s1=3), Verdict(let_go={STREAM_1: 3})),
    "the same ack again is older and changes nothing": (KNOWN, {}, ack(5, s1=3), Verdict(refusal=Refusal.OLDER)),
    "a lower n is older": (KNOWN, {}, ack(4, s1=3), Verdict(refusal=Refusal.OLDER)),
    "a newer run counts from 1 again": (KNOWN, {}, ack(1, run=RUN_2, s1=3), Verdict(let_go={STREAM_1: 3})),
    "a different digest deletes nothing and is a conflict": (
        KNOWN, {}, ack(6, s1=(3, "f" * 64)), Verdict(conflicts=(STREAM_1,)),
    ),
    "a conflict in one stream does not keep another": (
        KNOWN, {}, ack(6, s1=(3, "f" * 64), s2=2), Verdict(conflicts=(STREAM_1,), let_go={STREAM_2: 2}),
    ),
    "a digest beyond what this outbox holds deletes nothing, silently": (KNOWN, {}, ack(6, s1=11), Verdict()),
    "a stream this outbox never knew is ignored": (KNOWN, {}, ack(6, s3=3), Verdict()),
    "through 0 means nothing yet": (KNOWN, {}, ack(6, s1=0), Verdict()),
    "an unchanged through deletes nothing more": (KNOWN, {STREAM_1: 3}, ack(6, s1=3), Verdict()),
    "a lower through is a restored journal, which wants the rest again": (
        KNOWN, {STREAM_1: 8}, ack(6, s1=3), Verdict(again={STREAM_1: 3}),
    ),
    "a restored journal that has nothing wants all again": (
        KNOWN, {STREAM_1: 8}, ack(6, s1=0), Verdict(again={STREAM_1: 0}),
    ),
    "another journal that succeeds nothing deletes nothing": (
        KNOWN, {}, ack(1, RUN_2, JOURNAL_B, s1=3), Verdict(refusal=Refusal.UNKNOWN_JOURNAL),
    ),
    "another journal that succeeds a stranger deletes nothing": (
        KNOWN, {}, ack(1, RUN_2, JOURNAL_C, JOURNAL_B, s1=3), Verdict(refusal=Refusal.UNKNOWN_JOURNAL),
    ),
    "an adopted journal counts, even in an older run": (
        AckMark(JOURNAL_A, RUN_2, 5), {}, ack(1, RUN_1, JOURNAL_B, JOURNAL_A, s1=3), Verdict(let_go={STREAM_1: 3}),
    ),
    "an adopted journal that is empty wants all again": (
        KNOWN, {STREAM_1: 8}, ack(1, RUN_2, JOURNAL_B, JOURNAL_A, s1=0), Verdict(again={STREAM_1: 0}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANINGS)
def test_what_an_ack_means_follows_the_protocol(case):
    known, acked, given, expected = MEANINGS[case]
    verdict = judge(given, MemoryShelf({STREAM_1: 10, STREAM_2: 4}, acked, known=known))
    assert (verdict.refusal, dict(verdict.let_go), dict(verdict.again), verdict.conflicts) == (
        expected.refusal,
        dict(expected.let_go),
        dict(expected.again),
        expected.conflicts,
    )
    assert verdict.mark == (None if expected.refusal else AckMark(given.journal, given.run, given.n))


def test_a_digest_that_can_no_longer_be_compared_deletes_nothing_and_is_no_conflict():
    shelf = MemoryShelf({STREAM_1: 10}, {STREAM_1: 4}, held_from={STREAM_1: 8}, known=KNOWN)
    verdict = judge(ack(6, s1=(5, "f" * 64)), shelf)
    assert (dict(verdict.let_go), verdict.conflicts) == ({}, ())


# --- when which record goes -------------------------------------------------------------------------------------------


def test_nothing_is_sent_without_a_connection():
    assert Sender(MemoryShelf({STREAM_1: 2}), lambda: 1.0).due(0) == []


def test_records_go_in_order_older_streams_first():
    sender = sender_over(MemoryShelf({STREAM_2: 2, STREAM_1: 2}))
    assert sent(sender, 0) == [("s1", 1), ("s1", 2), ("s2", 1), ("s2", 2)]


def test_no_more_than_32_records_are_in_flight_and_an_ack_makes_room():
    sender = sender_over(MemoryShelf({STREAM_1: 100}))
    assert sent(sender, 0) == [("s1", seq) for seq in range(1, WINDOW + 1)]
    assert sent(sender, 1) == []
    sender.on_ack(ack(s1=2), 1)
    assert sent(sender, 1) == [("s1", 33), ("s1", 34)]
    assert sender.in_flight == WINDOW


def test_a_new_record_goes_at_once_and_those_in_flight_are_not_repeated():
    shelf = MemoryShelf({STREAM_1: 1})
    sender = sender_over(shelf)
    assert sent(sender, 0) == [("s1", 1)]
    shelf.lengths[STREAM_1] = 2
    assert sent(sender, 0.1) == [("s1", 2)]


def test_after_10_s_without_progress_it_sends_again_behind_the_ack_and_waits_twice_as_long_each_time():
    sender = sender_over(MemoryShelf({STREAM_1: 3}))
    sent(sender, 0)
    sender.on_ack(ack(s1=1), 0)
    now_s, waits = 0.0, []
    for _ in range(7):
        wait_s = sender.wake_in_s(now_s)
        assert sent(sender, now_s + wait_s - 0.001) == []
        now_s += wait_s
        assert sent(sender, now_s) == [("s1", 2), ("s1", 3)]
        waits.append(wait_s)
    assert waits == [PATIENCE_S, 20, 40, 80, 160, PATIENCE_MAX_S, PATIENCE_MAX_S]


def test_progress_makes_the_wait_short_again():
    sender = sender_over(MemoryShelf({STREAM_1: 3}))
    sent(sender, 0)
    sent(sender, PATIENCE_S)
    assert sender.wake_in_s(PATIENCE_S) == 2 * PATIENCE_S
    sender.on_ack(ack(s1=1), 11)
    assert sender.wake_in_s(11) == PATIENCE_S


def test_a_wait_with_nothing_in_flight_is_no_wait_without_progress():
    shelf = MemoryShelf({STREAM_1: 1})
    sender = sender_over(shelf)
    sent(sender, 0)
    sender.on_ack(ack(s1=1), 1)
    assert sent(sender, 1000) == []
    shelf.lengths[STREAM_1] = 2
    assert sent(sender, 1001) == [("s1", 2)]
    assert sender.wake_in_s(1001) == PATIENCE_S


@pytest.mark.parametrize(
    "news",
    [
        lambda sender, now_s: sender.on_connected(now_s),
        lambda sender, now_s: sender.on_ingest_online(now_s),
        lambda sender, now_s: sender.on_ack(ack(6, s1=1), now_s),
    ],
    ids=["a new connection", "ingest comes online", "a restored journal"],
)
def test_news_of_ingest_makes_the_wait_short_again_and_sends_everything_anew(news):
    sender = sender_over(MemoryShelf({STREAM_1: 4}, {STREAM_1: 2}, known=KNOWN))
    sent(sender, 0)
    sent(sender, PATIENCE_S)
    news(sender, 11)
    assert ("s1", 4) in sent(sender, 11)
    assert sender.wake_in_s(11) == PATIENCE_S


def test_waits_are_spread_so_that_a_fleet_does_not_send_in_step():
    draws = iter((0.9, 1.1))
    sender = Sender(MemoryShelf({STREAM_1: 1}), lambda: next(draws))
    sender.on_connected(0)
    sender.due(0)
    assert sender.wake_in_s(0) == pytest.approx(1.1 * PATIENCE_S)


def test_it_never_wakes_when_nothing_is_in_flight():
    sender = sender_over(MemoryShelf({STREAM_1: 1}))
    sent(sender, 0)
    sender.on_ack(ack(s1=1), 1)
    assert sender.wake_in_s(1) is None
    assert sent(sender, 1000) == []


def test_every_reconnect_sends_again_what_is_not_acknowledged():
    sender = sender_over(MemoryShelf({STREAM_1: 2}))
    sent(sender, 0)
    sender.on_disconnected()
    assert (sent(sender, 1), sender.wake_in_s(1)) == ([], None)
    sender.on_connected(2)
    assert sent(sender, 2) == [("s1", 1), ("s1", 2)]


def test_when_ingest_comes_online_it_sends_again_at_once():
    sender = sender_over(MemoryShelf({STREAM_1: 2}))
    sent(sender, 0)
    sender.on_ingest_online(1)
    assert sent(sender, 1) == [("s1", 1), ("s1", 2)]
    assert sender.in_flight == 2


def test_an_ack_of_one_stream_leaves_the_records_of_another_in_flight():
    sender = sender_over(MemoryShelf({STREAM_1: 1, STREAM_2: 1}))
    sent(sender, 0)
    sender.on_ack(ack(s2=1), 1)
    assert sender.in_flight == 1
    assert sent(sender, 1 + PATIENCE_S) == [("s1", 1)]


def test_an_ack_that_stays_behind_makes_it_go_back_but_not_with_every_repeated_ack():
    sender = sender_over(MemoryShelf({STREAM_1: 3}))
    sent(sender, 0)
    sender.on_ack(ack(1, s1=0), STALE_PAUSE_S)
    assert sent(sender, STALE_PAUSE_S) == [("s1", 1), ("s1", 2), ("s1", 3)]
    sender.on_ack(ack(2, s1=0), STALE_PAUSE_S + 0.25)
    assert sent(sender, STALE_PAUSE_S + 0.25) == []


def test_an_ack_that_is_silent_about_the_stream_in_flight_does_not_make_it_go_back():
    sender = sender_over(MemoryShelf({STREAM_1: 1, STREAM_2: 1}))
    sent(sender, 0)
    sender.on_ack(ack(1, s2=0), STALE_PAUSE_S)
    assert sent(sender, STALE_PAUSE_S) == []


def test_an_ack_behind_nothing_in_flight_is_no_reason_to_go_back():
    shelf = MemoryShelf({STREAM_1: 1})
    sender = sender_over(shelf)
    sent(sender, 0)
    sender.on_ack(ack(1, s1=1), 1)
    sender.on_ack(ack(2, s1=1), 5)
    shelf.lengths[STREAM_1] = 2
    assert sent(sender, 5) == [("s1", 2)]
    sender.on_ack(ack(3, s1=1), 5.5)
    assert sent(sender, 5.5) == [("s1", 2)]


def test_a_restored_journal_gets_everything_behind_its_head_again():
    sender = sender_over(MemoryShelf({STREAM_1: 5}, {STREAM_1: 4}, known=KNOWN))
    assert sent(sender, 0) == [("s1", 5)]
    sender.on_ack(ack(6, s1=2), 1)
    assert sent(sender, 1) == [("s1", 3), ("s1", 4), ("s1", 5)]


def test_an_older_ack_neither_deletes_nor_sends():
    sender = sender_over(MemoryShelf({STREAM_1: 2}, known=KNOWN))
    sent(sender, 0)
    assert sender.on_ack(ack(4, s1=0), 5).refusal is Refusal.OLDER
    assert sent(sender, 5) == []


@pytest.mark.parametrize("again", [Sender.on_connected, Sender.on_ingest_online])
@pytest.mark.parametrize(
    "theirs", [50, (40, "f" * 64)], ids=["it holds more than this outbox", "it holds other records"]
)
def test_a_stream_that_can_get_no_ack_keeps_no_stream_behind_it_and_is_tried_at_the_next_connection(theirs, again):
    """A box restored from an image, or cloned while it ran: what it holds of the old stream never counts."""
    shelf = MemoryShelf({STREAM_1: 40, STREAM_2: 2})
    sender = sender_over(shelf)
    assert {name for name, _ in sent(sender, 0)} == {"s1"}
    sender.on_ack(ack(1, s1=theirs), 1)
    assert sent(sender, 1) == [("s2", 1), ("s2", 2)]
    assert shelf.acked == {}
    again(sender, 2)
    assert sent(sender, 2)[0] == ("s1", 1)


def test_a_stream_that_can_get_an_ack_again_is_sent_again():
    sender = sender_over(MemoryShelf({STREAM_1: 40, STREAM_2: 1}))
    sent(sender, 0)
    sender.on_ack(ack(1, s1=50), 1)
    assert sent(sender, 1) == [("s2", 1)]
    sender.on_ack(ack(2, s1=38), 2)
    assert sent(sender, 2 + PATIENCE_S) == [("s1", 39), ("s1", 40), ("s2", 1)]


def test_what_ingest_lacks_behind_a_number_that_cannot_be_compared_is_still_sent():
    shelf = MemoryShelf({STREAM_1: 10}, {STREAM_1: 4}, held_from={STREAM_1: 8})
    sender = sender_over(shelf)
    sender.on_ack(ack(1, s1=(6, "f" * 64)), 1)
    assert sent(sender, 1) == [("s1", 8), ("s1", 9), ("s1", 10)]
