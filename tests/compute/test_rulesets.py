"""Rulesets: what was released stays as it was, and each rule that came later can be off only under another id."""

from dataclasses import fields, replace
from fractions import Fraction

import pytest

from compute.errors import RulesetError
from compute.rulesets import DEFAULT_ID, RULESETS, Completeness, Frozen, FrozenVoltage, Plausible, ruleset

RELEASED = {
    "sakugen-rules/1": {
        "rated_margin": Fraction("1.05"),
        "boundary_tolerance_ms": 5_000,
        "creditable_marks": frozenset({"V", "D"}),
        "supply_loss": False,
        "frozen": None,
        "only_known_states": False,
        "most_voltage": None,
        "frozen_voltage": None,
        "shows_words": False,
        "late_by_value": False,
        "completeness": None,
        "plausible": None,
        "compares_meters": False,
        "asks_gateways": False,
        "coverage_factor": None,
    },
    "sakugen-rules/2": {
        "rated_margin": Fraction("1.05"),
        "boundary_tolerance_ms": 5_000,
        "creditable_marks": frozenset({"V", "D"}),
        "supply_loss": True,
        "frozen": Frozen(least_ms=3_600_000, least_power=Fraction("0.01")),
        "only_known_states": True,
        "most_voltage": Fraction("1.5"),
        "frozen_voltage": FrozenVoltage(least_ms=3_600_000, least_samples=10, least_steps=1_000),
        "shows_words": True,
        "late_by_value": True,
        "completeness": Completeness(Fraction("0.8"), 7 * 86_400_000, Fraction("0.1")),
        "plausible": Plausible(Fraction("1.05"), Fraction("0.01"), Fraction("0.001"), 7 * 86_400_000),
        "compares_meters": True,
        "asks_gateways": True,
        "coverage_factor": 2,
    },
}


def test_a_ruleset_never_changes_and_none_is_ever_taken_away():
    """Whoever needs other rules adds a ruleset, here too."""
    found = {
        name: {part.name: getattr(rules, part.name) for part in fields(rules) if part.name != "id"}
        for name, rules in RULESETS.items()
    }
    assert found == RELEASED


def test_a_ruleset_is_found_under_the_id_that_it_bears():
    assert all(name == rules.id for name, rules in RULESETS.items())
    assert ruleset().id == DEFAULT_ID == "sakugen-rules/2"


def test_no_two_rulesets_are_the_same_rules():
    bare = [replace(rules, id="") for rules in RULESETS.values()]
    assert all(bare.count(rules) == 1 for rules in bare)


def test_an_unknown_ruleset_is_refused_by_name():
    with pytest.raises(RulesetError, match=r"unknown ruleset 'x'; this software has: sakugen-rules/1, sakugen-rules/2"):
        ruleset("x")
