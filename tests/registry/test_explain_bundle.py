"""From a bundle alone down to the register words, once its check has passed."""

import json

import pytest
from typer.testing import CliRunner

from compute.pairs import Pair
from metering.keys import KeyRing
from registry.canonical import digest_of
from registry.case import CannotCheckError, Case
from registry.check import check
from registry.explain import explain_case
from sakugen.cli.main import app

HOUR = "2025-12-31T12:00"


@pytest.fixture
def verify(honest, signers, tmp_path):
    """`verify("--explain")`: the command, on an honest bundle and with the keys to trust, or with none of them."""

    def run(*arguments, trust=signers.ring):
        keys = tmp_path / "trusted.toml"
        keys.write_text(trust.to_toml(), encoding="utf-8")
        return CliRunner().invoke(app, ["verify", str(honest), "--trust", str(keys), *arguments])

    return run


def test_the_tonnes_of_a_bundle_are_walked_down_to_the_signed_records_in_it(honest, signers, records):
    case = Case(honest, signers.ring)
    assert check(case).ok
    found = explain_case(case, "EG", None, HOUR)
    assert found.step.value == Pair(14, 14), "7 of each year, as the statement says"
    told = {step.fact("sha256") for step in found.step.walk() if step.kind == "record"}
    assert told
    assert told <= {digest_of(data) for data in records}


def test_what_was_not_checked_is_not_explained(honest):
    with pytest.raises(CannotCheckError, match="could not be read"):
        explain_case(Case(honest, KeyRing([])), None, None, None)


def test_verify_goes_on_to_explain_when_it_is_asked_and_everything_passed(verify):
    assert "vintage 2025 = 7 tCO2e" not in verify().stdout
    assert "vintage 2025 = 7 tCO2e" in verify("--explain").stdout
    shown = verify("--hour", HOUR)
    assert shown.exit_code == 0
    assert "words decode to" in shown.stdout
    told = json.loads(verify("--explain", "--json").stdout)
    assert told["ok"] is True
    assert told["explanation"]["type"] == "sakugen.explanation/1"


def test_verify_explains_nothing_of_a_statement_that_does_not_hold(verify):
    shown = verify("--explain", trust=KeyRing([]))
    assert shown.exit_code == 1
    assert "tCO2e" not in shown.stdout
    assert "explanation" not in json.loads(verify("--explain", "--json", trust=KeyRing([])).stdout)


def test_a_question_that_has_no_answer_says_what_can_be_asked(verify):
    shown = verify("--parameter", "XY")
    assert shown.exit_code != 0
    assert "monitors no parameter 'XY'" in str(shown.exception)
