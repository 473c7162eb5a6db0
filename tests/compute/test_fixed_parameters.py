"""Parameters fixed ex ante: a point's own value before the project's, the weaker of two marks, one row for each."""

from fractions import Fraction

import pytest

from compute.errors import ProjectError
from compute.fixed import resolve
from compute.methodologies import Option, methodology
from compute.project import parse_project
from compute.rulesets import ruleset

FACTOR = '[[parameter]]\nname = "EF_RE"\nvalue = "0.797"\nunit = "tCO2/MWh"\nsource = "page 1"\nmark = "V"\n'


def own(value, point, mark="V"):
    text = FACTOR.replace('"0.797"', f'"{value}"').replace('mark = "V"', f'mark = "{mark}"')
    return text.replace('"EF_RE"\n', f'"EF_RE"\npoint = "{point}"\n')


@pytest.fixture
def resolved(project_texts):
    """What is fixed for two generation points, "bus" and "roof"."""

    def fix(*parameters):
        text = project_texts["solar-pv"]().replace(FACTOR, "".join(parameters))
        point = '[[point]]\nid = "roof"\nrole = "generation"\nrated_power_w = "500000.5"\n'
        meter = "[[meter]]" + text.partition("[[meter]]")[2].partition("[[parameter]]")[0]
        roof = point + meter.replace('"bus"', '"roof"').replace('"S1"', '"S2"')
        return resolve(parse_project(text.replace("[[meter]]", f"{roof}[[meter]]", 1)), ruleset())

    return fix


def test_the_value_of_a_point_goes_before_that_of_the_project(resolved):
    fixed = resolved(FACTOR, own("0.533", "roof"))
    assert fixed.factors == {"bus": {"EF_RE": Fraction("0.797")}, "roof": {"EF_RE": Fraction("0.533")}}
    assert [(row.name, row.point, row.value, row.text, row.mark) for row in fixed.rows] == [
        ("EF_RE", None, Fraction("0.797"), "0.797", "V"),
        ("EF_RE", "roof", Fraction("0.533"), "0.533", "V"),
        ("rated_power_w", "bus", Fraction(8_300_000), "8300000", "declared"),
        ("rated_power_w", "roof", Fraction("500000.5"), "500000.5", "declared"),
    ]
    assert fixed.blocked == ()
    assert [(row.unit, row.source) for row in fixed.rows[1:3]] == [("tCO2/MWh", "page 1"), ("W", "project.toml")]


def test_what_two_points_share_is_one_row_and_one_reason(resolved):
    fixed = resolved(FACTOR.replace('mark = "V"', 'mark = "M"'))
    assert [(row.name, row.point, row.mark) for row in fixed.rows][:1] == [("EF_RE", None, "M")]
    assert [(why.code, why.where, why.what) for why in fixed.blocked] == [
        ("parameter-unverified", "EF_RE", "EF_RE = 0.797 tCO2/MWh is marked M")
    ]


def test_each_value_that_is_not_verified_or_not_listed_is_a_reason_by_its_point(resolved):
    fixed = resolved(own("0.319", "bus"), own("0.9", "roof"))
    # Thailand's factor is given as read, yet the catalog has it from memory: the weaker mark counts.
    assert [(why.code, why.where, why.what) for why in fixed.blocked] == [
        ("parameter-unverified", "EF_RE@bus", "EF_RE = 0.319 tCO2/MWh is marked M"),
        (
            "parameter-not-in-methodology",
            "EF_RE@roof",
            "EF_RE = 0.9 is not among 0.797, 0.533, 0.333, 0.319",
        ),
    ]


def test_a_default_of_the_methodology_stands_where_the_project_says_nothing(project_texts):
    fixed = resolve(parse_project(project_texts["transformer-fleet"]()), ruleset())
    (row,) = [row for row in fixed.rows if row.name == "energised_fraction"]
    assert (row.point, row.value, row.text, row.unit, row.mark) == (None, Fraction(9, 10), "0.9", "1", "D")
    assert row.source.startswith("rule of this package")
    assert fixed.factors["station"]["energised_fraction"] == Fraction(9, 10)


def test_a_parameter_that_is_missing_is_named_with_its_point(project_texts):
    project = parse_project(project_texts["solar-pv"]())
    bare = project.model_copy(update={"parameter": ()})
    with pytest.raises(ProjectError, match=r"parameter EF_RE \[tCO2/MWh\] is missing for point 'bus'"):
        resolve(bare, ruleset())


def test_a_boiler_whose_heat_and_burner_are_one_point_has_the_emissions_of_both():
    boiler = methodology("heat-only-boiler", "1.0")
    factors = {"eta_RE": Fraction(1, 2), "eta_PJ": Fraction(4, 5), "EF_coal": Fraction(1, 10)}
    factors |= {"P_el": Fraction(1_000_000), "EF_grid": Fraction(1, 2)}
    both = boiler.emissions({"Q": Fraction(8), "T_op": Fraction(3)}, factors)
    # 8 GJ / 0.5 x 0.1; 8 GJ / 0.8 x 0.1 and 3 MWh x 0.5.
    assert (both.reference, both.project) == (Fraction("1.6"), 1 + Fraction("1.5"))


@pytest.mark.parametrize(
    ("family", "name", "allowed", "offered"),
    [
        ("solar-pv", "EF_RE", "more than 0 and at most 2", 4),
        ("heat-only-boiler", "eta_RE", "more than 0 and at most 1", 1),
        ("heat-only-boiler", "EF_coal", "more than 0 and at most 1/5", 1),
        ("heat-only-boiler", "P_el", "more than 0", 0),
        ("transformer-fleet", "UNC", "at least 0 and at most 1", 0),
    ],
)
def test_the_catalog_says_what_a_value_can_be_and_which_ones_are_offered(family, name, allowed, offered):
    spec = next(spec for spec in methodology(family, "1.0").fixed if spec.name == name)
    assert (spec.range_text, len(spec.options)) == (allowed, offered)
    assert (spec.choice, spec.default) == ("listed" if offered else "project", None)
    assert all(text and not text.isspace() for text in (spec.description, spec.unit, *spec.roles))


def test_an_option_of_the_catalog_carries_its_value_its_text_its_case_its_source_and_its_mark():
    (spec,) = [spec for spec in methodology("heat-only-boiler", "1.0").fixed if spec.name == "EF_coal"]
    assert spec.options == (
        Option(
            Fraction("0.0909"),
            "0.0909",
            "lignite, lower bound of the 95 % range",
            "IPCC 2006 guidelines, volume 2, value not checked",
            "M",
        ),
    )
