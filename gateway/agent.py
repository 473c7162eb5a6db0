"""The gateway at work: polls each group at its slots, commits, seals, sends, and stops without losing anything.

What can fail in one device, or in the broker, never stops the polling of the others. Only the outbox can stop the
process.
"""

import asyncio
import logging
import random
import signal
import sys
from contextlib import AsyncExitStack
from typing import Any

from gateway.config import GatewaySettings
from gateway.entries import Entry, MissedSlots, SlotReading
from gateway.errors import OutboxFullError
from gateway.keeper import Keeper
from gateway.line import RankedReader
from gateway.lines import lines_of
from gateway.modbus import quiet_library
from gateway.outbox import Outbox
from gateway.poll import PollGroup, Reader, poll
from gateway.replan import Plans
from gateway.schedule import Missed, Timetable, clock_was_ahead
from gateway.sender import Sender
from gateway.status import Faults
from gateway.uplink import Uplink
from metering.clock import Clock
from metering.errors import KeyFileError
from metering.keys import load_signer
from metering.note import Signer
from metering.quality import Quality

_LOG = logging.getLogger("gateway")

FAREWELL_S = 5.0
"""How long a stopping agent waits for the last ack, in real time [s]."""
_UPLINK_PAUSE_S = 5.0
_LOOK_AGAIN_S = 1.0
_FINISH_S = 10.0
"""How long a stopping agent waits for slots that are being read, in real time [s]."""


