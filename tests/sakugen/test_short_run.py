"""Commands that end soon spend no time on garbage."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def told(code):
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    return ended.stdout.strip()


def test_what_ends_soon_still_collects_what_is_a_lot_and_ends_without_going_through_what_it_holds():
    at_the_end = "atexit.register(lambda: print(gc.isenabled(), gc.get_threshold()[0], gc.get_freeze_count() > 0))"
    asked = f"import atexit, gc; {at_the_end}; from sakugen.cli.short_run import ends_soon; ends_soon()"
    assert told(asked) == "True 500000 True"


def test_a_period_is_computed_without_what_only_an_agent_that_goes_on_needs():
    assert told("import sys, compute.once; print('compute.follow' in sys.modules)") == "False"
