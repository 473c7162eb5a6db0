"""What a project.toml may say, and how each fault is told."""

from importlib.resources import files

import pytest

from compute.errors import PeriodError
from compute.project import load_project, parse_project
from metering.config import ConfigError


@pytest.fixture
def text(project_texts):
    return project_texts["solar-pv"]()


def faults_of(text):
    with pytest.raises(ConfigError, match=r"project\.toml") as caught:
        parse_project(text)
    return caught.value.faults


def test_a_missing_rating_is_refused_with_its_line(text):
    (fault,) = faults_of(text.replace("rated_power_w = 8_300_000\n", ""))
    assert fault.key == "point[1].rated_power_w"
    assert "no upper bound" in fault.problem
    assert fault.line == text[: text.index("[[point]]")].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ('role = "generation"', 'role = "generator"', "point[1].role", "allowed: auxiliary, generation, check"),
        ('"0.797"', "0.797", "parameter[1].value", "in quotes"),
        ('"0.797"', '"much"', "parameter[1].value", "must be a decimal number"),
        ('"0.797"', '"1e999999999"', "parameter[1].value", "must be a decimal number"),
        ("8_300_000", '"1e999999999"', "point[1].rated_power_w", "must be a decimal number"),
        ('"0.797"', '"7.97"', "parameter[1].value", "must be more than 0 and at most 2"),
        ('"tCO2/MWh"', '"kg/MWh"', "parameter[1].unit", "must be 'tCO2/MWh'"),
        ('name = "EF_RE"', 'name = "EF"', "parameter[1].name", "unknown in solar-pv; allowed: EF_RE, EF_AUX"),
        ('methodology = "solar-pv"', 'methodology = "solar"', "methodology", "there are: heat-only-boiler 1.0"),
        ('"Asia/Ulaanbaatar"', '"Asia/Nowhere"', "time_zone", "IANA name"),
        ("8_300_000", "-5", "point[1].rated_power_w", "must be more than 0"),
        ('point = "bus"', 'point = "bos"', "meter[1].point", "no such point; declared: bus"),
        ('mark = "V"', 'mark = "sure"', "parameter[1].mark", "'V', 'S', 'D', 'M' or 'demonstration'"),
        ("end = 2026-01-02 }", "end = 2025-12-31 }", "period[1]", "end must be after start"),
        ("end = 2026-01-02 }", "end = 2036-01-02 }", "period[1].start", "outside the crediting period"),
        ('title = "A test project"', 'name = "x"\ntitle = "A"', "name", "unknown key"),
    ],
)
def test_each_fault_names_its_key_and_what_is_allowed(text, old, new, key, problem):
    assert old in text
    found = {fault.key: fault.problem for fault in faults_of(text.replace(old, new, 1))}
    assert key in found
    assert problem in found[key]


def test_a_point_used_twice_is_refused(text):
    point = '[[point]]\nid = "bus"\nrole = "check"\n'
    assert [(fault.key, fault.problem) for fault in faults_of(text + point)] == [
        ("point[2].id", "used twice; a point is declared once")
    ]


def test_two_meters_at_one_point_at_one_time_are_refused(text):
    second = text[text.index("[[meter]]") : text.index("[meter.calibration]")].replace("S1", "S2")
    (fault,) = faults_of(text + second)
    assert (fault.key, fault.problem) == ("meter[2].installed_from", "another meter stands at this point then")


def test_a_missing_parameter_names_the_point_that_needs_it(text):
    (fault,) = faults_of(text[: text.index("[[parameter]]")])
    assert fault.problem == "EF_RE [tCO2/MWh] is missing for point 'bus'"


def test_a_methodology_without_its_main_point_is_refused(text):
    found = faults_of(text.replace('role = "generation"', 'role = "check"'))
    assert any("needs a point with role 'generation'" in fault.problem for fault in found)


def test_a_period_is_found_by_id_and_the_first_without_one(text):
    project = parse_project(text)
    assert project.period_named(None) is project.period_named("p1")
    with pytest.raises(PeriodError, match="it declares: p1"):
        project.period_named("p2")


