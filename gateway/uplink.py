"""The agent's side towards the broker: sends what is due, takes acks in, shows the status."""

import asyncio
import logging
from collections.abc import Callable

from gateway.config import GatewaySettings
from gateway.errors import OutboxFullError
from gateway.keeper import Keeper
from gateway.publisher import Connected, Disconnected, Event, Message, Outcome, Publisher
from gateway.sender import Refusal, Sender, Verdict
from gateway.status import OFFLINE, Faults, status_json
from metering import ack
from metering.clock import Clock
from metering.errors import RecordError
from metering.note import Verifier
from metering.topics import ack_topic, birth_topic, log_topic, status_topic

_LOG = logging.getLogger("gateway.uplink")

STATUS_EVERY_S = 10.0
OLDER_FOR_S = 120.0
"""So long an ingest may say only what is older than what was heard before [s]; a late copy or two say nothing."""
_INBOX_LIMIT = 256


class Uplink:
    """Runs the sender over a broker connection."""

    def __init__(
        self,
        settings: GatewaySettings,
        clock: Clock,
        keeper: Keeper,
        sender: Sender,
        faults: Faults,
        silent: Callable[[], list[str]],
    ) -> None:
        """Remember the parts; nothing is connected yet.

        Args:
            settings: names, broker and pinned ack keys.
            clock: real time for waits, plant time for the status.
            keeper: the outbox.
            sender: decides what is due.
            faults: what is wrong now.
            silent: names the devices that do not answer.
        """
        self._gateway = settings.gateway_id
        self._clock = clock
        self._keeper = keeper
        self._sender = sender
        self._faults = faults
        self._silent = silent
        self._verifiers = tuple(Verifier.parse(text) for text in settings.ack_keys)
        self._publisher = Publisher(settings.broker, self._gateway, clock, self._enqueue)
        self._inbox: asyncio.Queue[Event | None] = asyncio.Queue()
        self._birth = b""
        self._older_since_s: float | None = None
        self.acked = asyncio.Event()
        """Set when an ack counted."""
        self.dropped_messages = 0
        """Messages beyond the inbox limit; acks are cumulative, so the next one says the same."""

    def wake(self) -> None:
        """Look again whether something is due: a record was sealed, or a fault began or ended."""
        if self._inbox.empty():
            self._inbox.put_nowait(None)

    def show_birth(self, data: bytes) -> None:
        """Publish a copy of the last birth for people, now and at each connection."""
        self._birth = data
        self._publisher.publish(birth_topic(self._gateway), data, retain=True)

    async def run(self) -> None:
        """Serve until cancelled; the last thing said is that the gateway is offline."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publisher.run())
            tasks.create_task(self._status_loop())
            try:
                await self._send_loop()
            finally:
                self._publisher.publish(status_topic(self._gateway), OFFLINE, retain=True)

    def _enqueue(self, event: Event) -> None:
        if isinstance(event, Message) and self._inbox.qsize() >= _INBOX_LIMIT:
            self.dropped_messages += 1
            return
        self._inbox.put_nowait(event)

    async def _send_loop(self) -> None:
        while True:
            wait_s = self._sender.wake_in_s(self._now_s())
            try:
                async with asyncio.timeout(wait_s):
                    event = await self._inbox.get()
            except TimeoutError:
                event = None
            if event is not None:
                await self._take(event)
            for record in await self._keeper.do(self._sender.due, self._now_s()):
                self._send(record.data)

    def _send(self, data: bytes) -> None:
        if self._publisher.publish(log_topic(self._gateway), data) is Outcome.TOO_LARGE:
            self._faults.show(
                "record-too-large",
                f"the broker refuses packets as large as a record of {len(data)} bytes: raise its limit",
            )

    async def _take(self, event: Event) -> None:
        match event:
            case Connected():
                self._faults.clear("broker-unreachable")
                self._sender.on_connected(self._now_s())
                if self._birth:  # there is none yet while a full outbox makes space for it
                    self.show_birth(self._birth)
                await self._show_status()
            case Disconnected(reason, taken_over):
                self._sender.on_disconnected()
                self._faults.show("broker-unreachable", f"no connection to the broker: {reason}")
                if taken_over:
                    self._faults.show(
                        "identity-conflict",
                        "another client connected under this gateway's name: look for a cloned box",
                    )
            case Message(topic, payload, retained) if topic == ack_topic(self._gateway):
                await self._take_ack(payload, retained=retained)
            case Message(_, payload, retained) if payload and b"false" not in payload and not retained:
                # An ingest shard came online; a retained message says only that it was so when we connected.
                self._sender.on_ingest_online(self._now_s())
            case _:
                pass

    async def _take_ack(self, payload: bytes, *, retained: bool) -> None:
        if not payload:
            return  # somebody removed the retained ack
        try:
            parsed = ack.parse(payload, self._verifiers)
        except RecordError as error:
            self._faults.show("ack-refused", f"an ack was refused, {error}")
            return
        if parsed.gateway_id != self._gateway:
            self._faults.show("ack-refused", f"an ack for {parsed.gateway_id} came on this gateway's topic")
            return
        self._faults.clear("ack-refused")
        try:
            verdict = await self._keeper.do(self._sender.on_ack, parsed, self._now_s())
        except OutboxFullError as error:
            self._faults.show("outbox-full", str(error))
            return  # the next ack says the same
        self._judge(verdict, parsed)
        if not retained:
            self._watch_age(verdict, parsed)

    def _watch_age(self, verdict: Verdict, parsed: ack.Ack) -> None:
        """Say so when a living ingest goes on saying what is older than what was heard before."""
        if verdict.refusal is not Refusal.OLDER:
            self._older_since_s = None
            self._faults.clear("ack-older")
        elif self._older_since_s is None:
            self._older_since_s = self._now_s()
        elif self._now_s() - self._older_since_s >= OLDER_FOR_S:
            self._faults.show(
                "ack-older",
                f"ingest's acks (run {parsed.run}) are older than one heard before: its journal came from a backup and "
                "its clock went back; set its clock and start it again",
            )

    def _judge(self, verdict: Verdict, parsed: ack.Ack) -> None:
        if verdict.refusal is Refusal.UNKNOWN_JOURNAL:
            self._faults.show(
                "unknown-journal",
                f"journal {parsed.journal} does not succeed the one that acknowledged so far: nothing is deleted until "
                "`sakugen ingest adopt` was run",
            )
        elif verdict.refusal is None:
            self._faults.clear("unknown-journal")
            self._faults.clear("uplink-failed")
            self.acked.set()
        if verdict.conflicts:
            self._faults.show(
                "identity-conflict",
                f"ingest holds other records in stream {', '.join(verdict.conflicts)} than this outbox: "
                "nothing is deleted; look for a cloned box",
            )
        if verdict.again:
            _LOG.warning("ingest was restored; sending again: %s", dict(verdict.again))

    async def _status_loop(self) -> None:
        while True:
            try:
                async with asyncio.timeout(STATUS_EVERY_S):
                    await self._faults.changed.wait()
            except TimeoutError:
                pass
            self._faults.changed.clear()
            await self._show_status()

    async def _show_status(self) -> None:
        state = await self._keeper.do(self._keeper.outbox.state)
        data = status_json(self._clock, state, self._sender.in_flight, self._silent(), self._faults.texts)
        self._publisher.publish(status_topic(self._gateway), data, retain=True)

    def _now_s(self) -> float:
        return self._clock.mono_ms() / 1000
