"""Certificates against the time that a meter stood there: what is late, by how much, and what cannot be credited."""

from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from compute.calibration import Certificate, calibrated, moved, uncovered
from compute.pairs import Pair
from compute.project import parse_project
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from metering.interval import Interval

ZONE = ZoneInfo("Asia/Ulaanbaatar")
OWN = "date = 2025-06-01\nvalid_until = 2027-06-01"


def midnight(text):
    return midnight_ms(date.fromisoformat(text), ZONE)


def span(start, end):
    return Interval(midnight(start), midnight(end))


def certificate(start, end, mpe="0.5", found="0", name="C-2"):
    return Certificate(name, date.fromisoformat(start), date.fromisoformat(end), Fraction(mpe), Fraction(found))


def judged(text, further=(), parameter="EG", point="bus"):
    project = parse_project(text)
    spec = next(spec for spec in project.method.monitored if spec.parameter == parameter)
    declared = [(project.meters_of(point)[0].name, one) for one in further]
    return calibrated(project, spec, point, project.interval_of(project.period[0]), ruleset(), declared)


@pytest.fixture
def solar(project_texts):
    """A period of two days, 2025-12-31 and 2026-01-01, and a certificate and an installation to change."""

    def build(start="2025-06-01", end="2027-06-01", installed="2025-01-01T00:00:00+08:00", until=None):
        gone = "" if until is None else f"\ninstalled_until = {until}"
        text = project_texts["solar-pv"]().replace(OWN, f"date = {start}\nvalid_until = {end}")
        return text.replace(
            "installed_from = 2025-01-01T00:00:00+08:00", f"installed_from = {installed}{gone}"
        )  # fmt: skip

    return build


def codes(found):
    return [finding.code for finding in found.findings], [why.code for why in found.blocked]


def test_nothing_is_said_of_a_meter_that_was_calibrated_throughout(solar):
    for start, end in (("2025-12-31", "2026-01-02"), ("2025-12-01", "2026-02-01")):
        found = judged(solar(start, end))
        assert (found.late, found.findings, found.blocked) == ((), (), ())


def test_a_first_calibration_after_the_start_leaves_an_uncovered_head(solar):
    found = judged(solar("2026-01-01", "2027-01-01"))
    assert [(one.interval, one.share) for one in found.late] == [(span("2025-12-31", "2026-01-01"), Fraction("0.005"))]
    assert codes(found) == (["calibration-late"], [])


def test_a_meter_that_is_due_and_has_no_result_since_has_to_be_calibrated_first(solar):
    found = judged(solar("2025-01-01", "2026-01-01"))
    assert [one.interval for one in found.late] == [span("2026-01-01", "2026-01-02")]
    assert codes(found) == (["calibration-late"], ["calibration-due"])


def test_the_result_of_the_late_calibration_lifts_the_block_and_may_come_after_the_period(solar):
    found = judged(solar("2025-01-01", "2026-01-01"), [certificate("2026-03-01", "2028-01-01")])
    assert [one.interval for one in found.late] == [span("2026-01-01", "2026-01-02")]
    assert codes(found) == (["calibration-late"], [])


@pytest.mark.parametrize(
    ("mpe", "found", "share"),
    [
        ("0.5", "0", "0.005"),
        ("0.5", "0.5", "0.005"),
        ("0.5", "0.7", "0.007"),
        ("1", "0.7", "0.01"),
        ("0.2", "0", "0.005"),
    ],
)
def test_the_largest_of_what_is_permitted_and_what_was_found_counts(solar, mpe, found, share):
    late = judged(solar("2025-01-01", "2025-12-31"), [certificate("2026-01-01", "2028-01-01", mpe, found)]).late
    assert [(one.interval, one.share) for one in late] == [(span("2025-12-31", "2026-01-01"), Fraction(share))]


