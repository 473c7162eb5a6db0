"""Evidence is whole between its ends: a record that is not there, although its neighbours are, is missed."""

import pytest

from metering import record
from registry.evidence import Link, chained_runs, left_out
from registry.statement import Basis, Held, build_statement

START_MS = 1_767_000_000_000 // 3_600_000 * 3_600_000
HOUR_MS = 3_600_000
HELD = ("mongolia-farm/gw-solar", "01KDMZNGG028T5CY4TQKFF04HM", 3)


def _missed(records, held=()):
    return left_out(chained_runs(Link.of(data) for data in records), held)


@pytest.fixture
def stream(plant):
    """A birth and five records."""
    plant.birth()
    plant.days(START_MS, 30)
    return plant.records


def test_a_spike_left_out_is_missed_though_the_operator_computes_and_signs_without_it(forgery, signers):
    links = tuple(Link.of(data) for data in forgery.records if record.parse(data).seq != 7)
    text = forgery.files["project.toml"]
    forgery.records = [link.data for link in links]
    forgery.state(build_statement(Basis(text, "new-year", links)))
    report = forgery.check(signers.ring)
    assert {step.name: step.faults for step in report.steps if step.faults} == {
        "evidence chains": ("stream 01KDMZNGG028T5CY4TQKFF04HM: of records 7 to 7 some are left out",)
    }


def test_a_held_record_is_none_that_was_left_out_but_it_blocks(forgery, signers):
    held = Held(*HELD[:2], 7, "f" * 64, "shape")
    links = tuple(Link.of(data) for data in forgery.records if record.parse(data).seq != 7)
    forgery.records = [link.data for link in links]
    forgery.state(build_statement(Basis(forgery.files["project.toml"], "new-year", links, (held,))))
    report = forgery.check(signers.ring)
    assert report.ok
    assert report.claim.blocked_by == ("held-evidence",)


def test_what_lies_outside_the_window_is_not_missed(stream):
    assert _missed([stream[0], *stream[2:5]]) == []


@pytest.mark.parametrize("at", [2, 3, 4])
def test_each_record_between_two_others_is_missed(stream, at):
    del stream[at]
    assert _missed(stream) == [f"stream {HELD[1]}: of records {at + 1} to {at + 1} some are left out"]


def test_a_birth_between_two_records_is_missed(plant):
    plant.birth()
    plant.days(START_MS, 6)
    plant.birth()
    plant.days(START_MS + 6 * HOUR_MS, 6)
    assert _missed(plant.records) == []
    del plant.records[2]
    assert len(_missed(plant.records)) == 1


def test_as_many_held_records_as_are_missing_explain_a_hole_and_no_fewer(stream):
    del stream[2:4]
    assert len(_missed(stream, {HELD})) == 1
    assert _missed(stream, {HELD, (*HELD[:2], 4)}) == []


@pytest.mark.parametrize(
    "other",
    [
        ("mongolia-farm/gw-other", HELD[1], 4),
        (HELD[0], "01KDMZNGG028T5CY4TQKFF04HN", 4),
        (*HELD[:2], 2),
        (*HELD[:2], 5),
    ],
)
def test_a_held_record_of_elsewhere_explains_no_hole(stream, other):
    del stream[2:4]
    assert len(_missed(stream, {HELD, other})) == 1


def test_a_record_that_stands_for_others_leaves_no_hole(plant):
    plant.birth()
    plant.days(START_MS, 18)
    plant.instead_of(plant.records[2:4], START_MS, START_MS + 18 * HOUR_MS)
    plant.days(START_MS + 18 * HOUR_MS, 6)
    birth, two, _, _, substitute, five = plant.records
    assert _missed([birth, two, substitute, five]) == []


def test_what_a_horizon_says_is_gone_is_not_missed(stream, signers):
    birth = record.parse(stream[0])
    body = {"stream": birth.stream, "seq": 0, "prev": None, "clock": birth.clock, "mono_ms": 1}
    gone = {"kind": "horizon", "oldest_seq": 4, "digest_before": record.digest_of(stream[2])}
    horizon = record.build(record.Horizon(site=birth.site, gateway=birth.gateway, **body, **gone), signers.gateway)
    assert _missed([stream[0], stream[1], *stream[3:], horizon]) == []
    assert len(_missed([stream[0], stream[1], stream[3], stream[5], horizon])) == 1
