"""Crash table, the agent's rows: it is killed at a named point, and started again."""

import pytest
from faultkit.proxy import Way
from faultkit.rig import INTERVAL_MS
from faultkit.verdict import assert_nothing_is_lost

from metering import record

pytestmark = pytest.mark.fault


def test_an_agent_killed_before_it_commits_a_slot_says_so_in_a_gap_agent_down(rig):
    rig.box.part.choose("killable.py", "gateway.outbox:Outbox.commit", "before", "12")
    rig.start()
    rig.await_death(rig.box.part)
    accounted_ms = rig.box.book.accounted_ms()
    rig.let_pass(2)
    rig.revive(rig.box)
    rig.read_on(3)
    rig.finish()
    assert_nothing_is_lost(rig)
    gaps = [gap for gap in rig.journal.gaps() if gap.reason == "agent-down"]
    assert {gap.group: gap.from_ms for gap in gaps} == {
        group: slot_ms + INTERVAL_MS for group, slot_ms in accounted_ms.items()
    }
    assert {gap.stream for gap in gaps} == {rig.box.book.streams()[1]}


def test_a_slot_committed_and_not_sealed_goes_into_the_next_stream_under_the_birth_it_was_read_with(rig):
    rig.box.configure(seal_after_s=60.0)
    rig.box.part.choose("killable.py", "gateway.outbox:Outbox.commit", "after", "12")
    rig.start()
    rig.await_death(rig.box.part)
    left = rig.box.book.pending_slots()
    assert left
    first, *others = rig.box.settings["device"]
    exchanged = first | {"meter": first["meter"] | {"model": "EXCHANGED"}}
    rig.box.configure(seal_after_s=0.5, device=[exchanged, *others])
    rig.revive(rig.box)
    rig.read_on(3)
    rig.finish()
    evidence = assert_nothing_is_lost(rig)
    old, readings, new = rig.journal.parsed(rig.box.book.streams()[1])[:3]
    assert [old.kind, readings.kind, new.kind] == ["birth", "readings", "birth"]
    assert {(group.group, slot) for group in readings.groups for slot in group.slots} == left
    assert [birth.groups[0].meter.model for birth in (old, new)] == [first["meter"]["model"], "EXCHANGED"]
    assert old.after == record.RecordRef(stream=rig.box.book.streams()[0], seq=1, digest=old.after.digest)
    models = [interval.meter.model for interval in evidence.meters(first["name"])]
    assert models == [first["meter"]["model"], "EXCHANGED"]


def test_a_record_sealed_and_not_published_is_sent_after_the_next_start(rig):
    rig.box.part.choose("killable.py", "gateway.uplink:Uplink._send", "before", "6")
    rig.start()
    rig.await_death(rig.box.part)
    unsent = [copy for copy in rig.box.book.records() if not rig.box.proxy.arrivals(Way.UP, copy.digest)]
    assert unsent
    assert not any(copy.acked or rig.journal.holds(copy) for copy in unsent)
    rig.revive(rig.box)
    rig.read_on(3)
    rig.finish()
    assert_nothing_is_lost(rig)
    assert all(rig.journal.holds(copy) for copy in unsent)


def test_an_agent_killed_before_it_lets_acknowledged_records_go_is_acknowledged_again(rig):
    rig.box.part.choose("killable.py", "gateway.shelf:SqliteShelf.apply", "before", "4")
    rig.start()
    rig.await_death(rig.box.part)
    forgotten = [copy for copy in rig.box.book.records() if not copy.acked and rig.journal.holds(copy)]
    assert forgotten
    rig.revive(rig.box)
    rig.read_on(3)
    rig.finish()
    assert_nothing_is_lost(rig)
    assert all(copy.acked for copy in rig.box.book.records())
