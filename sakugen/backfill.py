"""A stretch of simulated time through the real pipeline: registers, decoder, outbox, records, broker, ingest.

In: a gateway's configuration, the simulators', and an interval. Out: every due slot of it in the journal, signed and
acknowledged, as fast as the machine goes. Only the waiting is left out, and the line: words come from the plant's
image of the instant, one commit is a record instead of a slot.
"""

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gateway import __version__
from gateway.birth import birth_body
from gateway.bounds import Bounds
from gateway.columns import Column, decode_columns
from gateway.config import GatewaySettings
from gateway.errors import OutboxFullError
from gateway.keeper import Keeper
from gateway.layout import lay_out
from gateway.outbox import SEAL_BYTES, Outbox
from gateway.poll import PollGroup
from gateway.sender import Sender
from gateway.status import Faults
from gateway.uplink import Uplink
from metering.clock import ClockState, ClockStatus, SystemClock
from metering.errors import SakugenError
from metering.interval import DAY_MS, Interval
from metering.keys import load_signer
from metering.record import BACKFILL_AGENT, GroupReadings
from simulators.build import built
from simulators.config import SimulatorSettings
from simulators.devices.quantities import quantities
from simulators.devices.table import WordArray, image
from simulators.roster import Instrument, Site

ANSWER_MS = 20
"""How long after its slot each answer is in [ms]."""
_MOST_WAITING = 256
"""Records that are not acknowledged yet; more would only fill the disk."""
_LOOK_EVERY = 32
_LOOK_AGAIN_S = 0.05
_PATIENCE_S = 5.0
"""So long may pass without an ack before somebody is told."""
_VALUE_BYTES = 25
"""A value with its quality takes no more in a record [bytes]."""
_TIMES_BYTES = 32
"""Slot, sent and received, and what stands around the raw words [bytes]."""


class BackfillError(SakugenError):
    """The two configurations do not fit each other, or the interval is none."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What was done."""

    slots: int
    """Of all poll groups."""
    readings: int
    records: int


class _SlotClock(SystemClock):
    """Shows the slot that is filled in; retries and keep-alives use the machine's time."""

    def __init__(self, now_ms: int) -> None:
        super().__init__()
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms

    def status(self) -> ClockStatus:
        return ClockStatus(ClockState.SYNCHRONISED, 0)


async def backfill(
    gateway: GatewaySettings,
    simulators: SimulatorSettings,
    interval: Interval,
    progress: Callable[[int], None] = lambda _ms: None,
    stalled: Callable[[str], None] = lambda _what: None,
) -> Filled:
    """Fill an interval and wait until ingest has acknowledged all of it.

    Args:
        gateway: a checked configuration; its devices are named as the plant's instruments.
        simulators: they hold the plant of the gateway's project.
        interval: slots from its start on, the end left out.
        progress: is told up to where it is filled [ms since the Unix epoch].
        stalled: is told when nothing has been acknowledged for some seconds, and what to look at.

    Raises:
        BackfillError: a device is no instrument of the plant, or a block cannot be read from it.
        OutboxError: the outbox cannot be used, or holds later slots already.
        KeyFileError: the private key cannot be used.
    """
    site = _site_of(gateway, simulators)
    groups = [laid.group for laid in lay_out(gateway)]
    sources = [_Source(group, _instrument_of(site, group), site) for group in groups]
    clock, faults = _SlotClock(interval.start_ms), Faults()
    bounds = Bounds(gateway.max_bytes, gateway.when_full)
    signer = load_signer(gateway.key_file)
    outbox = Outbox(gateway.data_dir / "outbox.sqlite", gateway.gateway_id, signer, clock, gateway.keep_days, bounds)
    sender = Sender(outbox.shelf, lambda: 1.0)
    with outbox:
        async with Keeper(outbox, faults, lambda: None) as keeper:
            uplink = Uplink(gateway, clock, keeper, sender, faults, list)
            ingest = _Ingest(keeper, uplink, lambda: stalled(_look_at(gateway)))
            sending = asyncio.create_task(uplink.run())
            try:
                body = replace(birth_body(gateway, 1.0), agent=f"{BACKFILL_AGENT} {__version__}")
                await keeper.do(outbox.begin_stream, body, interval.start_ms)
                filled = await _fill(sources, interval, clock, ingest, progress)
                await ingest.until_at_most(0)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
    return filled


async def _fill(
    sources: Sequence["_Source"],
    interval: Interval,
    clock: _SlotClock,
    ingest: "_Ingest",
    progress: Callable[[int], None],
) -> Filled:
    slots = readings = records = 0
    for part in _stretches(sources, interval):
        clock.at_ms = part.end_ms
        columns = [found for source in sources if (found := source.readings(part)) is not None]
        if columns:
            await ingest.append(columns)
            records += 1
            slots += sum(len(each.slots) for each in columns)
            readings += sum(len(each.slots) * len(each.values) for each in columns)
        progress(part.end_ms)
        if records % _LOOK_EVERY == 0:
            await ingest.until_at_most(_MOST_WAITING)
    return Filled(slots, readings, records)


def _look_at(gateway: GatewaySettings) -> str:
    broker = gateway.broker
    return (
        f"nothing was acknowledged for {_PATIENCE_S:g} s; is ingest running, and does it listen on the broker at"
        f" {broker.host}:{broker.port}? This goes on as soon as it does"
    )


