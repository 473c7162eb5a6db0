"""Crash table, ingest's rows: it is killed at a named point between the broker and the ack, and started again."""

import pytest
from faultkit.proxy import Way
from faultkit.verdict import assert_nothing_is_lost

pytestmark = pytest.mark.fault


def test_records_taken_and_not_committed_are_sent_again(rig):
    rig.ingest.choose("killable.py", "ingest.store.journal:Journal.append", "after", "8")
    rig.start()
    rig.await_death(rig.ingest)
    kept = {row.digest for row in rig.journal.rows()}
    taken = {each.digest for each in rig.ingest_proxy.passages(Way.DOWN, "/log")}
    assert len(kept) < 8
    assert taken - kept
    rig.ingest.bring_up()
    rig.read_on(2)
    rig.finish()
    assert_nothing_is_lost(rig)
    assert all(rig.ingest_proxy.arrivals(Way.DOWN, digest) >= 2 for digest in taken - kept)


def test_records_committed_and_not_acknowledged_are_sent_again_ignored_and_acknowledged(rig):
    rig.ingest.choose("killable.py", "ingest.service:Service.commit", "after", "4")
    rig.start()
    rig.await_death(rig.ingest)
    kept = rig.journal.rows()
    unheard = [row for row in kept if row.seq > rig.box.book.acked()[row.stream]]
    assert unheard
    rig.ingest.bring_up()
    rig.read_on(2)
    rig.finish()
    assert_nothing_is_lost(rig)
    assert rig.journal.rows()[: len(kept)] == kept
    assert all(rig.ingest_proxy.arrivals(Way.DOWN, row.digest) >= 2 for row in unheard)
    assert all(rig.journal.times(row.stream, row.seq) == 1 for row in unheard)


@pytest.mark.parametrize("rig_broker", ["embedded", pytest.param("mosquitto", marks=pytest.mark.real)], indirect=True)
def test_records_acknowledged_before_their_puback_are_redelivered_and_ignored(rig):
    rig.start()
    rig.read_on(2)
    rig.ingest_proxy.lose_confirmations(Way.UP)
    before = len(rig.ingest_proxy.passages(Way.DOWN, "/log"))
    rig.wait_until(lambda: len(_acknowledged(rig, before)) >= 2)
    rig.ingest.kill()
    answered = _acknowledged(rig, before)
    rig.ingest_proxy.heal()
    rig.ingest.bring_up()
    rig.read_on(2)
    rig.finish()
    assert_nothing_is_lost(rig)
    assert all(rig.ingest_proxy.arrivals(Way.DOWN, row.digest) >= 2 for row in answered)
    assert all(rig.box.proxy.arrivals(Way.UP, row.digest) == 1 for row in answered)


def _acknowledged(rig, before):
    """Records that came to ingest after so many others, and that the box knows to be journalled."""
    came = {each.digest for each in rig.ingest_proxy.passages(Way.DOWN, "/log")[before:]}
    acked = rig.box.book.acked()
    return [row for row in rig.journal.rows() if row.digest in came and row.seq <= acked[row.stream]]
