"""However a series is cut into segments, and in whichever order they are joined, the whole comes out to the bit."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from computekit.pairs import law_of, segment_of
from computekit.sites import two_meters
from hypothesis import given, settings
from hypothesis import strategies as st

from compute import codes
from compute import layout as at
from compute.errors import AmountOverflowError
from compute.frozen import PowerLaw
from compute.intervals import CounterReadings, Rate
from compute.joining import is_frozen, join, joined, settled
from compute.law import Cuts, Law, counter_law
from compute.measured import counter_segment, sample_segment
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.segments import EMPTY, NOWHERE, Marks
from metering.quality import Quality

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
RATE = Rate(105, 100)
START_MS = 1_767_000_000_000 // HOUR_MS * HOUR_MS
EXPORT, POWER = "energy_export_total_wh", "active_power_w"
MW = 1_000_000_000


def bits(segment):
    """Everything that a segment says."""
    arrays = segment.hours.table, segment.marks.table, segment.ends, segment.frozen, segment.flows
    return [array.tolist() for array in arrays]


def in_any_order(parts, order, law):
    parts = [*parts]
    while len(parts) > 1:
        place = order[len(parts) % len(order)] % (len(parts) - 1)
        parts[place : place + 2] = [join(parts[place], parts[place + 1], law)]
    return parts[0] if parts else EMPTY


# --- counters, with a power that should move them --------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(project_texts, make_evidence):
    """A project, and a counter and its power of four hours, minute by minute, one of two meters being foreign."""
    project = parse_project(project_texts["solar-pv"]())
    slots = [START_MS + place * MINUTE_MS for place in range(240)]
    return project, *two_meters(make_evidence, slots, MINUTE_MS)


@st.composite
def histories(draw):
    """Values and qualities of a counter and of a power over up to four hours, and where they are cut."""
    size = draw(st.integers(0, 240))
    value = np.full(size, 10**12, np.int64)
    for start in draw(st.lists(st.integers(0, 239), max_size=6)):
        value[start:] += draw(st.sampled_from([1, MW // 60, MW // 60, 3 * MW, -(10**11)]))
    for start, length in draw(st.lists(st.tuples(st.integers(0, 239), st.integers(1, 90)), max_size=3)):
        value[start : start + length] += np.arange(len(value[start : start + length])) * (MW // 60)
        value[start + length :] += length * (MW // 60)
    quality, synced = np.zeros(size, np.uint8), np.ones(size, np.bool_)
    binding = np.zeros(size, np.int32)
    for start, length in draw(st.lists(st.tuples(st.integers(0, 239), st.integers(1, 20)), max_size=2)):
        quality[start : start + length] = draw(st.sampled_from([0, Quality.NO_ANSWER]))
        binding[start : start + length] = draw(st.integers(0, 1))
    power = np.full(240, draw(st.sampled_from([0, MW, 2 * MW])), np.int64)
    for start in draw(st.lists(st.integers(0, 239), max_size=3)):
        power[start:] = draw(st.sampled_from([0, MW, -MW]))
    cuts = sorted(draw(st.lists(st.integers(0, 240), max_size=5)))
    return (value, quality, synced, binding), power, cuts


def cut(series, start, end):
    """The rows of a stretch of time."""
    return rows_of(series, (series.time_ms >= start) & (series.time_ms < end))


def rows_of(series, rows):
    columns = ("time_ms", "value", "quality", "sent_ms", "received_ms", "synced", "binding")
    return replace(series, **{name: getattr(series, name)[rows] for name in columns}, raw_text=("",) * int(rows.sum()))


@settings(deadline=None, max_examples=300)
@given(history=histories(), order=st.lists(st.integers(0, 9), min_size=3, max_size=3), late=st.booleans())
def test_a_counter_cut_anywhere_and_joined_in_any_order_is_the_counter_as_a_whole(site, history, order, late):
    project, counter, power = site
    (value, quality, synced, binding), mw, cuts = history
    counter = cut(counter, START_MS, START_MS + len(value) * MINUTE_MS)
    counter = replace(counter, value=value, quality=quality, synced=synced, binding=binding)
    if late:
        counter = replace(
            counter, received_ms=counter.received_ms + np.where(np.arange(len(value)) % 7 == 3, 40_000, 0)
        )
    power = replace(power, value=mw)
    edges = START_MS + 100 * MINUTE_MS, START_MS + 150 * MINUTE_MS + 7
    law = counter_law(project, project.point[0], counter, power, ruleset(), Cuts(START_MS, edges, 5_000))
    law = replace(law, still_ms=20 * MINUTE_MS)
    whole = counter_segment(counter, law, power)
    places = [START_MS - HOUR_MS, *(START_MS + place * MINUTE_MS for place in cuts), START_MS + 9 * HOUR_MS]
    parts = [counter_segment(cut(counter, start, end), law, cut(power, start, end)) for start, end in pairwise(places)]
    assert bits(joined(parts, law)) == bits(whole)
    assert bits(in_any_order(parts, order, law)) == bits(whole)
    assert bits(settled(joined(parts, law), law)) == bits(settled(whole, law))


def test_a_counter_that_stands_still_across_a_cut_is_frozen_as_one_stretch(site):
    project, counter, power = site
    value = np.minimum(np.arange(240), 60) * (MW // 60) + 10**12 + np.maximum(np.arange(240) - 170, 0) * (MW // 60)
    counter, power = replace(counter, value=value), replace(power, value=np.full(240, MW))
    law = counter_law(project, project.point[0], counter, power, ruleset(), Cuts(START_MS, (), 5_000))
    middle_ms = START_MS + 120 * MINUTE_MS
    halves = [
        counter_segment(cut(counter, start, end), law, cut(power, start, end))
        for start, end in ((START_MS, middle_ms), (middle_ms, START_MS + 240 * MINUTE_MS))
    ]
    assert all(codes.FROZEN not in settled(half, law).marks.code for half in halves)
    marks = settled(joined(halves, law), law).marks
    # From 1:00, when it stopped, to 2:51, when it moved: 111 minutes at 8.3 MW x 1.05, and 15 ms to the answer.
    assert marks.code.tolist() == [codes.FROZEN]
    assert (marks.earlier_ms[0], marks.later_ms[0]) == (START_MS + 60 * MINUTE_MS, START_MS + 171 * MINUTE_MS)
    span_ms = 111 * MINUTE_MS + 15
    assert (marks.low[0], marks.high[0]) == (0, 8_300_000_000 * 105 * span_ms // 100 // HOUR_MS + 1)
    assert (marks.previous_ms[0], marks.previous_value[0]) == (NOWHERE, 0)


@pytest.mark.parametrize("minute", [59, 60, 61, 90, 110, 111, 115, 120, 121])
def test_a_still_stretch_is_the_same_whether_the_cut_is_before_in_or_behind_it_or_in_the_gap_that_ends_it(site, minute):
    # It moves up to 1:00, stands still to 1:50, is not read for ten minutes, and goes on from 2:00.
    project, counter, power = site
    passed = np.arange(240)
    value = 10**12 + (np.minimum(passed, 60) + np.maximum(passed - 110, 0)) * (MW // 60)
    read = (passed <= 110) | (passed >= 120)
    counter, power = replace(counter, value=value), replace(power, value=np.full(240, MW))
    law = counter_law(project, project.point[0], counter, power, ruleset(), Cuts(START_MS, (), 5_000))
    law = replace(law, still_ms=20 * MINUTE_MS)
    counter = rows_of(counter, read)
    whole = counter_segment(counter, law, power)
    places = START_MS, START_MS + minute * MINUTE_MS, START_MS + 4 * HOUR_MS
    parts = [counter_segment(cut(counter, *part), law, cut(power, *part)) for part in pairwise(places)]
    assert bits(joined(parts, law)) == bits(whole)
    (mark,) = settled(joined(parts, law), law).marks.table
    ends = START_MS + 60 * MINUTE_MS, START_MS + 120 * MINUTE_MS
    assert (mark[at.CODE], mark[at.EARLIER_SLOT], mark[at.LATER_SLOT]) == (codes.FROZEN, *ends)


@pytest.mark.parametrize(
    ("stood_ms", "energy", "frozen"),
    [(HOUR_MS, 1_000, True), (HOUR_MS - 1, 1_000, False), (HOUR_MS, 999, False)],
)
def test_a_stretch_is_frozen_when_it_lasted_and_two_of_its_steps_are_missing(stood_ms, energy, frozen):
    run, flowed = np.zeros(at.RUN_COLUMNS, np.int64), np.zeros(at.FLOW_COLUMNS, np.int64)
    run[at.RUN_FROM + at.SLOT], run[at.RUN_TO + at.SLOT] = START_MS, START_MS + stood_ms
    run[at.RUN_STEP], flowed[at.FLOW_ENERGY] = 500, energy
    power = PowerLaw(MINUTE_MS, HOUR_MS * 1_000, 1, 10**9, None, ())
    assert is_frozen(run, flowed, Law(Cuts(0), RATE, still_ms=HOUR_MS, power=power)) is frozen


def test_an_hour_is_the_same_whether_the_counter_was_frozen_in_it_or_not_at_both_its_ends(site):
    project, counter, power = site
    value = np.full(240, 10**12) + np.maximum(np.arange(240) - 120, 0) * (MW // 60)
    counter, power = replace(counter, value=value), replace(power, value=np.full(240, MW))
    law = counter_law(project, project.point[0], counter, power, ruleset(), Cuts(START_MS, (), 5_000))
    plain = counter_segment(counter, law, power)
    frozen = settled(plain, law)
    assert (int(frozen.hours.low.sum()), int(plain.hours.low.sum())) == (118 * (MW // 60), 119 * (MW // 60))
    assert frozen.hours.usable.tolist() == plain.hours.usable.tolist()


# --- samples ---------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(
    value=st.lists(st.sampled_from([-1, 0, 1, 1, 1]), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    order=st.lists(st.integers(0, 9), min_size=3, max_size=3),
    rate=st.sampled_from([None, Rate(3, 2)]),
)
def test_samples_cut_anywhere_and_joined_in_any_order_are_the_samples_as_a_whole(value, cuts, order, rate):
    time_ms = START_MS + np.cumsum(np.arange(len(value)) % 5 + 6) * MINUTE_MS
    answer_ms = time_ms + np.where(np.arange(len(value)) % 4 == 1, 9_000, 20)
    law = Law(Cuts(START_MS, (START_MS + 2 * HOUR_MS,), 5_000), rate, interval_ms=9 * MINUTE_MS)
    value = np.array(value, np.int64)
    whole = sample_segment(time_ms, answer_ms, value, law)
    places = [0, *sorted(cuts), len(value)]
    parts = [
        sample_segment(time_ms[start:end], answer_ms[start:end], value[start:end], law)
        for start, end in pairwise(places)
    ]
    assert bits(joined(parts, law)) == bits(whole)
    assert bits(in_any_order(parts, order, law)) == bits(whole)


def test_a_power_is_integrated_exactly_and_a_gap_counts_up_to_what_is_rated():
    # 3 mW, 6 mW, nothing, 4 mW, 5 mW, a second apart; rated 10 mW. An odd sum over an odd span leaves half a uJ open.
    time_ms = np.array([0, 1_000, 2_000, 3_000, 3_001], np.int64)
    law = Law(Cuts(0), Rate(10, 1), interval_ms=1_000)
    segment = sample_segment(time_ms, time_ms, np.array([3, 6, -1, 4, 5], np.int64), law)
    assert segment.marks.code.tolist() == [codes.VALUE_GAP] * 2
    assert segment.marks.high.tolist() == [10_000, 10_000]
    assert (segment.hours.low.sum(), segment.hours.high.sum()) == (4_500 + 4, 4_500 + 20_000 + 5)


# --- what is at a cut ------------------------------------------------------------------------------------------------


def readings_of(time_ms, values, **more):
    ones, none = np.ones(len(values), np.int64), np.zeros(len(values), np.int64)
    time_ms = np.array(time_ms, np.int64)
    return CounterReadings(
        time_ms, time_ms, time_ms, np.array(values, np.int64), ones, none, ones.astype(np.uint8), 0, False, **more
    )  # fmt: skip


def test_an_empty_stretch_changes_nothing():
    readings = readings_of([0, 1_000], [9_000, 9_500])
    law = law_of(readings, RATE, Cuts(0))
    one = segment_of(readings, law)
    assert bits(join(EMPTY, one, law)) == bits(one) == bits(join(one, EMPTY, law))


def test_a_cut_beside_an_impossible_step_widens_what_a_loss_of_supply_had_left_open_too():
    more = {"nonvolatile_ms": 300, "interval_ms": 1_000}
    whole = readings_of([0, 2_000, 3_000], [50_000, 51_000, 0], **more)
    law = law_of(whole, RATE, Cuts(0))
    left = segment_of(readings_of([0, 2_000], [50_000, 51_000], **more), law)
    right = segment_of(readings_of([3_000], [0], **more), law)
    assert left.hours.table.tolist() == [[0, 0, 1_000, 2_101, 2]]
    assert join(left, right, law).hours.table.tolist() == [[0, 0, 0, 2_101 + 1_051, 3]]


def test_an_amount_across_a_cut_that_int64_cannot_hold_names_the_rating():
    # 2^60 quanta a ms for a second are more than 2^63.
    parts = [readings_of([second], [9_000]) for second in (0, 1_000)]
    law = law_of(parts[0], Rate(2**60, 1), Cuts(0))
    left, right = (segment_of(part, law) for part in parts)
    with pytest.raises(AmountOverflowError, match="between two readings is more than int64 holds; check rated_power_w"):
        join(left, right, law)


def test_only_a_pair_that_is_not_simply_exact_is_kept_or_one_at_an_edge():
    readings = readings_of([0, 1_000, 2_000, 3_000], [9_000, 9_500, 9_600, 9_700])
    assert len(segment_of(readings, law_of(readings, RATE, Cuts(0))).marks) == 0
    marks: Marks = segment_of(readings, law_of(readings, RATE, Cuts(0, (1_000, 2_500)))).marks
    assert marks.later_ms.tolist() == [1_000, 2_000, 3_000]
    assert marks.previous_value.tolist() == [0, 9_000, 9_500]


def test_a_law_without_a_power_asks_nothing_of_a_counter_that_stands_still():
    power = PowerLaw(MINUTE_MS, HOUR_MS * 1_000, 1, 10**9, None, ())
    assert Law(Cuts(0), RATE, still_ms=HOUR_MS, power=power).numbers()[-1] == HOUR_MS
    assert Law(Cuts(0), RATE).numbers()[-1] == 0
