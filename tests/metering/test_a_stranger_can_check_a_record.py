"""Anyone can check a record: thirty lines, no code of ours, and they notice what they should."""

import ast
import json
import shutil
import subprocess
import sys
import tomllib

import pytest

MAX_LINES = 30

# Runs the script as if our packages did not exist: None in sys.modules makes an import of that name fail.
ALONE = """
import runpy, sys
rooms, script, *sys.argv[1:] = sys.argv[1:]
sys.modules.update(dict.fromkeys(rooms.split(",")))
runpy.run_path(script, run_name="__main__")
"""


@pytest.fixture
def script(golden):
    return golden / "check_record.py"


@pytest.fixture
def check(golden, root, script, tmp_path):
    """`check("birth", "readings")` runs the script on copies in an empty folder."""
    rooms = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]

    def run(*cases, spoil=lambda data: data):
        shutil.copy(golden / "record-1" / cases[0] / "public_key.txt", tmp_path)
        for case in cases:
            (tmp_path / case).write_bytes(spoil((golden / "record-1" / case / "record.note").read_bytes()))
        command = [sys.executable, "-I", "-c", ALONE, ",".join(rooms), script, "public_key.txt", *cases]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_the_script_is_short(script):
    assert len(script.read_text().splitlines()) <= MAX_LINES


def test_the_script_imports_the_standard_library_and_cryptography_alone(script):
    nodes = [node for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in nodes]
    assert {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) == {"cryptography"}


def test_two_records_of_a_chain_are_accepted_and_their_digests_are_ours(check, golden):
    done = check("birth", "readings")
    assert (done.returncode, done.stderr) == (0, "")
    digests = [
        json.loads((golden / "record-1" / case / "expected.json").read_text())["digest"]
        for case in ("birth", "readings")
    ]
    assert done.stdout.split() == ["1", digests[0], "2", digests[1]]


def test_a_changed_digit_is_noticed(check):
    done = check("birth", "readings", spoil=lambda data: data.replace(b"12345790000", b"12345790001"))
    assert (done.returncode, done.stderr.strip()) == (1, "record 2: the signature does not fit")


def test_records_that_do_not_follow_each_other_are_noticed(check):
    done = check("birth", "gap")
    assert done.returncode == 1
    assert "record 3: signed by another, or it does not follow the one before" in done.stderr


def test_a_record_of_another_key_is_noticed(check):
    done = check("birth", "signed-by-another-key")
    assert (done.returncode, done.stderr.strip()) == (1, "record 3: the signature does not fit")
