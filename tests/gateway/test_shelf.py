"""The sending side of the outbox: what stays until it is acknowledged, what is kept after that, and horizons."""

import pytest

from gateway.sender import Sender, judge
from metering.ack import Ack, StreamAck
from metering.record import parse
from metering.ulid import new_ulid

START_MS = 1_766_505_600_000
STEP_MS = 60_000
DAY_MS = 86_400_000
JOURNAL, OTHER_JOURNAL, RUN = new_ulid(1), new_ulid(2), new_ulid(9)


@pytest.fixture
def outbox(new_outbox, birth, slot):
    """One stream: a birth and nine records of one slot."""
    with new_outbox() as opened:
        opened.begin_stream(birth(), START_MS)
        for number in range(9):
            opened.commit([slot(number)])
            opened.seal()
        yield opened


def stream_of(outbox) -> str:
    return outbox.state().stream


def acknowledge(
    outbox, n: int, through: int, stream: str | None = None, journal: str = JOURNAL, succeeds: str | None = None
):
    stream = stream or stream_of(outbox)
    digest = outbox.shelf.digest_at(stream, through) or "e" * 64
    streams = {stream: StreamAck(through=through, digest=digest if through else None)}
    verdict = judge(
        Ack(site="site-1", gateway="gw-1", journal=journal, succeeds=succeeds, run=RUN, n=n, issued_ms=1,
            streams=streams, held=(), refused=0),
        outbox.shelf,
    )  # fmt: skip
    if verdict.mark:
        outbox.shelf.apply(verdict)
    return verdict


def to_send(outbox) -> list[int]:
    sender = Sender(outbox.shelf, lambda: 1.0)
    sender.on_connected(0)
    return [record.position.seq for record in sender.due(0)]


def seqs(outbox) -> list[int]:
    return [seq for (seq,) in outbox._store.db.execute("SELECT seq FROM record ORDER BY stream, seq")]


def test_an_ack_is_flushed_with_the_readings_that_follow_and_not_by_itself(outbox, slot):
    statements: list[str] = []
    outbox._store.db.set_trace_callback(statements.append)
    acknowledge(outbox, 1, 4)
    assert [said for said in statements if "synchronous" in said] == ["PRAGMA synchronous = NORMAL"]
    statements.clear()
    outbox.commit([slot(9)])
    assert statements[:2] == ["PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"]


def test_an_acknowledged_record_is_not_sent_again_but_stays_as_a_copy(outbox):
    acknowledge(outbox, 1, 4)
    assert to_send(outbox) == [5, 6, 7, 8, 9, 10]
    assert seqs(outbox) == list(range(1, 11))


def test_what_was_acknowledged_and_which_ack_said_so_survive_a_restart(outbox, new_outbox, birth):
    first = stream_of(outbox)
    acknowledge(outbox, 7, 4)
    outbox.__exit__(None, None, None)
    with new_outbox() as again:
        again.begin_stream(birth(), START_MS + 9 * STEP_MS)
        assert again.shelf.mark().n == 7
        assert again.shelf.acked_through(first) == 4
        assert to_send(again) == [5, 6, 7, 8, 9, 10, 1]


def test_exact_bytes_are_sent_as_often_as_needed(outbox):
    first = [outbox.shelf.next_unacked(None).data for _ in range(2)]
    assert first[0] == first[1]
    assert parse(first[0]).kind == "birth"


def test_copies_go_after_keep_days_oldest_first_and_never_before_they_are_acknowledged(outbox, clock):
    acknowledge(outbox, 1, 4)
    assert outbox.shelf.prune_older_than(35, clock.now_ms() + 34 * DAY_MS) == 0
    assert outbox.shelf.prune_older_than(35, clock.now_ms() + 36 * DAY_MS) == 3
    assert seqs(outbox) == [1, 5, 6, 7, 8, 9, 10]


def test_the_birth_that_governs_what_is_left_stays_as_long_as_the_stream_goes_on(outbox, new_outbox, birth, clock):
    first = stream_of(outbox)
    acknowledge(outbox, 1, 10)
    assert outbox.release_copies() == 9
    assert seqs(outbox) == [1]
    outbox.__exit__(None, None, None)
    with new_outbox() as again:
        again.begin_stream(birth(), START_MS + 9 * STEP_MS)
        again.release_copies()
        assert again.shelf.next_unacked(None).position.stream > first
        assert again.shelf.digest_at(first, 1) is None


