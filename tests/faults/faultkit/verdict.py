"""The invariant that holds after any faults: nothing lost, nothing doubled, every due slot read or explained.

References:
    architecture.md section 3, invariant 1.
"""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from faultkit.books import against_ledger, not_exactly_once, qualities, runs_of, slots_of_quality
from faultkit.rig import INTERVAL_MS, SITE, Box, Rig

from ingest.store.readings import Evidence
from metering import record
from metering.interval import Interval
from metering.quality import Quality
from simulators.ledger import ServedAnswer

_NOTHING: Mapping[str, set[int]] = MappingProxyType({})
_AS_READ = {Quality.OK, Quality.LATE_READ}
_MISSED = {Quality.AGENT_DOWN, Quality.OVERRUN}

OUTAGE_TOLERANCE_MS = 3 * INTERVAL_MS
"""A gap may begin before the outage that explains it: the slot that was being read when the agent died counts as
missed, and up to two more when the machine was too busy to commit or to notice [ms of the plant's clock]."""
LONGEST_PAUSE_MS = 8 * INTERVAL_MS
"""The most that a group may miss in all because the machine itself stood still [ms of the plant's clock]: half a dozen
processes of the rig and whatever else runs share its cores. It is no fault of the agent as long as it says so."""


def assert_nothing_is_lost(
    rig: Rig,
    *,
    incidents: Collection[str] = (),
    boxes: Iterable[Box] | None = None,
    unexplained: Mapping[str, set[int]] = _NOTHING,
    aside: Iterable[record.Record] = (),
) -> Evidence:
    """Compare outboxes, journal and ledger, after every box has ended.

    Args:
        rig: ingest may still be running.
        incidents: the codes that this test provokes; any other is a fault, and so is a missing one.
        boxes: those whose records must be in the journal; all by default.
        unexplained: the slots of each point that are lost on purpose, and must show [ms since the Unix epoch].
        aside: records that are on purpose not in the journal.

    Returns:
        The journal's evidence, for what else a test wants to ask.
    """
    assert rig.simulators.end() == 0, rig.simulators.output()
    journal, evidence = rig.journal, rig.journal.evidence()
    checked = list(rig.boxes if boxes is None else boxes)
    assert not_exactly_once([box.book for box in checked], journal) == []
    assert set(journal.incidents()) == set(incidents)
    assert [row for row in journal.rows() if row.status != "appended"] == []
    expected = _AS_READ | _MISSED | ({Quality.UNEXPLAINED} if unexplained else set())
    assert qualities(evidence) <= expected
    assert slots_of_quality(evidence, Quality.UNEXPLAINED) == {
        point: sorted(slots) for point, slots in unexplained.items()
    }
    _assert_all_due_slots_are_there(rig, evidence, checked)
    _assert_gaps_are_explained(rig, evidence)
    ends = [(box.book, box.ended_ms) for box in rig.boxes if box.ended_ms is not None]
    result = against_ledger(rig.ledger, journal, ends, aside, copied_ms=rig.copied_ms)
    lost = [answer for answer in result.lost if not _is_among(answer, unexplained)]
    assert (lost, result.doubled, result.wrong) == ([], (), ())
    assert result.journalled == result.matched > 0
    return evidence


def _assert_all_due_slots_are_there(rig: Rig, evidence: Evidence, boxes: Collection[Box]) -> None:
    """Between the first and the last slot `collect` names what is missing; so look at the ends."""
    for point, measurand in evidence.keys():  # noqa: SIM118 - it is no mapping
        times = evidence.series(point, measurand).time_ms
        assert int(times[-1]) == max(box.book.accounted_ms()[f"{point}/all"] for box in boxes)
        assert rig.begun_ms < int(times[0]) <= rig.ready_ms + INTERVAL_MS
    assert {point for point, _ in evidence.keys()} == {device.name for device in SITE.devices}  # noqa: SIM118


def _assert_gaps_are_explained(rig: Rig, evidence: Evidence) -> None:
    outages = _joined(
        Interval(outage.from_ms - OUTAGE_TOLERANCE_MS, outage.to_ms + INTERVAL_MS)
        for box in rig.boxes
        for outage in box.outages
        if outage.to_ms
    )
    for point, slots in slots_of_quality(evidence, Quality.AGENT_DOWN).items():
        for run in runs_of(slots, INTERVAL_MS):
            explained = any(out.start_ms <= run.start_ms and run.end_ms <= out.end_ms for out in outages)
            assert explained, f"{point}: no agent was down for all of {run}; outages were {outages}"
    for point, slots in slots_of_quality(evidence, Quality.OVERRUN).items():
        assert len(slots) * INTERVAL_MS <= LONGEST_PAUSE_MS, f"{point}: overrun at {slots}"


def _joined(outages: Iterable[Interval]) -> list[Interval]:
    """An agent that lives for less than a slot between two outages commits nothing: the gaps join, so do these."""
    joined: list[Interval] = []
    for outage in sorted(outages):
        if joined and outage.start_ms <= joined[-1].end_ms:
            joined[-1] = Interval(joined[-1].start_ms, max(joined[-1].end_ms, outage.end_ms))
        else:
            joined.append(outage)
    return joined


def _is_among(answer: ServedAnswer, slots: Mapping[str, set[int]]) -> bool:
    return answer.served_ms // INTERVAL_MS * INTERVAL_MS in slots.get(answer.device, ())
