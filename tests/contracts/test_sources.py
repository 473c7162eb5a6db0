"""What every source of readings does, whether it reads records or Parquet: one suite, run over each of them.

Slot 800 of the made-up gateways is 2026-01-01T00:00Z, slot 3776 is 2026-02-01, slot 6464 is 2026-03-01.
"""

import hashlib
import json
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ingest.store.readings import collect
from ingest.store.sources import cut
from metering import decode, keys, record
from metering.quality import Quality
from tests.contracts.conftest import PLACES, SCALED_MAP
from tests.ingest.conftest import MAP, SLOT_MS, START_MS, FakeGateway

ENERGY = ("ac", "energy_export_total_wh")
NEW_YEAR, FEBRUARY, MARCH = 800, 3776, 6464


def at(slot):
    return START_MS + slot * SLOT_MS


def codes(series):
    return [Quality(code).label for code in series.quality]


def asked(site, place, first, end):
    return site.source(place).evidence("demo", at(first), at(end))


def follow(gateway):
    """Begin a stream that names the last record of the one before."""
    after = gateway.ref()
    gateway.new_stream()
    return gateway.birth(after=after)


def seal_next(gateway, body):
    """Sign a record of another gateway as this one's next."""
    common = gateway.common()
    return gateway.seal(body.model_copy(update={key: common[key] for key in ("stream", "seq", "prev")}))


# --- what is asked for comes, and nothing else -----------------------------------------------------------------------


def test_the_slots_of_the_interval_come_and_no_others(new_site, gateway, place):
    gateway.birth()
    gateway.readings(*range(790, 810))
    site = new_site(gateway)
    site.keep()
    series = asked(site, place, 795, 805).series(*ENERGY)
    assert series.time_ms.tolist() == [at(slot) for slot in range(795, 805)]
    assert series.value.tolist() == [(1000 + 10 * slot) * 1000 for slot in range(795, 805)]
    assert series.received_ms.tolist() == [at(slot) + 40 for slot in range(795, 805)]
    assert series.sent_ms.tolist() == [at(slot) + 5 for slot in range(795, 805)]
    assert series.synced.all()


def test_a_series_begins_and_ends_with_a_slot_that_something_speaks_of(new_site, gateway, place):
    gateway.birth()
    gateway.readings(1)
    gateway.readings(9)
    gateway.gap(14, 15)
    site = new_site(gateway)
    site.keep()
    series = asked(site, place, 3, 20).series(*ENERGY)
    assert series.time_ms.tolist() == [at(slot) for slot in range(9, 15)]
    assert codes(series) == ["ok", *["unexplained"] * 4, "agent-down"]


def test_a_measurand_without_a_slot_in_the_interval_is_not_there(new_site, gateway, place):
    gateway.birth()
    gateway.readings(1)
    gateway.readings(30)
    site = new_site(gateway)
    site.keep()
    assert asked(site, place, 2, 30).keys() == ()
    assert len(asked(site, place, 2, 30).series(*ENERGY)) == 0


def test_another_project_of_the_same_journal_stays_away(new_site, gateway, place):
    other = FakeGateway(gateway="gw-2", project="other", signer=keys.new_signer("farm/gw-2"))
    for one, energy in ((gateway, 1), (other, 2)):
        one.birth()
        one.readings(1, energy=[energy])
    site = new_site(gateway, other)
    site.keep()
    assert asked(site, place, 0, 9).series(*ENERGY).value.tolist() == [1000]
    assert site.source(place).evidence("other", at(0), at(9)).series(*ENERGY).value.tolist() == [2000]


# --- qualities, meters and clocks survive ----------------------------------------------------------------------------


def test_a_hole_over_months_without_a_record_is_named_slot_by_slot(new_site, gateway, place):
    gateway.birth()
    gateway.readings(NEW_YEAR - 1)
    gateway.readings(MARCH + 1)
    site = new_site(gateway)
    site.keep()
    series = asked(site, place, 0, MARCH + 9).series(*ENERGY)
    assert len(series) == MARCH + 3 - NEW_YEAR
    assert codes(series) == ["ok", *["unexplained"] * (MARCH + 1 - NEW_YEAR), "ok"]
    assert series.sent_ms.tolist()[1:-1] == series.time_ms.tolist()[1:-1]


