"""Pairs keep their ends in order, and a corner names the end that it took."""

from fractions import Fraction

import pytest

from compute.methodologies import methodology
from compute.methodologies.shape import bounds
from compute.pairs import Pair

FACTORS = {"eta_RE": Fraction(1, 2), "eta_PJ": Fraction(4, 5), "EF_coal": Fraction(1, 10)}


def test_a_pair_the_wrong_way_round_says_its_ends():
    with pytest.raises(ValueError, match=r"pair \[2, 1\]: low must not exceed high"):
        Pair(2, 1)


def test_a_pair_is_scaled_by_anything_that_is_not_negative():
    assert Pair(1, 2).scaled(Fraction(0)) == Pair(0, 0)
    with pytest.raises(ValueError, match="a pair is scaled by a factor that is not negative, not by -1"):
        Pair(1, 2).scaled(Fraction(-1))


@pytest.mark.parametrize(
    ("heat", "better", "end"),
    [(Pair(3, 3), True, "low"), (Pair(3, 3), False, "low"), (Pair(3, 4), True, "low"), (Pair(3, 4), False, "high")],
)
def test_where_the_sign_is_not_known_the_corner_names_the_end_that_credits_less(heat, better, end):
    factors = FACTORS if better else FACTORS | {"eta_PJ": Fraction(1, 4)}
    found = bounds(methodology("heat-only-boiler", "1.0"), {"Q": heat}, factors)
    assert found.credited.ends == {"Q": end}
    assert [corner.ends["Q"] for corner in found.tried] == (["low"] if heat.exact else ["low", "high"])