def test_the_digest_before_the_oldest_copy_and_at_the_end_can_still_be_compared_those_below_cannot(outbox):
    digests = {at: outbox.shelf.digest_at(stream_of(outbox), at) for at in range(1, 11)}
    acknowledge(outbox, 1, 10)
    outbox.release_copies()
    assert seqs(outbox) == [1]
    assert outbox.shelf.digest_at(stream_of(outbox), 10) == digests[10]
    assert outbox.shelf.digest_at(stream_of(outbox), 9) is None
    assert outbox.shelf.digest_at(stream_of(outbox), 11) is None


def test_a_journal_restored_from_a_backup_is_filled_again_from_copies(outbox):
    acknowledge(outbox, 1, 10)
    assert to_send(outbox) == []
    acknowledge(outbox, 2, 3)
    assert to_send(outbox) == [4, 5, 6, 7, 8, 9, 10]
    acknowledge(outbox, 3, 10)
    assert to_send(outbox) == []


def test_a_journal_older_than_the_copies_gets_a_horizon_first_then_the_copies(outbox):
    acknowledge(outbox, 1, 4)
    outbox.release_copies()
    before = outbox.shelf.digest_at(stream_of(outbox), 4)
    acknowledge(outbox, 2, 10)
    acknowledge(outbox, 3, 2)
    assert to_send(outbox) == [0, 5, 6, 7, 8, 9, 10]
    horizon = parse(outbox.shelf.next_unacked(None).data)
    assert (horizon.kind, horizon.seq, horizon.prev) == ("horizon", 0, None)
    assert (horizon.stream, horizon.oldest_seq, horizon.digest_before) == (stream_of(outbox), 5, before)


def test_a_journal_that_lost_the_birth_gets_it_between_the_horizon_and_the_copies(outbox):
    acknowledge(outbox, 1, 4)
    outbox.release_copies()
    acknowledge(outbox, 2, 10)
    acknowledge(outbox, 3, 0)
    assert to_send(outbox) == [0, 1, 5, 6, 7, 8, 9, 10]


def test_a_horizon_is_repeated_until_the_journal_has_moved_past_the_hole(outbox):
    acknowledge(outbox, 1, 10)
    outbox.release_copies()
    acknowledge(outbox, 2, 0)
    assert to_send(outbox) == [0, 1]
    acknowledge(outbox, 3, 0)
    assert to_send(outbox) == [0, 1]
    acknowledge(outbox, 4, 10)
    assert to_send(outbox) == []


def test_when_nothing_is_held_the_horizon_names_the_end_of_the_stream(outbox):
    end = outbox.shelf.digest_at(stream_of(outbox), 10)
    acknowledge(outbox, 1, 10)
    outbox.release_copies()
    acknowledge(outbox, 2, 3)
    horizon = parse(outbox.shelf.next_unacked(None).data)
    assert (horizon.oldest_seq, horizon.digest_before) == (11, end)


def test_a_new_journal_deletes_nothing_until_it_was_adopted_and_then_gets_everything(outbox):
    acknowledge(outbox, 1, 10)
    assert acknowledge(outbox, 1, 0, journal=OTHER_JOURNAL).mark is None
    assert to_send(outbox) == []
    acknowledge(outbox, 1, 0, journal=OTHER_JOURNAL, succeeds=JOURNAL)
    assert to_send(outbox) == list(range(1, 11))
    assert outbox.shelf.mark().journal == OTHER_JOURNAL


def test_a_verdict_is_applied_whole_or_not_at_all(outbox):
    verdict = judge(
        Ack(site="site-1", gateway="gw-1", journal=JOURNAL, succeeds=None, run=RUN, n=1, issued_ms=1,
            streams={stream_of(outbox): StreamAck(through=4, digest=outbox.shelf.digest_at(stream_of(outbox), 4))},
            held=(), refused=0),
        outbox.shelf,
    )  # fmt: skip
    outbox._store.db.execute("CREATE TRIGGER no_mark BEFORE INSERT ON mark BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(Exception, match="no"):
        outbox.shelf.apply(verdict)
    assert (outbox.shelf.acked_through(stream_of(outbox)), outbox.shelf.mark()) == (0, None)
    assert len(to_send(outbox)) == 10
