"""Each family: a worked example by hand, its limits, and the direction it declares."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.errors import MethodologyError
from compute.methodologies import Direction, methodologies, methodology, package_files
from compute.methodologies.shape import Emissions, Fixed, bounds
from compute.pairs import Pair

SOLAR = {"EF_RE": Fraction("0.797"), "EF_AUX": Fraction("1.1501")}
BOILER = {
    "eta_RE": Fraction("0.613"),
    "eta_PJ": Fraction("0.8"),
    "EF_coal": Fraction("0.0909"),
    "P_el": Fraction(11_000),
    "EF_grid": Fraction("1.1501"),
}
FLEET = {
    "n": Fraction(60),
    "NLL_RE": Fraction(1_200),
    "NLL_PJ": Fraction(370),
    "UNC": Fraction("0.15"),
    "EF_grid": Fraction("0.333"),
}

solar, boiler, fleet = (methodology(name, "1.0") for name in ("solar-pv", "heat-only-boiler", "transformer-fleet"))


def test_the_mongolian_farm_of_the_oecc_report():
    # 8.3 MW, 9,585 tCO2 a year (OECC 2022). At 0.797 t/MWh (grid, MN_AM003) that is 12,026.35 MWh, 16.5 % of the
    # rated power all year round, as a plant at 48° north gives. Forward: 12,026.35 x 0.797 = 9,585.00095 t.
    result = solar.emissions({"EG": Fraction("12026.35")}, SOLAR)
    assert (result.reference, result.project, result.reduction) == (Fraction("9585.00095"), 0, Fraction("9585.00095"))


def test_the_darkhan_plant_of_gec_and_oecc():
    # 20 MW, 22,927 tCO2 a year expected: at 0.797 t/MWh 28,766.6 MWh. 28,766.6 x 0.797 = 22,926.9802.
    assert solar.emissions({"EG": Fraction("28766.6")}, SOLAR).reduction == Fraction("22926.9802")


def test_auxiliary_import_is_a_project_emission():
    # 10 MWh x 1.1501 = 11.501 t.
    assert solar.emissions({"EC_AUX": Fraction(10)}, SOLAR).reduction == Fraction("-11.501")


def test_a_boiler_by_the_formula_of_the_study():
    # Q = 1000 GJ: (1/0.613 - 1/0.8) x 1000 x 0.0909 = 34.66... t; EC = 11 kW x 200 h / 1000 = 2.2 MWh,
    # x 1.1501 = 2.53022 t.
    heat = boiler.emissions({"Q": Fraction(1_000)}, BOILER)
    drives = boiler.emissions({"T_op": Fraction(200)}, BOILER)
    assert heat.reduction == Fraction(1_000) * Fraction("0.0909") * (1 / Fraction("0.613") - 1 / Fraction("0.8"))
    assert drives.project == Fraction("2.53022")
    assert float((heat + drives).reduction) == pytest.approx(34.6619 - 2.5302, abs=2e-3)


def test_a_fleet_by_hand():
    # 60 x 1200 W x 192 h x 0.333 / 1e6 = 4.603392 t; 60 x 370 x 1.15 W x 192 h x 0.333 / 1e6 = 1.63228608 t.
    result = fleet.emissions({"H": Fraction(192)}, FLEET)
    assert (result.reference, result.project) == (Fraction("4.603392"), Fraction("1.63228608"))


@pytest.mark.parametrize(("method", "factors"), [(solar, SOLAR), (boiler, BOILER), (fleet, FLEET)])
def test_nothing_measured_reduces_nothing(method, factors):
    for name in method.directions:
        assert method.emissions({name: Fraction(0)}, factors).reduction == 0


def test_a_boiler_no_better_than_the_reference_reduces_nothing():
    same = BOILER | {"eta_PJ": BOILER["eta_RE"]}
    assert boiler.emissions({"Q": Fraction(123)}, same).reduction == 0


def test_a_core_no_better_than_the_reference_reduces_nothing():
    same = FLEET | {"NLL_PJ": FLEET["NLL_RE"], "UNC": Fraction(0)}
    assert fleet.emissions({"H": Fraction(123)}, same).reduction == 0


def test_a_worse_project_has_a_negative_reduction_that_nobody_clamps():
    worse = FLEET | {"NLL_PJ": Fraction(2_000)}
    assert fleet.emissions({"H": Fraction(100)}, worse).reduction < 0


amount = st.fractions(0, 10**6)
share = st.fractions(Fraction(1, 100), 1)


@given(low=amount, more=amount, ef=share, eta=share, eta_project=share, losses=st.tuples(share, share))
def test_the_reduction_goes_the_way_that_each_family_declares(low, more, ef, eta, eta_project, losses):
    for method in methodologies():
        factors = {spec.name: ef for spec in method.fixed} | {
            "eta_RE": eta,
            "eta_PJ": eta_project,
            "NLL_RE": losses[0] * 1_000,
            "NLL_PJ": losses[1] * 1_000,
        }
        for name, direction in method.directions.items():
            change = (
                method.emissions({name: low + more}, factors).reduction
                - method.emissions({name: low}, factors).reduction
            )
            assert direction is Direction.EITHER or (change >= 0 if direction is Direction.UP else change <= 0)


@given(low=amount, more=amount, inside=st.fractions(0, 1), eta_project=share)
def test_no_amount_within_the_pair_credits_less_than_the_credited_corner(low, more, inside, eta_project):
    factors = BOILER | {"eta_PJ": eta_project}
    for name in ("Q", "T_op"):
        found = bounds(boiler, {name: Pair(low, low + more)}, factors)
        between = boiler.emissions({name: low + more * inside}, factors)
        assert found.reduction.low <= between.reduction <= found.reduction.high
        assert found.reference.low <= between.reference <= found.reference.high
        assert found.project.low <= between.project <= found.project.high
        assert found.credited.emissions.reduction == found.reduction.low


def test_leakage_is_taken_off_like_project_emissions_and_adds_up():
    one = Emissions(Fraction(10), Fraction(3), Fraction(2))
    assert one.reduction == 5
    assert one + Emissions(Fraction(1), Fraction(20), Fraction(300)) == Emissions(
        Fraction(11), Fraction(23), Fraction(302)
    )


def test_where_both_ends_give_the_same_the_one_that_the_direction_names_is_credited():
    for name, end in (("EG", "low"), ("EC_AUX", "high")):
        assert bounds(solar, {name: Pair(5, 5)}, SOLAR).credited.ends == {name: end}


LIMITED = Fixed(
    name="x", unit="1", description="", roles=("r",), above=None, at_least=None, at_most=None, choice="project",
    default=None, options=(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "allowed", "refused", "text"),
    [
        ({}, (-1, 0, 10**9), (), "any number"),
        ({"above": Fraction(0)}, (Fraction(1, 10**9), 7), (0, -1), "more than 0"),
        ({"at_least": Fraction(0)}, (0, 7), (Fraction(-1, 10**9),), "at least 0"),
        ({"at_most": Fraction(1)}, (-7, 1), (Fraction(10**9 + 1, 10**9),), "at most 1"),
        ({"above": Fraction(0), "at_most": Fraction(1)}, (1,), (0, 2), "more than 0 and at most 1"),
        ({"above": Fraction(0), "at_least": Fraction(2)}, (2,), (0, 1), "more than 0 and at least 2"),
    ],
)
def test_a_fixed_parameter_allows_what_its_limits_say(limits, allowed, refused, text):
    spec = replace(LIMITED, **limits)
    assert all(spec.allows(Fraction(value)) for value in allowed)
    assert not any(spec.allows(Fraction(value)) for value in refused)
    assert spec.range_text == text


def test_every_monitored_parameter_has_a_direction_and_every_fixed_one_a_role():
    for method in methodologies():
        roles = {spec.role for spec in method.monitored}
        assert {spec.parameter for spec in method.monitored} == set(method.directions)
        assert all(set(spec.roles) <= roles for spec in method.fixed)


def test_the_mongolian_factors_are_the_verified_ones():
    spec = next(spec for spec in solar.fixed if spec.name == "EF_RE")
    assert {option.text for option in spec.options if option.mark == "V"} == {"0.797", "0.533"}
    # 72.6 kgCO2/GJ x 3.6 / 0.49 / 1000 = 0.5334 t/MWh reproduces the captive factor.
    assert round(Fraction("72.6") * Fraction("3.6") / Fraction("0.49") / 1_000, 3) == Fraction("0.533")


def test_an_unknown_methodology_or_version_is_refused_by_name():
    with pytest.raises(
        MethodologyError, match=r"there are: heat-only-boiler 1\.0, solar-pv 1\.0, transformer-fleet 1\.0"
    ):
        methodology("solar-pv", "9.9")
    with pytest.raises(MethodologyError, match="no methodology 'tidal'"):
        package_files("tidal")


def test_the_digest_covers_formulas_and_facts():
    assert sorted(package_files("solar-pv")) == ["solar_pv.py", "solar_pv.toml"]
    assert len({method.digest for method in methodologies()}) == 3
