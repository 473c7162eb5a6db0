"""What readings are worth does not depend on how they came: in which order, how often, in which records."""

from dataclasses import replace
from itertools import pairwise

import pytest
from computekit.faults import ROLES, feeds_of, project_of
from computekit.records import records_of
from computekit.runs import credited, examples, recorded
from computekit.sites import END_MS, NEW_YEAR_MS, NO_HARM, RATED, START_MS, STREAMS, anything, streams
from hypothesis import given
from hypothesis import strategies as st

RULES = st.sampled_from([1, 2])
ROLE = st.sampled_from(list(ROLES))


def numbers(result):
    """All of a result but what names the records that it came from."""
    return replace(result, input_digest="", evidence_digest="", evidence=())


@pytest.mark.parametrize("role", [role for role, (_, measurand) in ROLES.items() if measurand in RATED])
@examples
@given(data=st.data(), rules=RULES)
def test_without_faults_a_vintage_is_its_last_reading_less_its_first(project_texts, role, data, rules):
    (feed,) = data.draw(feeds_of(role))
    result = credited(project_of(role, project_texts, better=True), recorded(streams([(feed.proved, NO_HARM)])), rules)
    row = next(row for row in result.monitored if row.point == feed.point)
    shown = [feed.total[at] for at in (START_MS, NEW_YEAR_MS, END_MS)]
    assert [(year.low * 10**9, year.high * 10**9) for year in row.by_vintage] == [
        (last - first, last - first) for first, last in pairwise(shown)
    ]
    assert row.low * 10**9 == shown[-1] - shown[0]


@examples
@given(role=ROLE, data=st.data(), rules=RULES)
def test_the_order_of_records_and_repeats_of_them_change_nothing(project_texts, role, data, rules):
    text = project_of(role, project_texts, better=True)
    feeds = data.draw(feeds_of(role))
    told = streams([(feeds[0], data.draw(anything(feeds[0]))), *((feed, NO_HARM) for feed in feeds[1:])])
    records = [
        one
        for name, parts in zip(STREAMS, told, strict=False)
        for one in records_of(parts, stream=name, slots_a_record=9)
    ]
    again = data.draw(st.lists(st.sampled_from(records), max_size=4))
    mixed = data.draw(st.permutations([*records, *again]))
    assert credited(text, mixed, rules) == credited(text, records, rules)


@examples
@given(role=ROLE, data=st.data(), rules=RULES, slots_a_record=st.integers(1, 60))
def test_how_readings_are_cut_into_records_changes_nothing(project_texts, role, data, rules, slots_a_record):
    text = project_of(role, project_texts, better=True)
    feeds = data.draw(feeds_of(role))
    told = streams([(feeds[0], data.draw(anything(feeds[0]))), *((feed, NO_HARM) for feed in feeds[1:])])
    cut = [
        one
        for name, parts in zip(STREAMS, told, strict=False)
        for one in records_of(parts, stream=name, slots_a_record=slots_a_record)
    ]
    assert numbers(credited(text, cut, rules)) == numbers(credited(text, recorded(told), rules))
