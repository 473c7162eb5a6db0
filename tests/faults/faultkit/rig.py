"""A small installation in real processes, every part of which can be killed, cut off and started again.

In: a folder, a running broker, and the sites. Out: simulators, a gateway a site and ingest as `sakugen …` child
processes, gateways and ingest each behind a proxy of its own. The plants' clock runs at twice the pace of the wall
clock, a slot each half second.
"""

import asyncio
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import tomli_w
from faultkit.books import JournalBook
from faultkit.parts import READY_WITHIN_S, Box, Outage, Part, Peer, WrongClock
from faultkit.proxy import LOOPBACK, Proxy
from runkit.disk import Disk

from metering.clock import Clock, ClockConfig, monotonic_s
from sakugen import keychain
from sakugen.demo.sites import SITES, DemoSite
from sakugen.processes import run_to_end

SITE = next(site for site in SITES if site.plant == "transformer-stations")
STARTS = datetime.fromisoformat("2026-01-05T09:00:00+07:00")
FACTOR = 2.0
INTERVAL_S = 1
INTERVAL_MS = INTERVAL_S * 1000
SEAL_AFTER_S = 0.5
DATABASE = "sakugen"
_TAIL_CHARACTERS = 3000
_FORWARDERS = "forward.sqlite*"


class Rig:
    """Everything; use `with`. Parts are up when the block begins and gone when it ends."""

    def __init__(
        self,
        folder: Path,
        broker: Peer,
        wait_until: Callable[..., None],
        free_port: Callable[[], int],
        sites: Sequence[DemoSite] = (SITE,),
        influxd: Peer | None = None,
        disks: Mapping[str, Disk] = MappingProxyType({}),
    ) -> None:
        """Remember what there is.

        Args:
            folder: everything is in it.
            broker: running.
            wait_until: how to wait.
            free_port: for the plants.
            sites: each gets a gateway.
            influxd: where good readings are copied to, if anywhere.
            disks: small ones, by the name of the folder that they are mounted on: "ingest" or a box.
        """
        self.folder = folder
        self.broker = broker
        self.influxd = influxd
        self.disks = disks
        self.wait_until = wait_until
        self.sites = sites
        self._plant_ports = {site.site: free_port() for site in sites}
        self._stack = ExitStack()
        self.boxes: list[Box] = []
        self.exits: list[tuple[str, str]] = []
        """Parts that ended by themselves, and what they said."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._stack = stack
            stack.callback(self._show_logs)
            clock = ClockConfig(kind="scaled", start=STARTS, anchor_s=monotonic_s(), factor=FACTOR)
            self.clock: Clock = clock.build()
            self._clock_table = clock.model_dump(exclude_none=True)
            names = [site.gateway_name for site in self.sites]
            self.keys = keychain.bootstrap(self.folder / "keys", names, "operator", self.clock.now_ms())
            self.ingest_proxy = stack.enter_context(Proxy(self.broker.port))
            self._write("simulators", self._simulators())
            self._write("ingest", self._ingest())
            self.simulators = self._part("simulators", "simulate")
            self.ingest = self._part("ingest", "ingest")
            for site in self.sites:
                self.add_box(site.site, site)
            self.box = self.boxes[0]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start everything; boxes last, because a meter that does not listen yet is one that does not answer."""
        self.begun_ms = self.clock.now_ms()
        for parts in ((self.simulators, self.ingest), [box.part for box in self.boxes]):
            for part in parts:
                part.start()
            for part in parts:
                asyncio.run(part.wait_ready(READY_WITHIN_S))
        self.ready_ms = self.clock.now_ms()

    # --- the boxes ------------------------------------------------------------------------------------------------

    def add_box(self, name: str, site: DemoSite) -> Box:
        """Set a gateway up, not started: every box of a site has the same identity and key."""
        proxy = self._stack.enter_context(Proxy(self.broker.port))
        part = self._part(f"gateway-{name}", "gateway")
        settings = self._gateway(site, self.folder / name, proxy.port)
        box = Box(site, self.folder / name, part, proxy, settings, self._config(part.name))
        box.configure()
        self.boxes.append(box)
        return box

    def boxes_of(self, site: DemoSite) -> list[Box]:
        return [box for box in self.boxes if box.site is site]

    def copy_card(self, box: Box, name: str) -> Box:
        """Set a second box up with a copy of the first one's card, which may be in use."""
        other = self.add_box(name, box.site)
        other.folder.mkdir()
        self._copy(box, other)
        return other

    def clone(self, box: Box, name: str) -> Box:
        """Do so at an instant when everything sealed is acknowledged, so that every record has one owner."""
        other = self.copy_card(box, name)

        def copied() -> bool:
            self._copy(box, other)
            return other.book.unacknowledged() == 0

        self.wait_until(copied, 20)
        return other

    def _copy(self, box: Box, other: Box) -> None:
        with (
            closing(sqlite3.connect(f"{box.book.path.as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(other.book.path)) as target,
        ):
            source.backup(target)
        other.copied_ms = self.clock.now_ms()
        other.outages = [Outage(other.copied_ms)]

    def note_outage(self, box: Box) -> None:
        """From now on nobody reads; an outage that is not over goes on."""
        if not (box.outages and box.outages[-1].to_ms == 0):
            box.outages.append(Outage(self.clock.now_ms()))

    def kill(self, box: Box) -> None:
        self.note_outage(box)
        box.part.kill()

    def await_death(self, part: Part, timeout_s: float = 20.0) -> None:
        """Wait until a part has ended itself at its point."""
        self.wait_until(lambda: not part.is_running, timeout_s)
        assert part.status == -signal.SIGKILL, part.output()
        for box in self.boxes:
            if box.part is part:
                self.note_outage(box)
        part.choose()

    def revive(self, box: Box) -> None:
        box.part.bring_up()
        box.outages[-1].to_ms = self.clock.now_ms()
        box.ended_ms = None

    def end_for_now(self, box: Box) -> None:
        """End a box in good order; what it has not sent stays in it."""
        self.note_outage(box)
        assert box.part.end() == 0, box.part.output()

    def restart(self, box: Box) -> None:
        """End a box in good order and start it again: a new stream."""
        self.end_for_now(box)
        self.revive(box)

    def begin_wrong_clock(self, box: Box, shift_ms: int) -> None:
        """Kill a box, and start it with a clock that is so far ahead (negative: behind)."""
        self.kill(box)
        box.configure(clock=self._clock_table | {"start": STARTS + timedelta(milliseconds=shift_ms)})
        box.wrong_clocks.append(WrongClock(shift_ms, box.outages[-1], self.clock.mono_ms()))
        box.part.start()

    def end_wrong_clock(self, box: Box) -> None:
        """Kill a box, and start it with the right clock."""
        box.part.kill()
        wrong = box.wrong_clocks[-1]
        wrong.to_mono_ms = self.clock.mono_ms()
        wrong.unread_from_ms = {
            group: slot_ms - wrong.shift_ms + 1 for group, slot_ms in box.book.accounted_ms().items()
        }
        box.configure(clock=self._clock_table)
        box.part.start()

    def look_after(self) -> None:
        """Note which boxes are ready again; start what ended by itself, as the system's service manager would."""
        for box in self.boxes:
            wrong = box.wrong_clocks and box.wrong_clocks[-1].to_mono_ms is None
            if box.outages and box.outages[-1].to_ms == 0 and not wrong and box.part.is_ready:
                box.outages[-1].to_ms = self.clock.now_ms()
        for part in (self.ingest, *(box.part for box in self.boxes)):
            if part.status is not None:
                self.exits.append((part.name, part.output()[-_TAIL_CHARACTERS:]))
                for box in self.boxes:
                    if box.part is part:
                        self.note_outage(box)
                part.start()

    # --- conditions -----------------------------------------------------------------------------------------------

    @property
    def journal(self) -> JournalBook:
        return self.journal_of(self.sites[0])

    def journal_of(self, site: DemoSite) -> JournalBook:
        """The journal, to be asked for the readings of one site."""
        return JournalBook(self.folder / "ingest" / "journal.sqlite", site.project)

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
        """Copy the journal's files while ingest is not running, as a backup would; the forwarder's is none of them."""
        target = self.folder / name
        shutil.copytree(self.journal.path.parent, target, ignore=shutil.ignore_patterns("lost+found", _FORWARDERS))
        return target

    def restore_journal(self, source: Path | None) -> None:
        """Put an older copy in the journal's place, or nothing at all."""
        folder = self.journal.path.parent
        for each in folder.iterdir():
            # The folder itself may be where a disk is mounted.
            if not each.match(_FORWARDERS):
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        if source is not None:
            shutil.copytree(source, folder, dirs_exist_ok=True)

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
        plants = [
            {"plant": site.plant, "project": site.project, "site": site.site, "port": self._plant_ports[site.site]}
            for site in self.sites
        ]
        return {
            "ledger": str(self.ledger),
            "clock": self._clock_table,
            "counters_from": STARTS,
            "plants": plants,
        }

    def _ingest(self) -> dict[str, Any]:
        influxdb = {} if self.influxd is None else {"url": f"http://{LOOPBACK}:{self.influxd.port}", "bucket": DATABASE}
        return {
            "data_dir": str(self.folder / "ingest"),
            "keys_file": str(self.keys.keys_file),
            "ack_key_file": str(self.keys.ack_key),
            "broker": {"host": LOOPBACK, "port": self.ingest_proxy.port},
            "clock": self._clock_table,
        } | ({"influxdb": influxdb} if influxdb else {})

    def _gateway(self, site: DemoSite, folder: Path, broker_port: int) -> dict[str, Any]:
        return {
            "site": site.site,
            "gateway": site.gateway,
            "project": site.project,
            "data_dir": str(folder),
            "key_file": str(self.keys.gateways[site.gateway_name]),
            "ack_keys": [self.keys.ack_public],
            "seal_after_s": SEAL_AFTER_S,
            "broker": {"host": LOOPBACK, "port": broker_port},
            "clock": self._clock_table,
            "device": list(self._devices(site)),
        }

    def _devices(self, site: DemoSite) -> Iterator[dict[str, Any]]:
        for device in site.devices:
            points = [{"point": device.name, "measurand": name} for name in device.measurands]
            yield {
                "name": device.name,
                "map": device.device_map,
                "host": LOOPBACK,
                "port": self._plant_ports[site.site],
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