def main(settings: GatewaySettings) -> None:
    """Run one gateway instance as this process, until SIGTERM or SIGINT; what it has to say goes to stderr."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(run(settings))


async def run(settings: GatewaySettings, stop: asyncio.Event | None = None) -> None:
    """Run one gateway instance until it is told to stop.

    Args:
        settings: a checked configuration.
        stop: ends the agent when set; SIGTERM and SIGINT do by default.

    Raises:
        KeyFileError: the private key cannot be used, or is another gateway's.
        OutboxError: the outbox cannot be used.
    """
    signer = load_signer(settings.key_file)
    if signer.name != str(settings.gateway_id):
        raise KeyFileError(
            f"{settings.key_file} signs as {signer.name!r}; this gateway is {str(settings.gateway_id)!r}"
        )
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    quiet_library()
    await Agent(settings, settings.clock.build(), signer).run(stop)


class Agent:
    """One gateway instance."""

    def __init__(self, settings: GatewaySettings, clock: Clock, signer: Signer) -> None:
        """Remember the parts; nothing is opened yet.

        Args:
            settings: a checked configuration.
            clock: the plant's clock; keep-alives and retries use its real time.
            signer: the gateway's key.
        """
        self._settings = settings
        self._clock = clock
        self._plans = Plans(settings, clock)
        self._faults = Faults()
        self._outbox = Outbox(
            settings.data_dir / "outbox.sqlite", settings.gateway_id, signer, clock, settings.keep_days
        )
        self._sender = Sender(self._outbox.shelf, lambda: random.uniform(0.9, 1.1))  # noqa: S311 - spreads retries, hides nothing
        self._lines = lines_of(settings, clock)
        self._timetables: dict[str, Timetable] = {}
        self._era = 0
        """Counts streams begun because the clock had been ahead; what was read before is not committed after."""
        self._turning = asyncio.Lock()
        self._under_way: set[asyncio.Task[Entry | None]] = set()
        """Slots that are being read; a stop lets them end, or what a meter just answered would be lost."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        with self._outbox:
            async with AsyncExitStack() as stack:
                self._keeper = await stack.enter_async_context(Keeper(self._outbox, self._faults, self._wake))
                self._uplink = Uplink(
                    self._settings, self._clock, self._keeper, self._sender, self._faults, self._silent
                )
                for line in set(self._lines.values()):
                    await stack.enter_async_context(line)
                await self._begin()
                await self._serve(stop)

    async def _begin(self) -> None:
        self._plans.load()
        if self._outbox.set_aside is not None:
            self._faults.show(
                "outbox-set-aside", f"a damaged outbox was kept as {self._outbox.set_aside}; its readings are missing"
            )
        accounted = await self._keeper.do(self._outbox.accounted_ms)
        start_ms = self._clock.now_ms()
        ahead = clock_was_ahead(start_ms, max(accounted.values(), default=start_ms), self._clock.status())
        await self._begin_stream(start_ms, {} if ahead else accounted, ahead=ahead)

    async def _begin_stream(self, start_ms: int, accounted: dict[str, int], *, ahead: bool) -> None:
        birth = self._plans.birth()
        data = await self._keeper.do(self._outbox.begin_stream, birth, start_ms, clock_was_ahead=ahead)
        for part in birth.groups:
            last_ms = max(accounted.get(part.group, start_ms - 1), start_ms - 1)
            self._timetables[part.group] = Timetable(part.interval_ms, last_ms, self._clock.factor)
        self._uplink.show_birth(data)
        self._wake()

    async def _serve(self, stop: asyncio.Event) -> None:
        readers = [
            # Who shares a line with others goes first when it is read more often.
            asyncio.create_task(self._poll_for_ever(group, RankedReader(self._lines[device], group.interval_ms)))
            for device, group in self._plans.by_device()
        ]
        readers.append(asyncio.create_task(self._seal_for_ever()))
        services = [asyncio.create_task(self._keeper.run()), asyncio.create_task(self._serve_uplink())]
        stopping = asyncio.create_task(stop.wait())
        sys.stdout.write(f"ready gateway {self._settings.gateway_id}: {len(readers) - 1} poll groups\n")
        sys.stdout.flush()
        try:
            done, _ = await asyncio.wait([stopping, *readers, *services], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # none of them ends by itself: this raises what went wrong
            await _end(readers)
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=_FINISH_S)
            await self._farewell()
        finally:
            await _end([*readers, *self._under_way, stopping, *services])

    async def _farewell(self) -> None:
        try:
            await self._keeper.do(self._outbox.seal)
        except OutboxFullError as error:
            _LOG.error("%s; the last slots are kept and sealed at the next start", error)
        self._wake()
        try:
            async with asyncio.timeout(FAREWELL_S):
                while (await self._keeper.do(self._outbox.state)).unacknowledged_records:
                    await self._uplink.acked.wait()
                    self._uplink.acked.clear()
        except TimeoutError:
            _LOG.info("stopped before everything was acknowledged; the rest is sent at the next start")

    async def _poll_for_ever(self, group: PollGroup, line: Reader) -> None:
        while True:
            era, timetable = self._era, self._timetables[group.name]
            now_ms = self._clock.now_ms()
            if clock_was_ahead(now_ms, timetable.accounted_ms, self._clock.status()):
                await self._begin_again(era)
                continue
            slot_ms = timetable.upcoming(now_ms)
            try:
                async with asyncio.timeout(
                    _LOOK_AGAIN_S
                ):  # a clock that is set back must not make us wait for its future
                    await self._clock.sleep_until(slot_ms)
            except TimeoutError:
                continue
            if era != self._era or self._clock.now_ms() >= slot_ms + group.interval_ms:
                continue  # the clock was set while we waited
            slot = asyncio.create_task(self._take(group, slot_ms, timetable, line, era))
            self._under_way.add(slot)
            slot.add_done_callback(self._under_way.discard)
            taken = await asyncio.shield(slot)
            if isinstance(taken, SlotReading):
                group = await self._reconsider(group, taken, line)

    async def _reconsider(self, group: PollGroup, reading: SlotReading, line: Reader) -> PollGroup:
        """Ask differently from now on when the device refuses what it was asked; a new birth says how."""
        found = await self._plans.look_into(group, reading, line)
        if not found:
            return group
        async with self._turning:
            try:
                data = await self._keeper.do(self._outbox.renew_birth, self._plans.birth(found))
            except OutboxFullError as error:
                self._faults.show("outbox-full", str(error))
                return group
            self._plans.adopt(found)
        self._uplink.show_birth(data)
        self._wake()
        return self._plans.group(group.name)

    async def _take(self, group: PollGroup, slot_ms: int, timetable: Timetable, line: Reader, era: int) -> Entry | None:
        """Read one slot and commit it; gives what was read, if anything was."""
        due = timetable.at(slot_ms)
        entries: list[Entry] = [_missed(group, due.missed)] if due.missed else []
        taken = await self._read(group, slot_ms, line) if due.read else None
        if taken is not None:
            entries.append(taken)
        if entries and era == self._era:
            await self._keeper.commit(entries)
        return taken

    async def _read(self, group: PollGroup, slot_ms: int, line: Reader) -> Entry:
        try:
            return await poll(group, slot_ms, line, self._clock)
        except Exception:  # noqa: BLE001 - the main loop: what nobody foresaw in one device must not stop the others
            _LOG.exception("group %s, slot %d: not read", group.name, slot_ms)
            return MissedSlots(group.name, slot_ms, slot_ms + group.interval_ms, Quality.BAD_FRAME)

    async def _begin_again(self, era: int) -> None:
        """The clock had jumped ahead and is right again: a new stream, in which slots begin anew."""
        async with self._turning:
            if era != self._era:
                return  # another group was first
            self._era += 1
            _LOG.warning("the clock was ahead and is synchronised again; a new stream begins")
            await self._keeper.commit([])  # what is on its way belongs to the old stream
            await self._begin_stream(self._clock.now_ms(), {}, ahead=True)

    async def _serve_uplink(self) -> None:
        while True:
            try:
                await self._uplink.run()
            except Exception:  # noqa: BLE001 - the main loop: readings are kept whatever happens on the way to the broker
                _LOG.exception("the uplink failed; it starts again")
            self._sender.on_disconnected()
            await asyncio.sleep(_UPLINK_PAUSE_S)

    async def _seal_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.seal_after_s)
            try:
                if await self._keeper.do(self._outbox.seal):
                    self._wake()
            except OutboxFullError as error:
                self._faults.show("outbox-full", str(error))

    def _wake(self) -> None:
        self._uplink.wake()

    def _silent(self) -> list[str]:
        return [
            device.name for device in self._settings.device if device.unit_id in self._lines[device.name].silent_units()
        ]


def _missed(group: PollGroup, missed: Missed) -> MissedSlots:
    return MissedSlots(group.name, missed.from_ms, missed.to_ms, missed.reason)


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