class _Ingest:
    """What records are handed to, and waited for."""

    def __init__(self, keeper: Keeper, uplink: Uplink, stalled: Callable[[], None]) -> None:
        self._keeper, self._uplink, self._stalled = keeper, uplink, stalled

    async def append(self, columns: Sequence[GroupReadings]) -> None:
        """Put a record into the outbox and have it sent."""
        outbox = self._keeper.outbox
        try:
            await self._keeper.do(outbox.append, columns)
        except OutboxFullError:
            # Nothing is given up to make space: once all is acknowledged there are only copies.
            await self.until_at_most(0)
            await self._keeper.do(outbox.make_space)
            await self._keeper.do(outbox.append, columns)
        self._uplink.wake()

    async def until_at_most(self, records: int) -> None:
        """Wait until no more records than these wait for an ack."""
        since_s, before = time.monotonic(), -1
        while (waiting := (await self._keeper.do(self._keeper.outbox.state)).unacknowledged_records) > records:
            if waiting != before:
                since_s, before = time.monotonic(), waiting
            elif time.monotonic() - since_s > _PATIENCE_S:
                self._stalled()
                since_s = float("inf")  # once is enough until something moves
            self._uplink.acked.clear()
            try:
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._uplink.acked.wait()
            except TimeoutError:
                continue


def _stretches(sources: Sequence["_Source"], interval: Interval) -> Iterator[Interval]:
    # As long as one record's bytes allow, and a day at most; a stretch begins where the one before ended.
    per_ms = sum(source.slot_bytes / source.group.interval_ms for source in sources)
    step_ms = max(source.group.interval_ms for source in sources)
    length_ms = max(min(int(SEAL_BYTES / per_ms), DAY_MS) // step_ms, 1) * step_ms
    for start_ms in range(interval.start_ms, interval.end_ms, length_ms):
        yield Interval(start_ms, min(start_ms + length_ms, interval.end_ms))


@dataclass(frozen=True, slots=True)
class _Held:
    """What was worked out ahead for one poll group."""

    slots: range
    columns: list[Column]
    """One a point."""
    raw: list[str]
    reasons: list[tuple[int, int, int]]
    """(slot, point, code) of every None, ascending."""


class _Source:
    """One poll group, and what the words say that its device would answer with."""

    def __init__(self, group: PollGroup, instrument: Instrument, site: Site) -> None:
        self.group = group
        self._instrument = instrument
        self._site = site
        self._held = _Held(range(0), [], [], [])

    @property
    def slot_bytes(self) -> int:
        """The most that a slot takes in a record [bytes]."""
        words = sum(block.count for block in self.group.blocks)
        return _TIMES_BYTES + 4 * -(-2 * words // 3) + _VALUE_BYTES * len(self.group.registers)

    def readings(self, part: Interval) -> GroupReadings | None:
        """The columns of a record for a stretch; None without a due slot in it."""
        every_ms = self.group.interval_ms
        slots = range(-(-part.start_ms // every_ms) * every_ms, part.end_ms, every_ms)
        if not slots:
            return None
        if slots[-1] not in self._held.slots:
            stretches = max(DAY_MS // part.length_ms, 1)
            self._held = self._worked_out(range(slots.start, part.start_ms + stretches * part.length_ms, every_ms))
        held = self._held
        first = held.slots.index(slots[0])
        last = first + len(slots)
        return GroupReadings(
            group=self.group.name,
            slots=tuple(slots),
            sent=(0,) * len(slots),
            received=(ANSWER_MS,) * len(slots),
            values=tuple(tuple(column.values[first:last]) for column in held.columns),
            raw=tuple(held.raw[first:last]),
            quality=tuple((point, at - first, code) for at, point, code in held.reasons if first <= at < last),
        )

    def _worked_out(self, slots: range) -> _Held:
        words = np.concatenate([*self._blocks(np.array(slots, np.int64) + ANSWER_MS // 2)], axis=1).astype(">u2")
        answers, size = words.tobytes(), 2 * words.shape[1]
        columns = decode_columns(self.group.registers, self.group.blocks, answers)
        reasons = sorted(
            (at, point, int(why)) for point, each in enumerate(columns) for at, why in each.reasons.items()
        )
        raw = [b64encode(answers[at : at + size]).decode() for at in range(0, len(answers), size)]
        return _Held(slots, columns, raw, reasons)

    def _blocks(self, at_ms: np.typing.NDArray[np.int64]) -> Iterator[WordArray]:
        plant, name = self._site.plant, self._instrument.name
        columns = plant.columns(name, at_ms)
        sheet = self._instrument.sheet
        whole = image(sheet, quantities(plant.instruments[name], columns), self._instrument.nameplate.serial)
        for block in self.group.blocks:
            words = whole.block(block.address, block.count) if block.function == sheet.function else None
            if words is None:
                raise BackfillError(
                    f"poll group {self.group.name}: {name} has no {block.count} registers from {block.address} on for"
                    f" function {block.function}; is its device map the right one?"
                )
            yield words


def _site_of(gateway: GatewaySettings, simulators: SimulatorSettings) -> Site:
    for plant in simulators.plants:
        if plant.project == gateway.project:
            return built(simulators, plant)
    known = ", ".join(plant.project for plant in simulators.plants)
    raise BackfillError(f"no simulated plant has project {gateway.project!r}; there are: {known}")


def _instrument_of(site: Site, group: PollGroup) -> Instrument:
    device = group.name.partition("/")[0]
    for instrument in site.instruments:
        if (instrument.name, instrument.unit_id) == (device, group.unit):
            return instrument
    known = ", ".join(f"{each.name} (unit {each.unit_id})" for each in site.instruments)
    raise BackfillError(f"device {device!r}, unit {group.unit}, is no instrument of the plant; there are: {known}")
