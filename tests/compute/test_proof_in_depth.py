"""The proof once more, at length: many more examples, and rules changed one by one to see whether a test notices."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = 10_000
LEAST_KILLED = 80
"""Of a hundred changes."""
COPIED = ("compute", "metering", "ingest", "tests", "pyproject.toml")
PROPERTIES = (
    "test_oracle_agrees.py",
    "test_no_visible_fault_raises_credit.py",
    "test_no_freeze_raises_credit.py",
    "test_corruption_is_bounded.py",
    "test_nothing_changes_a_bit.py",
    "test_late_records_change_nothing.py",
)
NOTICED = {1, 3, 24, 36, 152, 255, -24}
"""Status of a run in which a test failed, or took for ever."""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]


@pytest.mark.parametrize("file", PROPERTIES)
def test_ten_thousand_examples_of_each_property_find_nothing_either(file):
    told = {**os.environ, "SAKUGEN_EXAMPLES": str(EXAMPLES)}
    run = [sys.executable, "-m", "pytest", "-q", "--timeout=0", f"tests/compute/{file}"]
    assert subprocess.run(run, cwd=ROOT, env=told, check=False).returncode == 0


@pytest.fixture
def survivors(tmp_path):
    """How many changes were tried, and those that no test noticed: name → the lines that went and came.

    What is changed, and by which tests it is tried, is written under [tool.mutmut] in pyproject.toml.
    """
    for name in COPIED:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    told = {**os.environ, "NUMBA_DISABLE_JIT": "1", "SAKUGEN_EXAMPLES": "20"}
    mutmut = [sys.executable, "-m", "mutmut"]
    subprocess.run([*mutmut, "run"], cwd=tmp_path, env=told, check=True)
    results = {}
    for meta in (tmp_path / "mutants").rglob("*.py.meta"):
        results |= json.loads(meta.read_text())["exit_code_by_key"]
    alive = sorted(name for name, status in results.items() if status not in NOTICED)
    shown = {name: subprocess.check_output([*mutmut, "show", name], cwd=tmp_path, text=True) for name in alive}
    return len(results), {name: _change(text) for name, text in shown.items()}


def test_of_a_hundred_changes_to_a_rule_eighty_are_noticed_and_the_others_are_shown(survivors):
    tried, alive = survivors
    listed = tomllib.loads((Path(__file__).parent / "survivors.toml").read_text())["survivor"]
    explained = {(each["where"], each["change"].strip()) for each in listed}
    words = {name for name, change in alive.items() if _changes_only_words(change) or _takes_a_guard_away(change)}
    unknown = [name for name in alive if name not in words and (_where(name), alive[name]) not in explained]
    noticed = 100 * (tried - len(alive)) // tried
    print(f"{noticed} of 100 changes were noticed: {tried} tried, {len(alive)} not noticed, {len(words)} of them words")
    for name in unknown:
        print(f'[[survivor]]\nwhere = "{_where(name)}"\nchange = """\n{alive[name]}\n"""\nreason = ""\n')
    assert noticed >= LEAST_KILLED, "test what is printed, or say in survivors.toml why nothing can notice it"


def _where(name):
    return name.partition("__mutmut")[0]


def _change(shown):
    lines = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join(line[0] + " " + line[1:].strip() for line in lines)


def _changes_only_words(change):
    """A sentence for people: in other letters, or with XX around it."""
    old, _, new = change.partition("\n+ ")
    return new.replace("XX", "") == old[2:] or new.lower() == old[2:].lower()


def _takes_a_guard_away(change):
    """`strict` of zip: the two are of one length wherever it stands, and it says so."""
    old, _, new = change.partition("\n+ ")
    bare = [re.sub(r"strict=\w+", "", line).replace(", )", ")") for line in (old[2:], new)]
    return "strict=" in old and bare[0] == bare[1]
