"""The verbs of a technician on site, typed as he would."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
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


@pytest.fixture
def nobody(config: Path, free_port: Callable[[], int]) -> Path:
    """A configuration whose meter does not answer."""
    config.write_text(config.read_text().replace('host = "192.0.2.10"', f'host = "127.0.0.1"\nport = {free_port()}'))
    return config


def test_a_meter_that_does_not_answer_is_shown_and_ends_with_status_one(nobody: Path) -> None:
    ended = sakugen("gateway", "poll", str(nobody), "--json")
    (reading,) = json.loads(ended.stdout)["readings"]
    assert (reading["point"], reading["quality"], reading["value"]) == ("ac-bus", "no-answer", None)
    assert ended.returncode == 1
    shown = sakugen("gateway", "check", str(nobody))
    assert shown.returncode == 1
    assert "ac-bus/energy_export_total_wh: no-answer" in shown.stdout
    assert json.loads(sakugen("gateway", "check", str(nobody), "--json").stdout)["ok"] is False


def test_neither_a_note_nor_a_dump_replaces_a_file(nobody: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("mine")
    assert sakugen("keys", "new", "technician", str(tmp_path / "my.key")).returncode == 0
    for options in (("--dump", str(kept)), ("--sign", str(tmp_path / "my.key"), "--out", str(kept))):
        ended = sakugen("gateway", "check", str(nobody), *options)
        assert ended.returncode == 2
        assert "not overwritten" in ended.stderr
    assert kept.read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("127.0.0.1:PORT",), "cannot be opened"),
        (("127.0.0.1:0",), "say HOST, HOST:PORT or a serial port"),
        (("127.0.0.1", "--units", "5-3"), "say numbers from 0 to 255"),
        (("/dev/ttyUSB0", "--parity", "X"), "allowed are N, E and O"),
        (("127.0.0.1", "--write", "FILE"), "not overwritten"),
    ],
)
def test_a_scan_that_cannot_be_made_says_why_and_ends_with_status_two(
    options: tuple[str, ...], problem: str, config: Path, free_port: Callable[[], int]
) -> None:
    filled = [part.replace("PORT", str(free_port())).replace("FILE", str(config)) for part in options]
    ended = sakugen("gateway", "scan", *filled)
    assert ended.returncode == 2
    assert problem in ended.stderr


def test_a_note_is_signed_only_into_a_named_file(nobody: Path) -> None:
    ended = sakugen("gateway", "check", str(nobody), "--out", "note")
    assert ended.returncode == 2
    assert "--sign and --out belong together" in ended.stderr
