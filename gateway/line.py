"""One bus with all its units: one request at a time, and no answer taken for another's.

An RTU answer does not say which request it belongs to, so after a request that was given up nothing is believed until
the line has proved that it is in step again: first an answer of a length that no request still open could have, then,
where the map knows one, the identity register. It must hold what it held before; another serial number that shows
itself twice is another instrument, and `identity` tells which. Two requests that follow each other ask for different
lengths, or something else is read between them.

A unit that does not answer is left alone for a while, and so is a bus on which nobody does: neither delays the others
by more than one timeout in that while.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gateway.backoff import BackOff
from gateway.buses import BusKind, BusSettings
from gateway.frames import rtu_bytes
from gateway.member import FIRST_WAIT_S, MOST_WAIT_S, Member, Unit, Words, form_of
from gateway.modbus import Wire
from gateway.poll import Answer
from gateway.turns import Turns
from metering.clock import Clock
from metering.decode import Block
from metering.quality import Quality

_LOG = logging.getLogger("gateway.line")

_ANSWERED = (Quality.OK, Quality.EXCEPTION)
_REFUSALS = (2, 3)
"""Exceptions that speak of the request: there is no such address, or not so many at once."""
_OTHERS_S = 900.0
"""Who has spoken on our line is expected to speak again for so long [s]."""
_UNREACHED = (10, 11)
"""Exceptions of a converter: there is no way to the unit, or it gave no answer."""


class Line:
    """One bus; a `poll.Reader`. Use it as an async context manager."""

    def __init__(self, bus: BusSettings, units: Mapping[int, Unit], clock: Clock) -> None:
        """Remember where it leads; nothing is connected before the first read.

        Args:
            bus: a checked bus.
            units: the devices on it, by unit id.
            clock: stamps requests and answers.
        """
        self.bus = bus
        """Where it leads."""
        self._wire = Wire(bus)
        self._clock = clock
        self._turns = Turns()
        self._reaching = BackOff(FIRST_WAIT_S, MOST_WAIT_S)
        self._members = {number: self._new_member(unit) for number, unit in units.items()}
        self._others = BackOff(_OTHERS_S, _OTHERS_S)
        """Waits for as long as others speak on this line."""
        self._heard = ""
        """What they said last."""
        self._unsure = False
        """Whether a request was given up since the line was last in step; whoever comes next has to look."""
        self._turned_away: set[int] = set()
        """Units that were not asked since the bus was last probed in vain."""

    async def __aenter__(self) -> Self:
        """Begin; the connection is made when it is needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; nobody may be reading."""
        self._wire.close()

    def renew(self, units: Mapping[int, Unit]) -> None:
        """Have other units; what is known of those that stay the same is kept, and so is the connection.

        Args:
            units: the devices on the line from now on; those that go or change must not be being read.
        """
        before = self._members
        self._members = {
            number: before[number] if number in before and before[number].unit == unit else self._new_member(unit)
            for number, unit in units.items()
        }
        self._turned_away &= units.keys()

    def _new_member(self, unit: Unit) -> Member:
        # Whoever had the line before us may have left a request open; over TCP nothing of that reaches us.
        return Member(unit, unsure=self.bus.kind.is_rtu or bool(unit.identities))

    def round_trips(self, unit: int) -> tuple[int, float]:
        """Tell how many requests a unit answered so far, and how long it took over all of them [s]."""
        member = self._members[unit]
        return member.answers, member.answering_s

    def identity(self, unit: int) -> Mapping[Block, Words]:
        """Tell what the identity registers of a unit hold; empty as long as none was read."""
        return self._members[unit].held

    def is_stranger(self, unit: int) -> bool:
        """Tell whether a unit is not read because another model answers than before."""
        return self._members[unit].stranger

    def trouble(self) -> str | None:
        """Tell who else speaks on this line; None when nobody was heard for a while."""
        if self._others.ready(self._now_s()):
            return None
        return f"{self._heard}: one master and one unit of each number on a line; what is in doubt is not believed"

    def silent_units(self) -> list[int]:
        """The units that gave no good answer when they were last asked."""
        if self._reaching.wait_s:
            return sorted(self._members)
        return sorted(number for number, member in self._members.items() if member.patience.wait_s)

    async def read(self, unit: int, function: int, address: int, count: int, rank: int = 0) -> Answer:
        """Read consecutive registers.

        Args:
            unit: the unit id.
            function: 3 for holding, 4 for input registers.
            address: the first register, 0-based.
            count: how many, up to 125.
            rank: who goes first when several wait for the line: the lowest.

        Returns:
            The words, or why there are none.
        """
        wanted = Block(function, address, count)
        if not self._may_ask(unit):
            return self._unasked()
        await self._turns.take(rank, (unit, form_of(wanted)))
        try:
            if not self._may_ask(unit):  # somebody else found out while we waited
                return self._unasked()
            self._overhears(unit)
            quality = await self._get_in_step(unit, wanted)
            sent_ms = self._clock.now_ms()
            words: Words | None = None
            if quality is Quality.OK:
                words, quality = await self._exchange(unit, wanted)
                if words is not None and not self._others.ready(self._now_s()):
                    # We may have taken what another master was answered: then ours comes in behind it, before this.
                    quality = await self._read_between(unit, wanted)
                    words = words if quality is Quality.OK else None
                if quality in _ANSWERED:
                    self._answered(unit)
            refused = quality is Quality.EXCEPTION and self._wire.exception in _REFUSALS
            return Answer(words, quality, sent_ms, self._clock.now_ms(), refused)
        finally:
            self._turns.give_back()

    def _unasked(self) -> Answer:
        now_ms = self._clock.now_ms()
        return Answer(None, Quality.NO_ANSWER, now_ms, now_ms)

    async def _get_in_step(self, number: int, wanted: Block) -> Quality:
        """Make sure that the next answer of a unit can only be the one to the next request; OK when it is so."""
        member = self._members[number]
        quality = Quality.OK
        # Over TCP a transaction has its number; yet there are gateways that put the next one's on a late answer.
        looks_alike = self.bus.kind.is_rtu and self._turns.last_form == (number, form_of(wanted))
        if member.unsure or self._unsure or looks_alike:
            quality = await self._read_between(number, wanted)
        if quality is Quality.OK:
            self._unsure = False
            if member.unsure or member.may_be_another(self._now_s()):
                quality = await self._identify(number, wanted)
        return quality

    async def _read_between(self, number: int, wanted: Block) -> Quality:
        """Read something of another length: whatever was on its way comes in before it, and does not fit."""
        member, now_s = self._members[number], self._now_s()
        probes = member.probes(wanted)
        unproved = Quality.NO_ANSWER if self.bus.kind.is_rtu else Quality.OK
        if not probes:  # nothing else can be read from this device, so only time can tell
            return unproved if member.is_open(form_of(wanted), now_s) else Quality.OK
        if member.unsure:
            probes = [probe for probe in probes if not member.is_open(form_of(probe), now_s)]
        # Another unit's late answer names that unit; a form that none of them owes is better all the same.
        probes.sort(key=lambda probe: any(m.is_open(form_of(probe), now_s) for m in self._members.values()))
        quality = unproved
        for probe in probes:
            _, quality = await self._exchange(number, probe)
            if quality is not Quality.EXCEPTION:
                member.refusals.pop(probe, None)
                break
            # An exception looks the same whatever was asked, so it proves nothing.
            member.refusals[probe] += 1
        return quality

    async def _identify(self, number: int, wanted: Block) -> Quality:
        """Make sure that it is the same device, or learn which one it is; the line is in step."""
        member = self._members[number]
        quality = Quality.OK
        for identity in member.unit.identities:
            quality = await self._recognise(number, identity)
            if quality is not Quality.OK:
                return quality
        if member.unit.identities:
            quality = await self._keep_apart(number, wanted)
        if quality is Quality.OK:
            member.in_step(self._now_s())
        return quality

    async def _recognise(self, number: int, identity: Block) -> Quality:
        """Read one identity register."""
        member = self._members[number]
        words, quality = await self._read_apart(number, identity)
        if words is None:
            return quality
        if not member.recognises(identity, words) and member.unit.numbered:
            again, _ = await self._read_apart(number, identity)
            if again == words:  # no stray answer
                member.held[identity] = words
        was_stranger, member.stranger = member.stranger, not member.recognises(identity, words)
        if not member.stranger:
            return Quality.OK
        if not was_stranger:
            _LOG.error("%s unit %d is another device than before; it is not read", self.bus.where, number)
        self._failed(number, Quality.BAD_FRAME)
        return Quality.BAD_FRAME

    async def _read_apart(self, number: int, identity: Block) -> tuple[Words | None, Quality]:
        """Read an identity register; none and OK when the device refuses it, as not every firmware has it."""
        quality = await self._keep_apart(number, identity)
        if quality is not Quality.OK:
            return None, quality
        words, quality = await self._exchange(number, identity)
        return words, Quality.OK if quality is Quality.EXCEPTION else quality

    async def _keep_apart(self, number: int, block: Block) -> Quality:
        """Read something else first when the last answer of this unit looked like the one to come."""
        if self._turns.last_form != (number, form_of(block)):
            return Quality.OK
        return await self._read_between(number, block)

    async def _exchange(self, number: int, block: Block) -> tuple[Words | None, Quality]:
        """Ask once."""
        member = self._members[number]
        reached = False
        try:
            await self._keep_silence(member.unit)
            async with asyncio.timeout(member.unit.timeout_s + rtu_bytes(block.count) * self.bus.byte_s) as limit:
                if not self._wire.is_open:
                    await self._open_within(limit)
                    self._reached()
                reached = True
                asked_s = asyncio.get_running_loop().time()
                words = await self._wire.ask(number, block.function, block.address, block.count)
                member.answers += 1
                member.answering_s += asyncio.get_running_loop().time() - asked_s
        except (TimeoutError, OSError) as error:
            _LOG.debug("%s unit %d: %r", self.bus.where, number, error)
            quality = Quality.BAD_FRAME if reached and self._wire.strange else Quality.NO_ANSWER
            self._abandon(member, block)
            self._failed(number, quality, reached=reached)
            return None, quality
        except asyncio.CancelledError:
            self._abandon(member, block)
            raise
        self._turns.last_form = (number, form_of(block))
        if self._overhears(number):
            return None, Quality.BAD_FRAME
        if words is None and self._wire.exception in _UNREACHED:
            self._failed(number, Quality.NO_ANSWER)
            return None, Quality.NO_ANSWER
        return words, Quality.EXCEPTION if words is None else Quality.OK

    async def _open_within(self, limit: asyncio.Timeout) -> None:
        await self._wire.open()
        # wait_for, by which the library connects, forgets in Python 3.11 that it was cancelled when the connection
        # stands in the same turn; nothing would then end the waiting for an answer.
        if limit.expired():
            raise TimeoutError

    async def _keep_silence(self, unit: Unit) -> None:
        """Wait until the line has been silent for as long as it must be; a line that never is must bear it."""
        silence_s = max(self.bus.silence_s, unit.turnaround_s)
        if not silence_s:
            return
        now_s = asyncio.get_running_loop().time
        until_s = now_s() + silence_s + unit.timeout_s
        while (left_s := min(self._wire.active_s + silence_s, until_s) - now_s()) > 0:  # noqa: ASYNC110 - bytes may come meanwhile
            await asyncio.sleep(left_s)

    def _abandon(self, member: Member, block: Block) -> None:
        """Leave a request that may still be answered. A serial port stays open and what comes is dropped there."""
        member.give_up(form_of(block), self._now_s())
        self._unsure = True
        if self.bus.kind is not BusKind.RTU or not self._wire.is_open:
            self._wire.close()

    def _overhears(self, number: int) -> bool:
        """Tell whether others ask this unit on our line, or it answers more than it was asked.

        Such a request is to us like one of ours that was given up: an answer to it may still come.
        """
        disturbed = False
        for stray in self._wire.overheard():
            member, now_s = self._members.get(stray.unit), self._now_s()
            if member is None:
                continue
            late = member.unsure and not stray.asks
            member.give_up((stray.function, stray.count), now_s)
            if not late:
                disturbed |= stray.unit == number
                self._others.failed(now_s)
                what = "is asked by another master" if stray.asks else "answers twice, or to another master"
                self._heard = f"{self.bus.where} unit {stray.unit} {what}"
        return disturbed

    def _may_ask(self, number: int) -> bool:
        now_s = self._now_s()
        if not self._members[number].patience.ready(now_s):
            return False
        if not self._reaching.ready(now_s):
            self._turned_away.add(number)
            return False
        if (
            self._turned_away and self._all_silent()
        ):  # whoever has not been its probe for longest, in case others are gone
            longest = min(self._turned_away | {number}, key=lambda unit: (self._members[unit].probed_s, unit))
            if longest != number:
                self._turned_away.discard(longest)  # it asks before long, or it has to wait again
                return False
        return True

    def _all_silent(self) -> bool:
        return all(member.patience.wait_s for member in self._members.values())

    def _reached(self) -> None:
        if not self._all_silent():
            self._reaching.succeeded()

    def _answered(self, number: int) -> None:
        member = self._members[number]
        if member.patience.wait_s:
            _LOG.info("%s unit %d answers again", self.bus.where, number)
        if self._reaching.wait_s:  # the whole bus was silent, which says nothing about the others
            self._reaching.succeeded()
            for other in self._members.values():
                other.patience.succeeded()
        member.patience.succeeded()
        member.spared = False
        self._turned_away.clear()

    def _failed(self, number: int, quality: Quality, *, reached: bool = True) -> None:
        member, now_s = self._members[number], self._now_s()
        if not reached:
            if not self._reaching.wait_s:
                _LOG.warning("%s cannot be reached; it is tried less often until it can", self.bus.where)
            self._reaching.failed(now_s)
            return
        if quality is Quality.BAD_FRAME and not member.spared:
            member.spared = True
            return
        if not member.patience.wait_s:
            _LOG.warning(
                "%s unit %d gives no good answer; it is asked less often until it does", self.bus.where, number
            )
        member.patience.failed(now_s)
        if self._all_silent():
            self._wire.close()  # an adapter that hangs may work when it is opened again
            self._reaching.failed(now_s)
            member.probed_s = now_s
            self._turned_away.clear()

    def _now_s(self) -> float:
        return self._clock.mono_ms() / 1000


@dataclass(frozen=True, slots=True)
class RankedReader:
    """A line as one poll group sees it; a `poll.Reader`."""

    line: Line
    rank: int
    """The lowest goes first."""

    async def read(self, unit: int, function: int, address: int, count: int) -> Answer:
        """Read consecutive registers with function 3 or 4."""
        return await self.line.read(unit, function, address, count, self.rank)
