"""The gateway at work: polls each group at its slots, commits, seals, sends, and stops without losing anything.

What can fail in one device, or in the broker, never stops the polling of the others. Only the outbox can stop the
process.
"""

import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from gateway.bounds import Bounds
from gateway.config import GatewaySettings
from gateway.errors import OutboxFullError
from gateway.keeper import Keeper
from gateway.loglimit import LogLimit
from gateway.modbus import quiet_library
from gateway.outbox import Outbox
from gateway.reload import Reload, check_reload
from gateway.rounds import Rounds
from gateway.sender import Sender
from gateway.status import Faults
from gateway.tally import Measures
from gateway.uplink import Uplink
from gateway.watchdog import Watchdog
from metering.clock import Clock, monotonic_s
from metering.errors import KeyFileError, SakugenError
from metering.keys import load_signer
from metering.note import Signer

_LOG = logging.getLogger("gateway")

FAREWELL_S = 5.0
"""How long a stopping agent waits for the last ack, in real time [s]."""
_UPLINK_PAUSE_S = 5.0
_LOOK_AGAIN_S = 0.01


def main(read: Callable[[], GatewaySettings]) -> None:
    """Run one gateway instance as this process, until SIGTERM or SIGINT; what it has to say goes to stderr.

    Args:
        read: reads and checks the configuration; again at each SIGHUP.
    """
    settings = read()
    handler = logging.StreamHandler()
    handler.addFilter(LogLimit(monotonic_s))
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", handlers=[handler])
    asyncio.run(run(settings, reload=Reload(read)))


async def run(settings: GatewaySettings, stop: asyncio.Event | None = None, reload: Reload | None = None) -> None:
    """Run one gateway instance until it is told to stop.

    Args:
        settings: a checked configuration.
        stop: ends the agent when set; SIGTERM and SIGINT do by default.
        reload: how the configuration is read again; SIGHUP asks for it.

    Raises:
        KeyFileError: the private key cannot be used, or is another gateway's.
        OutboxError: the outbox cannot be used.
    """
    signer = load_signer(settings.key_file)
    if signer.name != str(settings.gateway_id):
        raise KeyFileError(
            f"{settings.key_file} signs as {signer.name!r}; this gateway is {str(settings.gateway_id)!r}"
        )
    if reload is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload.asked.set)
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    quiet_library()
    await Agent(settings, settings.clock.build(), signer, reload).run(stop)


