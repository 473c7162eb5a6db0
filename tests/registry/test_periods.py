"""Which periods a statement may be about: over, and claimed by no other statement that is handed in."""

import pytest

from registry.draft import submit_statement
from registry.errors import DraftError, UnknownStatementError
from registry.states import State
from registry.store import Who

LATER = '\n[[period]]\nid = "later"\nstart = 2026-01-02\nend = 2026-01-03\n'
LONGER = "start = 2025-12-31\nend = 2026-01-03"


def submit(world, digest):
    with world.store() as store:
        submit_statement(digest, "test-operator", store, world.clock)


def move(world, digest, state, role):
    with world.store() as store:
        store.move(digest, state, Who(role, "somebody", 1))


def lengthen(world):
    """Declare the period a day longer."""
    text = world.project_file.read_text("utf-8")
    world.project_file.write_text(text.replace("start = 2025-12-31\nend = 2026-01-02", LONGER), "utf-8")


def test_no_statement_is_drawn_up_about_a_period_that_is_not_over(world):
    clock = world.clock
    ends_ms = 1_767_283_200_000  # 2026-01-02T00:00:00+08:00
    clock.now_ms = lambda: ends_ms - 1
    with pytest.raises(DraftError, match=r"ends at 2026-01-01T16:00:00Z and it is .*: it reaches into the future"):
        world.draft()
    clock.now_ms = lambda: ends_ms
    world.draft()


def test_a_period_that_overlaps_a_statement_that_is_handed_in_is_refused(world):
    first = world.draft()
    lengthen(world)
    second = world.draft()  # a draft claims nothing
    submit(world, first)
    with pytest.raises(DraftError, match=rf"statement {first} of project test-solar is submitted .* which overlaps"):
        submit(world, second)
    world.project_file.write_text(world.project_file.read_text("utf-8") + "# anew\n", "utf-8")
    with pytest.raises(DraftError, match="which overlaps 2025-12-30T16:00:00Z to 2026-01-02T16:00:00Z"):
        world.draft()
    submit(world, world.draft(supersedes=first))


def test_what_a_superseded_statement_superseded_is_replaced_too(world):
    first = world.draft()
    submit(world, first)
    second = world.draft(supersedes=first)
    submit(world, second)
    lengthen(world)
    third = world.draft(supersedes=second)
    submit(world, third)
    with pytest.raises(UnknownStatementError, match=r"f{64}"):
        world.draft(supersedes="f" * 64)


def test_a_period_beside_another_is_no_overlap_and_the_same_statement_is_not_its_own(world):
    first = world.draft()
    submit(world, first)
    assert world.draft() == first
    world.project_file.write_text(world.project_file.read_text("utf-8") + LATER, "utf-8")
    submit(world, world.draft(period="later"))


@pytest.mark.parametrize(
    ("moves", "claims"),
    [
        ([(State.WITHDRAWN, "operator")], False),
        ([(State.REJECTED, "tpe")], False),
        ([(State.RETURNED, "tpe"), (State.SUPERSEDED, "operator")], False),
        ([(State.RETURNED, "tpe")], True),
        ([(State.VERIFIED, "tpe")], True),
    ],
)
def test_only_a_statement_that_still_counts_claims_its_period(world, moves, claims):
    first = world.draft()
    submit(world, first)
    for state, role in moves:
        move(world, first, state, role)
    lengthen(world)
    if claims:
        with pytest.raises(DraftError, match=f"is {moves[-1][0]} and tells of"):
            world.draft()
    else:
        world.draft()
