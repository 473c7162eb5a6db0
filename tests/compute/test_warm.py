"""Kernels compiled ahead: into the data directory and nowhere else, and afterwards nothing is left to compile."""

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from computekit.journals import write_journal

from compute.vintages import midnight_ms

_CALLS = "open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,link,symlink"
ROOT = Path(__file__).parents[2]
ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, END_MS = midnight_ms(date(2025, 12, 31), ZONE), midnight_ms(date(2026, 1, 2), ZONE)
SLOTS = tuple(range(START_MS - 30 * HOUR_MS, END_MS + 30 * HOUR_MS, HOUR_MS))


@pytest.fixture(scope="module")
def box(tmp_path_factory, project_texts, make_records, shown):
    """A folder with three projects and their journals, and compute's configuration of each."""
    folder = tmp_path_factory.mktemp("box")
    up = {slot: 10**13 + at * 1_000_000_000 for at, slot in enumerate(SLOTS)}
    of = {
        "solar-pv": [shown("bus", "energy_export_total_wh", up), shown("bus", "active_power_w", up)],
        "heat-only-boiler": [
            shown("heat", "heat_total_j", up),
            shown("burner", "burner_state", dict.fromkeys(SLOTS, 1)),
        ],
        "transformer-fleet": [
            shown("station", f"voltage_l{phase}_v", dict.fromkeys(SLOTS, 230_000)) for phase in (1, 2, 3)
        ],
    }
    for family, parts in of.items():
        (folder / family).mkdir()
        write_journal(folder / family / "journal.sqlite", make_records(parts), END_MS)
        (folder / family / "project.toml").write_text(project_texts[family](), encoding="utf-8")
        (folder / f"{family}.toml").write_text(
            f'journal = "{folder}/{family}/journal.sqlite"\nprojects = ["{folder}/{family}/project.toml"]\n'
            f'data_dir = "{folder}/compute"\n',
            encoding="utf-8",
        )
    return folder


def sakugen(*arguments, before=()):
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    command = [*before, sys.executable, "-B", "-m", "sakugen", "compute", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=280)


def compiled(folder):
    return {path.relative_to(folder) for path in folder.rglob("*.nb*")}


@pytest.fixture(scope="module")
def warmed(box):
    """What `warm` said, and what strace saw it write, when there is a strace."""
    trace, strace = box / "trace", shutil.which("strace")
    watch = (strace, "-f", "-qq", "-s", "4096", "-e", f"trace={_CALLS}", "-o", str(trace)) if strace else ()
    told = sakugen("warm", "--config", box / "solar-pv.toml", before=watch).stdout
    return told, trace


@pytest.mark.timeout(300)
def test_after_warming_up_no_family_compiles_anything(box, warmed):
    assert f"{box}/compute/numba" in warmed[0]
    there = compiled(box / "compute")
    assert len(there) > 20
    for family in ("solar-pv", "heat-only-boiler", "transformer-fleet"):
        sakugen("run", "--config", box / f"{family}.toml")
    assert compiled(box / "compute") == there


@pytest.mark.real
@pytest.mark.timeout(300)
def test_nothing_is_written_beside_the_data_directory_so_the_root_may_be_read_only(box, warmed):
    _, trace = warmed
    if not trace.exists():
        pytest.skip("strace is not installed")
    written = set()
    for line in trace.read_text("utf-8", errors="replace").splitlines():
        opened = "open(" in line or "openat(" in line
        if " = -1 " not in line and (not opened or re.search(r"O_(WRONLY|RDWR|CREAT)", line)):
            written |= set(re.findall(r'"(/[^"]*)"', line))
    assert any(path.startswith(f"{box}/compute/numba/") for path in written)
    assert {path for path in written if not path.startswith((f"{box}/compute", "/dev/"))} == set()
