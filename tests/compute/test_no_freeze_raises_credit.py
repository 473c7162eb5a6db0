"""Values that stand still, counters that lost what was not saved, clocks that jumped: no more credit than in order.

What a rule sees of these it sees only with something beside the readings: a power, a device map, a stream that follows.
"""

from dataclasses import replace

import pytest
from computekit.faults import ROLES, feeds_of, project_of
from computekit.records import last_of, records_of
from computekit.runs import credited, examples, recorded
from computekit.sites import (
    HOUR_MS,
    HUGE,
    NO_HARM,
    RATED,
    SLOTS,
    STREAMS,
    Feed,
    Harm,
    climbing,
    losses,
    streams,
)
from hypothesis import assume, given
from hypothesis import strategies as st

ENERGY = {
    "generation": ("bus", "energy_export_total_wh", "export-positive"),
    "auxiliary": ("aux", "energy_import_total_wh", "import-positive"),
    "heat": ("heat", "heat_total_j", None),
}
ROLE = st.sampled_from(list(ROLES))
PLACE = st.integers(0, len(SLOTS) - 2)


def never_more(before, after):
    for good, bad in zip(before.vintages, after.vintages, strict=True):
        assert bad.reduction.low <= good.reduction.low
        assert bad.integer <= good.integer
    assert after.reduction.low <= before.reduction.low


def around(harm, seen):
    """Nothing happens to what a rule has to see."""
    late = {slot: ms for slot, ms in harm.late.items() if slot not in seen}
    sets = {name: getattr(harm, name) - seen for name in ("dropped", "silent", "unsynced", "contradicted")}
    return replace(harm, late=late, **sets)


def steady(role, share):
    """A counter that moves by the same each hour, and the power that does it."""
    point, measurand, way = ENERGY[role]
    truth = climbing(measurand, bytes([share] * len(SLOTS)), HUGE)
    power = 8_300_000_000 if measurand != "heat_total_j" else 1_200_000_000
    name = "active_power_w" if way else "heat_power_w"
    flow = Feed(point, name, dict.fromkeys(SLOTS, power * (share - 55) // 200), {"orientation": way})
    return Feed(point, measurand, truth, {}, truth), flow


@pytest.mark.parametrize("role", ENERGY)
@examples
@given(
    share=st.integers(58, 255), first=PLACE, still=st.integers(2, 20), stops=st.booleans(), better=st.booleans(),
    harm=losses(),
)  # fmt: skip
def test_no_freeze_that_a_power_shows_raises_what_is_credited(
    project_texts, role, share, first, still, stops, better, harm
):
    """It shows what it showed, New Year or not, and goes on from the truth, or from where it stopped counting."""
    text = project_of(role, project_texts, better=better)
    feed, flow = steady(role, share)
    hourly = feed.truth[SLOTS[1]] - feed.truth[SLOTS[0]]
    shows = {}
    for place, (slot, value) in enumerate(feed.truth.items()):
        asleep = min(max(place - first, 0), still)
        shows[slot] = value - asleep * hourly if stops or asleep < still else value
    # No rule sees that a counter froze while its readings are lost, so they are lost before and after it only.
    struck = replace(around(harm, set(SLOTS[first : first + still + 2])), shows=shows)
    before, after = (recorded(streams([(feed, one), (flow, NO_HARM)])) for one in (NO_HARM, struck))
    never_more(credited(text, before), credited(text, after))


@examples
@given(
    supplied=st.lists(st.sampled_from([230_000, 0]), min_size=len(SLOTS), max_size=len(SLOTS)),
    first=st.integers(0, len(SLOTS) - 11), still=st.integers(10, 30), better=st.booleans(), harm=losses(),
)  # fmt: skip
def test_no_freeze_of_voltages_raises_what_is_credited(project_texts, supplied, first, still, better, harm):
    text = project_of("station", project_texts, better=better)
    truth = {slot: value and value + at % 2 * 100 for at, (slot, value) in enumerate(zip(SLOTS, supplied, strict=True))}
    stretch = SLOTS[first : first + still]
    assume(better or truth[stretch[0]])  # a supply that rests at 0 may be off: no rule sees it, and a worse core gains
    # Fewer than ten that are the same are none, so none of these is lost.
    struck = replace(around(harm, set(stretch)), shows=dict.fromkeys(stretch, truth[stretch[0]]))
    before, after = (
        recorded(streams([(Feed("station", f"voltage_l{phase}_v", truth), one) for phase in (1, 2, 3)]))
        for one in (NO_HARM, struck)
    )
    never_more(credited(text, before), credited(text, after))


@examples
@given(
    role=st.sampled_from(list(ENERGY)), data=st.data(), first=st.integers(1, len(SLOTS) - 2),
    silent=st.integers(1, 5), parts=st.lists(st.integers(0, 100), min_size=1, max_size=4),
)  # fmt: skip
def test_no_losses_of_supply_raise_what_is_credited(project_texts, role, data, first, silent, parts):
    """A meter is silent for some slots, and each time it lost its supply goes on from what it had saved."""
    text = project_of(role, project_texts, better=data.draw(st.booleans()))
    (feed,) = data.draw(feeds_of(role))
    feed = replace(feed.proved, device={**feed.proved.device, "nonvolatile_s": 300})
    gone = RATED[feed.measurand] // 12 * sum(parts) // 100 // 1_000_000 * 1_000_000
    shows = {slot: feed.truth[slot] - gone for slot in SLOTS[first + silent :]}
    struck = Harm(shows, silent=frozenset(SLOTS[first : first + silent]))
    in_order = credited(text, recorded(streams([(feed.proved, NO_HARM)])))
    never_more(in_order, credited(text, recorded(streams([(feed, struck)]))))


@examples
@given(role=ROLE, data=st.data(), place=st.integers(1, 40), ahead=st.integers(1, 10), told=st.integers(1, 10))
def test_no_clock_that_jumped_ahead_and_was_set_right_raises_what_is_credited(
    project_texts, role, data, place, ahead, told
):
    """The later stream begins before the slots that the earlier one told too early: those are worth nothing."""
    text = project_of(role, project_texts, better=data.draw(st.booleans()))
    feeds = data.draw(feeds_of(role))
    back = place + min(told, ahead)
    earlier, later = [], []
    for feed in feeds:
        proved = feed.proved
        too_early = {slot + ahead * HOUR_MS: proved.truth[slot] for slot in SLOTS[place:back]}
        (before,), (after,) = (
            streams([(replace(proved, truth=values), NO_HARM)])[0]
            for values in (
                {slot: proved.truth[slot] for slot in SLOTS[:place]} | too_early,
                {slot: proved.truth[slot] for slot in SLOTS[back:]},
            )
        )
        earlier.append(before)
        later.append(after)
    first = records_of(earlier, stream=STREAMS[0])
    second = records_of(later, stream=STREAMS[1], after=last_of(first, STREAMS[0]))
    in_order = credited(text, recorded(streams([(feed.proved, NO_HARM) for feed in feeds])))
    never_more(in_order, credited(text, [*first, *second]))
