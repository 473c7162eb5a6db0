"""From exact record bytes to arrays."""

import random

import numpy as np
import pytest

from ingest.store.merge import _due
from ingest.store.readings import collect
from ingest.store.series import Words
from metering import record
from metering.errors import DeviceMapError
from metering.quality import Quality
from metering.ulid import new_ulid

ENERGY = ("ac", "energy_export_total_wh")


def codes(series):
    return [Quality(code).label for code in series.quality]


def ref(data):
    """How the next stream's birth names a record."""
    parsed = record.parse(data)
    return {"stream": parsed.stream, "seq": parsed.seq, "digest": record.digest_of(data)}


def test_readings_become_sorted_arrays_in_quanta(gateway, slot_ms):
    series = collect([gateway.birth(), gateway.readings(1, 2), gateway.readings(3)]).series(*ENERGY)
    assert series.time_ms.tolist() == [slot_ms(1), slot_ms(2), slot_ms(3)]
    assert series.value.tolist() == [1_010_000, 1_020_000, 1_030_000]
    assert series.received_ms.tolist() == [slot_ms(1) + 40, slot_ms(2) + 40, slot_ms(3) + 40]
    assert series.synced.all()
    assert series.quality.dtype == np.uint8
    assert series.value.dtype == np.int64
    assert codes(series) == ["ok"] * 3


def test_order_and_repeats_of_records_change_nothing(gateway):
    records = [gateway.birth(), gateway.readings(1), gateway.gap(2, 4), gateway.readings(4, 5)]
    straight = collect(records)
    shuffled = records * 2
    random.Random(7).shuffle(shuffled)
    mixed = collect(shuffled)
    assert mixed.digest == straight.digest
    assert mixed.runs == straight.runs
    for key in straight.keys():  # noqa: SIM118 - not a dict
        for name in ("time_ms", "value", "quality", "received_ms", "raw_text"):
            assert np.array_equal(getattr(mixed.series(*key), name), getattr(straight.series(*key), name))


def test_an_absent_slot_has_the_reason_of_its_gap_or_is_unexplained(gateway, slot_ms):
    records = [gateway.birth(), gateway.readings(1), gateway.gap(2, 4, "no-answer"), gateway.readings(6)]
    series = collect(records).series(*ENERGY)
    assert codes(series) == ["ok", "no-answer", "no-answer", "unexplained", "unexplained", "ok"]
    assert series.time_ms.tolist() == [slot_ms(n) for n in range(1, 7)]
    assert series.value[~series.valued].tolist() == [0] * 4


def test_a_record_of_no_slot_and_a_gap_between_two_say_nothing(gateway, slot_ms):
    gateway.birth()
    gateway.readings()
    gateway.readings(1, 2)
    gap = {"from_ms": slot_ms(1) + 1, "to_ms": slot_ms(2), "group": None, "reason": "agent-down"}
    gateway.seal(record.Gap.model_validate(gateway.common() | gap))
    series = collect(gateway.made).series(*ENERGY)
    assert codes(series) == ["ok", "ok"]
    assert len(series.bindings) == 1
    assert len(collect(gateway.made[:2]).series(*ENERGY)) == 0


def test_every_hole_is_filled_with_the_slots_that_were_due(gateway, slot_ms):
    read = [0, 1, 5, 9, 13, 17, 21]
    series = collect([gateway.birth(), *(gateway.readings(number) for number in read)]).series(*ENERGY)
    assert series.time_ms.tolist() == [slot_ms(number) for number in range(22)]
    assert np.flatnonzero(series.valued).tolist() == read


def test_a_gap_at_the_end_reaches_beyond_the_last_reading(gateway, slot_ms):
    series = collect([gateway.birth(), gateway.readings(1), gateway.gap(2, 3)]).series(*ENERGY)
    assert series.time_ms.tolist() == [slot_ms(1), slot_ms(2)]


def test_a_gap_or_a_hole_is_of_the_meter_before_it_and_nothing_vouches_for_its_time(gateway):
    records = [gateway.birth(serial="old"), gateway.readings(1), gateway.birth(serial="new"), gateway.readings(2)]
    series = collect([*records, gateway.readings(5), gateway.gap(6, 7)]).series(*ENERGY)
    assert [series.bound(row).meter.serial for row in range(6)] == ["old", *["new"] * 5]
    assert series.synced.tolist() == [True, True, False, False, True, False]


def test_a_gap_of_another_group_says_nothing_about_this_one(gateway):
    records = [gateway.birth(), gateway.readings(1), gateway.gap(2, 3, group="other/all"), gateway.readings(3)]
    assert codes(collect(records).series(*ENERGY)) == ["ok", "unexplained", "ok"]


