"""The reading half of a running gateway: a task for each poll group takes it from slot to slot into the outbox.

Groups come, go and change with the configuration while the others read on.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable
from types import TracebackType
from typing import Any, Self

from gateway.config import GatewaySettings
from gateway.entries import Entry, MissedSlots, SlotReading
from gateway.errors import OutboxFullError
from gateway.instruments import Instruments
from gateway.keeper import Keeper
from gateway.line import Line, RankedReader
from gateway.lines import lines_of
from gateway.maps import load_map
from gateway.poll import PollGroup, Reader, poll
from gateway.replan import Plans
from gateway.schedule import Missed, Timetable, clock_was_ahead
from gateway.status import Faults
from gateway.tally import Tally
from gateway.uplink import Uplink
from gateway.watchdog import Watchdog
from metering.clock import Clock
from metering.quality import Quality

_LOG = logging.getLogger("gateway")

_LOOK_AGAIN_S = 1.0
_FINISH_S = 10.0
"""How long a stopping agent waits for slots that are being read, in real time [s]."""


class Rounds:
    """Reads every poll group at its slots. Use it as an async context manager."""

    def __init__(
        self,
        settings: GatewaySettings,
        clock: Clock,
        keeper: Keeper,
        uplink: Uplink,
        faults: Faults,
        watchdog: Watchdog,
    ) -> None:
        """Remember the parts; nothing is read before `begin` and `start`.

        Args:
            settings: a checked configuration.
            clock: the plant's clock.
            keeper: the outbox.
            uplink: shows births, and sends what was sealed.
            faults: where trouble is shown.
            watchdog: is told of each pass of each group.
        """
        self._settings = settings
        self._clock = clock
        self._keeper = keeper
        self._uplink = uplink
        self._faults = faults
        self._watchdog = watchdog
        self._plans = Plans(settings, clock)
        self._lines = lines_of(settings, clock)
        self._maps: dict[str, str] = {}
        """Digests of the device maps that are read by."""
        self._instruments = Instruments(faults)
        self._naming = asyncio.Lock()
        """Held by whoever writes a birth, which says what is known just then; never while slots are awaited."""
        self.tally = Tally()
        self._timetables: dict[str, Timetable] = {}
        self._era = 0
        """Counts streams begun because the clock had been ahead; what was read before is not committed after."""
        self._turning = asyncio.Lock()
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._under_way: dict[str, asyncio.Task[Entry | None]] = {}
        """Slots that are being read; whoever stops a group lets its slot end, or the meter's answer would be lost."""
        self._failed: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin; nothing is connected yet."""
        self._failed = asyncio.get_running_loop().create_future()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop at once and close every line."""
        await _end([*self._readers.values(), *self._under_way.values()])
        for line in set(self._lines.values()):
            line.close()

    async def begin(self) -> None:
        """Begin a stream, and explain the slots since the last one."""
        self._plans.load()
        self._maps = _digests(self._settings)
        accounted = await self._keeper.do(self._keeper.outbox.accounted_ms)
        start_ms = self._clock.now_ms()
        ahead = clock_was_ahead(start_ms, max(accounted.values(), default=start_ms), self._clock.status())
        await self.begin_stream(start_ms, {} if ahead else accounted, ahead=ahead)

    async def begin_stream(self, start_ms: int, accounted: dict[str, int], *, ahead: bool) -> None:
        """Begin a stream.

        Args:
            start_ms: slots before this instant were missed [ms since the Unix epoch].
            accounted: up to where the slots of each group are read or explained [ms since the Unix epoch].
            ahead: whether what is committed lies in the future.
        """
        async with self._naming:
            birth = self._plans.birth(self._instruments.serials)
            data = await self._keeper.patiently(
                self._keeper.outbox.begin_stream, birth, start_ms, clock_was_ahead=ahead
            )
        for part in birth.groups:
            last_ms = max(accounted.get(part.group, start_ms - 1), start_ms - 1)
            self._timetables[part.group] = Timetable(part.interval_ms, last_ms, self._clock.factor)
        self._uplink.show_birth(data)
        self._uplink.wake()

    def start(self) -> int:
        """Begin to read; tells how many groups there are."""
        self._start_groups(self._plans.by_device())
        return len(self._readers)

    async def until_failed(self) -> None:
        """Wait until a group ends, which none does by itself: raises what went wrong."""
        if self._failed is not None:
            await self._failed

    async def finish(self) -> None:
        """Stop after the slots that are being read."""
        await self._halt(list(self._readers), _FINISH_S)

    async def reload(self, settings: GatewaySettings) -> bool:
        """Read by another configuration from now on; devices that did not change are read on all the while.

        Args:
            settings: checked; only devices and buses may differ.

        Returns:
            Whether anything changed.

        Raises:
            OutboxFullError: no space is left for the birth; the old configuration stays.
            DeviceMapError: a map was changed or removed just now; the old configuration stays.
        """
        async with self._turning:
            plans, maps = self._plans.succeeded_by(settings), _digests(settings)
            old = self._plans.by_device()
            same = _same_devices((self._settings, self._maps), (settings, maps))
            new = [(device, group) for device, group in plans.by_device() if device not in same]
            halting = [group.name for device, group in old if device not in same]
            if not new and not halting:
                return False
            halted_ms = self._clock.now_ms()
            await self._halt(halting, None)
            try:
                async with self._naming:
                    self._instruments.forget(set(self._maps) - same)
                    birth = plans.birth(self._instruments.serials)
                    data = await self._keeper.do(self._keeper.outbox.renew_birth, birth)
                    self._plans, self._settings, self._maps = plans, settings, maps
            except OutboxFullError:
                self._start_groups((device, group) for device, group in old if device not in same)
                raise
            self._renew_lines()
            accounted = await self._keeper.do(self._keeper.outbox.accounted_ms)
            self._renew_timetables(halting, [group for _, group in new], accounted, halted_ms)
            self._start_groups(new)
            self.tally.keep(device.name for device in settings.device)
        self._uplink.show_birth(data)
        self._uplink.wake()
        return True

    def silent(self) -> list[str]:
        """Name the devices that do not answer."""
        return [
            device.name for device in self._settings.device if device.unit_id in self._lines[device.name].silent_units()
        ]

    def round_trips(self) -> dict[str, tuple[int, float]]:
        """Answers so far and the time they took [s], by device."""
        return {device.name: self._lines[device.name].round_trips(device.unit_id) for device in self._settings.device}

    def _start_groups(self, groups: Iterable[tuple[str, PollGroup]]) -> None:
        for device, group in groups:
            # Who shares a line with others goes first when it is read more often.
            reader = RankedReader(self._lines[device], group.interval_ms)
            task = asyncio.create_task(self._poll_for_ever(device, group, reader))
            task.add_done_callback(self._ended)
            self._readers[group.name] = task
        self._watchdog.expect(self._readers)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled() or self._failed is None or self._failed.done():
            return
        error = task.exception()
        if error is not None:
            self._failed.set_exception(error)

    async def _halt(self, names: Collection[str], timeout_s: float | None) -> None:
        """Stop reading some groups between two slots: what is being read is finished and committed."""
        await _end([self._readers.pop(name) for name in names])
        slots = {self._under_way[name] for name in names if name in self._under_way}
        if slots:
            done, _ = await asyncio.wait(slots, timeout=timeout_s)
            for name in names:
                if self._under_way.get(name) in done:
                    del self._under_way[name]
            for slot in done:
                self._ended(slot)

    def _renew_lines(self) -> None:
        before = set(self._lines.values())
        self._lines = lines_of(self._settings, self._clock, before)
        for line in before - set(self._lines.values()):
            line.close()
            self._faults.clear(_shared(line))

    def _renew_timetables(
        self, halted: Collection[str], groups: Iterable[PollGroup], accounted: dict[str, int], halted_ms: int
    ) -> None:
        """A group that goes on owes what passed meanwhile; one that is new, or has other slots, begins now."""
        before = {name: self._timetables.pop(name) for name in halted}
        for group in groups:
            timetable = before.get(group.name)
            if timetable is None or timetable.interval_ms != group.interval_ms:
                last_ms = max(accounted.get(group.name, halted_ms - 1), halted_ms - 1)
                timetable = Timetable(group.interval_ms, last_ms, self._clock.factor)
            self._timetables[group.name] = timetable

    async def _poll_for_ever(self, device: str, group: PollGroup, line: Reader) -> None:
        while True:
            self._watchdog.passed(group.name)
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
            slot = asyncio.create_task(self._take(device, group, slot_ms, timetable, line, era))
            self._under_way[group.name] = slot
            taken = await asyncio.shield(slot)
            del self._under_way[group.name]
            if isinstance(taken, SlotReading):
                group = await self._reconsider(group, taken, line)

    async def _reconsider(self, group: PollGroup, reading: SlotReading, line: Reader) -> PollGroup:
        """Ask differently from now on when the device refuses what it was asked; a new birth says how."""
        found = await self._plans.look_into(group, reading, line)
        if not found:
            return group
        async with self._turning, self._naming:
            birth = self._plans.birth(self._instruments.serials, found)
            try:
                data = await self._keeper.do(self._keeper.outbox.renew_birth, birth)
            except OutboxFullError as error:
                self._faults.show("outbox-full", str(error))
                return group
            self._plans.adopt(found)
        self._uplink.show_birth(data)
        self._uplink.wake()
        return self._plans.group(group.name)

    async def _take(
        self, device: str, group: PollGroup, slot_ms: int, timetable: Timetable, line: Reader, era: int
    ) -> Entry | None:
        """Read one slot and commit it; gives what was read, if anything was."""
        due = timetable.at(slot_ms)
        entries: list[Entry] = [_missed(group, due.missed)] if due.missed else []
        taken = await self._read(group, slot_ms, line) if due.read else None
        self._show_trouble(self._lines[device])
        if isinstance(taken, SlotReading) and not await self._name_instrument(device, group.unit):
            taken = MissedSlots(group.name, slot_ms, slot_ms + group.interval_ms, Quality.DROPPED)
        if taken is not None:
            entries.append(taken)
        if entries and era == self._era:
            await self._keeper.commit(entries)
            self.tally.note(device, group.interval_ms, entries)
        return taken

    def _show_trouble(self, line: Line) -> None:
        trouble = line.trouble()
        if trouble is None:
            self._faults.clear(_shared(line))
        else:
            self._faults.show(_shared(line), trouble)

    async def _name_instrument(self, name: str, unit: int) -> bool:
        """Have a birth name whoever was read, before it is committed; False when the outbox has no space for one."""
        line, known = self._lines[name], self._instruments
        held, stranger = line.identity(unit), line.is_stranger(unit)
        if known.is_known(name, held, stranger=stranger):
            return True
        # A reload waits until its own slots are committed, so this device is in the settings.
        device = next(one for one in self._settings.device if one.name == name)
        async with self._naming:
            serials = known.renamed(device, held)
            if serials != known.serials:
                try:
                    data = await self._keeper.do(self._keeper.outbox.renew_birth, self._plans.birth(serials))
                except OutboxFullError as error:
                    self._faults.show("outbox-full", str(error))
                    return False
                self._uplink.show_birth(data)
            known.know(device, held, stranger=stranger)
        self._uplink.wake()
        return True

    async def _read(self, group: PollGroup, slot_ms: int, line: Reader) -> Entry:
        code = f"not-read {group.name}"
        try:
            reading = await poll(group, slot_ms, line, self._clock)
        except Exception as error:  # noqa: BLE001 - the main loop: what nobody foresaw in one device must not stop the others
            if code not in self._faults.texts:
                _LOG.exception("group %s, slot %d: not read; said once until it is over", group.name, slot_ms)
            self._faults.show(code, repr(error))
            return MissedSlots(group.name, slot_ms, slot_ms + group.interval_ms, Quality.BAD_FRAME)
        self._faults.clear(code)
        return reading

    async def _begin_again(self, era: int) -> None:
        """The clock had jumped ahead and is right again: a new stream, in which slots begin anew."""
        async with self._turning:
            if era != self._era:
                return  # another group was first
            self._era += 1
            _LOG.warning("the clock was ahead and is synchronised again; a new stream begins")
            await self._keeper.commit([])  # what is on its way belongs to the old stream
            await self.begin_stream(self._clock.now_ms(), {}, ahead=True)


def _shared(line: Line) -> str:
    return f"line-shared {line.bus.name}"


def _digests(settings: GatewaySettings) -> dict[str, str]:
    return {device.name: load_map(device.map).digest for device in settings.device}


def _same_devices(old: tuple[GatewaySettings, dict[str, str]], new: tuple[GatewaySettings, dict[str, str]]) -> set[str]:
    """Name the devices that are read exactly as before: same settings, same bus, same text of their map.

    What answers at one unit id is one unit of its line: when one of its devices changes, they all do.
    """
    (was, old_maps), (becomes, new_maps) = old, new
    before = {device.name: device for device in was.device}
    same = {
        device.name
        for device in becomes.device
        if device == before.get(device.name)
        and was.bus_of(device) == becomes.bus_of(device)
        and old_maps[device.name] == new_maps[device.name]
    }
    changed = {
        (one.bus_of(device).name, device.unit_id)
        for one in (was, becomes)
        for device in one.device
        if device.name not in same
    }
    return {name for name in same if (was.bus_of(before[name]).name, before[name].unit_id) not in changed}


def _missed(group: PollGroup, missed: Missed) -> MissedSlots:
    return MissedSlots(group.name, missed.from_ms, missed.to_ms, missed.reason)


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