def test_a_hole_of_many_slots_is_named_by_its_ends(new_site, gateway, place):
    gateway.birth(interval_ms=1)
    gateway.readings(1)
    gateway.readings(5000)
    site = new_site(gateway)
    site.keep()
    series = asked(site, place, 0, 6000).series(*ENERGY)
    assert series.time_ms.tolist() == [at(1), at(1) + 1, at(5000) - 1, at(5000)]


@pytest.mark.parametrize("code", [code for code in Quality if code not in {Quality.OK, Quality.LATE_READ}])
def test_every_quality_without_a_value_survives(new_site, gateway, place, code):
    gateway.birth()
    gateway.readings(1, 2, 3, energy=[1, None, 3], quality=int(code))
    site = new_site(gateway)
    site.keep()
    assert codes(asked(site, place, 0, 9).series(*ENERGY)) == ["ok", code.label, "ok"]


def test_a_late_reading_keeps_its_value_and_its_quality(new_site, gateway, place):
    gateway.birth()
    plain = record.parse(FakeGateway(signer=gateway.signer).readings(1, 2))
    marks = tuple((point, slot, int(Quality.LATE_READ)) for point in (0, 1) for slot in (0, 1))
    group = plain.groups[0].model_copy(update={"quality": marks})
    seal_next(gateway, plain.model_copy(update={"groups": (group,)}))
    site = new_site(gateway)
    site.keep()
    series = asked(site, place, 0, 9).series(*ENERGY)
    assert codes(series) == ["late-read", "late-read"]
    assert series.value.tolist() == [1_010_000, 1_020_000]


def test_a_reading_answered_at_no_time_that_can_be_has_no_value(new_site, gateway, place):
    gateway.birth()
    plain = record.parse(FakeGateway(signer=gateway.signer).readings(1, 2))
    group = plain.groups[0].model_copy(update={"received": (40, 2**60)})
    seal_next(gateway, plain.model_copy(update={"groups": (group,)}))
    site = new_site(gateway)
    site.keep()
    series = asked(site, place, 0, 9).series(*ENERGY)
    assert codes(series) == ["ok", "clock"]
    assert series.value.tolist() == [1_010_000, 0]
    assert series.received_ms.tolist() == [at(1) + 40, at(2)]


def test_two_unequal_readings_of_a_slot_are_a_conflict_without_a_value(new_site, gateway, place):
    gateway.birth()
    gateway.readings(799, 800, 801, energy=[1, 2, 3])
    gateway.new_stream()
    gateway.birth()
    gateway.readings(800, 801, energy=[2, 4])
    site = new_site(gateway)
    site.keep()
    series = asked(site, place, 0, 900).series(*ENERGY)
    assert codes(series) == ["ok", "ok", "conflict"]
    assert series.value.tolist() == [1000, 2000, 0]


def test_slots_that_lay_ahead_over_the_end_of_a_month_have_no_value(new_site, gateway, place):
    gateway.birth()
    gateway.readings(790, 798)
    gateway.readings(799, 800, 801)
    follow(gateway)
    gateway.readings(795)
    gateway.readings(810)
    site = new_site(gateway)
    site.keep()
    series = asked(site, place, 0, 900).series(*ENERGY)
    assert [codes(series)[slot - 790] for slot in (790, 795, 798, 799, 800, 801, 810)] == [
        "ok", "ok", "clock", "clock", "clock", "clock", "ok",
    ]  # fmt: skip


def test_each_row_knows_its_meter_and_whether_its_clock_was_synchronised(new_site, gateway, place):
    gateway.birth(serial="old")
    gateway.readings(798, 799)
    gateway.birth(serial="new")
    gateway.readings(800, 801, clock={"state": "holdover", "offset_ms": 7})
    gateway.birth(serial="old")
    gateway.readings(802)
    site = new_site(gateway)
    site.keep()
    evidence = asked(site, place, 0, 900)
    series = evidence.series(*ENERGY)
    assert [series.bound(row).meter.serial for row in range(5)] == ["old", "old", "new", "new", "old"]
    assert [bound.meter.serial for bound in series.bindings] == ["old", "new"]
    assert series.synced.tolist() == [True, True, False, False, True]
    assert [one.meter.serial for one in evidence.meters("ac")] == ["old", "new"]


