"""The tree as git sees it, so that what is not committed yet is judged too, and what is ignored is not."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root():
    """The folder that holds pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def files():
    """Every file, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in sorted(set(listed.split("\0"))) if name and (ROOT / (path := Path(name))).is_file()]


@pytest.fixture(scope="session")
def texts(files):
    """(path, text) of every file that is text; tests/tidy itself has to name what it forbids."""
    found = []
    for path in files:
        if path.parts[:2] == ("tests", "tidy"):
            continue
        try:
            found.append((path, (ROOT / path).read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


@pytest.fixture(scope="session")
def python_files(files):
    """(path, lines, syntax tree) of every Python file."""
    found = []
    for path in files:
        if path.suffix == ".py":
            text = (ROOT / path).read_text(encoding="utf-8")
            found.append((path, text.splitlines(), ast.parse(text, filename=str(path))))
    return found
