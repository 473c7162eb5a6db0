"""Programs of this kit and of others, run to their end."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
_LONGEST_S = 1800


def bare(verb: str, **arguments: object) -> dict[str, Any]:
    """Run a verb of `bare`."""
    return program("bare", verb, json.dumps(arguments))


def program(name: str, *arguments: str) -> dict[str, Any]:
    """Run a program of this folder; gives the line of JSON that it writes."""
    return json.loads(output(*command(name, *arguments)))


def command(name: str, *arguments: str) -> list[str]:
    """How to run a program of this folder."""
    return [sys.executable, "-m", f"tests.benchmarks.benchkit.{name}", *arguments]


def output(*words: str) -> str:
    """Run any program; gives what it writes."""
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    assert ended.returncode == 0, f"{words}:\n{ended.stderr[-3000:]}"
    return ended.stdout
