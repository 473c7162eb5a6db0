"""A result does not depend on when its records came, nor on how many work on it: whatever the site did to its data.

The readings of two days are followed with the end of a month between them, which is measured apart as soon as it is
over.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from computekit.faults import ROLES, feeds_of, project_of
from computekit.journals import write_journal
from computekit.records import records_of
from computekit.runs import credited, examples, recorded
from computekit.sites import END_MS, NO_HARM, STREAMS, anything, streams
from hypothesis import given
from hypothesis import strategies as st

from compute import follow
from compute.partials import Partials
from compute.project import parse_project
from ingest.store.reader import JournalReader

_MEMORY = Path("/dev/shm")
WHERE = _MEMORY if _MEMORY.is_dir() else None
"""Hundreds of journals are written; what a disk takes to keep them is not asked here."""
ROLE = st.sampled_from(list(ROLES))


def told_by(data, role):
    """What the streams of a site tell, at one of whose points anything may have happened."""
    feeds = data.draw(feeds_of(role))
    return streams([(feeds[0], data.draw(anything(feeds[0]))), *((feed, NO_HARM) for feed in feeds[1:])])


def numbers(found):
    """What is shown of a period so far, all but what names the records that it came from."""
    if found is None:
        return None
    result = found.result
    hours = [(hour.start_ms, hour.reference, hour.project, hour.reduction) for hour in found.hours]
    return result.vintages, result.monitored, result.blocked_by, hours


@examples
@given(role=ROLE, data=st.data())
def test_records_that_come_late_are_worth_what_they_are_worth_in_time(project_texts, role, data):
    project = parse_project(project_of(role, project_texts, better=True))
    records = [
        one
        for name, parts in zip(STREAMS, told_by(data, role), strict=False)
        for one in records_of(parts, stream=name, slots_a_record=9)
    ]
    late = set(data.draw(st.lists(st.sampled_from(records), max_size=4)))
    (period,) = project.period
    with TemporaryDirectory(dir=WHERE) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(follow, "_SETTLED_MS", 0)
        journal = Path(folder) / "journal.sqlite"
        with Partials(Path(folder) / "partials.sqlite") as partials:
            follower = follow.Follower(JournalReader(journal), partials)
            for batch in ([one for one in records if one not in late], [one for one in records if one in late]):
                write_journal(journal, batch, END_MS)
                follower.look()
                found = follower.so_far(project, period)
                at_once = follow.compute_so_far(project, JournalReader(journal), period)
                assert numbers(found) == numbers(at_once)


@examples
@given(role=ROLE, data=st.data(), rules=st.sampled_from([1, 2]), cores=st.integers(1, 8))
def test_how_many_threads_work_changes_nothing(project_texts, role, data, rules, cores):
    text, records = project_of(role, project_texts, better=True), recorded(told_by(data, role))
    expected = credited(text, records, rules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.cpu_count", lambda: cores)
        assert credited(text, records, rules) == expected
