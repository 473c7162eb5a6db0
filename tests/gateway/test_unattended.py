"""What a box that nobody visits needs: one folder to write to, a log that does not fill it, and no way in."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from runkit.box import device, head, records_of, slots_of

from gateway.agent import run
from gateway.config import GatewaySettings
from gateway.poll import poll
from metering.config import parse_toml

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "gateway").rglob("*.py"))


def test_everything_is_written_into_the_data_folder(meter, free_port, tmp_path, wait_until):
    config = tmp_path / "gateway.toml"
    config.write_text(head(tmp_path, free_port()) + device(tmp_path, "meter-1", meter.port, 1))
    elsewhere = [tmp_path / name for name in ("cwd", "home", "tmp")]
    for folder in elsewhere:
        folder.mkdir()
        folder.chmod(0o555)
    before = set(tmp_path.rglob("*"))
    environment = {
        **os.environ, "HOME": str(elsewhere[1]), "TMPDIR": str(elsewhere[2]), "SQLITE_TMPDIR": str(elsewhere[2]),
        "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "sakugen", "gateway", "run", "--config", config],
        cwd=elsewhere[0], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        try:
            assert child.stdout.readline().startswith(b"ready ")
            wait_until(lambda: len(slots_of(records_of(tmp_path), "meter-1/all")) >= 5)
            child.send_signal(signal.SIGTERM)
            assert child.wait(20) == 0
        finally:
            child.kill()
    new = set(tmp_path.rglob("*")) - before
    assert new
    assert {path for path in new if not path.is_relative_to(tmp_path / "data")} == set()


def test_faults_that_last_are_logged_when_they_begin_and_not_at_every_slot(
    meter, free_port, tmp_path, monkeypatch, caplog, wait_until
):
    async def fail_for_one(group, slot_ms, reader, clock):
        if group.name == "meter-3/all":
            raise RuntimeError("nobody foresaw this")
        return await poll(group, slot_ms, reader, clock)

    monkeypatch.setattr("gateway.rounds.poll", fail_for_one)
    monkeypatch.setattr("gateway.agent.FAREWELL_S", 0.1)
    devices = device(tmp_path, "meter-1", meter.port, 1)
    devices += device(tmp_path, "meter-2", free_port(), 1)  # nobody is there
    devices += device(tmp_path, "meter-3", meter.port, 2)
    settings = parse_toml(head(tmp_path, free_port()) + devices, GatewaySettings, "gateway.toml")

    async def live() -> None:
        stop = asyncio.Event()
        work = asyncio.create_task(run(settings, stop))
        await asyncio.to_thread(wait_until, lambda: len(meter.asked) >= 40)
        stop.set()
        await work

    asyncio.run(live())
    said = [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
    for what in ("cannot be reached", "not-read meter-3/all", "broker-unreachable"):
        assert sum(what in line for line in said) == 1, what
    assert len(said) <= 6, said


def test_no_function_that_writes_to_a_meter_is_named_anywhere_in_the_gateway():
    writing = re.compile(r"write_(coils?|registers?|file_record)|mask_write|readwrite|WriteMultiple|WriteSingle")
    assert [path.name for path in SOURCES if writing.search(path.read_text())] == []


def test_the_gateway_listens_to_acks_and_the_presence_of_ingest_and_to_nothing_else():
    subscribing = [line.strip() for path in SOURCES for line in path.read_text().splitlines() if ".subscribe(" in line]
    assert subscribing == ["client.subscribe([(ack_topic(self._gateway), 1), (ALL_INGESTS_ONLINE, 1)])"]
