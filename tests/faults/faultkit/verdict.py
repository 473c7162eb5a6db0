"""The invariant that holds after any faults: nothing lost, nothing doubled, every due slot read or explained.

References:
    architecture.md section 3, invariant 1.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from faultkit.books import (
    against_ledger,
    in_true_time,
    not_exactly_once,
    qualities,
    runs_of,
    slots_of_quality,
    unread_between,
)
from faultkit.parts import Box, WrongClock
from faultkit.rig import INTERVAL_MS, Rig

from ingest.store.readings import Evidence
from metering import record
from metering.interval import HOUR_MS, Interval
from metering.quality import Quality
from sakugen.demo.sites import DemoSite
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
SPACE_NOTICED_MS = 8 * INTERVAL_MS
"""How long after there is space again an agent may go on missing slots: it looks every other second of real time."""


def assert_nothing_is_lost(
    rig: Rig,
    *,
    incidents: Collection[str] = (),
    boxes: Iterable[Box] | None = None,
    unexplained: Mapping[str, set[int]] = _NOTHING,
    aside: Sequence[record.Record] = (),
) -> Evidence:
    """Compare outboxes, journal and ledger, after every box has ended.

    Args:
        rig: ingest may still be running.
        incidents: the codes that this test provokes; any other is a fault, and so is a missing one.
        boxes: those whose records must be in the journal; all by default.
        unexplained: the slots of each point that are lost on purpose, and must show [ms since the Unix epoch].
        aside: records that are on purpose not in the journal.

    Returns:
        The journal's evidence of the first site, for what else a test wants to ask.
    """
    assert rig.simulators.end() == 0, rig.simulators.output()
    checked = list(rig.boxes if boxes is None else boxes)
    assert not_exactly_once([box.book for box in checked], rig.journal) == []
    assert set(rig.journal.incidents()) == set(incidents)
    assert [row for row in rig.journal.rows() if row.status != "appended"] == []
    for site in rig.sites:
        _assert_site(rig, site, [box for box in checked if box.site is site], unexplained, aside)
    return rig.journal.evidence()


def wrong_clocks_of(rig: Rig, site: DemoSite) -> list[WrongClock]:
    """Every run of a site's agents by a wrong clock."""
    return [wrong for box in rig.boxes_of(site) for wrong in box.wrong_clocks]


def _assert_site(
    rig: Rig,
    site: DemoSite,
    checked: Collection[Box],
    unexplained: Mapping[str, set[int]],
    aside: Sequence[record.Record],
) -> None:
    journal, wrong_clocks = rig.journal_of(site), wrong_clocks_of(rig, site)
    evidence = journal.evidence(lambda parsed: not any(wrong.wrote(parsed) for wrong in wrong_clocks))
    _assert_qualities(rig, site, evidence, unexplained)
    _assert_all_due_slots_are_there(rig, site, evidence, checked)
    _assert_gaps_are_explained(rig, site, evidence)
    if wrong_clocks:
        _assert_wrong_clocks_did_no_more_than_they_must(rig, site, evidence, unexplained)
    _assert_values(rig, site, unexplained, aside)


def _assert_qualities(rig: Rig, site: DemoSite, evidence: Evidence, unexplained: Mapping[str, set[int]]) -> None:
    """Look at what was read by the right clock alone: what an agent says while its clock is wrong explains nothing."""
    expected = _AS_READ | _MISSED | ({Quality.UNEXPLAINED} if unexplained else set())
    if wrong_clocks_of(rig, site):
        expected |= {Quality.UNEXPLAINED, Quality.CLOCK_BEHIND}
    if any(box.full_disks for box in rig.boxes_of(site)):
        expected |= {Quality.DROPPED}
    assert qualities(evidence) <= expected
    behind = _joined(_window(wrong) for wrong in wrong_clocks_of(rig, site))
    for point, slots in slots_of_quality(evidence, Quality.UNEXPLAINED).items():
        outside = {slot for slot in slots if not _is_in(slot, behind)}
        assert outside == set(unexplained.get(point, ())), f"{site.site}, {point}: unexplained; clock wrong {behind}"
    for point, slots in slots_of_quality(evidence, Quality.CLOCK_BEHIND).items():
        assert all(_is_in(slot, behind) for slot in slots), f"{site.site}, {point}: {slots}; clock wrong {behind}"
    assert set(unexplained) <= set(slots_of_quality(evidence, Quality.UNEXPLAINED))


def _assert_all_due_slots_are_there(rig: Rig, site: DemoSite, evidence: Evidence, boxes: Collection[Box]) -> None:
    """Between the first and the last slot `collect` names what is missing; so look at the ends."""
    for point, measurand in evidence.keys():  # noqa: SIM118 - it is no mapping
        times = evidence.series(point, measurand).time_ms
        assert int(times[-1]) == max(box.book.accounted_ms()[f"{point}/all"] for box in boxes)
        assert rig.begun_ms < int(times[0]) <= rig.ready_ms + INTERVAL_MS
    assert {point for point, _ in evidence.keys()} == {device.name for device in site.devices}  # noqa: SIM118


