"""Uncertainty after the GUM: numbers by hand, what errs together, and a square root that is the same everywhere."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.project import parse_project
from compute.uncertainty import Contribution, Instrument, combined, instrument_of, root_up


def contribution(amount, sensitivity, *, names=("a",), relative=Fraction(1, 300), step=Fraction(0)):
    instrument = Instrument(frozenset(names), Fraction(relative), "M")
    return Contribution(instrument, Fraction(amount), Fraction(step), Fraction(sensitivity))


@given(st.fractions(min_value=0, max_value=10**30))
def test_a_square_root_is_never_told_too_small_and_by_no_more_than_the_ninth_place(square):
    root = root_up(square)
    assert root * root >= square
    assert root == 0 or (root - Fraction(1, 10**9)) ** 2 < square
    assert (root * 10**9).denominator == 1


def test_a_root_that_is_exact_stays_exact():
    assert [root_up(Fraction(square)) for square in (0, 4, "6.25")] == [0, 2, Fraction("2.5")]
    assert root_up(Fraction(2)) == Fraction("1.414213563"), "rounded up at the ninth place"


@pytest.fixture
def meters(project_texts):
    def build(accuracy_class, more="", second=""):
        text = project_texts["solar-pv"]().replace(
            'accuracy_class = "0.5S"', f'accuracy_class = "{accuracy_class}"\n{more}\n'
        )
        return parse_project(text + second).meters_of("bus")

    return build


def test_a_class_is_a_rectangle_of_its_largest_error(meters):
    # 1 % at low load: (0.01)^2 / 3.
    found = instrument_of(meters("0.5S"))
    assert (found.relative, found.mark, found.names) == (Fraction(1, 30_000), "M", {"Test Meter S1"})
    assert instrument_of(meters("EN 1434 class 2")).mark == "V"


def test_transformers_come_in_as_root_sum_square(meters):
    found = instrument_of(meters("0.2S", 'ct_class = "0.5"\npt_class = "0.2"'))
    assert found.relative == (Fraction("0.004") ** 2 + Fraction("0.015") ** 2 + Fraction("0.002") ** 2) / 3


def test_of_meters_one_after_the_other_the_worst_stands_for_all(meters):
    second = (
        '[[meter]]\npoint = "bus"\nmake = "Test"\nmodel = "Meter"\nserial = "S2"\naccuracy_class = "2"\n'
        "installed_from = 2026-01-01T00:00:00+08:00\n"
    )
    both = meters("0.5S", "installed_until = 2026-01-01T00:00:00+08:00", second)
    assert instrument_of(both).relative == Fraction("0.025") ** 2 / 3
    assert instrument_of(both).names == {"Test Meter S1", "Test Meter S2"}


def test_without_a_known_class_nothing_is_stated(meters):
    assert instrument_of(meters("none")) is None
    assert instrument_of(()) is None


def test_an_amount_is_uncertain_by_class_and_by_the_last_digit_at_both_ends():
    one = contribution(100, 1, relative=Fraction(3, 10_000), step=6)
    # 100^2 x 0.0003 + 6^2 / 6 = 3 + 6.
    assert one.standard == 3


def test_different_meters_err_by_themselves():
    each = [
        contribution(300, 1, names="a", relative=Fraction(1, 10_000)),
        contribution(400, -1, names="b", relative=Fraction(1, 10_000)),
    ]
    assert combined(each) == 5


def test_what_one_meter_measures_errs_together_so_a_difference_is_less_uncertain_and_a_sum_more():
    share = Fraction(1, 10_000)
    import_ = contribution(300, 1, relative=share)
    assert combined([import_, contribution(400, -1, relative=share)]) == 1
    assert combined([import_, contribution(400, 1, relative=share)]) == 7


def test_errors_do_not_cancel_between_instruments_that_are_only_partly_the_same():
    share = Fraction(1, 10_000)
    exchanged = contribution(300, 1, names=("a", "b"), relative=share)
    assert combined([exchanged, contribution(400, -1, names="a", relative=share)]) == 7


def test_a_third_that_shares_a_meter_with_both_makes_one_group_of_them():
    share = Fraction(1, 10_000)
    apart = [contribution(300, 1, names="a", relative=share), contribution(400, 1, names="b", relative=share)]
    assert combined(apart) == 5
    assert combined([*apart, contribution(0, 1, names=("a", "b"), relative=share)]) == 7


def test_of_instruments_that_are_partly_the_same_the_worse_class_holds_for_both():
    worse = contribution(300, 1, names=("a", "b"), relative=Fraction(4, 10_000))
    assert combined([worse, contribution(400, 1, names="a", relative=Fraction(1, 10_000))]) == 14


def test_the_last_digits_of_counters_err_by_themselves_even_in_one_meter():
    each = [contribution(0, 1, step=6), contribution(0, -1, step=6), contribution(0, 2, step=3)]
    # 36/6 + 36/6 + 4 x 9/6 = 18.
    assert combined(each) == root_up(Fraction(18))


def test_nothing_measured_is_nothing_uncertain():
    assert combined([]) == 0
