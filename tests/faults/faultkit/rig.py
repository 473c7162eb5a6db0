"""A small installation in real processes, every part of which can be killed, cut off and started again.

In: a folder and a running broker. Out: simulators, a gateway and ingest as `sakugen …` child processes, the last two
each behind a proxy of its own. The plant's clock runs at twice the pace of the wall clock, a slot each half second.
"""

import asyncio
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self

import tomli_w
from faultkit.books import JournalBook, OutboxBook
from faultkit.proxy import LOOPBACK, Proxy

from metering.clock import Clock, ClockConfig, monotonic_s
from sakugen import keychain
from sakugen.broker import EmbeddedBroker
from sakugen.demo.sites import SITES
from sakugen.processes import Child, run_to_end

SITE = next(site for site in SITES if site.plant == "transformer-stations")
STARTS = datetime.fromisoformat("2026-01-05T09:00:00+07:00")
FACTOR = 2.0
INTERVAL_S = 1
INTERVAL_MS = INTERVAL_S * 1000
SEAL_AFTER_S = 0.5
READY_WITHIN_S = 30.0
DRIVERS = Path(__file__).parents[1] / "drivers"
_TAIL_CHARACTERS = 3000


class Broker(Protocol):
    """What a broker must be able to do."""

    port: int

    def start(self) -> None: ...
    def kill(self) -> None: ...


class KillableBroker(EmbeddedBroker):
    """The embedded broker, and how to end it as a power cut would."""

    def kill(self) -> None:
        process = self._broker._process
        process.kill()
        process.wait()
        self.stop()


class Part(Child):
    """A child process that may be started with a driver between it and the product."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        super().__init__(name, arguments, log)
        self._plain = self._command

    def choose(self, driver: str | None = None, *arguments: str) -> None:
        """Have the next start go through a driver, or through none."""
        command = [] if driver is None else [sys.executable, str(DRIVERS / driver), *arguments]
        self._command = [*command, *self._plain[3:]] if command else self._plain

    @property
    def status(self) -> int | None:
        """Its exit status; negative for a signal."""
        return None if self._process is None else self._process.poll()

    def bring_up(self) -> None:
        self.start()
        asyncio.run(self.wait_ready(READY_WITHIN_S))

    def end(self) -> int | None:
        return asyncio.run(self.stop())


@dataclass
class Outage:
    """When an agent was down."""

    from_ms: int
    """The plant's clock when it was killed, or when that was noticed [ms since the Unix epoch]."""
    to_ms: int = 0
    """The plant's clock when it was ready again [ms since the Unix epoch]."""


@dataclass
class Box:
    """One gateway's box: its folder, its process, its line to the broker."""

    folder: Path
    part: Part
    proxy: Proxy
    settings: dict[str, Any]
    config: Path
    outages: list[Outage] = field(default_factory=list)
    ended_ms: int | None = None
    """The plant's clock when the agent ended for good [ms since the Unix epoch]."""

    @property
    def book(self) -> OutboxBook:
        return OutboxBook(self.folder / "outbox.sqlite")

    def configure(self, **changes: Any) -> None:
        """Write its file again with some settings changed."""
        self.settings = self.settings | changes
        self.config.write_text(tomli_w.dumps(self.settings), encoding="utf-8")