def _assert_gaps_are_explained(rig: Rig, site: DemoSite, evidence: Evidence) -> None:
    boxes = rig.boxes_of(site)
    full = _joined(
        Interval(outage.from_ms - INTERVAL_MS, outage.to_ms + SPACE_NOTICED_MS)
        for box in boxes
        for outage in box.full_disks
    )
    down = [
        Interval(outage.from_ms - OUTAGE_TOLERANCE_MS, outage.to_ms + INTERVAL_MS)
        for box in boxes
        for outage in box.outages
        if outage.to_ms
    ]
    # What could not be committed on a full disk is gone when the agent is killed before there is space.
    outages = _joined([*down, *full])
    for point, slots in slots_of_quality(evidence, Quality.AGENT_DOWN).items():
        for run in runs_of(slots, INTERVAL_MS):
            explained = any(out.start_ms <= run.start_ms and run.end_ms <= out.end_ms for out in outages)
            assert explained, f"{site.site}, {point}: no agent was down for all of {run}; outages were {outages}"
    for point, slots in slots_of_quality(evidence, Quality.OVERRUN).items():
        paused = [slot for slot in slots if not _is_in(slot, full)]
        assert len(paused) * INTERVAL_MS <= LONGEST_PAUSE_MS, f"{site.site}, {point}: overrun at {paused}"
    for point, slots in slots_of_quality(evidence, Quality.DROPPED).items():
        assert all(_is_in(slot, full) for slot in slots), f"{site.site}, {point}: dropped at {slots}; full {full}"


def _assert_wrong_clocks_did_no_more_than_they_must(
    rig: Rig, site: DemoSite, by_right_clock: Evidence, unexplained: Mapping[str, set[int]]
) -> None:
    """Every slot that passed is explained, and no more lost its value than what lay hours ahead of the true time."""
    journal, evidence = rig.journal_of(site), rig.journal_of(site).evidence()
    firsts = {point: int(by_right_clock.series(point, name).time_ms[0]) for point, name in by_right_clock.keys()}  # noqa: SIM118 - it is no mapping
    for point, slots in slots_of_quality(evidence, Quality.UNEXPLAINED).items():
        # Before the first there is only what an agent said whose clock was behind.
        assert {slot for slot in slots if slot > firsts[point]} == set(unexplained.get(point, ()))
    ahead = [wrong for wrong in wrong_clocks_of(rig, site) if wrong.shift_ms > HOUR_MS]
    lay_ahead: dict[str, set[int]] = {}
    for parsed in journal.parsed():
        if isinstance(parsed, record.Readings) and any(wrong.wrote(parsed) for wrong in ahead):
            for part in parsed.groups:
                lay_ahead.setdefault(part.group.partition("/")[0], set()).update(part.slots)
    without_value = {point: set(slots) for point, slots in slots_of_quality(evidence, Quality.CLOCK).items()}
    assert without_value == lay_ahead
    for wrong in wrong_clocks_of(rig, site):
        window = _window(wrong)
        for gap in (each for each in journal.gaps() if wrong.wrote(each)):
            true = in_true_time(gap, wrong.shift_ms)
            assert window.start_ms <= true.from_ms, f"{gap} is longer than {window}"
            assert true.to_ms <= window.end_ms, f"{gap} is longer than {window}"


def _assert_values(
    rig: Rig, site: DemoSite, unexplained: Mapping[str, set[int]], aside: Sequence[record.Record]
) -> None:
    journal, boxes, wrong_clocks = rig.journal_of(site), rig.boxes_of(site), wrong_clocks_of(rig, site)
    records = [
        next((in_true_time(parsed, wrong.shift_ms) for wrong in wrong_clocks if wrong.wrote(parsed)), parsed)
        for parsed in (*journal.parsed(), *aside)
    ]
    unread = [gap for wrong in wrong_clocks for gap in unread_between(wrong.unread_from_ms, wrong.outage.to_ms)]
    for box in boxes:
        if box.ended_ms is not None:
            after = {group: slot_ms + 1 for group, slot_ms in box.book.accounted_ms().items()}
            unread += unread_between(after, box.ended_ms)
    copied_ms = max((box.copied_ms for box in boxes if box.copied_ms), default=None)
    result = against_ledger(rig.ledger, site.project, records, unread, copied_ms=copied_ms)
    lost = [answer for answer in result.lost if not _is_among(answer, unexplained)]
    assert (lost, result.doubled, result.wrong) == ([], (), ()), site.site
    assert result.journalled == result.matched > 0


def _window(wrong: WrongClock) -> Interval:
    """When an agent's clock was wrong, and for as long as it must then wait for the slots that it already committed."""
    waits_ms = wrong.shift_ms if 0 < wrong.shift_ms <= HOUR_MS else 0
    return Interval(wrong.outage.from_ms - OUTAGE_TOLERANCE_MS, wrong.outage.to_ms + waits_ms + INTERVAL_MS)


def _is_in(slot_ms: int, intervals: Iterable[Interval]) -> bool:
    return any(slot_ms in interval for interval in intervals)


def _joined(intervals: Iterable[Interval]) -> list[Interval]:
    """An agent that lives for less than a slot between two outages commits nothing: the gaps join, so do these."""
    joined: list[Interval] = []
    for interval in sorted(intervals):
        if joined and interval.start_ms <= joined[-1].end_ms:
            joined[-1] = Interval(joined[-1].start_ms, max(joined[-1].end_ms, interval.end_ms))
        else:
            joined.append(interval)
    return joined


def _is_among(answer: ServedAnswer, slots: Mapping[str, set[int]]) -> bool:
    return answer.served_ms // INTERVAL_MS * INTERVAL_MS in slots.get(answer.device, ())