def test_a_meter_that_no_row_of_the_interval_was_read_from_is_not_among_its_bindings(new_site, gateway, place):
    gateway.birth(serial="old")
    gateway.readings(1)
    gateway.birth(serial="new")
    gateway.readings(2)
    gateway.birth(serial="newest")
    gateway.readings(3)
    site = new_site(gateway)
    site.keep()
    bindings = asked(site, place, 2, 3).series(*ENERGY).bindings
    assert [bound.meter.serial for bound in bindings] == ["new"]


def born(gateway, text, points):
    """A birth with a device map of its own, and room for a scale register behind its values."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    plain = record.parse(FakeGateway(signer=gateway.signer).birth(points=points))
    blocks = (record.BlockPart(function=3, address=100, count=4),)
    group = plain.groups[0].model_copy(update={"map": digest, "blocks": blocks})
    return seal_next(gateway, plain.model_copy(update={"device_maps": {digest: text}, "groups": (group,)}))


def read(gateway, slots, values, words):
    """Readings of one measurand, with the words of the group at each slot; None = sentinel."""
    group = {
        "group": "meter/all", "slots": [at(slot) for slot in slots], "sent": [5] * len(slots),
        "received": [40] * len(slots), "values": [values], "raw": [decode.pack_words(row) for row in words],
        "quality": [[0, row, int(Quality.SENTINEL)] for row, value in enumerate(values) if value is None],
    }  # fmt: skip
    body = gateway.common() | {"kind": "readings", "groups": [group]}
    return gateway.seal(record.Readings.model_validate_json(json.dumps(body)))


def test_a_point_that_comes_from_another_register_of_the_same_group_is_told_apart(new_site, gateway, place):
    second = '[[register]]\nname = "second"\nmeasurand = "active_power_w"\nfunction = 3\naddress = 101\ntype = "u16"\n'
    for slot, name in enumerate(("active_power", "second", "active_power")):
        points = [{"point": "ac", "measurand": "active_power_w", "quantum": "mW", "register": name}]
        born(gateway, MAP + second, points)
        read(gateway, [slot], [7000], [(0, 7, 0, 0)])
    site = new_site(gateway)
    site.keep()
    series = asked(site, place, 0, 9).series("ac", "active_power_w")
    assert [series.bound(row).register.name for row in range(3)] == ["active_power", "second", "active_power"]
    assert len(series.bindings) == 2


def test_the_step_of_a_register_with_a_scale_register_survives_without_its_words(new_site, gateway, place):
    born(
        gateway,
        SCALED_MAP,
        [{"point": "ac", "measurand": "active_power_w", "quantum": "mW", "register": "active_power"}],
    )
    words = [(7, 9, 50, 0), (7, 9, 30, 1), (7, 9, 20, 65_535), (7, 9, 0x8000, 1)]  # 65,535 is -1
    read(gateway, [1, 2, 3, 4], [500_000, 3_000_000, 20_000, None], words)
    site = new_site(gateway)
    site.keep()
    series = asked(site, place, 0, 9).series("ac", "active_power_w")
    assert [series.step(row) for row in range(4)] == [10_000, 100_000, 1000, None]


# --- bit for bit -----------------------------------------------------------------------------------------------------


def history(seed):
    """Five months of everything that can happen to a gateway; the same for the same seed."""
    draw = random.Random(seed)
    gateway = FakeGateway()
    gateway.birth()
    slot = draw.randrange(600, 800)
    while slot < MARCH + 2000:
        act = draw.random()
        count = draw.choice([1, 3, 40, 96])
        slots = range(slot, slot + count)
        if act < 0.5:
            energy = [None if draw.random() < 0.05 else draw.randrange(10**6) for _ in slots]
            state = draw.choice(["synchronised", "synchronised", "holdover"])
            code = draw.choice([Quality.NO_ANSWER, Quality.SENTINEL, Quality.EXCEPTION])
            gateway.readings(*slots, energy=energy, quality=int(code), clock={"state": state, "offset_ms": 0})
        elif act < 0.65:
            gateway.gap(slots.start, slots.stop, draw.choice(["agent-down", "no-answer", "overrun", "clock-behind"]))
        elif act < 0.75:
            gateway.birth(serial=draw.choice(["s-1", "s-2"]))
        elif act < 0.85:
            follow(gateway)
            slots = range(slot - draw.choice([0, 0, 20]), slot)
        elif act < 0.9:
            gateway.new_stream()
            gateway.birth()
        slot = slots.stop + draw.choice([0, 0, 0, 2, 700])
    return gateway


@pytest.mark.parametrize("seed", range(6))
def test_every_source_gives_what_all_records_together_give(new_site, assert_same, seed):
    gateway = history(seed)
    site = new_site(gateway)
    site.keep()
    whole = collect(gateway.made)
    for first, end in ((0, MARCH + 3000), (NEW_YEAR + 100, FEBRUARY), (FEBRUARY - 1, FEBRUARY + 1)):
        expected = {key: cut(one, at(first), at(end)) for key, one in whole.by_key.items()}
        wanted = {key for key, one in expected.items() if len(one)}
        got = [asked(site, place, first, end) for place in PLACES]
        assert set(got[0].keys()) == wanted
        for one, other in pairwise(got):
            assert_same(one, other)
        for key in wanted:
            for name in ("time_ms", "value", "quality", "sent_ms", "received_ms", "synced"):
                assert np.array_equal(getattr(got[0].series(*key), name), getattr(expected[key], name)), (key, name)


_REASONS = st.sampled_from(["agent-down", "no-answer", "unexplained", "dropped"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(0, 40), st.lists(st.none() | st.integers(0, 9), min_size=1, max_size=8)),
        st.tuples(st.just("gap"), st.integers(0, 40), st.integers(1, 9), _REASONS),
        st.tuples(st.just("birth"), st.sampled_from(["s-1", "s-2"])),
        st.tuples(st.just("stream"), st.booleans()),
    ),
    max_size=12,
)


@settings(
    max_examples=60,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=_STEPS)
def test_the_archive_holds_what_the_journal_holds_whatever_happened(new_site, assert_same, steps):
    gateway = FakeGateway()
    gateway.birth()
    for kind, *rest in steps:
        match kind:
            case "read":
                slots = range(780 + rest[0], 780 + rest[0] + len(rest[1]))
                gateway.readings(*slots, energy=rest[1], quality=int(Quality.NO_ANSWER))
            case "gap":
                gateway.gap(780 + rest[0], 780 + rest[0] + rest[1], rest[2])
            case "birth":
                gateway.birth(serial=rest[0])
            case "stream" if rest[0]:
                follow(gateway)
            case "stream":
                gateway.new_stream()
                gateway.birth()
    site = new_site(gateway)
    site.keep()
    # The whole time of it: what lay ahead is told by records that need not overlap a smaller interval.
    assert_same(asked(site, PLACES[0], 770, 840), asked(site, PLACES[1], 770, 840))


# --- where it came from ----------------------------------------------------------------------------------------------


def test_births_maps_runs_and_what_does_not_count_are_told(new_site, gateway, place):
    gateway.birth()
    gateway.readings(798, 799)
    gateway.readings(800, 801)
    gateway.readings(810)
    first = gateway.stream
    gateway.new_stream()
    gateway.birth(mode="test")
    gateway.readings(801, energy=[7])
    gateway.made.append(gateway.horizon(1, None))
    site = new_site(gateway)
    site.keep()
    evidence = asked(site, place, 0, MARCH)
    assert [birth.mode for birth in evidence.births] == ["live"]
    assert set(evidence.maps) == set(evidence.births[0].device_maps)
    assert [(run.stream, run.first, run.last) for run in evidence.runs] == [(first, 1, 4)]
    assert {one.reason for one in evidence.excluded} == {"test-mode"}
    assert evidence.time_factor == 1.0
    assert site.source(place).caveat is None
    assert evidence.runs[0].digest_of_last == record.digest_of(gateway.made[3])


def test_the_same_question_has_the_same_digest_and_another_has_not(new_site, gateway, place):
    gateway.birth()
    gateway.readings(799)
    gateway.readings(800)
    gateway.readings(4000)
    site = new_site(gateway)
    site.keep()
    assert asked(site, place, 0, 900).digest == asked(site, place, 0, 900).digest
    assert asked(site, place, 0, 900).digest != asked(site, place, 0, 4001).digest


def test_later_than_all_months_is_no_reading_and_no_fault(new_site, gateway, place):
    gateway.birth()
    gateway.readings(1)
    site = new_site(gateway)
    site.keep()
    assert site.source(place).evidence("demo", at(9000), at(9400)).keys() == ()
