"""The verbs of a technician on site, typed as he would."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def sakugen(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sakugen", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text(sakugen("config", "sample", "gateway").stdout)
    return file


def test_a_plan_names_requests_and_their_time_for_people_and_scripts(config: Path) -> None:
    shown = sakugen("gateway", "plan", str(config))
    assert shown.returncode == 0
    assert "3:3207+4" in shown.stdout
    (line,) = json.loads(sakugen("gateway", "plan", str(config), "--json").stdout)["lines"]
    (group,) = line["groups"]
    assert line["line"] == "192.0.2.10:502"
    assert group["requests"] == [{"function": 3, "address": 3207, "count": 4, "ms": 1.0}]
    assert (group["interval_s"], group["hole_registers"]) == (900.0, 0)


def test_an_impossible_plan_is_refused_with_status_two_and_the_group(config: Path, tmp_path: Path) -> None:
    slow = (ROOT / "gateway/devices/schneider_iem3000.toml").read_text()
    slow = re.sub(r"^\[access\]\n(.+\n)*", "", slow, flags=re.MULTILINE)
    slow = slow.replace("[[source]]", "[access]\nturnaround_ms = 1500\n\n[[source]]", 1)
    (tmp_path / "slow.toml").write_text(slow)
    text = config.read_text().replace('"schneider_iem3000"', f'"{tmp_path}/slow.toml"')
    config.write_text(text.replace("interval_s = 900", "interval_s = 1"))
    for verb in ("gateway plan", "config check"):
        ended = sakugen(*verb.split(), str(config))
        assert ended.returncode == 2
        assert "'revenue-meter/energy' fits at one slot every 1.5 s or more" in ended.stderr