def test_what_an_earlier_calibration_found_says_nothing_about_the_time_after_it(solar):
    certificates = [certificate("2024-01-01", "2024-06-01", found="9"), certificate("2026-01-01", "2028-01-01")]
    (late,) = judged(solar("2025-01-01", "2025-12-31"), certificates).late
    assert late.share == Fraction("0.005")


def test_each_stretch_between_certificates_is_late_by_itself(solar):
    text = solar("2025-01-01", "2026-01-03").replace(
        "start = 2025-12-31, end = 2026-01-02", "start = 2026-01-01, end = 2026-01-09"
    )
    further = [certificate("2026-01-04", "2026-01-06", found="2", name="C-2"), certificate("2026-01-08", "2027-01-01")]
    found = judged(text, further)
    assert [(one.interval, one.share) for one in found.late] == [
        (span("2026-01-03", "2026-01-04"), Fraction("0.02")),
        (span("2026-01-06", "2026-01-08"), Fraction("0.005")),
    ]
    assert found.blocked == ()


def test_no_certificate_ever_is_not_creditable(solar, project_texts):
    assert codes(judged(project_texts["solar-pv"](calibrated=False))) == ([], ["no-calibration"])


def test_a_declared_certificate_is_one_as_good_as_that_of_the_project(project_texts):
    found = judged(project_texts["solar-pv"](calibrated=False), [certificate("2025-01-01", "2027-01-01")])
    assert (found.late, found.findings, found.blocked) == ((), (), ())


def test_only_the_time_in_which_the_meter_stood_there_must_be_covered(solar):
    noon = ("2025-12-31T12:00:00+08:00", "2026-01-01T12:00:00+08:00")
    (late,) = judged(solar("2024-01-01", "2024-06-01", *noon)).late
    half_a_day_ms = 43_200_000
    assert late.interval == Interval(midnight("2025-12-31") + half_a_day_ms, midnight("2026-01-01") + half_a_day_ms)
    gone = judged(solar("2024-01-01", "2024-06-01", until="2025-12-31T00:00:00+08:00"))
    assert (gone.late, gone.findings, gone.blocked) == ((), (), ())


def test_a_meter_that_was_taken_away_while_due_keeps_its_duty(solar):
    text = solar("2024-01-01", "2025-12-31", until="2026-01-01T00:00:00+08:00")
    assert codes(judged(text)) == (["calibration-late", "calibration-final-missing"], ["calibration-due"])
    final = judged(text, [certificate("2026-01-05", "2026-01-06", found="3")])
    assert codes(final) == (["calibration-late"], [])
    assert [one.share for one in final.late] == [Fraction("0.03")]


def test_a_meter_that_was_taken_away_in_time_still_owes_its_last_calibration_and_that_is_told(solar):
    at_the_end = solar(until="2026-01-02T00:00:00+08:00")
    assert codes(judged(at_the_end)) == (["calibration-final-missing"], [])
    text = solar(until="2026-01-01T00:00:00+08:00")
    assert codes(judged(text)) == (["calibration-final-missing"], [])
    assert codes(judged(text, [certificate("2026-01-01", "2026-01-02")])) == ([], [])


def test_a_meter_that_still_stands_there_when_the_period_ends_owes_nothing_yet(solar):
    assert codes(judged(solar(until="2026-01-05T00:00:00+08:00"))) == ([], [])


@pytest.mark.parametrize(
    ("accuracy_class", "mpe", "share", "blocked"),
    [
        ("EN 1434 class 2", "2", "0.1", []),
        ("EN 1434 class 3", "2", "0.1", []),
        ("EN 1434 class 2", "12", "0.12", []),
        ("EN 1434 class 1", "2", "0.085", ["accuracy-class-unverified"]),
        ("EN 1434 class 1", "9", "0.09", []),
        ("0.5S", "0.5", "0.005", []),
    ],
)
def test_a_heat_meter_errs_by_all_that_en_1434_permits_where_flow_and_difference_are_unknown(
    project_texts, accuracy_class, mpe, share, blocked
):
    text = project_texts["heat-only-boiler"]().replace(OWN, "date = 2026-01-01\nvalid_until = 2027-01-01")
    text = text.replace('"0.5S"', f'"{accuracy_class}"').replace('mpe_percent = "0.5"', f'mpe_percent = "{mpe}"')
    found = judged(text, parameter="Q", point="heat")
    assert [one.share for one in found.late] == [Fraction(share)]
    assert [why.code for why in found.blocked] == blocked


