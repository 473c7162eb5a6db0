"""What a late calibration says for people: which meter, which error, from whom, and what has to be done."""

from datetime import date
from fractions import Fraction

import pytest

from compute.calibration import Certificate, calibrated, of_declared
from compute.declared import parse_declared
from compute.project import parse_project
from compute.result import Blocked
from compute.rulesets import ruleset
from compute.vintages import midnight_ms
from metering.findings import Finding, Severity
from metering.interval import Interval

OWN = "date = 2025-06-01\nvalid_until = 2027-06-01"
EXPIRED = "date = 2025-01-01\nvalid_until = 2026-01-01"
DUE = "Test Meter S1 was due for calibration and has no result since; it has to be calibrated first"


@pytest.fixture
def told(project_texts):
    """Finding and reasons of a project whose certificate ends with the first year."""

    def judge(family, parameter, point, *further, accuracy_class="0.5S", dates=EXPIRED):
        text = project_texts[family]().replace(OWN, dates).replace('"0.5S"', f'"{accuracy_class}"')
        project = parse_project(text)
        spec = next(spec for spec in project.method.monitored if spec.parameter == parameter)
        declared = [("Test Meter S1", one) for one in further]
        found = calibrated(project, spec, point, project.interval_of(project.period[0]), ruleset(), declared)
        (finding,) = found.findings
        return project, finding, found.blocked

    return judge


def test_an_expired_certificate_is_told_with_its_meter_its_error_and_its_time(told):
    project, finding, blocked = told("solar-pv", "EG", "bus")
    start_ms, end_ms = (midnight_ms(date(2026, 1, day), project.zone) for day in (1, 2))
    assert finding.what == "Test Meter S1 measured without a valid calibration; what it measured then moves by 0.5 %"
    assert (finding.severity, finding.interval) == (Severity.WARNING, Interval(start_ms, end_ms))
    assert blocked == (Blocked("calibration-due", DUE, "bus"),)


def test_a_state_says_that_no_error_can_be_applied_to_it(told):
    _, _, blocked = told("transformer-fleet", "H", "station")
    late = "Test Meter S1 is not calibrated throughout, and its error cannot be applied to a state"
    assert blocked == (Blocked("calibration-due", DUE, "station"), Blocked("calibration-late", late, "station"))


def test_a_class_that_nobody_read_in_the_standard_is_named_with_what_it_permits(told):
    _, finding, blocked = told("heat-only-boiler", "Q", "heat", accuracy_class="EN 1434 class 1")
    why = "the largest that EN 1434 class 1 permits, flow and temperature difference being unknown"
    assert finding.evidence["error_is"] == why
    unread = f"the error applied to Test Meter S1 ({why}) is marked {finding.evidence['mark']}"
    assert blocked[1:] == (Blocked("accuracy-class-unverified", unread, "heat"),)


def test_an_error_that_was_found_is_told_with_the_certificate_that_found_it(told):
    later = Certificate("C-2", date(2026, 3, 1), date(2028, 1, 1), Fraction("0.5"), Fraction("0.7"))
    _, finding, blocked = told("solar-pv", "EG", "bus", later)
    assert finding.evidence["error_is"] == "error found by C-2"
    assert (finding.evidence["error_percent"], blocked) == ("0.7", ())


def test_of_several_earlier_certificates_the_last_one_s_error_counts(told):
    """The first one's, of 0.9 %, was replaced by that of the project, of 0.5 %."""
    first = Certificate("C-0", date(2023, 1, 1), date(2024, 1, 1), Fraction("0.9"), Fraction(0))
    _, finding, _ = told("solar-pv", "EG", "bus", first)
    assert finding.evidence["error_is"] == "maximum permissible error of C-1"


def test_a_meter_that_was_taken_away_says_that_its_last_calibration_is_owed(project_texts):
    until = "2026-01-02T00:00:00+08:00"  # the end of the period, which still counts
    text = project_texts["solar-pv"]().replace("accuracy_class", f"installed_until = {until}\naccuracy_class")
    project = parse_project(text)
    spec = next(spec for spec in project.method.monitored if spec.parameter == "EG")
    found = calibrated(project, spec, "bus", project.interval_of(project.period[0]), ruleset())
    gone_ms = midnight_ms(date(2026, 1, 2), project.zone)
    assert found.findings == (
        Finding(
            code="calibration-final-missing",
            clause="CDM VVS 366",
            severity=Severity.WARNING,
            what="Test Meter S1 was taken away and has no calibration since; its last one is still owed",
            point="bus",
            interval=Interval(gone_ms, gone_ms),
        ),
    )


def test_a_meter_without_any_certificate_and_a_point_without_a_meter_are_named(project_texts):
    project = parse_project(project_texts["solar-pv"](calibrated=False))
    spec = next(spec for spec in project.method.monitored if spec.parameter == "EG")
    span = project.interval_of(project.period[0])
    bare = project.model_copy(update={"meter": ()})
    assert [calibrated(each, spec, "bus", span, ruleset()).blocked for each in (project, bare)] == [
        (Blocked("no-calibration", "no calibration certificate of Test Meter S1", "bus"),),
        (Blocked("no-calibration", "no meter is declared for the point", "bus"),),
    ]


@pytest.mark.parametrize(("line", "error"), [('found_error_percent = "0.7"\n', Fraction("0.7")), ("", Fraction(0))])
def test_a_declared_certificate_that_tells_no_error_found_none_beyond_the_permissible_one(declaration, line, error):
    name, data = declaration("calibration")
    told = data.replace(b'found_error_percent = "0.7"\n', line.encode())
    ((meter, one),) = of_declared(parse_declared({name: told}))
    assert (meter, one.name, one.mpe_percent, one.found_percent) == ("Test Meter S1", "C-2", Fraction("0.5"), error)