def test_a_parameter_of_a_point_goes_before_the_projects_own(project_texts):
    text = project_texts["transformer-fleet"]()
    own = '[[parameter]]\nname = "n"\npoint = "station"\nvalue = "7"\nunit = "1"\nsource = "x"\nmark = "V"\n'
    found = parse_project(text + own).parameter_for("n", "station")
    assert found is not None
    assert found.value == "7"


def test_the_demonstration_projects_are_accepted_and_say_what_is_not_verified(tmp_path):
    folder = files("sakugen.demo") / "projects"
    marks = {}
    for name in ("demo-solar", "demo-boiler", "demo-transformers"):
        path = tmp_path / f"{name}.toml"
        path.write_bytes((folder / f"{name}.toml").read_bytes())
        project = load_project(path)
        assert project.id == name
        assert [vintage.year for vintage in project.vintages(project.period[0])] == [2025, 2026]
        assert all(meter.calibration is None for meter in project.meter)
        marks[name] = {parameter.mark for parameter in project.parameter}
    assert marks["demo-solar"] == {"V"}
    assert "demonstration" in marks["demo-boiler"] & marks["demo-transformers"]


CHECK = '[[point]]\nid = "second"\nrole = "check"\nchecks = "bus"\nrated_power_w = 8_300_000\n'


def test_a_check_point_names_a_point_whose_amounts_are_counted(text):
    assert parse_project(text + CHECK).point[-1].checks == "bus"
    (fault,) = faults_of(text + CHECK.replace('checks = "bus"', 'checks = "second"'))
    assert (fault.key, fault.problem) == (
        "point[2].checks",
        "no point whose amounts are counted; there are: bus",
    )


def test_only_a_check_point_checks_another(text):
    (fault,) = faults_of(text.replace('role = "generation"', 'role = "generation"\nchecks = "bus"'))
    assert (fault.key, fault.problem) == ("point[1].checks", 'only a point with role "check" checks another')


BALANCE = """
[[balance]]
id = "bus"
inflow = [{ point = "bus", measurand = "energy_export_total_wh" }]
outflow = [{ point = "second", measurand = "energy_export_total_wh" }]
losses_percent = "0.5"
"""


def test_a_balance_names_points_and_what_they_count(text):
    assert parse_project(text + CHECK + BALANCE).balance[0].losses_percent == "0.5"


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ('point = "second"', 'point = "third"', "balance[1].outflow", "no such point; declared: bus, second"),
        ("energy_export_total_wh", "active_power_w", "balance[1].inflow", "must be a counter of energy or of heat"),
        ("energy_export_total_wh", "heat_total_j", "balance[1].inflow", "all flows of a balance must have one unit"),
        ('losses_percent = "0.5"', 'losses_percent = "101"', "balance[1].losses_percent", "must be from 0 to 100"),
    ],
)
def test_each_fault_of_a_balance_is_told(text, old, new, key, problem):
    found = {fault.key: fault.problem for fault in faults_of(text + CHECK + BALANCE.replace(old, new, 1))}
    assert problem in found[key]


def test_a_balance_of_a_point_without_a_rating_or_declared_twice_is_refused(text):
    unrated = CHECK.replace("rated_power_w = 8_300_000\n", "")
    assert [fault.problem for fault in faults_of(text + unrated + BALANCE)] == [
        "the point needs a rated_power_w, which bounds it"
    ]
    assert [fault.problem for fault in faults_of(text + CHECK + BALANCE + BALANCE)] == [
        "used twice; a balance is declared once"
    ]


def test_an_error_that_a_calibration_found_is_not_negative(text):
    wrong = text.replace('mpe_percent = "0.5"', 'mpe_percent = "0.5"\nfound_error_percent = "-0.7"')
    (fault,) = faults_of(wrong)
    assert "must not be negative" in fault.problem


def test_what_nobody_uses_is_left_out_of_what_digests_are_taken_over(text):
    """Else a key that comes later would change the digests of statements that were drawn up before it."""
    told = str(parse_project(text).model_dump(mode="json"))
    assert [key for key in ("checks", "found_error", "ct_class", "pt_class", "balance") if key in told] == []
    told = str(parse_project(text + CHECK + BALANCE).model_dump(mode="json"))
    assert [key for key in ("checks", "balance") if key in told] == ["checks", "balance"]
