"""The first ruleset on calibrations: a year is late as a whole, from the first to the last instant without."""

from datetime import date
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from compute.calibration_by_vintage import calibrated_by_vintage
from compute.project import parse_project
from compute.vintages import midnight_ms
from metering.interval import Interval

ZONE = ZoneInfo("Asia/Ulaanbaatar")
FIRST, SECOND = date(2025, 12, 31), date(2026, 1, 1)
HALF_A_DAY_MS = 43_200_000


def midnight(text):
    return midnight_ms(date.fromisoformat(text), ZONE)


def judged(text, parameter, point):
    project = parse_project(text)
    spec = next(spec for spec in project.method.monitored if spec.parameter == parameter)
    return calibrated_by_vintage(project, spec, point, project.vintages(project.period[0]))


@pytest.fixture
def solar(project_texts):
    """Two vintages of a day each, 2025-12-31 and 2026-01-01, and a certificate and an installation to change."""

    def judge(certificate, installed=("2025-01-01T00:00:00+08:00", None)):
        text = project_texts["solar-pv"]().replace(
            "date = 2025-06-01\nvalid_until = 2027-06-01", f"date = {certificate[0]}\nvalid_until = {certificate[1]}"
        )
        until = "" if installed[1] is None else f"\ninstalled_until = {installed[1]}"
        text = text.replace("installed_from = 2025-01-01T00:00:00+08:00", f"installed_from = {installed[0]}{until}")
        return judged(text, "EG", "bus")

    return judge


@pytest.mark.parametrize(
    ("certificate", "uncovered"),
    [
        (("2025-12-31", "2026-01-02"), []),
        (("2025-12-01", "2026-02-01"), []),
        (("2026-01-01", "2026-01-02"), [("2025-12-31", "2026-01-01")]),
        (("2025-12-31", "2026-01-01"), [("2026-01-01", "2026-01-02")]),
        (("2025-12-01", "2025-12-31"), [("2025-12-31", "2026-01-01"), ("2026-01-01", "2026-01-02")]),
        (("2026-01-02", "2026-02-01"), [("2025-12-31", "2026-01-01"), ("2026-01-01", "2026-01-02")]),
    ],
)
def test_a_year_is_late_where_no_certificate_covers_it_from_midnight_to_midnight(solar, certificate, uncovered):
    found = solar(certificate)
    spans = [Interval(midnight(start), midnight(end)) for start, end in uncovered]
    assert [finding.interval for finding in found.findings] == spans
    late = {span.start_ms for span in spans}
    assert found.widening == tuple(
        Fraction(5, 1000) if midnight(day) in late else 0 for day in ("2025-12-31", "2026-01-01")
    )
    assert found.blocked == ()


@pytest.mark.parametrize(
    ("period_days", "certificate", "uncovered"),
    [
        (("2026-01-01", "2026-01-09"), ("2026-01-03", "2026-01-09"), ("2026-01-01", "2026-01-03")),
        (("2026-01-01", "2026-01-09"), ("2026-01-03", "2026-02-01"), ("2026-01-01", "2026-01-03")),
        (("2026-01-01", "2026-01-09"), ("2026-01-01", "2026-01-05"), ("2026-01-05", "2026-01-09")),
        (("2026-01-01", "2026-01-09"), ("2025-06-01", "2026-01-05"), ("2026-01-05", "2026-01-09")),
        # Covered in the middle only: late from the first to the last instant without.
        (("2026-01-01", "2026-01-09"), ("2026-01-03", "2026-01-05"), ("2026-01-01", "2026-01-09")),
    ],
)
def test_the_span_that_is_late_goes_from_the_first_to_the_last_instant_without(
    project_texts, period_days, certificate, uncovered
):
    text = project_texts["solar-pv"]()
    text = text.replace("start = 2025-12-31, end = 2026-01-02", f"start = {period_days[0]}, end = {period_days[1]}")
    text = text.replace("date = 2025-06-01", f"date = {certificate[0]}").replace("2027-06-01", certificate[1])
    (finding,) = judged(text, "EG", "bus").findings
    assert finding.interval == Interval(midnight(uncovered[0]), midnight(uncovered[1]))


