"""Crash table, the clones' rows: one identity in two boxes is an incident, and no reading is lost over it."""

import json

import pytest
from faultkit.proxy import Way
from faultkit.verdict import assert_nothing_is_lost

from metering import record

pytestmark = pytest.mark.fault


def test_two_boxes_that_begin_with_one_card_name_one_predecessor_and_are_both_journalled(rig):
    rig.start()
    rig.read_on(2)
    rig.finish()
    second = rig.clone(rig.box, "second")
    rig.revive(rig.box)
    rig.read_on(2)
    rig.finish()
    rig.revive(second)
    rig.read_on(2, second)
    rig.finish(second)
    assert_nothing_is_lost(rig, incidents={"same-predecessor"})
    predecessor, *others = rig.journal.streams()
    assert len(others) == 2
    assert {rig.journal.parsed(stream)[0].after.stream for stream in others} == {predecessor}


def test_a_card_rolled_back_names_a_record_that_its_stream_went_beyond_and_is_journalled(rig):
    rig.start()
    rig.read_on(2)
    older = rig.clone(rig.box, "older")
    rig.read_on(3)
    rig.finish()
    rig.revive(older)
    rig.read_on(2, older)
    rig.finish(older)
    assert_nothing_is_lost(rig, incidents={"beyond-successor"})
    first, second = rig.journal.streams()
    named = rig.journal.parsed(second)[0].after
    assert (named.stream, named.seq) == (first, older.book.last_seq(first))
    assert named.seq < rig.box.book.last_seq(first)


def test_the_clone_of_a_running_image_forks_and_lets_nothing_go_while_the_first_goes_on(rig):
    rig.start()
    rig.read_on(2)
    image = rig.clone(rig.box, "image")
    before = image.book.records()
    rig.read_on(2)
    rig.settle()
    # One at a time: the embedded broker does not tell whose session was taken over.
    rig.box.proxy.cut(for_good=True)
    image.part.choose("image_clone.py")
    rig.revive(image)
    rig.wait_until(lambda: "ingest holds other records" in _faults(image).get("identity-conflict", ""), 30)
    _end(rig, image)
    rig.box.proxy.heal()
    rig.finish()
    _assert_forked(rig, image, before)


@pytest.mark.real
@pytest.mark.parametrize("rig_broker", ["mosquitto"], indirect=True)
def test_two_images_that_run_at_once_fork_while_they_take_each_others_session(rig):
    rig.start()
    rig.read_on(2)
    image = rig.clone(rig.box, "image")
    before = image.book.records()
    rig.read_on(2)
    rig.settle()
    image.part.choose("image_clone.py")
    rig.revive(image)
    # mosquitto 2.0.11 closes the older connection without saying why (no 0x8E), so no more than this can be asked.
    rig.wait_until(lambda: rig.journal.incidents()["fork"], 60)
    _end(rig, image)
    rig.finish()
    _assert_forked(rig, image, before)


def _end(rig, image):
    image.part.end()
    image.ended_ms = rig.clock.now_ms()


def _assert_forked(rig, image, before):
    records = image.book.records()
    assert records[: len(before)] == before
    own = records[len(before) :]
    assert own
    assert not any(copy.acked for copy in own)
    forks = rig.journal.forks()
    assert forks
    assert {data for _, _, data in forks} <= {copy.data for copy in own}
    forked = [record.parse(copy.data) for copy in own]
    assert_nothing_is_lost(rig, incidents={"fork"}, boxes=[rig.box], aside=forked)


def _faults(box):
    said = box.proxy.passages(Way.UP, "/status")
    return json.loads(said[-1].payload).get("faults", {}) if said else {}
