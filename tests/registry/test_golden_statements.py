"""Statements that were drawn up once stay readable and checkable for ever.

A case is a folder of `tests/golden/statement-1`: the bundle, the keys that its reader trusts, and what the check says.
A case of a new version stands beside the old ones: name it below, run this once, look at what was written, commit it.
"""

import json
import shutil
from pathlib import Path

import pytest

from metering.keys import KeyRing
from registry.bundle import MANIFEST, read_bundle, write_bundle
from registry.check import check_bundle
from registry.report import Status

CASES = Path(__file__).parents[1] / "golden" / "statement-1"
SOLAR = CASES / "solar-over-new-year"


def _said(report):
    return {name: value for name, value in report.as_dict().items() if name not in {"ok", "steps"}}


@pytest.fixture
def solar(honest, signers):
    if not SOLAR.exists():
        SOLAR.mkdir(parents=True)
        shutil.copy(honest, SOLAR / "bundle.zip")
        (SOLAR / "trust.toml").write_text(signers.ring.to_toml(), encoding="utf-8")
        said = _said(check_bundle(SOLAR / "bundle.zip", signers.ring))
        (SOLAR / "expected.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
        pytest.fail(f"{SOLAR} was missing and has been written; look at it and commit it")
    return SOLAR


def test_there_is_a_case_of_a_statement(solar):
    assert solar in list(CASES.iterdir())


@pytest.mark.parametrize("case", sorted(CASES.glob("*")), ids=lambda case: case.name)
def test_an_old_statement_is_read_as_it_always_was(case):
    report = check_bundle(case / "bundle.zip", KeyRing.load(case / "trust.toml"))
    assert _said(report) == json.loads((case / "expected.json").read_text())
    steps = {step.name: step for step in report.steps}
    methodology, computing = steps.pop("methodology"), steps.pop("computing")
    assert [step for step in steps.values() if step.status not in (Status.OK, Status.NOT_BUILT)] == []
    # A later methodology package or engine cannot compute an old statement anew, and says so; the same ones must agree.
    assert computing.status in (Status.OK, Status.COULD_NOT_CHECK) or methodology.status is Status.FAILED, (
        computing.faults
    )


@pytest.mark.parametrize("case", sorted(CASES.glob("*")), ids=lambda case: case.name)
def test_an_old_bundle_is_written_again_as_the_same_bytes(case, tmp_path):
    files = read_bundle(case / "bundle.zip")
    del files[MANIFEST]
    write_bundle(tmp_path / "bundle.zip", files)
    assert (tmp_path / "bundle.zip").read_bytes() == (case / "bundle.zip").read_bytes()