class Rig:
    """Everything; use `with`. Parts are up when the block begins and gone when it ends."""

    def __init__(self, folder: Path, broker: Broker, wait_until: Callable[..., None], plant_port: int) -> None:
        self.folder = folder
        self.broker = broker
        self.wait_until = wait_until
        self._plant_port = plant_port
        self._stack = ExitStack()
        self.boxes: list[Box] = []
        self.copied_ms: int | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._stack = stack
            stack.callback(self._show_logs)
            clock = ClockConfig(kind="scaled", start=STARTS, anchor_s=monotonic_s(), factor=FACTOR)
            self.clock: Clock = clock.build()
            self._clock_table = clock.model_dump(exclude_none=True)
            self.keys = keychain.bootstrap(self.folder / "keys", [SITE.gateway_name], "operator", self.clock.now_ms())
            self.ingest_proxy = stack.enter_context(Proxy(self.broker.port))
            self._write("simulators", self._simulators())
            self._write("ingest", self._ingest())
            self.simulators = self._part("simulators", "simulate")
            self.ingest = self._part("ingest", "ingest")
            self.box = self.add_box("first")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start everything; the box last, because a meter that does not listen yet is one that does not answer."""
        self.begun_ms = self.clock.now_ms()
        for parts in ((self.simulators, self.ingest), (self.box.part,)):
            for part in parts:
                part.start()
            for part in parts:
                asyncio.run(part.wait_ready(READY_WITHIN_S))
        self.ready_ms = self.clock.now_ms()

    # --- the boxes ------------------------------------------------------------------------------------------------

    def add_box(self, name: str) -> Box:
        """Set a gateway up, not started: every box of the rig has the same identity and key."""
        proxy = self._stack.enter_context(Proxy(self.broker.port))
        part = self._part(f"gateway-{name}", "gateway")
        settings = self._gateway(self.folder / name, proxy.port)
        box = Box(self.folder / name, part, proxy, settings, self._config(part.name))
        box.configure()
        self.boxes.append(box)
        return box

    def clone(self, box: Box, name: str) -> Box:
        """Set a second box up with a copy of the first one's card, which may be in use.

        It is taken at an instant when everything sealed is acknowledged, so that every record has one owner.
        """
        other = self.add_box(name)
        other.folder.mkdir()

        def copied() -> bool:
            with (
                closing(sqlite3.connect(f"{box.book.path.as_uri()}?mode=ro", uri=True)) as source,
                closing(sqlite3.connect(other.book.path)) as target,
            ):
                source.backup(target)
            return other.book.unacknowledged() == 0

        self.wait_until(copied, 20)
        self.copied_ms = self.clock.now_ms()
        other.outages.append(Outage(self.copied_ms))
        return other

    def kill(self, box: Box) -> None:
        box.outages.append(Outage(self.clock.now_ms()))
        box.part.kill()

    def await_death(self, part: Part, timeout_s: float = 20.0) -> None:
        """Wait until a part has ended itself at its point."""
        self.wait_until(lambda: not part.is_running, timeout_s)
        assert part.status == -signal.SIGKILL, part.output()
        for box in self.boxes:
            if box.part is part:
                box.outages.append(Outage(self.clock.now_ms()))
        part.choose()

    def revive(self, box: Box) -> None:
        box.part.bring_up()
        box.outages[-1].to_ms = self.clock.now_ms()
        box.ended_ms = None

    def end_for_now(self, box: Box) -> None:
        """End a box in good order; what it has not sent stays in it."""
        box.outages.append(Outage(self.clock.now_ms()))
        assert box.part.end() == 0, box.part.output()

    def restart(self, box: Box) -> None:
        """End a box in good order and start it again: a new stream."""
        self.end_for_now(box)
        self.revive(box)

    # --- conditions -----------------------------------------------------------------------------------------------

    @property
    def journal(self) -> JournalBook:
        return JournalBook(self.folder / "ingest" / "journal.sqlite", SITE.project)

    def committed(self, box: Box | None = None) -> int:
        """The newest slot that a box has committed [ms since the Unix epoch]; 0 before the first."""
        return max((box or self.box).book.accounted_ms().values(), default=0)

    def read_on(self, slots: int, box: Box | None = None) -> None:
        """Wait until a box has committed so many more slots."""
        goal = max(self.committed(box), self.clock.now_ms()) + slots * INTERVAL_MS
        self.wait_until(lambda: self.committed(box) >= goal, 30)

    def let_pass(self, slots: int) -> None:
        """Wait until so many slots have come and gone, whoever reads them."""
        goal = self.clock.now_ms() + slots * INTERVAL_MS
        self.wait_until(lambda: self.clock.now_ms() >= goal, 30)

    def settle(self, box: Box | None = None, timeout_s: float = 30.0) -> None:
        """Wait until everything that a box had sealed at some moment from now on is acknowledged."""
        book = (box or self.box).book
        goal = {stream: book.last_seq(stream) for stream in book.streams()}
        self.wait_until(lambda: all(book.acked()[stream] >= seq for stream, seq in goal.items()), timeout_s)

    def finish(self, box: Box | None = None, timeout_s: float = 60.0) -> None:
        """Let a box catch up, end it in good order, and see that nothing is left in it."""
        box = box or self.box
        self.settle(box, timeout_s)
        self.end_for_now(box)
        box.ended_ms = self.clock.now_ms()
        assert (box.book.unacknowledged(), box.book.pending()) == (0, 0)

    # --- ingest ---------------------------------------------------------------------------------------------------

    def end_ingest(self) -> None:
        assert self.ingest.end() == 0, self.ingest.output()

    def keep_journal(self, name: str) -> Path:
        """Copy the journal's files while ingest is not running, as a backup would."""
        target = self.folder / name
        shutil.copytree(self.journal.path.parent, target)
        return target

    def restore_journal(self, source: Path | None) -> None:
        """Put an older copy in the journal's place, or nothing at all."""
        shutil.rmtree(self.journal.path.parent)
        if source is not None:
            shutil.copytree(source, self.journal.path.parent)

    def adopt(self, journal: str) -> None:
        """End ingest, let its journal succeed another one, start it again."""
        self.end_ingest()
        arguments = ["ingest", "adopt", journal, "--config", str(self._config("ingest"))]
        status, said = asyncio.run(run_to_end("adopt", arguments, READY_WITHIN_S))
        assert status == 0, said
        self.ingest.bring_up()

    # --- files ----------------------------------------------------------------------------------------------------

    def _part(self, name: str, verb: str) -> Part:
        part = Part(name, [verb, "run", "--config", str(self._config(name))], self.folder / f"{name}.log")
        self._stack.callback(part.kill)
        return part

    def _config(self, name: str) -> Path:
        return self.folder / f"{name}.toml"

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self._config(name).write_text(tomli_w.dumps(content), encoding="utf-8")

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    def _simulators(self) -> dict[str, Any]:
        plant = {"plant": SITE.plant, "project": SITE.project, "site": SITE.site, "port": self._plant_port}
        return {
            "ledger": str(self.ledger),
            "clock": self._clock_table,
            "counters_from": STARTS,
            "plants": [plant],
        }

    def _ingest(self) -> dict[str, Any]:
        return {
            "data_dir": str(self.folder / "ingest"),
            "keys_file": str(self.keys.keys_file),
            "ack_key_file": str(self.keys.ack_key),
            "broker": {"host": LOOPBACK, "port": self.ingest_proxy.port},
            "clock": self._clock_table,
        }

    def _gateway(self, folder: Path, broker_port: int) -> dict[str, Any]:
        return {
            "site": SITE.site,
            "gateway": SITE.gateway,
            "project": SITE.project,
            "data_dir": str(folder),
            "key_file": str(self.keys.gateways[SITE.gateway_name]),
            "ack_keys": [self.keys.ack_public],
            "seal_after_s": SEAL_AFTER_S,
            "broker": {"host": LOOPBACK, "port": broker_port},
            "clock": self._clock_table,
            "device": list(self._devices()),
        }

    def _devices(self) -> Iterator[dict[str, Any]]:
        for device in SITE.devices:
            points = [{"point": device.name, "measurand": name} for name in device.measurands]
            yield {
                "name": device.name,
                "map": device.device_map,
                "host": LOOPBACK,
                "port": self._plant_port,
                "unit_id": device.unit_id,
                # A busy machine must not make a silent meter of one that answers late.
                "timeout_s": 10.0,
                "meter": {"make": device.make, "model": device.model, "serial": device.serial},
                "group": [{"name": "all", "interval_s": INTERVAL_S, "points": points}],
            }

    def _show_logs(self) -> None:
        """Pytest shows this when the test failed."""
        for log in sorted(self.folder.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-_TAIL_CHARACTERS:]}")
