"""Which records speak of a reading: all of them, by stream and number, and none that does not count."""

import pytest
from computekit.records import Shown, records_of
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from compute.explain.records import Telling, tellings
from metering import note, record
from metering.quality import Quality

POINT, EXPORT = "bus", "energy_export_total_wh"
SIGNER = note.Signer("site/gw", Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
FIRST, SECOND = "01JZZZZZZZZZZZZZZZZZZZZZZA", "01JZZZZZZZZZZZZZZZZZZZZZZB"
SLOTS = (900_000, 1_800_000, 2_700_000)


def asked(slot_ms):
    return (POINT, EXPORT, slot_ms)


def stream_of(name, values, **more):
    return records_of([Shown(POINT, EXPORT, dict(zip(SLOTS, values, strict=True)))], stream=name, **more)


def again(data, **changes):
    return record.build(record.parse(data).model_copy(update=changes), SIGNER)


def as_gap(data, **more):
    last = record.parse(data)
    common = {name: getattr(last, name) for name in ("site", "gateway", "stream", "clock", "mono_ms")}
    return {
        **common,
        "seq": last.seq + 1,
        "prev": record.digest_of(data),
        "from_ms": SLOTS[0],
        "to_ms": SLOTS[2],
        **more,
    }


def test_a_reading_is_found_in_its_record_with_place_and_digest():
    birth, first, second = stream_of(FIRST, (5, None, 7), slots_a_record=2)
    found = tellings([second, first, birth], {asked(SLOTS[1]), asked(SLOTS[2])})
    assert found == {
        asked(SLOTS[1]): (Telling("site/gw", FIRST, 2, record.digest_of(first), "readings", None, Quality.NO_ANSWER),),
        asked(SLOTS[2]): (Telling("site/gw", FIRST, 3, record.digest_of(second), "readings", 7, Quality.OK),),
    }


def test_every_record_that_repeats_or_contradicts_a_reading_is_told_in_order():
    records = [*stream_of(SECOND, (6, 6, 7)), *stream_of(FIRST, (5, 6, 7))]
    told = tellings(records, {asked(SLOTS[0])})[asked(SLOTS[0])]
    assert [(one.stream, one.seq, one.value) for one in told] == [(FIRST, 2, 5), (SECOND, 2, 6)]


def test_records_without_a_live_birth_before_them_say_nothing():
    birth, readings = stream_of(FIRST, (5, 6, 7))
    assert tellings([readings], {asked(SLOTS[0])}) == {}
    assert tellings([again(birth, mode="test"), readings], {asked(SLOTS[0])}) == {}


def test_readings_that_do_not_fit_their_birth_say_nothing():
    birth, readings = stream_of(FIRST, (5, 6, 7))
    one = record.parse(readings).groups[0].model_copy(update={"group": "elsewhere"})
    assert tellings([birth, again(readings, groups=(one,))], {asked(SLOTS[0])}) == {}


@pytest.mark.parametrize("group", [None, "device-0/all"])
def test_a_gap_record_says_why_a_slot_has_no_reading(group):
    birth, readings = stream_of(FIRST, (5, 6, 7))
    gap = record.build(record.Gap(**as_gap(readings, group=group, reason="agent-down")), SIGNER)
    found = tellings([birth, gap], {asked(slot) for slot in SLOTS} | {("roof", EXPORT, SLOTS[0])})
    assert set(found) == {asked(SLOTS[0]), asked(SLOTS[1])}  # half-open, and of this point only
    (told,) = found[asked(SLOTS[0])]
    assert (told.kind, told.value, told.quality) == ("gap", None, Quality.AGENT_DOWN)


def test_a_gap_of_another_group_says_nothing():
    birth, readings = stream_of(FIRST, (5, 6, 7))
    gap = record.build(record.Gap(**as_gap(readings, group="device-9/all", reason="agent-down")), SIGNER)
    assert tellings([birth, gap], {asked(SLOTS[0])}) == {}


def test_a_thinned_record_tells_the_reading_that_it_kept_and_the_absence_of_others():
    birth, readings = stream_of(FIRST, (5, 6, 7))
    part = record.parse(readings).groups[0]
    kept = part.model_copy(
        update={"slots": part.slots[:1], "sent": part.sent[:1], "received": part.received[:1], "raw": part.raw[:1]}
        | {"values": ((5,),), "quality": ()}
    )
    fields = as_gap(birth, kind="thinned", through=4, replaces="0" * 64, reason="outbox full", groups=(kept,))
    thinned = record.build(record.Dropped(**fields), SIGNER)
    found = tellings([birth, thinned], {asked(SLOTS[0]), asked(SLOTS[1])})
    assert [(one.value, one.quality) for one in found[asked(SLOTS[0])]] == [(5, Quality.OK)]
    assert [(one.value, one.quality) for one in found[asked(SLOTS[1])]] == [(None, Quality.THINNED)]
