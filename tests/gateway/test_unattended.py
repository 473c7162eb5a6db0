"""What a box that nobody visits needs: one folder to write to, a log that does not fill it, and no way in."""

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from runkit.account import assert_every_due_slot_is_read_once_or_explained
from runkit.box import device, head, records_of, slots_of
from runkit.disk import unavailable
from runkit.process import Gateway

from gateway.agent import run
from gateway.config import GatewaySettings
from gateway.loglimit import MOST_LINES, LogLimit
from gateway.outbox import Outbox
from gateway.poll import poll
from metering.config import parse_toml
from metering.keys import load_signer
from metering.topics import GatewayId

ROOT = Path(__file__).parents[2]
START_MS = 1_766_505_600_000
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


def test_a_log_has_only_so_many_lines_a_minute_and_says_how_many_were_left_out():
    now_s = 0.0
    limit = LogLimit(lambda: now_s, most_lines=3)

    def passed(count: int) -> list[str]:
        lines = [logging.LogRecord("g", logging.ERROR, "", 0, "line %d", (number,), None) for number in range(count)]
        return [line.getMessage() for line in lines if limit.filter(line)]

    assert passed(10) == ["line 0", "line 1", "line 2"]
    now_s = 59.9
    assert passed(1) == []
    now_s = 60.0
    assert passed(2) == ["(8 lines were left out before) line 0", "line 1"]
    now_s = 120.0
    assert passed(1) == ["line 0"]


FLOOD = """
import logging
from gateway import agent
async def flood(*_, **__):
    for number in range(1000):
        logging.getLogger("gateway").error("line %d", number)
agent.run = flood
agent.main(lambda: None)
"""


def test_a_running_gateway_logs_no_more_than_the_limit():
    done = subprocess.run([sys.executable, "-c", FLOOD], cwd=ROOT, capture_output=True, text=True, check=True)
    assert MOST_LINES <= len(done.stderr.splitlines()) <= 2 * MOST_LINES  # a minute may end in between


READ_ONLY_ROOT = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro /
shift
exec "$@"
"""


@pytest.mark.real
def test_a_root_file_system_that_is_read_only_is_enough_beside_one_data_folder(
    meter, free_port, tmp_path, wait_until, installed
):
    if os.geteuid() != 0:
        unavailable("only root can mount a file system")
    (tmp_path / "data").mkdir()
    with Gateway(tmp_path, head(tmp_path, free_port())) as gateway:
        gateway.configure(device(tmp_path, "meter-1", meter.port, 1))
        gateway.start(prefix=[installed("unshare"), "-m", "sh", "-c", READ_ONLY_ROOT, "sh", str(tmp_path / "data")])
        with pytest.raises(OSError, match="Read-only file system"):
            Path(f"/proc/{gateway.child.pid}/root{tmp_path}/elsewhere").touch()
        wait_until(lambda: len(gateway.slots("meter-1")) >= 5)
        gateway.stop()
    assert_every_due_slot_is_read_once_or_explained(gateway.records())


def test_a_box_with_128_mb_reads_and_thins_a_long_backlog(
    meter, free_port, tmp_path, wait_until, installed, slot, birth, clock
):
    text = head(tmp_path, free_port(), "max_bytes = 30_000_000")
    (tmp_path / "data").mkdir()
    with Outbox(
        tmp_path / "data" / "outbox.sqlite", GatewayId("site-1", "gw-1"), load_signer(tmp_path / "gw.key"), clock
    ) as outbox:
        outbox.begin_stream(birth(), START_MS)
        for first in range(-100_000, -96_000, 200):
            outbox.commit([slot(number, value=number + 100_000, width=900) for number in range(first, first + 200)])
        assert outbox.state().file_bytes > 30_000_000
    with Gateway(tmp_path, text) as gateway:
        gateway.configure(device(tmp_path, "meter-1", meter.port, 1))
        gateway.start(prefix=[installed("prlimit"), f"--data={128 * 1024 * 1024}"])
        wait_until(lambda: "records-given-up" in gateway.log(), timeout_s=30)
        asked = len(meter.asked)
        wait_until(lambda: len(meter.asked) >= asked + 20)
        most_kb = int(Path(f"/proc/{gateway.child.pid}/status").read_text().partition("VmHWM:")[2].split()[0])
        gateway.stop()
    assert most_kb < 128 * 1024
    assert "MemoryError" not in gateway.log()


def test_no_function_that_writes_to_a_meter_is_named_anywhere_in_the_gateway():
    writing = re.compile(r"write_(coils?|registers?|file_record)|mask_write|readwrite|WriteMultiple|WriteSingle")
    assert [path.name for path in SOURCES if writing.search(path.read_text())] == []


def test_the_gateway_listens_to_acks_and_the_presence_of_ingest_and_to_nothing_else():
    subscribing = [line.strip() for path in SOURCES for line in path.read_text().splitlines() if ".subscribe(" in line]
    assert subscribing == ["client.subscribe([(ack_topic(self._gateway), 1), (ALL_INGESTS_ONLINE, 1)])"]
