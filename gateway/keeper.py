"""One thread for the outbox: what touches the file waits its turn, commits that wait together are one flush.

A full outbox first makes space, as far as its policy allows. When it cannot, reading stops and nothing more is lost:
whoever commits waits until there is space, and the slots that pass meanwhile become missed slots. A file that can no
longer be used ends `run`, whoever found that out, and the process with it.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from gateway.entries import Entry
from gateway.errors import OutboxBrokenError, OutboxError, OutboxFullError
from gateway.outbox import Outbox
from gateway.status import Faults

_LOG = logging.getLogger("gateway.outbox")
_FULL_RETRY_S = 2.0
_QUIET_S, _QUIET_SHARE = 0.02, 1 / 50
"""Once nothing has come for so long, what waits is committed [s]; at most this share of the time between slots."""
_GATHER_S, _GATHER_SHARE = 0.2, 1 / 5
"""However much goes on coming, nothing waits longer for its commit [s]; at most this share of that time."""

P = ParamSpec("P")
R = TypeVar("R")


class Keeper:
    """Serialises the use of an outbox. Use it as an async context manager and run `run` beside it."""

    def __init__(
        self,
        outbox: Outbox,
        faults: Faults,
        on_sealed: Callable[[], None],
        on_full: Callable[[], None] = lambda: None,
        slot_s: float = 1.0,
    ) -> None:
        """Remember whom to serve.

        Args:
            outbox: open.
            faults: where a full disk is shown.
            on_sealed: called in the event loop after a commit that sealed a record.
            on_full: called in the event loop each time that a commit found the disk full; it is tried again.
            slot_s: the shortest time between two slots of a poll group, in real time [s].
        """
        self._quiet_s = min(_QUIET_S, slot_s * _QUIET_SHARE)
        self._gather_s = min(_GATHER_S, slot_s * _GATHER_SHARE)
        self.outbox = outbox
        self._faults = faults
        self._on_sealed = on_sealed
        self._on_full = on_full
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._waiting: list[tuple[Sequence[Entry], asyncio.Future[None]]] = []
        self._some = asyncio.Event()
        self._given_up = 0
        """Records, since this start."""
        self.broken: OutboxBrokenError | None = None
        """Why the file can no longer be used."""

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is under way."""
        await asyncio.to_thread(self._thread.shutdown)

    async def do(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call something that uses the outbox, in its turn.

        Raises:
            OutboxBrokenError: the file can no longer be used; `run` ends with the same.
        """
        if self.broken is not None:
            raise self.broken
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, lambda: call(*args, **kwargs))
        except sqlite3.DatabaseError as error:
            raise self.give_up(self.outbox.broken(error)) from error

    async def patiently(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call something that writes; while there is no space, make some or wait for it, and call again."""
        while True:
            try:
                result = await self.do(call, *args, **kwargs)
            except OutboxFullError as error:
                self._on_full()
                if not await self._make_space():
                    self._faults.show("outbox-full", str(error))
                    await asyncio.sleep(_FULL_RETRY_S)
            else:
                self._faults.clear("outbox-full")
                return result

    def give_up(self, error: OutboxBrokenError) -> OutboxBrokenError:
        """End `run` with an error; gives it back."""
        self.broken = self.broken or error
        self._some.set()
        return error

    async def commit(self, entries: Sequence[Entry]) -> None:
        """Return once the entries are durable.

        Raises:
            OutboxError: when the outbox refuses these entries.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, done))
        self._some.set()
        await done

    async def run(self) -> None:
        """Commit what waits, for ever; a poll group waits for its commit, so no more wait than there are groups.

        Raises:
            OutboxBrokenError: the file can no longer be used.
        """
        while True:
            await self._some.wait()
            if self.broken is not None:
                raise self.broken
            await self._gather()
            self._some.clear()
            batch, self._waiting = self._waiting, []
            try:
                await self._commit_patiently([entry for entries, _ in batch for entry in entries])
            except OutboxError:
                await self._commit_apart(batch)
            except BaseException as error:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                raise
            for _, done in batch:
                if not done.done():
                    done.set_result(None)

    async def _gather(self) -> None:
        """Let the readings of one slot come in: they share a flush, and a card bears only so many."""
        loop = asyncio.get_running_loop()
        until_s, seen = loop.time() + self._gather_s, 0
        while seen < len(self._waiting) and loop.time() < until_s:
            seen = len(self._waiting)
            await asyncio.sleep(self._quiet_s)

    async def _commit_apart(self, batch: Sequence[tuple[Sequence[Entry], asyncio.Future[None]]]) -> None:
        """One group's refused entry must not cost the others theirs."""
        for entries, done in batch:
            try:
                await self._commit_patiently(entries)
            except OutboxError as error:
                if not done.done():
                    done.set_exception(error)

    async def _commit_patiently(self, entries: Sequence[Entry]) -> None:
        if await self.patiently(self.outbox.commit, entries):
            self._on_sealed()

    async def _make_space(self) -> bool:
        try:
            freed = await self.do(self.outbox.make_space)
        except OutboxFullError:
            return False
        if freed.copies:
            _LOG.warning("the outbox is full: %d copies of acknowledged records were deleted to go on", freed.copies)
        if freed.given_up:
            self._given_up += freed.given_up
            # It stays in the status until the next start: these readings are lost for good.
            self._faults.show(
                "records-given-up", f"the outbox is full: {self._given_up} records were given up before ingest had them"
            )
        return bool(freed.copies or freed.given_up)
