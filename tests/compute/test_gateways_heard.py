"""A period that reaches beyond what a gateway has sent is shown, and is not creditable, by the gateway's name."""

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from compute.engine import compute
from compute.heads import unheard
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from metering.findings import Severity
from metering.interval import Interval

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, END_MS = midnight_ms(date(2025, 12, 31), ZONE), midnight_ms(date(2026, 1, 2), ZONE)
EXPORT, IMPORT = "energy_export_total_wh", "energy_import_total_wh"


@pytest.fixture
def project(project_texts):
    return parse_project(project_texts["solar-pv"](auxiliary=True))


@pytest.fixture
def evidence(make_evidence, shown):
    def build(last_ms=END_MS, silent=(), **points):
        values = {slot: 10**13 + slot for slot in range(START_MS, last_ms + 1, HOUR_MS)}
        values |= dict.fromkeys(silent)
        names = points or {"bus": EXPORT, "aux": IMPORT}
        return make_evidence([shown(point, name, values, interval_ms=HOUR_MS) for point, name in names.items()])

    return build


def told(project, evidence):
    return list(unheard(project, evidence, Interval(START_MS, END_MS)))


def with_gateway(evidence, name, points):
    """The evidence with another gateway's birth that reads some of its points."""
    (birth,) = evidence.births
    groups = tuple(group for group in birth.groups if group.points[0].point in points)
    return replace(evidence, births=(birth, birth.model_copy(update={"gateway": name, "groups": groups})))


def test_a_gateway_that_was_heard_up_to_the_periods_end_is_well(project, evidence):
    assert told(project, evidence()) == []
    assert told(project, evidence(END_MS + HOUR_MS)) == []


def test_a_gateway_that_was_not_is_told_and_blocks_by_name(project, evidence):
    (one,) = told(project, evidence(END_MS - HOUR_MS))
    assert (one.gateway, one.last_ms, one.span) == ("site/gw", END_MS - HOUR_MS, Interval(END_MS - HOUR_MS, END_MS))
    assert (one.finding.code, one.finding.severity) == ("gateway-not-heard", Severity.BLOCKING)
    assert one.finding.evidence == {"last_slot_ms": str(END_MS - HOUR_MS)}
    assert (one.blocked.code, one.blocked.where) == ("gateway-not-heard", "site/gw")
    assert "gateway site/gw is not heard up to the period's end at 2026-01-01T16:00:00Z" in one.blocked.what
    assert "its last slot is 2026-01-01T15:00:00Z" in one.blocked.what


def test_a_slot_without_a_value_says_that_the_gateway_was_there(project, evidence):
    assert told(project, evidence(END_MS - HOUR_MS, silent=[END_MS])) == []


def test_one_silent_gateway_of_two_is_told(project, evidence):
    """The second gateway reads `aux`, which ends a day early; the first reads both."""
    early = evidence(END_MS - 24 * HOUR_MS, aux=IMPORT).by_key["aux", IMPORT]
    both = evidence()
    parted = with_gateway(replace(both, by_key=dict(both.by_key) | {("aux", IMPORT): early}), "gw-2", {"aux"})
    assert [one.gateway for one in told(project, parted)] == ["site/gw-2"]


def test_a_gateway_whose_points_another_took_over_is_not_missed(project, evidence):
    assert told(project, with_gateway(evidence(), "gw-old", {"aux"})) == []


def test_a_gateway_that_never_sent_anything_of_the_period_is_told(project, evidence):
    only_bus = evidence()
    only_bus = replace(only_bus, by_key={("bus", EXPORT): only_bus.series("bus", EXPORT)})
    (one,) = told(project, with_gateway(only_bus, "gw-2", {"aux"}))
    assert (one.gateway, one.last_ms, one.span) == ("site/gw-2", None, Interval(START_MS, END_MS))
    assert one.blocked.what.startswith("gateway site/gw-2 is not heard up to")
    assert one.finding.evidence == {}


def test_a_gateway_that_reads_no_point_of_the_project_is_none_of_its_own(project, evidence):
    other = with_gateway(evidence(), "gw-2", {"elsewhere"})
    assert told(project, other) == []


@pytest.mark.parametrize(("rules", "blocks"), [("sakugen-rules/1", False), ("sakugen-rules/2", True)])
def test_the_engine_asks_where_the_ruleset_does(project, evidence, rules, blocks):
    result = compute(project, evidence(END_MS - HOUR_MS), project.period[0], ruleset(rules))
    assert ("gateway-not-heard" in {why.code for why in result.blocked_by}) == blocks
    assert ("gateway-not-heard" in {finding.code for finding in result.findings}) == blocks


def test_a_provisional_result_asks_up_to_where_it_counts(project, evidence):
    short = evidence(END_MS - 10 * HOUR_MS)
    for until_ms, blocks in ((END_MS - 10 * HOUR_MS, False), (END_MS - 9 * HOUR_MS, True)):
        result = compute(project, short, project.period[0], ruleset(), until_ms=until_ms)
        assert ("gateway-not-heard" in {why.code for why in result.blocked_by}) == blocks
