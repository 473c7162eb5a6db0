"""Invariant 3: take a run in order, do to it what sites do to data, and no vintage nor the period is credited more.

In order means: every reading is there, answered at once, and of a counter that nobody can reset, so that the run proves
all that truly happened. Every methodology, every role, both rulesets.
"""

import pytest
from computekit.faults import ROLES, feeds_of, project_of, visible
from computekit.runs import credited, examples, recorded
from computekit.sites import NO_HARM, streams
from hypothesis import given
from hypothesis import strategies as st


def never_more(before, after):
    for good, bad in zip(before.vintages, after.vintages, strict=True):
        assert bad.reduction.low <= good.reduction.low
        assert bad.integer <= good.integer
    assert after.reduction.low <= before.reduction.low
    assert sum(each.issuable for each in after.vintages) <= sum(each.issuable for each in before.vintages)
    assert before.creditable or not after.creditable or after.integer <= 0


@pytest.mark.parametrize("role", ROLES)
@examples
@given(
    data=st.data(), rules=st.sampled_from([1, 2]), better=st.booleans(),
    until=st.sampled_from(["2027-06-01", "2026-01-01", "2025-12-31"]),
)  # fmt: skip
def test_no_fault_that_shows_itself_raises_what_is_credited(project_texts, role, data, rules, better, until):
    """The meters' certificates hold for all of the period, for its first year, or ended before it."""
    text = project_of(role, project_texts, better=better).replace("valid_until = 2027-06-01", f"valid_until = {until}")
    assert f"valid_until = {until}" in text
    feeds = data.draw(feeds_of(role))
    struck = data.draw(visible(role, feeds, text, rules))
    in_order = credited(text, recorded(streams([(feed.proved, NO_HARM) for feed in feeds])), rules)
    never_more(
        in_order,
        credited(struck.project_text, recorded(streams(list(zip(feeds, struck.harms, strict=True)))), rules),
    )
