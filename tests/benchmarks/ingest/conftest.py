"""A fleet of gateways with records signed beforehand, a broker, and a real ingest with all their keys."""

import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import pytest
import tomli_w
from benchkit.fleet import signer_of
from benchkit.machine import cpu_s, memory_mb
from benchkit.plant import Part
from benchkit.run import ROOT, command

from metering.clock import SystemClock
from metering.keys import KeyEntry, KeyRing, Role, new_signer, save_signer
from sakugen.broker import EmbeddedBroker

_CONFIG = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
log_dest none
max_queued_messages 0
"""


@dataclass(frozen=True)
class Ran:
    """What one run cost."""

    fleet: dict[str, Any]
    ingest_cpu_s: float
    broker_cpu_s: float
    memory_mb: list[float]
    """Resident memory of ingest, ten times a second, from the first record on [MiB]."""

    @property
    def per_s(self) -> float:
        return self.fleet["readings"] / self.fleet["seconds"]

    @property
    def records_per_s(self) -> float:
        return self.fleet["records"] / self.fleet["seconds"]

    def micros_a_record(self, cpu_s: float) -> float:
        return 1e6 * cpu_s / self.fleet["records"]


@pytest.fixture
def bench_mosquitto(tmp_path: Path, installed, free_port, wait_until) -> Iterator[tuple[int, int]]:
    """A real mosquitto that queues without a limit: its port and its process."""
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(_CONFIG.format(port=port))
    process = subprocess.Popen([installed("mosquitto"), "-c", str(config)])
    wait_until(lambda: _listens(port))
    yield port, process.pid
    process.terminate()
    process.wait(20)


@pytest.fixture
def bench_iotcore(broker: EmbeddedBroker, wait_until) -> tuple[int, int]:
    """The embedded broker: its port and its process."""
    wait_until(lambda: _listens(broker.port))
    return broker.port, broker._broker._process.pid


def _listens(port: int) -> bool:
    table = Path("/proc/net/tcp").read_text(encoding="utf-8")
    return f"0100007F:{port:04X} 00000000:0000 0A" in table


Run = Callable[..., Ran]


@pytest.fixture
def run_fleet(tmp_path: Path) -> Iterator[Run]:
    """`run_fleet(broker, gateways=16, records=100, points=20, slots=50)` until all is acknowledged and stored."""
    stack = ExitStack()
    runs = count()

    def run(
        broker: tuple[int, int], gateways: int, records: int, points: int, slots: int, interval_s: float = 0
    ) -> Ran:
        port, broker_pid = broker
        folder = tmp_path / f"run-{next(runs)}"
        ingest = Part("ingest", _configure(folder, port, gateways), folder / "ingest.log")
        stack.callback(ingest.kill)
        arguments = {
            "port": port, "gateways": gateways, "count": records, "points": points, "slots": slots,
            "interval_s": interval_s, "now_ms": SystemClock().now_ms(),
        }  # fmt: skip
        fleet = stack.enter_context(_started("fleet", json.dumps(arguments)))
        _expect(fleet, "ready")
        ingest.bring_up()
        _go(fleet)
        _expect(fleet, "born")
        before = cpu_s(ingest.pid), cpu_s(broker_pid)
        with _Watch(ingest.pid) as watch:
            _go(fleet)
            found = json.loads(fleet.stdout.readline())
        used = cpu_s(ingest.pid) - before[0], cpu_s(broker_pid) - before[1]
        assert fleet.wait(60) == 0
        ingest.end()
        _check(folder / "data" / "journal.sqlite", gateways, records + 1)
        return Ran(found, *used, watch.memory_mb)

    with stack:
        yield run


@contextmanager
def _started(name: str, arguments: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command(name, arguments), cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        process.kill()


def _configure(folder: Path, port: int, gateways: int) -> Path:
    folder.mkdir()
    verifiers = [signer_of(number).verifier for number in range(gateways)]
    ring = KeyRing(KeyEntry(id=one.name, role=Role.GATEWAY, public_key=str(one)) for one in verifiers)
    (folder / "keys.toml").write_text(ring.to_toml(), encoding="utf-8")
    save_signer(new_signer("ack"), folder / "ack.key")
    config = {
        "data_dir": str(folder / "data"), "keys_file": str(folder / "keys.toml"),
        "ack_key_file": str(folder / "ack.key"), "broker": {"host": "127.0.0.1", "port": port},
    }  # fmt: skip
    (folder / "ingest.toml").write_text(tomli_w.dumps(config), encoding="utf-8")
    return folder / "ingest.toml"


def _expect(fleet: subprocess.Popen[str], state: str) -> None:
    assert fleet.stdout.readline() == f"{state}\n"


def _go(fleet: subprocess.Popen[str]) -> None:
    fleet.stdin.write("\n")
    fleet.stdin.flush()


def _check(journal: Path, gateways: int, records: int) -> None:
    """Everything is there once, in order, and usable."""
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as db:
        found = db.execute(
            "SELECT COUNT(*), MIN(seq), MAX(seq), MIN(status), MAX(status) FROM records GROUP BY gateway"
        ).fetchall()
    assert found == [(records, 1, records, "appended", "appended")] * gateways


class _Watch:
    """Looks at a process's memory ten times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = Event()
        self._thread = Thread(target=self._look)
        self.memory_mb: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.1):
            self.memory_mb.append(memory_mb(self._pid))