def test_a_state_cannot_be_moved_by_an_error_so_a_late_calibration_of_it_blocks(project_texts):
    text = project_texts["transformer-fleet"]().replace(OWN, "date = 2026-01-01\nvalid_until = 2027-01-01")
    found = judged(text, parameter="H", point="station")
    assert (found.late, *codes(found)) == ((), ["calibration-late"], ["calibration-late"])


def test_a_contact_needs_no_calibration_at_all(project_texts):
    found = judged(project_texts["heat-only-boiler"](), parameter="T_op", point="burner")
    assert (found.late, found.findings, found.blocked) == ((), (), ())


def test_a_point_without_a_meter_is_not_calibrated(project_texts):
    text = project_texts["solar-pv"]()
    meter = "[[meter]]" + text.partition("[[meter]]")[2].partition("[[parameter]]")[0]
    project = parse_project(text.replace(meter, ""))
    spec = next(spec for spec in project.method.monitored if spec.parameter == "EG")
    found = calibrated(project, spec, "bus", project.interval_of(project.period[0]), ruleset())
    assert [(why.code, why.what) for why in found.blocked] == [("no-calibration", "no meter is declared for the point")]


def test_a_late_calibration_is_told_with_its_error_and_certificates(solar):
    (finding,) = judged(solar("2026-01-01", "2026-01-02")).findings
    assert (finding.code, finding.clause, finding.point) == ("calibration-late", "CDM VVS 366", "bus")
    assert finding.evidence == {
        "error_percent": "0.5",
        "error_is": "maximum permissible error of C-1",
        "mark": "V",
        "certificate C-1": "2026-01-01 to 2026-01-02",
    }


@pytest.mark.parametrize(
    ("covered", "left"),
    [
        ([], [(0, 10)]),
        ([(0, 10)], []),
        ([(-5, 20)], []),
        ([(2, 4)], [(0, 2), (4, 10)]),
        ([(6, 12), (-1, 3)], [(3, 6)]),
        ([(1, 5), (2, 3), (5, 10)], [(0, 1)]),
        ([(-9, -1), (10, 12)], [(0, 10)]),
        ([(-9, 0), (12, 14)], [(0, 10)]),
    ],
)
def test_what_no_span_covers_is_left(covered, left):
    spans = [Interval(start, end) for start, end in covered]
    assert uncovered(Interval(0, 10), spans) == tuple(Interval(start, end) for start, end in left)


def test_only_the_part_that_was_touched_moves_and_outwards():
    share = Fraction("0.01")
    assert moved(Pair(1000, 1000), Pair(100, 100), share) == Pair(999, 1001)
    assert moved(Pair(1000, 1200), Pair(0, 200), share) == Pair(1000, 1202)
    assert moved(Pair(0, 50), Pair(700, 700), share) == Pair(0, Fraction("50.5")), "never more than the amount itself"
    assert moved(Pair(1000, 1000), Pair(0, 0), share) == Pair(1000, 1000)


def test_a_certificate_of_another_meter_covers_nothing(project_texts):
    project = parse_project(project_texts["solar-pv"](calibrated=False))
    spec = next(spec for spec in project.method.monitored if spec.parameter == "EG")
    declared = [("Test Meter S2", certificate("2025-01-01", "2027-01-01"))]
    found = calibrated(project, spec, "bus", project.interval_of(project.period[0]), ruleset(), declared)
    assert [why.code for why in found.blocked] == ["no-calibration"]
