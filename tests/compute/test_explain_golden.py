"""Explanations that are kept: all that was in them is still there; and the document has what is really printed."""

import json
from pathlib import Path

import pytest

from compute.explain import document, explain, question_of
from compute.project import parse_project
from compute.rulesets import ruleset
from ingest.store.readings import collect
from sakugen.cli.explain import text_lines

ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "tests/golden/explanation-1").iterdir())


def explained(case):
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    project = parse_project((case / "project.toml").read_text(encoding="utf-8"))
    records = [path.read_bytes() for path in sorted(case.glob("*.note"))]
    period = project.period_named(expected["period"])
    question = question_of(project, period, **expected["asked"])
    rules = ruleset(expected["ruleset"])
    return expected, explain(project, collect(records), period, rules, question, lambda _start, _end: records)


def still_there(expected, found, where="explanation"):
    """Every key and every entry of a list, in order; more may have come since."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert key in found, f"{where}: {key} is gone"
            still_there(value, found[key], f"{where}.{key}")
    elif isinstance(expected, list):
        names = [named(one) for one in found]
        for one in expected:
            assert named(one) in names, f"{where}: {named(one)} is gone"
            still_there(one, found[names.index(named(one))], f"{where}.{named(one)}")
    else:
        assert expected == found, where


def named(one):
    return (one.get("kind"), one["name"]) if isinstance(one, dict) else one


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_explanation_still_says_what_it_said(case):
    expected, found = explained(case)
    for name in ("engine", "input_sha256"):  # these name the software of the day
        del expected[name]
    still_there(expected, document(found))


def test_the_example_in_the_document_is_what_the_command_prints():
    lines = text_lines(explained(ROOT / "tests/golden/explanation-1/an-hour-after-a-gap")[1])
    text = (ROOT / "docs/explain.md").read_text(encoding="utf-8")
    example = text.partition("```text\n")[2].partition("```")[0].splitlines()
    assert len(example) > 40
    for shown in example:
        if shown.strip() != "…":  # lines that are left out
            assert any(line == shown for line in lines), f"not printed, or not in this order: {shown}"
