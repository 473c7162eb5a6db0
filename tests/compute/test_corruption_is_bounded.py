"""What no rule can see is bounded: by the most that its time allows, however much the readings of that time are wrong.

The time is that between readings of which one is wrong and the other true, or wrong by something else.
"""

from fractions import Fraction

import pytest
from computekit.faults import ROLES, feeds_of, project_of, window, worth
from computekit.runs import credited, examples, recorded
from computekit.sites import HOUR_MS, LATEST_MS, NO_HARM, RATED, SLOTS, Feed, Harm, anything, losses, streams
from hypothesis import given
from hypothesis import strategies as st

COUNTERS = [role for role, (_, measurand) in ROLES.items() if measurand in RATED]
RULES = st.sampled_from([1, 2])
TOLERANCE_MS = 5_000


def no_more_than(most, before, after):
    """A step across New Year counts for both years, so the period may gain twice as much as a year."""
    for good, bad in zip(before.vintages, after.vintages, strict=True):
        assert bad.reduction.low <= good.reduction.low + most
    assert after.reduction.low <= before.reduction.low + 2 * most


def in_order(text, feeds, rules):
    return credited(text, recorded(streams([(feed.proved, NO_HARM) for feed in feeds])), rules)


@pytest.mark.parametrize("role", COUNTERS)
@examples
@given(data=st.data(), rules=RULES, better=st.booleans())
def test_a_counter_that_is_wrong_gains_no_more_than_its_rating_allows_in_that_time(
    project_texts, role, data, rules, better
):
    text = project_of(role, project_texts, better=better)
    (feed,) = data.draw(feeds_of(role))
    harm = data.draw(anything(feed))
    most = worth(text, feed, Fraction(window(text, feed, harm, rules), 10**9))
    no_more_than(most, in_order(text, [feed], rules), credited(text, recorded(streams([(feed, harm)])), rules))


@pytest.mark.parametrize("role", ["burner", "station"])
@examples
@given(data=st.data(), rules=RULES, better=st.booleans())
def test_a_state_that_is_wrong_gains_no_more_than_the_time_to_the_samples_beside_it(
    project_texts, role, data, rules, better
):
    text = project_of(role, project_texts, better=better)
    feeds = data.draw(feeds_of(role))
    values = st.sampled_from([0, 1, 2, -1] if role == "burner" else [0, 230_000, 206_000, 400_000])
    wrong = data.draw(st.dictionaries(st.sampled_from(SLOTS), values, max_size=5))
    harms = [Harm(wrong, *_lost(data.draw(losses()))) for _ in feeds]
    beside = Fraction(2 * len(wrong))
    struck = streams(list(zip(feeds, harms, strict=True)))
    no_more_than(worth(text, feeds[0], beside), in_order(text, feeds, rules), credited(text, recorded(struck), rules))


def _lost(harm):
    return harm.dropped, harm.silent, harm.unsynced, harm.late


@examples
@given(role=st.sampled_from(COUNTERS), data=st.data(), rules=RULES, better=st.booleans(), seconds=st.booleans())
def test_readings_that_are_taken_late_move_no_more_across_midnight_than_five_seconds_allow(
    project_texts, role, data, rules, better, seconds
):
    text = project_of(role, project_texts, better=better)
    feed = data.draw(feeds_of(role))[0].proved
    delays = data.draw(
        st.dictionaries(st.sampled_from(SLOTS[:-1]), st.integers(21, 6_000 if seconds else LATEST_MS), max_size=10)
    )
    step = 1_000_000 if "scale" in feed.device else 1
    after = {slot: feed.truth[slot + HOUR_MS] - feed.truth[slot] for slot in delays}
    taken = {slot: feed.truth[slot] + after[slot] * late // HOUR_MS // step * step for slot, late in delays.items()}
    (late,) = streams([(feed, Harm(shows=taken, late=delays))])
    late[0].sent_ms = {slot: ms - 15 for slot, ms in delays.items()}
    moved = 2 * (Fraction(RATED[feed.measurand] * TOLERANCE_MS, HOUR_MS) + step)
    no_more_than(
        worth(text, feed, moved / 10**9), in_order(text, [feed], rules), credited(text, recorded([late]), rules)
    )


def test_a_corruption_that_stays_plausible_does_gain_as_much_as_that(project_texts):
    """So the bound is no larger than it must be: a boundary reading too high by what its hour still allows."""
    text = project_of("generation", project_texts, better=True)
    steady = {slot: 10**13 + place * 10**9 for place, slot in enumerate(SLOTS)}
    feed = Feed("bus", "energy_export_total_wh", steady, {}, steady)
    new_year = SLOTS[26]
    early = Harm({new_year: steady[new_year] + 10**9})
    clean, wrong = (credited(text, recorded(streams([(feed, harm)]))) for harm in (NO_HARM, early))
    gains = [bad.reduction.low - good.reduction.low for good, bad in zip(clean.vintages, wrong.vintages, strict=True)]
    assert gains == [Fraction("0.797"), -Fraction("0.797")]
