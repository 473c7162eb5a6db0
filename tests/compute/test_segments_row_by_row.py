"""Each row of a counter a stretch by itself: joined in any order they are the counter as a whole, whatever is beside.

Rows that do not count, of another meter or without a power are stretches of nothing here, at every place there is.
"""

from dataclasses import replace
from functools import reduce
from itertools import product

import numpy as np
import pytest
from computekit.runs import examples
from computekit.sites import two_meters
from hypothesis import given
from hypothesis import strategies as st

from compute.joining import join, joined, settled
from compute.law import Cuts, counter_law
from compute.measured import counter_segment
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.segments import EMPTY
from metering.quality import Quality

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
START_MS = 1_767_000_000_000 // HOUR_MS * HOUR_MS
SIZE = 14
EXPORT, POWER = "energy_export_total_wh", "active_power_w"
MW = 1_000_000_000
COLUMNS = ("time_ms", "value", "quality", "sent_ms", "received_ms", "synced", "binding")
GAINS = (0, 0, 0, 1, MW // 60, MW // 60, 3 * MW, -(10**11), -3)


@pytest.fixture(scope="module")
def site(project_texts, make_evidence):
    """A project, a counter of two meters of which one is foreign, and its power, minute by minute."""
    slots = [START_MS + place * MINUTE_MS for place in range(SIZE)]
    return parse_project(project_texts["solar-pv"]()), *two_meters(make_evidence, slots, MINUTE_MS)


@pytest.fixture(scope="module")
def registers(site, make_evidence, shown):
    """The same, but both the counter's registers are of the meter that counts."""
    project, counter, power = site
    slots = [START_MS + place * MINUTE_MS for place in range(SIZE)]
    part = shown("bus", EXPORT, dict.fromkeys(slots, 0), interval_ms=MINUTE_MS, scale="0.002")
    other = make_evidence([part]).series("bus", EXPORT)
    return project, replace(counter, bindings=(counter.bindings[0], *other.bindings)), power


def bits(segment):
    arrays = segment.hours.table, segment.marks.table, segment.ends, segment.frozen, segment.flows
    return [array.tolist() for array in arrays]


def rows(series, places):
    columns = {name: getattr(series, name)[places] for name in COLUMNS}
    return replace(series, **columns, raw_text=("",) * len(places))


def column(source):
    return st.lists(source, min_size=SIZE, max_size=SIZE)


@examples
@given(
    gains=column(st.sampled_from(GAINS)),
    states=column(st.sampled_from(["ok", "ok", "ok", "ok", "silent", "unsynced", "foreign", "late"])),
    power=column(st.sampled_from([MW, MW, MW, 0, -MW, None])),
    seam=st.integers(1, SIZE - 1),
)
def test_rows_joined_one_by_one_from_either_end_or_from_the_middle_are_the_whole(site, gains, states, power, seam):
    project, counter, flow = site
    said = np.array(states)
    counter = replace(
        counter,
        value=np.where(said == "silent", 0, 10**12 + np.cumsum(gains)),
        quality=np.where(said == "silent", Quality.NO_ANSWER, Quality.OK).astype(np.uint8),
        synced=said != "unsynced",
        binding=(said == "foreign").astype(np.int32),
        received_ms=counter.received_ms + np.where(said == "late", 9_000, 0),
    )
    flow = replace(
        flow,
        value=np.array([mw or 0 for mw in power], np.int64),
        quality=np.array([Quality.NO_ANSWER if mw is None else Quality.OK for mw in power], np.uint8),
    )
    edges = START_MS + 5 * MINUTE_MS, START_MS + 9 * MINUTE_MS + 7
    law = counter_law(project, project.point[0], counter, flow, ruleset(), Cuts(START_MS, edges, 5_000))
    law = replace(law, still_ms=3 * MINUTE_MS)
    whole = counter_segment(counter, law, flow)
    parts = [counter_segment(rows(counter, [place]), law, rows(flow, [place])) for place in range(SIZE)]

    def forward(parts):
        return reduce(lambda left, right: join(left, right, law), parts, EMPTY)

    backward = reduce(lambda right, left: join(left, right, law), reversed(parts), EMPTY)
    for made in (forward(parts), backward, join(forward(parts[:seam]), forward(parts[seam:]), law), joined(parts, law)):
        assert bits(made) == bits(whole)
    assert bits(settled(backward, law)) == bits(settled(whole, law))


@pytest.mark.parametrize("moves", [False, True])
def test_three_rows_of_either_register_silent_or_not_there_are_the_same_joined_from_either_end(registers, moves):
    project, counter, power = registers
    power = rows(replace(power, value=np.full(SIZE, MW)), range(3))
    # Hours begin at a local midnight; some zones are 45 minutes off. Two missed slots are no gap, so only a row that
    # does not count tells that one was missed.
    cuts = Cuts(START_MS - 45 * MINUTE_MS)
    law = counter_law(project, project.point[0], counter, None if moves else power, ruleset(), cuts)
    law = replace(law, still_ms=0 if moves else MINUTE_MS, interval_ms=2 * MINUTE_MS)
    counter = rows(replace(counter, value=10**12 + np.arange(SIZE) * int(moves)), range(3))
    for there in product([True, False], repeat=3):
        for silent, binding in product(product([0, 1], repeat=3), repeat=2):
            quality = np.where(np.array(silent) == 1, Quality.NO_ANSWER, Quality.OK).astype(np.uint8)
            told = replace(counter, quality=quality, binding=np.array(binding, np.int32))
            whole = counter_segment(rows(told, np.flatnonzero(there)), law, power)
            first, second, third = (
                counter_segment(rows(told, [place] if there[place] else []), law, rows(power, [place]))
                for place in range(3)
            )
            assert bits(join(join(first, second, law), third, law)) == bits(whole), (there, silent, binding)
            assert bits(join(first, join(second, third, law), law)) == bits(whole), (there, silent, binding)