@pytest.mark.parametrize(
    ("installed", "certificate", "uncovered_ms"),
    [
        # It stood there from noon of the first day to noon of the second.
        (("2025-12-31T12:00:00+08:00", "2026-01-01T12:00:00+08:00"), ("2024-01-01", "2024-06-01"), [
            (HALF_A_DAY_MS, 2 * HALF_A_DAY_MS), (2 * HALF_A_DAY_MS, 3 * HALF_A_DAY_MS),
        ]),
        # Gone, or not there yet: no reading of it can lie in the other year.
        (("2025-01-01T00:00:00+08:00", "2026-01-01T00:00:00+08:00"), ("2024-01-01", "2024-06-01"), [
            (0, 2 * HALF_A_DAY_MS),
        ]),
        (("2026-01-01T00:00:00+08:00", None), ("2026-06-01", "2027-01-01"), [(2 * HALF_A_DAY_MS, 4 * HALF_A_DAY_MS)]),
        # The certificate begins only after it was taken away.
        (("2025-01-01T00:00:00+08:00", "2025-12-31T12:00:00+08:00"), ("2026-01-01", "2027-01-01"), [
            (0, HALF_A_DAY_MS),
        ]),
    ],
)  # fmt: skip
def test_only_the_time_in_which_the_meter_stood_there_must_be_covered(solar, installed, certificate, uncovered_ms):
    start_ms = midnight_ms(FIRST, ZONE)
    found = solar(certificate, installed)
    assert [(span.interval.start_ms - start_ms, span.interval.end_ms - start_ms) for span in found.findings] == (
        uncovered_ms
    )


def test_a_late_calibration_is_told_with_its_certificate(solar):
    (finding,) = solar(("2026-01-01", "2026-01-02")).findings
    assert (finding.code, finding.clause, finding.point) == ("calibration-late", "CDM VVS 366", "bus")
    assert finding.evidence == {
        "certificate": "C-1",
        "date": "2026-01-01",
        "valid_until": "2026-01-02",
        "mpe_percent": "0.5",
    }


def test_of_two_meters_in_a_year_the_larger_error_counts(project_texts):
    text = project_texts["solar-pv"]().replace("valid_until = 2027-06-01", "valid_until = 2025-07-01")
    meter = "[[meter]]" + text.partition("[[meter]]")[2].partition("[[parameter]]")[0]
    other = meter.replace('serial = "S1"', 'serial = "S2"').replace('"0.5"', '"0.2"')
    gone = meter.replace("accuracy_class", "installed_until = 2025-12-31T12:00:00+08:00\naccuracy_class")
    came = other.replace("2025-01-01T00", "2025-12-31T12")
    found = judged(text.replace(meter, gone + came), "EG", "bus")
    assert found.widening == (Fraction(5, 1000), Fraction(2, 1000))


def test_a_state_cannot_be_moved_by_an_error_so_a_late_calibration_of_it_blocks(project_texts):
    text = project_texts["transformer-fleet"]().replace("valid_until = 2027-06-01", "valid_until = 2026-01-01")
    found = judged(text, "H", "station")
    assert found.widening == (0, 0)
    assert [(why.code, why.where) for why in found.blocked] == [("calibration-late", "station")]
    assert [finding.code for finding in found.findings] == ["calibration-late"]


def test_a_contact_needs_no_calibration(project_texts):
    found = judged(project_texts["heat-only-boiler"](), "T_op", "burner")
    assert (found.widening, found.findings, found.blocked) == ((0, 0), (), ())


def test_a_point_without_a_meter_is_not_calibrated(project_texts):
    text = project_texts["solar-pv"]()
    meter = "[[meter]]" + text.partition("[[meter]]")[2].partition("[[parameter]]")[0]
    found = judged(text.replace(meter, ""), "EG", "bus")
    assert [(why.code, why.what) for why in found.blocked] == [("no-calibration", "no meter is declared for the point")]