def test_a_null_keeps_its_quality(gateway):
    records = [gateway.birth(), gateway.readings(1, 2, energy=[1, None], quality=Quality.SENTINEL)]
    assert codes(collect(records).series(*ENERGY)) == ["ok", "sentinel"]


def test_equal_repeats_are_one_reading_and_unequal_ones_a_conflict_without_a_value(gateway):
    first = [gateway.birth(), gateway.readings(1, 2, energy=[10, 20])]
    gateway.new_stream()
    second = [gateway.birth(), gateway.readings(1, 2, energy=[10, 21])]
    series = collect(first + second).series(*ENERGY)
    assert codes(series) == ["ok", "conflict"]
    assert series.value.tolist() == [10_000, 0]


@pytest.mark.parametrize("order", [("late", "null"), ("null", "late")])
def test_a_late_reading_gives_way_to_one_in_time_and_beats_one_without_a_value(gateway, order):
    records = []
    for kind in order:
        gateway.new_stream()
        records.append(gateway.birth())
        read = gateway.readings(1, 2, energy=[1010, 1020 if kind == "late" else None])
        if kind == "late":
            body = record.parse(read)
            marks = tuple((point, slot, int(Quality.LATE_READ)) for point in (0, 1) for slot in (0, 1))
            group = body.groups[0].model_copy(update={"quality": marks})
            read = record.build(body.model_copy(update={"groups": (group,)}), gateway.signer)
        records.append(read)
    series = collect(records).series(*ENERGY)
    assert codes(series) == ["ok", "late-read"]
    assert series.value.tolist() == [1_010_000, 1_020_000]


def test_a_value_beats_the_record_of_its_absence_in_either_order(gateway):
    first = [gateway.birth(), gateway.readings(1, 2, energy=[10, None])]
    gateway.new_stream()
    second = [gateway.birth(), gateway.gap(1, 2), gateway.readings(2, energy=[20])]
    assert codes(collect(first + second).series(*ENERGY)) == ["ok", "ok"]


def test_slots_that_lay_ahead_of_the_stream_that_follows_have_no_value_and_never_conflict(gateway):
    ahead = [gateway.birth(), gateway.readings(1, energy=[10]), gateway.readings(5, 6, 7, energy=[20, 30, 40])]
    last = ref(ahead[-1])
    gateway.new_stream()
    true = [gateway.birth(after=last), gateway.readings(5, energy=[99])]
    series = collect(ahead + true).series(*ENERGY)
    assert codes(series) == ["ok", "unexplained", "unexplained", "unexplained", "ok", "clock", "clock"]
    assert series.value.tolist() == [10_000, 0, 0, 0, 99_000, 0, 0]


def test_a_clock_that_stayed_ahead_over_a_restart_is_seen_by_the_stream_after_that(gateway):
    first = [gateway.birth(), gateway.readings(1, 5, energy=[10, 20])]
    last = ref(first[-1])
    gateway.new_stream()
    second = [gateway.birth(after=last), gateway.readings(6, 7, energy=[30, 40])]
    last = ref(second[-1])
    gateway.new_stream()
    third = [gateway.birth(after=last), gateway.readings(2, 3, energy=[11, 12])]
    series = collect(first + second + third).series(*ENERGY)
    assert codes(series) == ["ok", "ok", "ok", "unexplained", "clock", "clock", "clock"]


def test_a_stream_that_follows_in_time_takes_no_value_off(gateway):
    first = [gateway.birth(), gateway.readings(1, 2, energy=[10, 20])]
    last = ref(first[-1])
    gateway.new_stream()
    second = [gateway.birth(after=last), gateway.readings(3, energy=[30])]
    assert codes(collect(first + second).series(*ENERGY)) == ["ok", "ok", "ok"]


def test_what_a_cloned_box_read_beyond_the_record_that_is_followed_keeps_its_value(gateway):
    first = [gateway.birth(), gateway.readings(1, energy=[10])]
    followed = ref(first[-1])
    first.append(gateway.readings(2, 3, energy=[20, 30]))
    gateway.new_stream()
    clone = [gateway.birth(after=followed), gateway.readings(2, energy=[20])]
    assert codes(collect(first + clone).series(*ENERGY)) == ["ok", "ok", "ok"]


def test_what_lay_ahead_of_two_clones_lay_ahead_up_to_the_later_record_that_they_follow(gateway):
    first = [gateway.birth(), gateway.readings(5, energy=[10])]
    followed = [ref(first[-1])]
    first.append(gateway.readings(6, energy=[20]))
    followed.append(ref(first[-1]))
    clones = []
    for after in reversed(followed):
        gateway.new_stream()
        clones += [gateway.birth(after=after), gateway.readings(2, energy=[9])]
    assert codes(collect(first + clones).series(*ENERGY))[-2:] == ["clock", "clock"]


