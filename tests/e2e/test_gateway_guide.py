"""docs/gateway.md, followed to the letter: its commands, its files, a simulated meter, a broker."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.store.reader import JournalReader
from metering.clock import SystemClock
from metering.errors import SakugenError

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/gateway.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^```sh (server|box)\n(.+?)^```", GUIDE, re.MULTILINE | re.DOTALL)
FILES = dict(re.findall(r"^```toml (\S+)\n(.+?)^```", GUIDE, re.MULTILINE | re.DOTALL))


class Technician:
    """Types what the guide says, in two folders: the server's and the box's."""

    def __init__(self, folder: Path, replaced: dict[str, str]) -> None:
        """Note where to work, and which ports and keys stand for those of the guide."""
        self.folders = {name: folder / name for name in ("server", "box")}
        for place in self.folders.values():
            place.mkdir()
        self._replaced = replaced
        self._services: list[subprocess.Popen[str]] = []
        self._environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def type(self, place: str, line: str) -> None:
        """Run one command of the guide; one that stays is left running once it is ready."""
        program, *arguments = shlex.split(self._filled(line))
        if program == "sed":
            subprocess.run([program, *arguments], cwd=self.folders[place], check=True)
            return
        assert program == "sakugen"
        if arguments[:2] == ["config", "check"]:
            (self.folders[place] / arguments[2]).write_text(self._filled(FILES[arguments[2]]), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "sakugen", *arguments],
            cwd=self.folders[place],
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        if arguments[1] == "run":
            self._services.append(process)
            assert process.stdout is not None
            assert process.stdout.readline().startswith("ready ")
            return
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 0, (line, said)
        if line.startswith("sakugen keys new"):
            self._replaced["PUBLIC KEY OF THE BOX"] = said.strip()
        if found := re.search(r'ack_keys = \["(.+)"\]', said):
            self._replaced["PUBLIC ACK KEY OF THE SERVER"] = found[1]

    def leave(self) -> None:
        """End what still runs, the gateway first."""
        for service in reversed(self._services):
            service.terminate()
            service.communicate(timeout=30)

    def _filled(self, text: str) -> str:
        for old, new in self._replaced.items():
            text = text.replace(old, new)
        return text


@pytest.fixture
def technician(broker: Any, meter_port: int, tmp_path: Path) -> Iterator[Technician]:
    ports = {"port = 1883": f"port = {broker.port}", "port = 502": f"port = {meter_port}"}
    ports["127.0.0.1:502"] = f"127.0.0.1:{meter_port}"
    person = Technician(tmp_path, ports)
    yield person
    person.leave()


@pytest.fixture
def meter_port(tmp_path: Path) -> Iterator[int]:
    """A simulated solar plant, as the guide's reader would start one to try without a meter."""
    an_hour_ago = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC) - timedelta(hours=1)
    config = tmp_path / "simulators.toml"
    config.write_text(
        f'counters_from = {an_hour_ago.isoformat()}\nledger = "{tmp_path / "ledger.sqlite"}"\n'
        '[[plants]]\nplant = "solar"\nproject = "mn-farm"\nsite = "mongolia-farm"\nport = 0\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "sakugen", "simulate", "run", "--config", str(config)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"mn-farm=127\.0\.0\.1:(\d+)", process.stdout.readline())
    assert found is not None
    yield int(found[1])
    process.terminate()
    process.communicate(timeout=30)


def has_a_reading(journal: Path) -> bool:
    try:
        return any(latest.value is not None for latest in JournalReader(journal).latest("mn-farm"))
    except SakugenError:
        return False


@pytest.mark.timeout(100)
def test_following_the_guide_commits_a_reading(technician: Technician, wait_until: Callable[..., None]) -> None:
    for place, commands in STEPS:
        for line in commands.strip().splitlines():
            technician.type(place, line)
    assert "unit_id = 10\n" in (technician.folders["box"] / "found.toml").read_text(encoding="utf-8")
    journal = technician.folders["server"] / "ingest/journal.sqlite"
    wait_until(lambda: has_a_reading(journal), timeout_s=75)
