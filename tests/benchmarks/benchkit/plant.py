"""A gateway and an ingest as `sakugen …` processes, with as many devices as a benchmark asks for.

In: a folder, the ports of a responder, sizes. Out: configuration, keys, processes, and what stands in the outbox.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import tomli_w
from benchkit.responder import LOOPBACK

from metering.clock import SystemClock
from metering.measurands import MEASURANDS
from metering.record import Readings, parse
from sakugen import keychain
from sakugen.broker import EmbeddedBroker
from sakugen.processes import Child

SITE, GATEWAY, PROJECT = "bench", "gw", "bench"
READY_WITHIN_S = 60.0
UNITS_PER_PORT = 20
WORDS = 50
"""Registers of one device; the map's last value has 64 bits so that 24 values fill them."""


def let_pass(seconds: float) -> None:
    """Measure for so long."""
    threading.Event().wait(seconds)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which so many of the values lie; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


class Part(Child):
    """A `sakugen …` process whose cost is measured."""

    def __init__(self, name: str, config: Path, log: Path) -> None:
        super().__init__(name, [name, "run", "--config", str(config)], log)

    @property
    def pid(self) -> int:
        return self._process.pid

    def run_under(self, prefix: Sequence[str]) -> None:
        """Have the next start go through another program."""
        self._command = [*prefix, *self._command]

    def bring_up(self) -> None:
        self.start()
        asyncio.run(self.wait_ready(READY_WITHIN_S))

    def wait_for_end(self) -> None:
        """Wait for a process that was told to end."""
        assert self._process.wait(60) == 0, self.output()[-2000:]

    def end(self) -> None:
        status = asyncio.run(self.stop(60))
        assert status == 0, self.output()[-2000:]


@dataclass(frozen=True)
class Shape:
    """How many devices, and how many values of each."""

    devices: int
    points: int
    interval_s: int = 1

    @property
    def ports(self) -> int:
        return -(-self.devices // UNITS_PER_PORT)


class Plant:
    """Configured; `with` starts nothing, and ends what was started."""

    def __init__(self, folder: Path, shape: Shape, ports: Sequence[int], broker: EmbeddedBroker) -> None:
        self.shape = shape
        self._folder = folder
        self._ports = ports
        self._broker = broker
        self.clock = SystemClock()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "bench.toml").write_text(MAP, encoding="utf-8")
        name = f"{SITE}/{GATEWAY}"
        self.keys = keychain.bootstrap(self._folder / "keys", [name], "operator", self.clock.now_ms() - 30 * 86_400_000)
        self.key_file = self.keys.gateways[name]
        self.gateway_file = self._write("gateway", self._gateway())
        ingest_file = self._write("ingest", self._ingest())
        self.gateway = Part("gateway", self.gateway_file, self._folder / "gateway.log")
        self.ingest = Part("ingest", ingest_file, self._folder / "ingest.log")
        self._stack.callback(self.ingest.kill)
        self._stack.callback(self.gateway.kill)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def outbox(self) -> "OutboxFile":
        return OutboxFile(self._folder / "data" / "outbox.sqlite")

    @property
    def journal(self) -> Path:
        return self._folder / "ingest" / "journal.sqlite"

    def _write(self, name: str, content: dict[str, Any]) -> Path:
        path = self._folder / f"{name}.toml"
        path.write_text(tomli_w.dumps(content), encoding="utf-8")
        return path

    def _ingest(self) -> dict[str, Any]:
        return {
            "data_dir": str(self._folder / "ingest"),
            "keys_file": str(self.keys.keys_file),
            "ack_key_file": str(self.keys.ack_key),
            "broker": {"host": LOOPBACK, "port": self._broker.port},
        }

    def _gateway(self) -> dict[str, Any]:
        return {
            "site": SITE,
            "gateway": GATEWAY,
            "project": PROJECT,
            "data_dir": str(self._folder / "data"),
            "key_file": str(self.key_file),
            "ack_keys": [self.keys.ack_public],
            "broker": {"host": LOOPBACK, "port": self._broker.port},
            "bus": [
                {"name": f"b{number}", "kind": "tcp", "host": LOOPBACK, "port": port}
                for number, port in enumerate(self._ports)
            ],
            "device": [self._device(number) for number in range(self.shape.devices)],
        }

    def _device(self, number: int) -> dict[str, Any]:
        name = f"d{number:03}"
        return {
            "name": name,
            "map": str(self._folder / "bench.toml"),
            "bus": f"b{number // UNITS_PER_PORT}",
            "unit_id": number % UNITS_PER_PORT + 1,
            "meter": {"make": "Bench", "model": "B50", "serial": name},
            "group": [
                {
                    "name": "all",
                    "interval_s": self.shape.interval_s,
                    "points": [
                        {"point": f"{name}{'abc'[turn]}", "measurand": measurand}
                        for turn, measurand in _spread(self.shape.points)
                    ],
                }
            ],
        }


def _spread(points: int) -> Iterator[tuple[int, str]]:
    """So many measurands, the map's first and last among them: one request reads all that lies between."""
    names = list(MEASURANDS)
    if points < len(names):
        chosen = [names[at * (len(names) - 1) // (points - 1)] for at in range(points)]
        yield from ((0, name) for name in chosen)
        return
    for at in range(points):
        yield divmod(at, len(names))[0], names[at % len(names)]


def _map() -> str:
    text = [
        'schema = "sakugen.devicemap/1"', 'make = "Bench"', 'model = "B50"', 'tier = "unverified"',
        "[[source]]", 'title = "made up for benchmarks"', 'read = "nothing"',
    ]  # fmt: skip
    address = 0
    for at, name in enumerate(MEASURANDS):
        words = 2 if at < len(MEASURANDS) - 1 else WORDS - address
        text += ["[[register]]", f'name = "r{at:02}"', f'measurand = "{name}"', "function = 3"]
        text += [f"address = {address}", f'type = "{"u32" if words == 2 else "u64"}"']
        address += words
    return "\n".join(text) + "\n"


MAP = _map()


class OutboxFile:
    """An outbox, read while its agent works."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def unacknowledged(self) -> int:
        """How many records wait for their ack."""
        return self.rows("SELECT COUNT(*) FROM record WHERE acked = 0")[0][0]

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(sql, values).fetchall()

    @property
    def has_readings(self) -> bool:
        """Whether anything that was read is committed."""
        try:
            found = self.rows("SELECT (SELECT COUNT(*) FROM pending) + (SELECT COUNT(*) FROM record WHERE seq > 1)")
        except sqlite3.OperationalError:  # it is not there yet, or not all of it
            return False
        return bool(found[0][0])

    def slots(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int, int, bool]]:
        """Every slot of every poll group in a time: (slot, sent, received [ms after the slot], all values good)."""
        for (data,) in self.rows("SELECT data FROM record WHERE seq > 0 ORDER BY stream, seq"):
            record = parse(data)
            if not isinstance(record, Readings):
                continue
            for group in record.groups:
                bad = {at for _, at, _ in group.quality}
                for at, slot_ms in enumerate(group.slots):
                    if from_ms <= slot_ms < to_ms:
                        yield slot_ms, group.sent[at], group.received[at], at not in bad