def test_a_gap_that_lay_ahead_keeps_its_reason(gateway):
    first = [gateway.birth(), gateway.readings(5, energy=[10]), gateway.gap(6, 7, "no-answer")]
    last = ref(first[-1])
    gateway.new_stream()
    second = [gateway.birth(after=last), gateway.readings(2, energy=[9])]
    assert codes(collect(first + second).series(*ENERGY))[-2:] == ["clock", "no-answer"]


def test_streams_that_name_each_other_as_the_one_before_end_the_search(gateway):
    first, second, third = (new_ulid(at) for at in range(3))
    records = []
    for stream, after, slot in ((first, second, 2), (second, first, 3), (third, second, 1)):
        gateway.new_stream(stream)
        records += [gateway.birth(after={"stream": after, "seq": 2, "digest": "f" * 64}), gateway.readings(slot)]
    assert codes(collect(records).series(*ENERGY)) == ["ok", "clock", "clock"]


def test_a_reading_without_a_value_says_more_than_a_gap_over_it(gateway):
    first = [gateway.birth(), gateway.gap(1, 2)]
    gateway.new_stream()
    second = [gateway.birth(), gateway.readings(1, energy=[None], quality=Quality.EXCEPTION)]
    assert codes(collect(first + second).series(*ENERGY)) == ["exception"]


def test_readings_that_do_not_fit_their_birth_are_listed_and_do_not_count(gateway):
    points = [{"point": "ac", "measurand": "active_power_w", "quantum": "mW", "register": "active_power"}]
    evidence = collect([gateway.birth(points=points), gateway.readings(1)])
    assert [(one.seq, one.reason) for one in evidence.excluded] == [(2, "shape")]
    assert evidence.keys() == ()


@pytest.mark.parametrize("register", ["elsewhere", "active_power"])
def test_a_birth_that_wants_a_measurand_from_a_register_without_it_is_an_error(gateway, register):
    points = [{"point": "ac", "measurand": "energy_export_total_wh", "quantum": "mWh", "register": register}]
    with pytest.raises(DeviceMapError, match=f"register '{register}'"):
        collect([gateway.birth(points=points)])


def test_what_a_gateway_no_longer_holds_is_kept_apart_and_breaks_no_run(gateway):
    records = [gateway.birth(), gateway.readings(1)]
    evidence = collect([*records, gateway.horizon(2, "f" * 64)])
    assert [horizon.oldest_seq for horizon in evidence.horizons] == [2]
    assert evidence.runs == collect(records).runs
    assert evidence.excluded == ()


def test_what_the_outbox_gave_up_is_named(gateway):
    gateway.birth()
    prev = gateway.prev
    gateway.readings(0)
    lost = gateway.prev
    records = [gateway.made[0], gateway.dropped(2, 2, lost, prev), gateway.readings(1)]
    assert codes(collect(records).series(*ENERGY)) == ["dropped", "ok"]


def test_test_mode_and_streams_without_a_birth_are_listed_and_do_not_count(gateway):
    live = [gateway.birth(), gateway.readings(1)]
    gateway.new_stream()
    test = [gateway.birth(mode="test"), gateway.readings(2, energy=[7])]
    gateway.new_stream()
    gateway.birth()
    orphan = [gateway.readings(3)]
    evidence = collect(live + test + orphan)
    assert [excluded.reason for excluded in evidence.excluded] == ["test-mode", "test-mode", "no-birth"]
    assert len(evidence.series(*ENERGY)) == 1
    assert evidence.digest == collect(live).digest


def test_raw_words_decode_to_the_same_quanta(gateway):
    series = collect([gateway.birth(), gateway.readings(1, 2, energy=[70_000, None])]).series(*ENERGY)
    raw = series.raw(0)
    assert raw is not None
    assert raw.words == (1, 4464)
    assert series.decoded_again(0) == series.value[0] == 70_000_000
    assert series.raw(1) is None
    assert series.step(0) == 1000


def test_raw_words_that_do_not_fit_the_birth_are_no_words(gateway):
    records = [gateway.birth(), gateway.readings(1)]
    series = collect(records).series(*ENERGY)
    broken = type(series)(**{n: getattr(series, n) for n in series.__slots__} | {"raw_text": ("AAA=",)})
    assert broken.raw(0) is None


