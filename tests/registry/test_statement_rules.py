"""What a statement says beside its numbers follows from its ruleset: the first one asks for nothing new."""

import pytest

from registry.evidence import Link
from registry.statement import Basis, build_statement


@pytest.fixture
def stated(forgery):
    links = tuple(Link.of(data) for data in forgery.records)
    text = forgery.files["project.toml"]
    return lambda rules: build_statement(Basis(text, "new-year", links, ruleset=rules))


def test_the_second_ruleset_tells_uncertainty_and_months(stated):
    statement = stated("sakugen-rules/2")
    for vintage in statement["vintages"]:
        stated_part = vintage["uncertainty"]
        assert (stated_part["coverage_factor"], stated_part["mark"], stated_part["left_out"]) == (2, "M", [])
        assert float(stated_part["expanded_tco2e"]["value"]) > 0
    (row,) = statement["monitoring_report_sheet"]["rows"]
    assert [month["month"] for month in row["by_month"]] == ["2025-12", "2026-01"]
    assert all(set(month) == {"month", "coverage", "longest_gap_ms", "substituted_share"} for month in row["by_month"])
    assert all(float(part["standard_uncertainty"]["value"]) > 0 for part in row["by_vintage"])


def test_a_class_that_nobody_knows_leaves_the_uncertainty_open(forgery):
    links = tuple(Link.of(data) for data in forgery.records)
    text = forgery.files["project.toml"]
    assert b'accuracy_class = "0.5S"' in text
    text = text.replace(b'accuracy_class = "0.5S"', b'accuracy_class = "none"')
    statement = build_statement(Basis(text, "new-year", links))
    assert statement["vintages"][0]["uncertainty"]["expanded_tco2e"] is None
    assert statement["vintages"][0]["uncertainty"]["left_out"] == ["EG@ac-bus"]
    assert statement["monitoring_report_sheet"]["rows"][0]["by_vintage"][0]["standard_uncertainty"] is None


def test_a_statement_of_the_first_ruleset_has_not_one_key_more_than_it_had(stated):
    statement = stated("sakugen-rules/1")
    (row,) = statement["monitoring_report_sheet"]["rows"]
    assert not any("uncertainty" in vintage for vintage in statement["vintages"])
    assert "by_month" not in row
    assert {key for part in row["by_vintage"] for key in part} == {"year", "low", "high", "low_exact", "high_exact"}
