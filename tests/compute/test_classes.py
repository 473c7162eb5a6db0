"""Accuracy classes: what each permits, at what load, and how sure we are of it."""

from fractions import Fraction

import pytest

from compute.classes import (
    calculator_percent,
    current_transformer,
    flow_sensor_percent,
    heat_class_of,
    heat_meter_percent,
    permitted,
    sensor_pair_percent,
    voltage_transformer,
    weaker,
)


@pytest.mark.parametrize(
    ("text", "usual", "largest", "mark"),
    [
        ("0.2S", "0.2", "0.4", "M"),
        ("0.5S", "0.5", "1", "M"),
        ("0.5 S", "0.5", "1", "M"),
        ("class 1", "1", "1.5", "M"),
        ("2", "2", "2.5", "M"),
        ("A", "2", "2.5", "M"),
        ("B (MID)", "1", "1.5", "M"),
        ("MID C", "0.5", "1", "M"),
        ("EN 1434 class 1", "2.01", "8.5", "M"),
        ("EN 1434 class 2", "3.02", "10", "V"),
        ("en1434 3", "4.05", "10", "V"),
    ],
)
def test_a_class_permits_so_much_at_its_load_and_so_much_at_any(text, usual, largest, mark):
    found = permitted(text)
    assert (found.usual, found.largest, found.mark) == (Fraction(usual), Fraction(largest), mark)
    assert found.source


@pytest.mark.parametrize("text", ["none", "", "0.3", "D", "class 12", "EN 1434 class 4", "0.5S or so"])
def test_a_class_that_is_not_known_permits_nothing_that_we_could_name(text):
    assert permitted(text) is None


def test_only_a_heat_meter_has_a_heat_class():
    assert (heat_class_of("EN 1434 class 2"), heat_class_of("2")) == ("2", None)


@pytest.mark.parametrize(
    ("heat_class", "qp_over_q", "percent"),
    [
        ("1", "10", "1.1"),
        ("1", "250", "3.5"),
        ("1", "1000", "3.5"),
        ("2", "10", "2.2"),
        ("2", "150", "5"),
        ("2", "151", "5"),
        ("3", "10", "3.5"),
        ("3", "40", "5"),
        ("3", "100", "5"),
    ],
)
def test_a_flow_sensor_errs_more_at_little_flow_and_never_beyond_its_most(heat_class, qp_over_q, percent):
    assert flow_sensor_percent(heat_class, Fraction(qp_over_q)) == Fraction(percent)


def test_an_unknown_flow_or_difference_stands_for_the_worst_that_is_permitted():
    assert [flow_sensor_percent(heat_class, None) for heat_class in "123"] == [Fraction("3.5"), 5, 5]
    assert (calculator_percent(None), sensor_pair_percent(None)) == (Fraction("1.5"), Fraction("3.5"))


def test_calculator_and_sensor_pair_err_more_at_a_small_difference():
    tenth = Fraction(1, 10)
    assert (calculator_percent(tenth), sensor_pair_percent(tenth)) == (Fraction("0.6"), Fraction("0.8"))
    assert (calculator_percent(Fraction(1)), sensor_pair_percent(Fraction(1))) == (Fraction("1.5"), Fraction("3.5"))


@pytest.mark.parametrize("ratio", [Fraction(11, 10), Fraction(-1)])
def test_below_its_least_difference_a_heat_meter_has_no_class(ratio):
    with pytest.raises(ValueError, match="least temperature difference"):
        heat_meter_percent("2", Fraction(1), ratio)


def test_the_parts_of_a_heat_meter_add_up():
    # Class 2, a tenth of qp, ten times dTmin: 2.2 + 0.6 + 0.8.
    assert heat_meter_percent("2", Fraction(10), Fraction(1, 10)) == Fraction("3.6")
    assert heat_meter_percent("2") == 10


def test_transformers_err_by_their_class():
    assert [current_transformer(name).usual for name in ("0.2S", "0.5")] == [Fraction("0.2"), Fraction("0.5")]
    assert [current_transformer(name).largest for name in ("0.2S", "0.5")] == [Fraction("0.75"), Fraction("1.5")]
    assert [voltage_transformer(name).largest for name in ("0.2S", "0.5")] == [Fraction("0.2"), Fraction("0.5")]
    assert current_transformer("0.2S").mark == voltage_transformer("0.2").mark == "M"


def test_the_weaker_of_two_marks_counts():
    assert (weaker(["V", "M", "V"]), weaker(["V"]), weaker([])) == ("M", "V", "V")