def test_meters_follow_each_other_and_a_series_knows_which_row_had_which(gateway, slot_ms):
    records = [gateway.birth(serial="old"), gateway.readings(1, 2)]
    records += [gateway.birth(serial="new"), gateway.readings(3)]
    evidence = collect(records)
    spans = [(m.meter.serial, m.interval.start_ms, m.interval.end_ms) for m in evidence.meters("ac")]
    assert spans == [("old", slot_ms(1), slot_ms(3)), ("new", slot_ms(3), slot_ms(4))]
    series = evidence.series(*ENERGY)
    assert [series.bound(row).meter.serial for row in range(3)] == ["old", "old", "new"]
    assert series.register is not None
    assert series.register.name == "active_energy_export"
    assert evidence.meters("elsewhere") == ()


@pytest.mark.parametrize("agent", range(8))
def test_a_gateway_that_draws_another_s_stream_takes_nothing_from_it(gateway, new_gateway, agent):
    """Its birth in test mode must not govern the other's readings, whichever of the two digests comes first."""
    records = [gateway.birth(), gateway.readings(1, 2)]
    thief = new_gateway("gw-2")
    thief.stream = gateway.stream
    evidence = collect([*records, thief.birth(mode="test", agent=str(agent))])
    assert codes(evidence.series(*ENERGY)) == ["ok", "ok"]
    assert evidence.runs == collect(records).runs


def test_runs_break_where_the_chain_does(gateway):
    gateway.birth()
    for slot in range(1, 5):
        gateway.readings(slot)
    made = gateway.made
    whole = collect(made).runs
    assert [(run.first, run.last) for run in whole] == [(1, 5)]
    broken = collect(made[:2] + made[3:]).runs
    assert [(run.first, run.last) for run in broken] == [(1, 2), (4, 5)]


def test_one_slot_far_ahead_does_not_fill_the_memory(gateway, slot_ms):
    series = collect([gateway.birth(interval_ms=1), gateway.readings(1), gateway.readings(10_000_000)]).series(*ENERGY)
    assert series.time_ms.tolist() == [slot_ms(1), slot_ms(1) + 1, slot_ms(10_000_000) - 1, slot_ms(10_000_000)]


def test_a_hole_is_filled_up_to_a_limit_and_named_by_its_ends_beyond_it():
    assert _due(1, 50, 10, longest=4).tolist() == [10, 20, 30, 40]
    assert _due(1, 51, 10, longest=4).tolist() == [10, 50]


@pytest.mark.parametrize("field", ["sent", "received"])
@pytest.mark.parametrize("offset_ms", [2**63 - 1, -(2**63), 86_400_001, -86_400_001])
def test_a_reading_answered_at_no_time_that_can_be_has_no_value(gateway, slot_ms, field, offset_ms):
    birth = gateway.birth()
    readings = record.parse(gateway.readings(1, 2))
    odd = readings.groups[0].model_copy(update={field: (5, offset_ms)})
    body = readings.model_copy(update={"groups": (odd,)})
    series = collect([birth, record.build(body, gateway.signer)]).series(*ENERGY)
    assert codes(series) == ["ok", "clock"]
    assert list(series.received_ms) == [slot_ms(1) + (5 if field == "received" else 40), slot_ms(2)]


def test_many_slots_a_little_ahead_of_each_other_do_not_fill_the_memory(gateway):
    """One record of 90 kB would else become 1,800,000,000 rows."""
    series = collect([gateway.birth(interval_ms=1), gateway.readings(*range(2000))]).series(*ENERGY)
    assert len(series) == 2000 + 2 * 1999


def test_a_measurand_that_was_never_read_is_an_empty_series(gateway):
    series = collect([gateway.birth()]).series("ac", "frequency_hz")
    assert len(series) == 0
    assert series.register is None


@pytest.mark.parametrize("factor", [1.0, 14_400.0])
def test_the_time_factor_is_the_births(gateway, factor):
    assert collect([gateway.birth(time_factor=factor)]).time_factor == factor


def test_series_of_one_group_share_what_they_have_in_common(gateway):
    evidence = collect([gateway.birth(), gateway.readings(1, 2, 3)])
    energy, power = evidence.series(*ENERGY), evidence.series("ac", "active_power_w")
    for name in ("time_ms", "sent_ms", "received_ms", "synced"):
        assert np.shares_memory(getattr(energy, name), getattr(power, name)), name
    assert not np.shares_memory(energy.value, power.value)


def test_words_are_read_by_row_by_slice_and_one_after_the_other():
    words = Words(np.array(["AAA=", "", "BBB="], object))
    assert (len(words), words[0], words[-1], [*words]) == (3, "AAA=", "BBB=", ["AAA=", "", "BBB="])
    assert [*words[1:]] == ["", "BBB="]