class Agent:
    """One gateway instance."""

    def __init__(self, settings: GatewaySettings, clock: Clock, signer: Signer, reload: Reload | None = None) -> None:
        """Remember the parts; nothing is opened yet.

        Args:
            settings: a checked configuration.
            clock: the plant's clock; keep-alives and retries use its real time.
            signer: the gateway's key.
            reload: how the configuration is read again.
        """
        self._settings = settings
        self._clock = clock
        self._faults = Faults()
        self._outbox = Outbox(
            settings.data_dir / "outbox.sqlite",
            settings.gateway_id,
            signer,
            clock,
            settings.keep_days,
            Bounds(settings.max_bytes, settings.when_full),
        )
        self._sender = Sender(self._outbox.shelf, lambda: random.uniform(0.9, 1.1))  # noqa: S311 - spreads retries, hides nothing
        self._reload = reload or Reload(lambda: settings)
        self._watchdog = Watchdog.of(os.environ)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        with self._outbox:
            async with AsyncExitStack() as stack:
                slot_s = _shortest_slot_s(self._settings, self._clock.factor)
                keeper = Keeper(self._outbox, self._faults, self._wake, self._watchdog.alive, slot_s)
                self._keeper = await stack.enter_async_context(keeper)
                self._uplink = Uplink(
                    self._settings, self._clock, self._keeper, self._sender, self._faults, self._silent
                )
                self._rounds = await stack.enter_async_context(
                    Rounds(self._settings, self._clock, keeper, self._uplink, self._faults, self._watchdog)
                )
                if self._outbox.set_aside is not None:
                    self._faults.show(
                        "outbox-set-aside",
                        f"a damaged outbox is kept as {self._outbox.set_aside}; what it had not sent is missing",
                    )
                if self._settings.metrics is not None:
                    from gateway.metrics import Metrics  # noqa: PLC0415 - a box that shows none has no memory for it

                    await stack.enter_async_context(Metrics(self._settings.metrics, self._measure))
                await self._serve(self._rounds, stop)

    async def _serve(self, rounds: Rounds, stop: asyncio.Event) -> None:
        """Send from the first moment on: an outbox that was full at the start has space only when acks came."""
        stopping, beginning = asyncio.create_task(stop.wait()), asyncio.create_task(rounds.begin())
        services = [asyncio.create_task(work) for work in (self._keeper.run(), self._serve_uplink())]
        try:
            await _first_of(stopping, beginning, *services)
            if not beginning.done():
                return  # told to stop before there was space to begin
            services += [
                asyncio.create_task(work)
                for work in (
                    self._seal_for_ever(),
                    self._reload_for_ever(rounds),
                    self._look_for_damage(),
                    rounds.until_failed(),
                )
            ]
            sys.stdout.write(f"ready gateway {self._settings.gateway_id}: {rounds.start()} poll groups\n")
            sys.stdout.flush()
            self._watchdog.ready()
            await _first_of(stopping, *services)
            self._watchdog.stopping()
            await rounds.finish()
            await self._farewell()
        finally:
            await _end([stopping, beginning, *services])

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

    async def _serve_uplink(self) -> None:
        while True:
            try:
                await self._uplink.run()
            except Exception as error:  # main loop: readings are kept whatever happens on the way to the broker
                if self._keeper.broken or _is_told_to_end():
                    raise
                if "uplink-failed" not in self._faults.texts:
                    _LOG.exception("the uplink failed; it starts again until an ack comes")
                self._faults.show("uplink-failed", repr(error))
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

    async def _look_for_damage(self) -> None:
        looking = asyncio.create_task(asyncio.to_thread(self._outbox.find_damage))
        try:
            found = await asyncio.shield(looking)
        finally:
            while not looking.done():
                self._outbox.stop_looking()
                await asyncio.sleep(_LOOK_AGAIN_S)
        if found is not None:
            raise self._keeper.give_up(await self._keeper.do(self._outbox.damaged, found))
        await asyncio.Event().wait()

    async def _reload_for_ever(self, rounds: Rounds) -> None:
        while True:
            await self._reload.asked.wait()
            self._reload.asked.clear()
            self._faults.clear("reload-refused")  # each attempt is answered, also when it fails like the one before
            try:
                settings = await asyncio.to_thread(self._reload.read)
                check_reload(self._settings, settings)
                changed = await rounds.reload(settings)
            except SakugenError as error:
                self._faults.show("reload-refused", f"the configuration stays as it was: {error}")
            else:
                self._settings = settings
                _LOG.info("the configuration was read again: %s", "now in use" if changed else "nothing changed")

    async def _measure(self) -> Measures:
        queue = await self._keeper.do(self._outbox.queue)
        return Measures(
            now_ms=self._clock.now_ms(),
            queue=queue,
            devices=self._rounds.tally.devices,
            round_trips=self._rounds.round_trips(),
            faults=self._faults.texts,
            dropped_messages=self._uplink.dropped_messages,
        )

    def _wake(self) -> None:
        self._uplink.wake()

    def _silent(self) -> list[str]:
        return self._rounds.silent()


def _shortest_slot_s(settings: GatewaySettings, factor: float) -> float:
    return min(group.interval_s for device in settings.device for group in device.group) / factor


def _is_told_to_end() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _first_of(*tasks: asyncio.Task[Any]) -> None:
    """Wait until one of them ends; raises what went wrong, if something did."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
