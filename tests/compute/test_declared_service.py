"""Declared values beside project.toml in compute's process: once by the command line, and while it keeps results."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from computekit.journals import write_journal

from compute.config import ComputeSettings
from compute.results import read_results
from compute.service import run
from compute.vintages import midnight_ms

ZONE = ZoneInfo("Asia/Ulaanbaatar")
HOUR_MS = 3_600_000
START_MS, END_MS = midnight_ms(date(2025, 12, 31), ZONE), midnight_ms(date(2026, 1, 2), ZONE)
HALF = {"from_": "2025-12-30T00:00:00+08:00", "until": "2026-01-05T00:00:00+08:00", "ratio_in_place": '"50"'}


@pytest.fixture
def place(tmp_path, project_texts, make_records, shown):
    """A folder with a project file, a journal of one meter at 1 MW, and compute's configuration."""
    slots = range(START_MS - 2 * HOUR_MS, END_MS + 3 * HOUR_MS, HOUR_MS)
    values = {slot: 10**13 + at * 1_000_000_000 for at, slot in enumerate(slots)}
    (tmp_path / "project.toml").write_text(project_texts["solar-pv"](), encoding="utf-8")
    (tmp_path / "declared").mkdir()
    write_journal(
        tmp_path / "journal.sqlite",
        make_records([shown("bus", "energy_export_total_wh", values, interval_ms=HOUR_MS)]),
        END_MS,
    )
    places = {"journal": f'"{tmp_path}/journal.sqlite"', "data_dir": f'"{tmp_path}/c"'}
    places["projects"] = f'["{tmp_path}/project.toml"]'
    (tmp_path / "compute.toml").write_text("".join(f"{key} = {value}\n" for key, value in places.items()))
    return tmp_path


def declare(folder, declaration, kind, **changes):
    file, data = declaration(kind, **changes)
    (folder / "declared" / file).write_bytes(data)


def test_compute_run_counts_what_is_declared_beside_the_project_file(place, declaration):
    command = [sys.executable, "-m", "sakugen", "compute", "run", "--config", str(place / "compute.toml"), "--json"]

    def tonnes():
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=os.environ)
        assert done.returncode == 0, done.stderr
        return [vintage["integer"] for vintage in json.loads(done.stdout)["test"]["vintages"]]

    assert tonnes() == [19, 19]
    declare(place, declaration, "ct-change", **HALF)
    assert tonnes() == [9, 9]


def test_what_is_declared_while_results_are_kept_counts_from_the_next_round_on(place, declaration, wait_until):
    settings = ComputeSettings(
        journal=place / "journal.sqlite", projects=(place / "project.toml",), data_dir=place / "c", every_s=0.5
    )

    def integers():
        return [[row.integer for row in one.vintages] for one in read_results(settings.results)]

    async def until_it_counts():
        stop = asyncio.Event()
        work = asyncio.create_task(run(settings, stop))
        await asyncio.to_thread(wait_until, lambda: integers() == [[19, 19]], 60)
        declare(place, declaration, "ct-change", **HALF)
        await asyncio.to_thread(wait_until, lambda: integers() == [[9, 9]], 60)
        declare(place, declaration, "calibration", number=2, point='"roof"')
        await asyncio.to_thread(wait_until, lambda: read_results(settings.results)[0].trouble, 60)
        stop.set()
        await work

    asyncio.run(until_it_counts())
    (kept,) = read_results(settings.results)
    assert "0002-calibration-test.toml" in kept.trouble
    assert "no such point" in kept.trouble
