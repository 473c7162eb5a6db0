"""Plausibility: wrong units are refused, meters that disagree widen, balances that do not close are told."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.pairs import Pair
from compute.plausibility import Load, Shown, agree, balanced, compared, load_judged, tolerance
from compute.project import parse_project
from compute.rulesets import ruleset
from metering.findings import Severity
from metering.interval import Interval

RULE = ruleset().plausible
SPAN = Interval(0, RULE.least_ms)


def load(high, rise=None):
    """A rating that allows for 10,000 quanta in the period, and for 12,000 between the first and the last reading."""
    rise = None if rise is None else Fraction(rise)
    return Load(
        "bus", "energy_export_total_wh", SPAN, Fraction(5000), Fraction(10_000), Fraction(high), rise, Fraction(12_000)
    )


@pytest.mark.parametrize(("high", "rise"), [(2000, 2400), (10_000, 12_000), (10_500, 12_600), (100, 120), (2000, None)])
def test_nothing_is_said_of_what_the_rating_allows(high, rise):
    assert load_judged(load(high, rise), RULE) is None


def test_a_value_in_kwh_labelled_mwh_is_refused_in_a_plain_sentence():
    finding, blocked = load_judged(load(10_000, 2_400_000), RULE)
    assert (finding.code, finding.severity, finding.point) == ("amount-beyond-rating", Severity.BLOCKING, "bus")
    assert blocked.what == (
        "energy_export_total_wh: the register rose 200 times as fast as a rated power of 5000 W can make it;"
        " is a value in kWh labelled MWh, or one in Wh labelled kWh?"
    )
    assert (blocked.code, blocked.where) == ("amount-beyond-rating", "bus")


def test_a_little_beyond_the_rating_is_refused_and_no_unit_is_blamed():
    finding, blocked = load_judged(load(10_000, 12_601), RULE)
    assert finding.code == blocked.code == "amount-beyond-rating"
    assert "labelled" not in blocked.what


@pytest.mark.parametrize(("rise", "blamed"), [(119_999, False), (120_000, True)])
def test_ten_times_beyond_the_rating_a_unit_is_blamed(rise, blamed):
    assert ("labelled" in load_judged(load(10_000, rise), RULE)[1].what) is blamed


def test_a_value_in_mwh_labelled_kwh_is_refused_too():
    finding, blocked = load_judged(load(2), RULE)
    assert finding.code == blocked.code == "amount-far-below-rating"
    assert blocked.what.endswith("; is a value in MWh labelled kWh, or one in kWh labelled Wh?")
    assert load_judged(load(10), RULE)[1] is None, "a thousandth may be"


@pytest.mark.parametrize("high", [0, 10, 99])
def test_far_less_than_the_rating_is_told(high):
    finding, blocked = load_judged(load(high), RULE)
    assert (finding.code, finding.severity, blocked) == ("amount-below-rating", Severity.WARNING, None)


def test_of_less_than_a_week_nobody_can_say_that_it_was_too_little():
    short = Interval(0, RULE.least_ms - 1)
    assert load_judged(replace(load(2), interval=short), RULE) is None
    assert load_judged(replace(load(2, 99_999), interval=short), RULE) is not None, "too much is too much"


def test_a_register_without_time_between_its_readings_says_nothing():
    assert load_judged(replace(load(2000, 5), rise_rated=Fraction(0)), RULE) is None


def shown(low, high=None, share="0.01", point="bus"):
    return Shown(point, Pair(low, low if high is None else high), Fraction(share), "1")


@pytest.mark.parametrize(
    ("main", "check"),
    [
        (shown(100), shown(100)),
        (shown(100), shown(102)),
        (shown(100), shown(50, 200)),
        (shown(0, 50), shown(50)),
    ],
)
def test_meters_that_agree_within_their_classes_change_nothing(main, check):
    assert compared(main, check, "x", 2026, SPAN) == (main.amount, None)


@pytest.mark.parametrize(
    ("main", "check", "pair"),
    [
        (shown(100), shown(103), Pair(100, 103)),
        (shown(100), shown(90), Pair(90, 100)),
        (shown(100, 110), shown(90), Pair(90, 110)),
        (shown(100), shown(80, 90), Pair(80, 100)),
        (shown(100, share="0"), shown(101, share="0"), Pair(100, 101)),
    ],
)
def test_where_main_and_check_meter_disagree_the_pair_holds_both(main, check, pair):
    amount, finding = compared(main, replace(check, point="second"), "energy_export_total_wh", 2026, SPAN)
    assert amount == pair
    assert (finding.code, finding.point, finding.interval) == ("check-meter-disagrees", "bus", SPAN)
    assert finding.evidence["check_point"] == "second"


ENDS = st.integers(0, 1000)


@given(st.tuples(ENDS, ENDS), st.tuples(ENDS, ENDS))
def test_a_check_meter_only_ever_widens(one, other):
    main = shown(*sorted(one))
    amount, _ = compared(main, shown(*sorted(other)), "x", 2026, SPAN)
    assert amount.low <= main.amount.low
    assert amount.high >= main.amount.high


def test_two_pairs_agree_when_they_share_a_value():
    assert agree(Pair(1, 2), Pair(2, 3))
    assert agree(Pair(2, 3), Pair(1, 2))
    assert agree(Pair(1, 5), Pair(2, 3))
    assert not agree(Pair(1, 2), Pair(3, 4))
    assert not agree(Pair(3, 4), Pair(1, 2))


def balance(inflow, outflow, losses="0"):
    return [one.what for one in balanced("bus", inflow, outflow, Fraction(losses), SPAN)]


def test_a_balance_that_closes_says_nothing():
    assert balance([shown(100), shown(200)], [shown(300)]) == []
    assert balance([shown(300)], [shown(295)]) == []
    assert balance([shown(300)], [shown(280)], "0.05") == []
    assert balance([shown(0, 1000)], [shown(280)]) == []


def test_a_balance_that_does_not_close_is_told_with_every_meter():
    assert balance([shown(300)], [shown(280)]) == [
        "in balance 'bus' what flows out cannot be what flows in, less at most 0 % of losses"
    ]
    assert balance([shown(300)], [shown(310)], "0.05") == [
        "in balance 'bus' what flows out cannot be what flows in, less at most 5 % of losses"
    ], "losses take away, they add nothing"
    (finding,) = balanced("bus", [shown(300, point="a")], [shown(100), shown(110, point="b")], Fraction(0), SPAN)
    assert sorted(finding.evidence) == ["in a", "out b", "out bus"]


@pytest.fixture
def meters(project_texts):
    def build(accuracy_class, more=""):
        text = project_texts["solar-pv"]()
        text = text.replace('accuracy_class = "0.5S"', f'accuracy_class = "{accuracy_class}"\n{more}\n')
        return parse_project(text).meters_of("bus")

    return build


def test_the_tolerance_is_what_the_classes_allow_together(meters):
    assert tolerance(meters("0.5S")) == (Fraction("0.005"), "0.5S marked M")
    share, text = tolerance(meters("0.5S", 'ct_class = "0.2S"\npt_class = "0.2"'))
    assert (share, text) == (Fraction("0.009"), "0.5S, CT 0.2S, PT 0.2 marked M")
    assert tolerance(meters("EN 1434 class 2")) == (Fraction("0.0302"), "EN 1434 class 2")


def test_a_class_that_nobody_knows_allows_nothing(meters):
    assert tolerance(meters("none")) == (0, "none (unknown: allows nothing)")
    assert tolerance(()) == (0, "no meter declared")
